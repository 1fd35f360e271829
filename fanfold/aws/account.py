"""Where AWS answers: a profile and a region, or an endpoint that stands in for AWS."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import boto3
from botocore.config import Config

CONFIG = Config(
    retries={"mode": "standard", "total_max_attempts": 5},
    connect_timeout=5,
    read_timeout=60,
    max_pool_connections=64,
    # Without it a GET of a range would be checked against the checksum of the whole object.
    response_checksum_validation="when_required",
    request_checksum_calculation="when_required",
)


@dataclass(slots=True)
class Account:
    """An AWS account as one caller sees it. Clients are made once each, when first asked for."""

    profile: str | None = None
    region: str | None = None
    endpoint: str | None = None
    """None is AWS itself, or what AWS_ENDPOINT_URL names."""
    _clients: dict[str, Any] = field(default_factory=dict, repr=False)

    def client(self, service: str) -> Any:
        """Return the boto3 client of a service."""
        if service not in self._clients:
            keys: dict[str, Any] = {}
            if self.endpoint:
                keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
            session: Any = boto3.Session(profile_name=self.profile, region_name=self.region, **keys)
            self._clients[service] = session.client(service, endpoint_url=self.endpoint, config=CONFIG)
        return self._clients[service]
