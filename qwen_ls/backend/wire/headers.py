"""Request headers: what is sent along, and that a key goes only where it may.

Pure.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from qwen_ls import __version__
from qwen_ls.backend.address import key_refused, may_receive_key
from qwen_ls.backend.base import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from qwen_ls.backend.keys import Key
    from qwen_ls.backend.plan import Target

_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
# These are the connection's own business.
_RESERVED = frozenset(
    {"host", "content-length", "transfer-encoding", "connection", "te", "upgrade", "expect"}
)
USER_AGENT = f"qwen-ls/{__version__}"


def request_headers(
    target: Target, key: Key | None, extra: Mapping[str, str], *, scheme: str, host: str, stream: bool
) -> dict[str, str]:
    """The headers of one call; names are in lower case.

    Args:
        target: whom the call is for.
        key: the key, if there is one.
        extra: the settings' `extraHeaders`; they replace headers of the same name.
        scheme: the scheme of the connection that the call will use.
        host: its host, as the HTTP library has read it.
        stream: whether a stream is wanted.

    Raises:
        ConfigurationError: the key may not be sent to this host, or a header of the settings cannot be sent.
    """
    headers = {
        "accept": "text/event-stream" if stream else "application/json",
        "accept-encoding": "identity",  # a gateway that compresses a stream holds it back
        "content-type": "application/json",
        "user-agent": USER_AGENT,
    }
    if key is not None:
        if not may_receive_key(scheme, host, named_host=target.named_host):
            raise key_refused(target.base_url)
        headers["authorization"] = f"Bearer {key.value}"
    if target.native is not None and stream:
        headers["x-dashscope-sse"] = "enable"
    if target.workspace:
        headers["x-dashscope-workspace"] = target.workspace
    return headers | _checked(extra)


def _checked(extra: Mapping[str, str]) -> dict[str, str]:
    headers = {}
    for name, value in extra.items():
        text = str(value).strip()
        if (
            not _NAME.fullmatch(name)
            or name.lower() in _RESERVED
            or not (text.isascii() and text.isprintable())
        ):
            readable = name if _NAME.fullmatch(name) else "a name"
            raise ConfigurationError(
                f"extraHeaders or sessionHeader holds a header that cannot be sent: {readable[:60]}",
                remedy="Use names and values of plain ASCII, and none of the connection's own headers.",
                cause="extra headers",
            )
        headers[name.lower()] = text
    return headers
