"""The HTTP client: how it is built, once a backend, in a thread."""

from __future__ import annotations

import contextlib
import logging
import ssl
import sys
from typing import TYPE_CHECKING

from qwen_ls.backend import network
from qwen_ls.backend.address import is_loopback
from qwen_ls.backend.wire.headers import USER_AGENT

if TYPE_CHECKING:
    import httpx

    from qwen_ls.backend.plan import Target
    from qwen_ls.settings import Settings

CONNECT_S = 3.0
"""The longest a connection may take to be made."""
POOL_S = 1.0
"""The longest wait for a place in the pool. The pool has no limit: this is only met when it is broken."""


def build_client(target: Target, settings: Settings) -> httpx.AsyncClient:
    """Import httpx and build a client. Takes 0.1 s: it reads the certificates.

    Proxies and SSL_CERT_FILE come from the environment, but not for this machine: a proxy has no business
    with a server of one's own, nor with its key. httpx 0.28 reads no .netrc. Redirects are not followed.

    Raises:
        TlsError: the certificates cannot be read.
        ConfigurationError: the environment's proxy cannot be used.
    """
    # httpx has a command line of its own; where click and rich are installed, it imports them for it: 60 ms.
    sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]
    import anyio
    import httpx

    for name in ("httpx", "httpcore"):  # they log addresses and headers below this level
        logging.getLogger(name).setLevel(logging.WARNING)
    with contextlib.suppress(Exception):
        anyio.run(anyio.sleep, 0)  # imports its asyncio side here instead of in the first call
    is_local = is_loopback(target.host)
    try:
        if is_local and target.base_url.startswith("http:"):
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # not used; the real one costs 20 ms and more
        else:
            context = httpx.create_ssl_context()
    except (OSError, ssl.SSLError):
        raise network.certificates_failure() from None
    try:
        return httpx.AsyncClient(
            verify=context,
            http2=False,
            trust_env=not is_local,
            follow_redirects=False,
            headers={"user-agent": USER_AGENT},
            timeout=httpx.Timeout(target.timeout_ms(settings) / 1000, connect=CONNECT_S, pool=POOL_S),
            # A limit would let connections that hang block the ones after them.
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=4),
        )
    except (ImportError, ValueError, httpx.InvalidURL):
        raise network.bad_proxy() from None
