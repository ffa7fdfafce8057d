"""Providers as rows of data: where each is, what it understands, and whose key it takes.

Pure. Adding a provider is adding a row to `PROVIDERS` (and its name to `settings.PROVIDERS`); code reads the
row's fields and never compares names. Hosts, regions and plans are those of the vendor's pages "Base URL" and
"Regions" (October 2026).
"""

from __future__ import annotations

import re
import types
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from qwen_ls.core.types import Strategy

if TYPE_CHECKING:
    from collections.abc import Mapping

_EMPTY: Mapping[str, Any] = types.MappingProxyType({})
_FIM = Strategy.FIM
_PARTIAL = Strategy.PARTIAL
COMPATIBLE_PATH = "/compatible-mode/v1"
NATIVE_PATH = "/api/v1"


@dataclass(frozen=True, slots=True)
class LocalEndpoint:
    """Where the engine that qwen-ls started itself is listening, and what it wants to hear."""

    base_url: str
    api_key: str = field(repr=False)
    model: str


@dataclass(frozen=True, slots=True)
class Region:
    """One of DashScope's regions. Keys, models and workspaces belong to one region each."""

    name: str
    host: str
    """The shared host; empty where there are only workspace hosts."""
    maas: str
    """The region's part of a workspace host, `{WorkspaceId}.{maas}.maas.aliyuncs.com`."""
    strategies: tuple[Strategy, ...] = (_PARTIAL,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """A server that completes text, as far as callers must know it."""

    name: str
    title: str
    """What messages call it."""
    base_url: str | None = None
    """The address when the settings name none; None where the settings must."""
    default_path: str = "/v1"
    """What an address without a path means."""
    regions: Mapping[str, Region] = field(default_factory=lambda: _EMPTY)
    """Only for providers whose address depends on the region."""
    strategies: tuple[Strategy, ...] = (_FIM, _PARTIAL)
    default_models: Mapping[str, str] = field(default_factory=lambda: _EMPTY)
    """Region to model id; the empty region is for all others."""
    key_env: str | None = None
    """The environment variable of the key, by default; None: no key unless the settings name a variable."""
    key_required: bool = False
    stop_max: int = 64
    """How many stop strings a call may carry."""
    stream_options: bool = True
    """Whether `stream_options: {include_usage: true}` is understood."""
    partial_message: Mapping[str, Any] = field(default_factory=lambda: _EMPTY)
    """Fields of the last assistant message that ask for its continuation."""
    partial_body: Mapping[str, Any] = field(default_factory=lambda: _EMPTY)
    """Fields of the body that ask for the last message's continuation."""
    partial_is_certain: bool = True
    """Whether partial mode is known to work; an answer is continued only where it is."""
    echoes_prefix: bool = False
    """Whether an answer that is not streamed begins with the prefix it was to continue."""
    no_thinking: Mapping[str, Any] = field(default_factory=lambda: _EMPTY)
    """Fields of the body that switch a hybrid model's thinking off."""
    timeout_ms: int = 10_000
    """The longest a call may take, when the settings do not say."""
    delta_streams: bool = False
    """Whether a stream is known to carry new text only; else it must be found out."""


def _row(**values: Any) -> Mapping[str, Any]:
    return types.MappingProxyType(values)


REGIONS: Mapping[str, Region] = types.MappingProxyType(
    {
        region.name: region
        for region in (
            # The Completions API, and with it FIM, exists in Beijing only.
            Region("beijing", "dashscope.aliyuncs.com", "cn-beijing", (_FIM, _PARTIAL)),
            Region("singapore", "dashscope-intl.aliyuncs.com", "ap-southeast-1"),
            Region("virginia", "dashscope-us.aliyuncs.com", "us-east-1"),
            Region("hongkong", "cn-hongkong.dashscope.aliyuncs.com", "cn-hongkong"),
            # These two have workspace hosts only; a baseUrl may name one.
            Region("frankfurt", "", "eu-central-1"),
            Region("tokyo", "", "ap-northeast-1"),
        )
    }
)

DASHSCOPE = Provider(
    name="dashscope",
    title="DashScope",
    default_path=COMPATIBLE_PATH,
    regions=REGIONS,
    # FIM is documented for qwen-coder-turbo alone. Elsewhere qwen3-coder-flash: the partial-mode page names
    # it, the rate-limit pages of Singapore and Virginia list it, its prompts are cached, and it stands on no
    # retirement list, as qwen3-coder-plus does (announced for about 2026-10-10).
    default_models=_row(**{"beijing": "qwen-coder-turbo", "": "qwen3-coder-flash"}),
    key_env="DASHSCOPE_API_KEY",
    key_required=True,
    stop_max=4,  # undocumented; OpenAI's own limit
    partial_message=_row(partial=True),
    no_thinking=_row(enable_thinking=False),
)

_TEMPLATE_NO_THINKING = _row(chat_template_kwargs=types.MappingProxyType({"enable_thinking": False}))

PROVIDERS: Mapping[str, Provider] = types.MappingProxyType(
    {
        provider.name: provider
        for provider in (
            DASHSCOPE,
            Provider(
                name="openai",
                title="the OpenAI-compatible server",
                key_env="OPENAI_API_KEY",
                stop_max=4,
                partial_message=_row(partial=True),
                partial_is_certain=False,
            ),
            Provider(
                name="vllm",
                title="vLLM",
                base_url="http://127.0.0.1:8000/v1",
                partial_body=_row(continue_final_message=True, add_generation_prompt=False),
                no_thinking=_TEMPLATE_NO_THINKING,
                delta_streams=True,
            ),
            Provider(
                name="llama.cpp",
                title="llama.cpp",
                base_url="http://127.0.0.1:8080/v1",
                default_models=_row(**{"": "default"}),  # it serves one model and takes any name for it
                echoes_prefix=True,
                no_thinking=_TEMPLATE_NO_THINKING,
                delta_streams=True,
            ),
            Provider(
                name="local",
                timeout_ms=60_000,
                title="the local engine",
                default_models=_row(**{"": "qwen2.5-coder-0.5b-instruct"}),
                echoes_prefix=True,
                delta_streams=True,
            ),
        )
    }
)


# Hosts of the two subscription plans: chat only, and only for keys that begin with PLAN_KEY.
_PLAN_HOSTS: Mapping[str, str] = types.MappingProxyType(
    {"coding.dashscope.aliyuncs.com": "beijing", "coding-intl.dashscope.aliyuncs.com": "singapore"}
)
PLAN_KEY = "sk-sp-"
_SHARED_HOSTS: Mapping[str, str] = types.MappingProxyType(
    {r.host: r.name for r in REGIONS.values() if r.host}
)
_MAAS_REGIONS: Mapping[str, str] = types.MappingProxyType({r.maas: r.name for r in REGIONS.values()})
_LABEL = r"[a-z0-9](?:[a-z0-9_-]{0,62}[a-z0-9])?"
_MAAS_HOST = re.compile(rf"({_LABEL})\.({'|'.join(map(re.escape, _MAAS_REGIONS))})\.maas\.aliyuncs\.com")


@dataclass(frozen=True, slots=True)
class DashScopeHost:
    """What a host name says, when it is one of DashScope's own."""

    region: Region
    is_plan: bool
    """A host of the Coding Plan or the Token Plan."""


def dashscope_host(host: str) -> DashScopeHost | None:
    """Read a host name, in lower case and without port; None when it is not DashScope's.

    Exact names and one strict pattern: other names under aliyuncs.com belong to customers.
    """
    if host in _SHARED_HOSTS:
        return DashScopeHost(REGIONS[_SHARED_HOSTS[host]], is_plan=False)
    if host in _PLAN_HOSTS:
        return DashScopeHost(REGIONS[_PLAN_HOSTS[host]], is_plan=True)
    if match := _MAAS_HOST.fullmatch(host):
        return DashScopeHost(REGIONS[_MAAS_REGIONS[match[2]]], is_plan=match[1] == "token-plan")
    return None
