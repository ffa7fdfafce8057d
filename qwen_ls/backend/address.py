"""Addresses: what users paste as `baseUrl`, and which hosts may be told a key.

Pure. A host name decides who reads a key, so nothing here guesses: what cannot be read plainly is refused.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from qwen_ls.backend.base import ConfigurationError
from qwen_ls.backend.presets import COMPATIBLE_PATH, NATIVE_PATH, dashscope_host

_DEFAULT_PORTS = {"http": 80, "https": 443}
# Paths of single operations that are pasted from examples and documents.
_OPERATION = re.compile(
    r"/(?:(?:chat/|fim/)?completions?|infill|models|responses|embeddings|api/(?:generate|chat|tags)"
    r"|services/aigc/[a-z-]+/generation)$"
)
_DOUBLED = re.compile(r"(/v1)(?:/v1)+(?=/|$)")
# What is left of a path at DashScope that means the compatible mode: its own pieces, and the native API's.
_DASHSCOPE_STUBS = frozenset({"", "/v1", "/api", "/api/v1", "/compatible-mode"})


@dataclass(frozen=True, slots=True)
class Address:
    """A base URL in normal form: scheme, host, port and path, no slash at its end."""

    url: str
    scheme: str
    host: str
    """In lower case, without port and brackets."""

    @property
    def is_loopback(self) -> bool:
        """Whether it is this machine."""
        return is_loopback(self.host)


def is_loopback(host: str) -> bool:
    """Whether a host name or address can only be this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def read_address(text: str, *, default_path: str = "/v1") -> Address:
    """Bring a pasted address into normal form.

    Args:
        text: a base URL, or the full URL of an operation under it; slashes at the end and a doubled `/v1` are
            mended.
        default_path: what an address without a path means.

    Raises:
        ConfigurationError: it is no http or https address, or it carries credentials.
    """
    text = text.strip().strip("\"'<>").strip()
    if not text.isprintable() or any(sign in text for sign in " \\"):
        raise _unreadable()
    try:
        parts = urlsplit(text)
        host, port = (parts.hostname or "").rstrip(".").lower(), parts.port
    except ValueError:
        raise _unreadable() from None
    if parts.scheme not in _DEFAULT_PORTS or not host:
        raise _unreadable()
    if "@" in parts.netloc:
        raise ConfigurationError(
            "The baseUrl carries a user name or password",
            remedy="Remove what stands before the @; keys come from the environment (apiKeyEnv).",
            cause="base url",
        )
    netloc = f"[{host}]" if ":" in host else host
    if port is not None and port != _DEFAULT_PORTS[parts.scheme]:
        netloc = f"{netloc}:{port}"
    path = _read_path(parts.path, host, default_path)
    return Address(f"{parts.scheme}://{netloc}{path}", parts.scheme, host)


def native_address(address: Address) -> Address:
    """DashScope's native API beside its compatible mode, at the same host; other paths stay as they are."""
    return replace(address, url=re.sub(f"{re.escape(COMPATIBLE_PATH)}$", NATIVE_PATH, address.url))


def _read_path(path: str, host: str, default_path: str) -> str:
    path = re.sub(r"/{2,}", "/", path).rstrip("/")
    path = _DOUBLED.sub(r"\1", _OPERATION.sub("", path).rstrip("/"))
    known = dashscope_host(host)
    if known and known.is_plan and host.startswith("coding"):
        return path or "/v1"
    if known and path in _DASHSCOPE_STUBS:
        return COMPATIBLE_PATH
    return path or default_path


def _unreadable() -> ConfigurationError:
    return ConfigurationError(
        "The baseUrl is not an address",
        remedy="Set baseUrl to something like https://host/v1.",
        cause="base url",
    )


def may_receive_key(scheme: str, host: str, *, named_host: str = "") -> bool:
    """Whether a key may be sent to a host: the one rule, asked before every call.

    Args:
        scheme: `http` or `https`.
        host: the host name that will be connected to, without port.
        named_host: the host that the user's own settings name, if they name one.
    """
    host = host.lower().strip("[]").rstrip(".")
    if not host:
        return False
    if is_loopback(host):
        return True
    if dashscope_host(host) is not None:
        return scheme == "https"
    return host == named_host


def key_refused(base_url: str) -> ConfigurationError:
    """The refusal to send a key where `may_receive_key` says no."""
    return ConfigurationError(
        f"The key is not sent to {base_url}",
        remedy="Set baseUrl to an https address of DashScope, or to a server of your own.",
        cause="key host",
    )
