"""Composition: from settings to a backend that is ready to be asked."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from qwen_ls.backend.address import is_loopback
from qwen_ls.backend.http import HttpBackend
from qwen_ls.backend.keys import Key, find_key
from qwen_ls.backend.memory import Memory
from qwen_ls.backend.plan import check_key, resolve

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from qwen_ls.backend.base import Backend
    from qwen_ls.backend.plan import Target
    from qwen_ls.backend.presets import LocalEndpoint
    from qwen_ls.settings import Settings


def connect(
    settings: Settings,
    *,
    environ: Mapping[str, str] | None = None,
    memory: Memory | None = None,
    on_status: Callable[[str], None] = lambda text: None,
) -> Backend:
    """Build the backend that the settings ask for. Opens nothing; imports no HTTP library.

    Args:
        settings: the settings in force.
        environ: where the key is looked for; by default the process's environment.
        memory: what is known of endpoints; pass the same one again after a change of settings.
        on_status: told in a few words what is being prepared, and the empty string when nothing is.

    Raises:
        ConfigurationError: no call can work; it names the cause and the remedy.
    """
    memory = memory if memory is not None else Memory()
    target = resolve(settings)
    if target.provider.name == "local":
        from qwen_ls.local.backend import LocalBackend

        def make_http(endpoint: LocalEndpoint) -> Backend:
            key = Key(endpoint.api_key, "local engine") if endpoint.api_key else None
            return HttpBackend(resolve(settings, local=endpoint), key, settings, memory=memory)

        return LocalBackend(settings, make_http, on_status=on_status)
    return connect_to(target, settings, environ=environ, memory=memory)


def connect_to(
    target: Target,
    settings: Settings,
    *,
    environ: Mapping[str, str] | None = None,
    memory: Memory | None = None,
) -> Backend:
    """Build the backend for a target that has been decided, of any provider but `local`.

    Raises:
        ConfigurationError: there is no key where one is needed, or it may not go there.
    """
    key = key_for(target, settings, os.environ if environ is None else environ)
    return HttpBackend(target, key, settings, memory=memory)


def key_for(target: Target, settings: Settings, environ: Mapping[str, str]) -> Key | None:
    """The key that calls to the target carry, checked; None where none is needed.

    Raises:
        ConfigurationError: there is none where one is needed, or it cannot work at this host.
    """
    provider = target.provider
    if is_loopback(target.host) and not settings.api_key_env and not environ.get(provider.key_env or ""):
        return None  # a server of one's own asks for none
    key = find_key(settings, provider, environ)
    if key is not None:
        check_key(target, key.value)
    return key
