"""Transport: what never leaves this machine counts as secure, so that policies that ask for TLS hold here too."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any

from fanfold.engine.mend import Original, Patch

ORIGIN = Original("ministack.app", "pin_request_origin", "de819c1bd9ac2be4")


def _loopback_is_secure() -> None:
    pin: Any = ORIGIN.value()

    def pinned(source_ip: str, secure_transport: bool) -> None:
        pin(source_ip, secure_transport or ip_address(source_ip).is_loopback)

    ORIGIN.replace(pinned)


PATCHES = [
    Patch(
        "secure-transport",
        "With roles enforced, a policy that asks for TLS denies every request, since the engine has no TLS.",
        (ORIGIN,),
        _loopback_is_secure,
    ),
]
