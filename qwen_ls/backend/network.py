"""What goes wrong between here and the endpoint, from exceptions of the network layers to the tree.

Pure. It reads exception types and error numbers, never texts: a library's text may hold a header, and a
header the key. It knows no HTTP library; `http.py` says in which phase an exception came.
"""

from __future__ import annotations

import errno
import socket
import ssl
from typing import TYPE_CHECKING

from qwen_ls.backend import base

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qwen_ls.backend.plan import Target

# These say that a handshake waits or was broken off, not that one side refused it.
_TLS_INTERRUPTED = (ssl.SSLWantReadError, ssl.SSLWantWriteError, ssl.SSLEOFError, ssl.SSLZeroReturnError)
_NO_ROUTE = frozenset({errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN, errno.EHOSTDOWN})


def connect_failure(error: BaseException, target: Target) -> base.BackendError:
    """The exception for a connection that could not be made."""
    host = target.host
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLError) and not isinstance(cause, _TLS_INTERRUPTED):
            return tls_failure(target)
        if isinstance(cause, socket.gaierror):
            return base.UnreachableError(
                f"The name {host} cannot be resolved",
                remedy="Check the network, the proxy and baseUrl.",
                cause="dns",
            )
        if isinstance(cause, ConnectionRefusedError) or getattr(cause, "errno", None) == errno.ECONNREFUSED:
            remedy = "Start the server there, or set baseUrl." if target.base_url.startswith("http:") else ""
            return base.UnreachableError(
                f"Nothing answers at {target.base_url}",
                remedy=remedy or "Check baseUrl, the network and the proxy.",
                cause="refused",
            )
        if getattr(cause, "errno", None) in _NO_ROUTE:
            return base.UnreachableError(f"There is no network to {host}", remedy="Check the network.")
    return unreachable(target)


def unreachable(target: Target) -> base.UnreachableError:
    """The exception for a connection that could not be made, or not in time."""
    return base.UnreachableError(
        f"{target.host} cannot be reached", remedy="Check the network, the proxy and baseUrl."
    )


def tls_failure(target: Target) -> base.TlsError:
    """The exception for a certificate that was refused, or a TLS connection that failed."""
    return base.TlsError(
        f"The certificate of {target.host} is not trusted, or it speaks no TLS",
        remedy="Behind a proxy that opens TLS, set SSL_CERT_FILE to its certificate; else check baseUrl.",
    )


def certificates_failure() -> base.TlsError:
    """The exception for trusted certificates that cannot be read."""
    return base.TlsError(
        "The certificates to check TLS connections with cannot be read",
        remedy="Check that SSL_CERT_FILE and SSL_CERT_DIR, if they are set, name files that exist.",
        cause="certificates",
    )


def proxy_failure(target: Target) -> base.UnreachableError:
    """The exception for a proxy that refuses to connect."""
    return base.UnreachableError(
        f"The proxy does not connect to {target.host}",
        remedy="Check HTTPS_PROXY, or add the host to NO_PROXY.",
        cause="proxy",
    )


def bad_proxy() -> base.ConfigurationError:
    """The exception for a proxy setting that cannot be used at all."""
    return base.ConfigurationError(
        "The proxy that the environment names cannot be used",
        remedy="Set HTTPS_PROXY (or ALL_PROXY) to an http:// address; SOCKS is not supported.",
        cause="proxy setting",
    )


def lost_connection(target: Target) -> base.UnreachableError:
    """The exception for a connection that ended in the middle of a call."""
    return base.UnreachableError(
        f"The connection to {target.host} was lost",
        remedy="Check the network and the proxy.",
        cause="connection lost",
    )


def timeout_failure(target: Target, timeout_ms: int) -> base.DeadlineError:
    """The exception for a call without an answer in time."""
    return base.DeadlineError(
        f"{target.host} did not answer within {timeout_ms / 1000:g} s",
        remedy="It will be asked again after a pause; timeoutMs sets how long a call may take.",
    )


def stall_failure(target: Target, stall_s: float) -> base.DeadlineError:
    """The exception for a stream that stopped in the middle."""
    return base.DeadlineError(
        f"The answer of {target.host} stopped in the middle for {stall_s:g} s", cause="stall"
    )


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """An exception and what it came from, groups included, each once."""
    seen: set[int] = set()
    waiting = [error]
    while waiting:
        one = waiting.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        waiting += [one.__context__, one.__cause__]
        if isinstance(one, BaseExceptionGroup):
            waiting += one.exceptions
