"""Where AWS answers: a profile and a region, or an endpoint that stands in for AWS."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import boto3
import botocore.session
from botocore.config import Config

from fanfold.aws.wire import Wire

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
    _session: Any = field(default=None, repr=False)
    _wire: Wire | None = field(default=None, repr=False)
    _core: Any = field(default_factory=botocore.session.Session, repr=False)

    def _connected(self) -> Any:
        if self._session is None:
            keys: dict[str, Any] = {}
            if self.endpoint:
                keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
            self._session = boto3.Session(
                botocore_session=self._core, profile_name=self.profile, region_name=self.region, **keys
            )
        return self._session

    def client(self, service: str) -> Any:
        """Return the boto3 client of a service."""
        if service not in self._clients:
            self._clients[service] = self._connected().client(service, endpoint_url=self.endpoint, config=CONFIG)
        return self._clients[service]

    def wire(self) -> Wire:
        """Return DynamoDB's protocol as the client of DynamoDB would speak it."""
        if self._wire is None:
            session = self._connected()
            bundle = self._core.get_config_variable("ca_bundle")
            self._wire = Wire(self.client("dynamodb"), session.get_credentials(), bundle)
        return self._wire
