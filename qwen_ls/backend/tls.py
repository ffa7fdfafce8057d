"""Whether a host's certificate is trusted here, for `doctor`. The one connection that carries no request."""

from __future__ import annotations

import socket
import ssl
import time
import urllib.request
from dataclasses import dataclass
from typing import TYPE_CHECKING

from qwen_ls.backend import network

if TYPE_CHECKING:
    from qwen_ls.backend.plan import Target

_TIMEOUT_S = 3.0
_DAY_S = 86_400


@dataclass(frozen=True, slots=True)
class Handshake:
    """What was seen."""

    version: str
    """`TLSv1.3`, for example."""
    days_left: int
    """Until the certificate expires."""


def shake_hands(target: Target) -> Handshake | None:
    """Connect to the target's host over TLS and hang up. Blocks, for 3 s at most.

    Returns:
        What was seen; None where there is no TLS to look at: plain HTTP, or a proxy in between.

    Raises:
        BackendError: no connection, or a certificate that is refused.
    """
    scheme, _, rest = target.base_url.partition("://")
    if scheme != "https" or (
        urllib.request.getproxies().get("https") and not urllib.request.proxy_bypass(target.host)
    ):
        return None
    import httpx

    port = rest.partition("/")[0].removeprefix("[").rpartition("]")[2].rpartition(":")[2]
    try:
        context = httpx.create_ssl_context()
    except (OSError, ssl.SSLError):
        raise network.certificates_failure() from None
    try:
        address = (target.host, int(port) if port.isdigit() else 443)
        with (
            socket.create_connection(address, timeout=_TIMEOUT_S) as plain,
            context.wrap_socket(plain, server_hostname=target.host) as wrapped,
        ):
            certificate = wrapped.getpeercert() or {}
            ends_s = ssl.cert_time_to_seconds(str(certificate.get("notAfter", "Jan  1 00:00:00 2100 GMT")))
            return Handshake(wrapped.version() or "TLS", int((ends_s - time.time()) // _DAY_S))
    except OSError as error:
        raise network.connect_failure(error, target) from None
