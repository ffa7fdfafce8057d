"""The key: where it is found, how it is cleaned, and that nothing shows it.

The only reader of credentials. A key comes from the environment or the system's keyring, never from a file.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from qwen_ls.backend.base import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from qwen_ls.backend.presets import Provider
    from qwen_ls.settings import Settings

KEYRING_SERVICE = "qwen-ls"
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True, slots=True)
class Key:
    """A credential. Its value is in no representation of it; `source` may be shown."""

    value: str = field(repr=False)
    source: str
    """Where it was found, in words."""

    def __str__(self) -> str:
        return f"a key from the {self.source}"


def find_key(
    settings: Settings,
    provider: Provider,
    environ: Mapping[str, str],
    keyring: Callable[[str, str], str | None] | None = None,
) -> Key | None:
    """Find the provider's key.

    Args:
        settings: the settings in force; `api_key_env` replaces the provider's variable.
        provider: the provider's row.
        environ: the environment.
        keyring: reads the keyring, by service and user name; by default the system's. It may block (a keyring
            may ask its owner): call from a thread where that matters.

    Returns:
        The key; None where there is none and the provider can do without.

    Raises:
        ConfigurationError: there is none where one is needed, or it cannot be a key.
    """
    name = settings.api_key_env or provider.key_env
    if name is None:
        return None
    if not _VARIABLE.fullmatch(name):
        # Somebody put the key itself where the variable's name belongs: do not repeat it.
        raise ConfigurationError(
            "apiKeyEnv is not the name of an environment variable",
            remedy="Put the key into a variable and its name here, for example DASHSCOPE_API_KEY.",
            cause="key",
        )
    for value, source in (
        (environ.get(name), f"environment variable {name}"),
        (
            (keyring or read_keyring)(KEYRING_SERVICE, provider.name) if not environ.get(name) else None,
            "keyring",
        ),
    ):
        if value and (cleaned := clean_key(value, source)):
            return Key(cleaned, source)
    if provider.key_required or settings.api_key_env:
        raise ConfigurationError(
            f"There is no key for {provider.title}",
            remedy=f"Set the environment variable {name} where the editor is started, or run "
            f"`keyring set {KEYRING_SERVICE} {provider.name}`.",
            cause="no key",
        )
    return None


def clean_key(text: str, source: str) -> str:
    """A key without what is copied along with it: blanks, line ends, quotes, `Bearer `.

    Raises:
        ConfigurationError: what is left cannot be a key; the message does not repeat it.
    """
    text = text.strip().strip("\"'`“”‘’").strip()
    text = re.sub(r"(?i)^(?:authorization:\s*)?bearer\s+", "", text).strip().strip("\"'").strip()
    if not text.isascii() or not text.isprintable() or " " in text:
        raise ConfigurationError(
            f"The key from the {source} holds characters that no key has",
            remedy="Copy it again from the console; it is letters, digits, - and _.",
            cause="key",
        )
    return text


def read_keyring(service: str, user: str) -> str | None:
    """Ask the system's keyring; None where there is no keyring, or it fails. May block."""
    try:
        import keyring

        return keyring.get_password(service, user)
    except Exception:  # keyrings fail in as many ways as there are desktops
        return None
