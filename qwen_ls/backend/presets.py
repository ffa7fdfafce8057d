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

from qwen_ls.backend.forms import (
    CHAT,
    COMPLETIONS,
    EMPTY,
    GENERATE,
    INFILL,
    LLAMA_COMPLETIONS,
    SUFFIX_PARAMETER,
    Form,
    SuffixIn,
    row,
)
from qwen_ls.core.types import Strategy

if TYPE_CHECKING:
    from collections.abc import Mapping

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
    regions: Mapping[str, Region] = field(default_factory=lambda: EMPTY)
    """Only for providers whose address depends on the region."""
    strategies: tuple[Strategy, ...] = (_FIM, _PARTIAL)
    fim: tuple[Form, ...] = (COMPLETIONS,)
    """The ways to ask for fill-in-the-middle, the better first; one with tokens in the prompt is passed over
    where the model's family is unknown."""
    chat: Form = CHAT
    """The way to ask for a continuation."""
    own_models: bool = False
    """Whether it serves its own models, with rows in `vendors.py`, instead of any open weights."""
    default_models: Mapping[str, str] = field(default_factory=lambda: EMPTY)
    """Region to model id; the empty region is for all others."""
    key_env: str | None = None
    """The environment variable of the key, by default; None: no key unless the settings name a variable."""
    key_required: bool = False
    stop_max: int = 64
    """How many stop strings a call may carry."""
    stream_options: bool = True
    """Whether `stream_options: {include_usage: true}` is understood."""
    partial_message: Mapping[str, Any] = field(default_factory=lambda: EMPTY)
    """Fields of the last assistant message that ask for its continuation."""
    partial_body: Mapping[str, Any] = field(default_factory=lambda: EMPTY)
    """Fields of the body that ask for the last message's continuation."""
    prefix_field: str = ""
    """A field of the body that takes the prefix in the place of a last assistant message."""
    partial_is_certain: bool = True
    """Whether partial mode is known to work; an answer is continued only where it is."""
    echoes_prefix: bool = False
    """Whether an answer that is not streamed begins with the prefix it was to continue."""
    no_thinking: Mapping[str, Any] = field(default_factory=lambda: EMPTY)
    """Fields of the body that switch a hybrid model's thinking off."""
    timeout_ms: int = 10_000
    """The longest a call may take, when the settings do not say."""
    metered: bool = True
    """Whether calls count against the user's limits: those that never leave the machine do not."""
    one_at_a_time: bool = False
    """Whether it answers one call after the other: one that only feeds the cache would hold
    up the one that a request waits for."""
    delta_streams: bool = False
    """Whether a stream is known to carry new text only; else it must be found out."""
    second_try: bool = False
    """Whether a call that failed with 5xx is made once more at once: its address may stand for a fleet, and
    the next replica may answer."""
    session_header: str = ""
    """The header by which its router keeps one client on one replica."""
    error_codes: Mapping[str, str] = field(default_factory=lambda: EMPTY)
    """Its own codes and types of errors, in normal form, and what they mean: a kind of `wire.errors`."""
    no_fim: tuple[str, ...] = ()
    """What its refusals say, in lower case, where the model has no fill-in-the-middle."""


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
    default_models=row(**{"beijing": "qwen-coder-turbo", "": "qwen3-coder-flash"}),
    key_env="DASHSCOPE_API_KEY",
    key_required=True,
    stop_max=4,  # undocumented; OpenAI's own limit
    partial_message=row(partial=True),
    no_thinking=row(enable_thinking=False),
)

# vLLM's words, and those of Docker's model runner and of OpenAI's later models.
_NO_SUFFIX = ("suffix is not currently supported", "param: suffix", "argument supplied: suffix")
_TEMPLATE_NO_THINKING = row(chat_template_kwargs=types.MappingProxyType({"enable_thinking": False}))

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
                partial_message=row(partial=True),
                partial_is_certain=False,
                second_try=True,
                no_fim=_NO_SUFFIX,
            ),
            Provider(
                name="vllm",
                title="vLLM",
                base_url="http://127.0.0.1:8000/v1",
                partial_body=row(continue_final_message=True, add_generation_prompt=False),
                no_thinking=_TEMPLATE_NO_THINKING,
                delta_streams=True,
                # Production stack, tutorials: `--routing-logic session --session-key x-user-id`.
                session_header="x-user-id",
                second_try=True,
                no_fim=_NO_SUFFIX,
            ),
            Provider(
                name="llama.cpp",
                title="llama.cpp",
                one_at_a_time=True,
                base_url="http://127.0.0.1:8080/v1",
                default_models=row(**{"": "default"}),  # it serves one model and takes any name for it
                fim=(LLAMA_COMPLETIONS, INFILL),
                echoes_prefix=True,
                no_thinking=_TEMPLATE_NO_THINKING,
                delta_streams=True,
                no_fim=("infill is not supported by this model",),
            ),
            Provider(
                # github.com/ollama/ollama: docs/api.md, openai/openai.go, docs/openai.md. Its own API takes a
                # prompt as it is; `suffix` needs a template with a place for it. Whether a last assistant
                # message is continued (issue 6778) is up to the template as well.
                name="ollama",
                title="Ollama",
                one_at_a_time=True,
                base_url="http://127.0.0.1:11434/v1",
                fim=(GENERATE, SUFFIX_PARAMETER),
                partial_is_certain=False,
                no_thinking=row(reasoning_effort="none"),
                delta_streams=True,
                no_fim=("does not support insert",),
            ),
            Provider(
                # lmstudio.ai/docs/api/openai-api; no prefill is documented.
                name="lmstudio",
                title="LM Studio",
                one_at_a_time=True,
                base_url="http://127.0.0.1:1234/v1",
                strategies=(_FIM,),
                delta_streams=True,
            ),
            Provider(
                # api-docs.deepseek.com: "Create FIM Completion", "Chat Prefix Completion"; stop: up to 16.
                name="deepseek",
                title="DeepSeek",
                base_url="https://api.deepseek.com/beta",
                default_path="/beta",
                fim=(SUFFIX_PARAMETER,),
                own_models=True,
                default_models=row(**{"": "deepseek-v4-flash"}),
                key_env="DEEPSEEK_API_KEY",
                key_required=True,
                stop_max=16,
                partial_message=row(prefix=True),
                no_thinking=row(thinking=row(type="disabled")),
                delta_streams=True,
            ),
            Provider(
                # docs.mistral.ai, mistralai/client-python; it refuses fields that it does not know.
                name="mistral",
                title="Mistral",
                base_url="https://api.mistral.ai/v1",
                fim=(
                    Form(
                        path="/fim/completions",
                        suffix_in=SuffixIn.PARAMETER,
                        names=row(seed="random_seed", presence_penalty=""),
                    ),
                ),
                chat=Form(path="/chat/completions", names=row(seed="random_seed")),
                own_models=True,
                default_models=row(**{"": "codestral-latest"}),
                key_env="MISTRAL_API_KEY",
                key_required=True,
                stop_max=4,  # undocumented; OpenAI's own limit
                stream_options=False,
                partial_message=row(prefix=True),
                delta_streams=True,
                error_codes=row(**{"1500": "model", "invalidmodel": "model"}),
            ),
            Provider(
                # docs.siliconflow.cn: features/fim, userguide/guides/prefix, faqs/error-code.
                name="siliconflow",
                title="SiliconFlow",
                base_url="https://api.siliconflow.cn/v1",
                fim=(SUFFIX_PARAMETER,),
                own_models=True,
                default_models=row(**{"": "Qwen/Qwen2.5-Coder-7B-Instruct"}),
                key_env="SILICONFLOW_API_KEY",
                key_required=True,
                stop_max=4,
                prefix_field="prefix",
                no_thinking=row(enable_thinking=False),
                delta_streams=True,
                error_codes=row(**{"20012": "model"}),
            ),
            Provider(
                # platform.kimi.com/docs: partial mode, errors, models; a temperature other than the model's
                # own is refused, stop: up to 5.
                name="moonshot",
                title="Moonshot",
                base_url="https://api.moonshot.cn/v1",
                strategies=(_PARTIAL,),
                chat=Form(
                    path="/chat/completions",
                    names=row(temperature="", top_p="", seed="", max_tokens="max_completion_tokens"),
                ),
                own_models=True,
                default_models=row(**{"": "kimi-k2.6"}),
                key_env="MOONSHOT_API_KEY",
                key_required=True,
                stop_max=5,
                partial_message=row(partial=True),
                no_thinking=row(thinking=row(type="disabled")),
                delta_streams=True,
                error_codes=row(
                    invalidauthenticationerror="key",
                    incorrectapikeyerror="key",
                    permissiondeniederror="access",
                    resourcenotfounderror="model",
                    exceededcurrentquotaerror="billing",
                    ratelimitreachederror="rate",
                    engineoverloadederror="server",
                ),
            ),
            Provider(
                name="local",
                timeout_ms=60_000,
                metered=False,
                title="the local engine",
                one_at_a_time=True,
                fim=(LLAMA_COMPLETIONS,),
                default_models=row(**{"": "qwen2.5-coder-0.5b-instruct"}),
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
    is_workspace: bool = False
    """A host of one workspace."""


def dashscope_host(host: str) -> DashScopeHost | None:
    """Read a host name, in lower case and without port; None when it is not DashScope's.

    Exact names and one strict pattern: other names under aliyuncs.com belong to customers.
    """
    if host in _SHARED_HOSTS:
        return DashScopeHost(REGIONS[_SHARED_HOSTS[host]], is_plan=False)
    if host in _PLAN_HOSTS:
        return DashScopeHost(REGIONS[_PLAN_HOSTS[host]], is_plan=True)
    if match := _MAAS_HOST.fullmatch(host):
        is_plan, is_trial = match[1] == "token-plan", match[1] == "trial"
        region = REGIONS[_MAAS_REGIONS[match[2]]]
        return DashScopeHost(region, is_plan=is_plan, is_workspace=not (is_plan or is_trial))
    return None
