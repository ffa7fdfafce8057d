"""From settings to a target: what is chosen, and what is refused before any call."""

from __future__ import annotations

import pytest

from qwen_ls.backend.base import Action, ConfigurationError
from qwen_ls.backend.plan import check_key, resolve
from qwen_ls.backend.presets import LocalEndpoint
from qwen_ls.core.types import Layout, Strategy
from qwen_ls.settings import PROVIDERS, REGIONS, Settings

from .asking import target_of

FIM, PARTIAL = Strategy.FIM, Strategy.PARTIAL


@pytest.mark.parametrize(
    ("settings", "url", "model", "strategy"),
    [
        pytest.param(
            {},
            "https://dashscope.aliyuncs.com/compatible-mode/v1/completions",
            "qwen-coder-turbo",
            FIM,
            id="default",
        ),
        pytest.param(
            {"region": "singapore"},
            "https://dashscope-intl.aliyuncs.com/compatible-mode/v1/chat/completions",
            "qwen3-coder-flash",
            PARTIAL,
            id="singapore",
        ),
        pytest.param(
            {"region": "virginia"},
            "https://dashscope-us.aliyuncs.com/compatible-mode/v1/chat/completions",
            "qwen3-coder-flash",
            PARTIAL,
            id="virginia",
        ),
        pytest.param(
            {"region": "hongkong"},
            "https://cn-hongkong.dashscope.aliyuncs.com/compatible-mode/v1/chat/completions",
            "qwen3-coder-flash",
            PARTIAL,
            id="hongkong",
        ),
        pytest.param(
            {"strategy": "partial"},
            "https://dashscope.aliyuncs.com/compatible-mode/v1/chat/completions",
            "qwen-coder-turbo",
            PARTIAL,
            id="partial in beijing",
        ),
        pytest.param(
            {"model": "qwen3-coder-next"},
            "https://dashscope.aliyuncs.com/compatible-mode/v1/chat/completions",
            "qwen3-coder-next",
            PARTIAL,
            id="a model without FIM",
        ),
        pytest.param(
            {"model": "qwen2.5-coder-7b-instruct", "strategy": "fim"},
            "https://dashscope.aliyuncs.com/compatible-mode/v1/completions",
            "qwen2.5-coder-7b-instruct",
            FIM,
            id="FIM by name",
        ),
        pytest.param(
            {"workspace_id": "llm-Ab1"},
            "https://llm-ab1.cn-beijing.maas.aliyuncs.com/compatible-mode/v1/completions",
            "qwen-coder-turbo",
            FIM,
            id="workspace in beijing",
        ),
        pytest.param(
            {"workspace_id": "ws-x", "region": "singapore"},
            "https://ws-x.ap-southeast-1.maas.aliyuncs.com/compatible-mode/v1/chat/completions",
            "qwen3-coder-flash",
            PARTIAL,
            id="workspace in singapore",
        ),
        pytest.param(
            {"base_url": "https://dashscope-intl.aliyuncs.com"},
            "https://dashscope-intl.aliyuncs.com/compatible-mode/v1/chat/completions",
            "qwen3-coder-flash",
            PARTIAL,
            id="the address says the region",
        ),
        pytest.param(
            {"provider": "openai", "base_url": "https://dashscope.aliyuncs.com/compatible-mode/v1"},
            "https://dashscope.aliyuncs.com/compatible-mode/v1/completions",
            "qwen-coder-turbo",
            FIM,
            id="dashscope under another name",
        ),
        pytest.param(
            {"base_url": "https://coding.dashscope.aliyuncs.com/v1"},
            "https://coding.dashscope.aliyuncs.com/v1/chat/completions",
            "qwen3-coder-next",
            PARTIAL,
            id="coding plan",
        ),
        pytest.param(
            {"base_url": "http://127.0.0.1:9"},
            "http://127.0.0.1:9/compatible-mode/v1/completions",
            "qwen-coder-turbo",
            FIM,
            id="dashscope behind a relay",
        ),
        pytest.param(
            {"provider": "vllm", "model": "Qwen/Qwen2.5-Coder-7B"},
            "http://127.0.0.1:8000/v1/completions",
            "Qwen/Qwen2.5-Coder-7B",
            FIM,
            id="vllm",
        ),
        pytest.param(
            {"provider": "llama.cpp"}, "http://127.0.0.1:8080/infill", "default", FIM, id="llama.cpp"
        ),
        pytest.param(
            {"provider": "openai", "base_url": "https://h.example", "model": "m", "strategy": "partial"},
            "https://h.example/v1/chat/completions",
            "m",
            PARTIAL,
            id="any server",
        ),
        pytest.param(
            {"provider": "vllm", "model": "Qwen/QwQ-32B"},
            "http://127.0.0.1:8000/v1/completions",
            "Qwen/QwQ-32B",
            FIM,
            id="a thinking model without a chat template",
        ),
    ],
)
def test_what_is_chosen(settings, url, model, strategy) -> None:
    target = target_of(**settings)
    assert (target.url, target.model, target.strategy) == (url, model, strategy)


TEXT = "/api/v1/services/aigc/text-generation/generation"
MULTIMODAL = "/api/v1/services/aigc/multimodal-generation/generation"
BEIJING = "https://dashscope.aliyuncs.com"
ABROAD = "https://dashscope-intl.aliyuncs.com"


@pytest.mark.parametrize(
    ("settings", "url"),
    [
        pytest.param({}, BEIJING + TEXT, id="beijing"),
        pytest.param({"region": "singapore"}, ABROAD + TEXT, id="singapore"),
        pytest.param({"region": "virginia"}, f"https://dashscope-us.aliyuncs.com{TEXT}", id="virginia"),
        pytest.param(
            {"region": "hongkong"}, f"https://cn-hongkong.dashscope.aliyuncs.com{TEXT}", id="hongkong"
        ),
        pytest.param(
            {"workspace_id": "llm-x", "region": "singapore"},
            f"https://llm-x.ap-southeast-1.maas.aliyuncs.com{TEXT}",
            id="workspace",
        ),
        pytest.param(
            {"base_url": f"{ABROAD}/compatible-mode/v1/chat/completions"},
            ABROAD + TEXT,
            id="a compatible address",
        ),
        pytest.param({"base_url": BEIJING + MULTIMODAL}, BEIJING + TEXT, id="the model decides"),
        pytest.param(
            {"base_url": "https://trial.cn-beijing.maas.aliyuncs.com"},
            f"https://trial.cn-beijing.maas.aliyuncs.com{TEXT}",
            id="trial",
        ),
        pytest.param({"base_url": "http://127.0.0.1:9"}, f"http://127.0.0.1:9{TEXT}", id="relay"),
        pytest.param({"model": "qwen3-vl-flash-2025-10-15"}, BEIJING + MULTIMODAL, id="vl"),
        pytest.param({"model": "qwen3.6-plus"}, BEIJING + MULTIMODAL, id="3.6-plus"),
        pytest.param({"model": "qwen3.6-flash"}, BEIJING + TEXT, id="3.6-flash"),
        pytest.param(
            {"models": {"my-vl": {"native_path": "multimodal"}}, "model": "my-vl"},
            BEIJING + MULTIMODAL,
            id="the user's row",
        ),
    ],
)
def test_the_native_api(settings, url) -> None:
    target = target_of(protocol="dashscope", **settings)
    assert (target.url, target.strategy) == (url, PARTIAL)


def test_the_native_api_is_dashscopes_alone() -> None:
    target = target_of(protocol="dashscope", provider="vllm", model="qwen2.5-coder-7b")
    assert target.url == "http://127.0.0.1:8000/v1/completions"
    assert "DashScope" in target.notes[0]


@pytest.mark.parametrize(
    ("host", "region", "has_fim"),
    [
        ("dashscope.aliyuncs.com", "beijing", True),
        ("dashscope-intl.aliyuncs.com", "singapore", False),
        ("dashscope-us.aliyuncs.com", "virginia", False),
        ("cn-hongkong.dashscope.aliyuncs.com", "hongkong", False),
        ("llm-x.cn-beijing.maas.aliyuncs.com", "beijing", True),
        ("ws-x.ap-southeast-1.maas.aliyuncs.com", "singapore", False),
        ("ws-x.us-east-1.maas.aliyuncs.com", "virginia", False),
        ("ws-x.cn-hongkong.maas.aliyuncs.com", "hongkong", False),
        ("ws-x.eu-central-1.maas.aliyuncs.com", "frankfurt", False),
        ("ws-x.ap-northeast-1.maas.aliyuncs.com", "tokyo", False),
        ("trial.cn-beijing.maas.aliyuncs.com", "beijing", True),
        ("trial.ap-southeast-1.maas.aliyuncs.com", "singapore", False),
        ("trial.cn-hongkong.maas.aliyuncs.com", "hongkong", False),
        ("coding.dashscope.aliyuncs.com", "beijing", False),
        ("coding-intl.dashscope.aliyuncs.com", "singapore", False),
        ("token-plan.cn-beijing.maas.aliyuncs.com", "beijing", False),
        ("token-plan.ap-southeast-1.maas.aliyuncs.com", "singapore", False),
    ],
)
def test_every_host_says_its_region_and_whether_it_can_fill_in(host, region, has_fim) -> None:
    target = target_of(base_url=f"https://{host}", model="qwen-coder-turbo")
    assert (target.region, target.strategy) == (region, FIM if has_fim else PARTIAL)


@pytest.mark.parametrize(
    ("settings", "cause", "words"),
    [
        pytest.param(
            {"strategy": "fim", "region": "singapore"},
            "strategy",
            ["beijing", "singapore", "strategy"],
            id="FIM abroad",
        ),
        pytest.param(
            {"strategy": "fim", "base_url": "https://dashscope-us.aliyuncs.com"},
            "strategy",
            ["beijing", "virginia"],
            id="FIM at a host abroad",
        ),
        pytest.param(
            {"strategy": "fim", "base_url": "https://coding.dashscope.aliyuncs.com/v1"},
            "strategy",
            ["fill-in-the-middle", "strategy"],
            id="FIM on a plan",
        ),
        pytest.param(
            {"strategy": "fim", "protocol": "dashscope"},
            "strategy",
            ["native API", "strategy", "protocol to openai"],
            id="FIM in the native API",
        ),
        pytest.param(
            {"protocol": "dashscope", "base_url": "https://coding.dashscope.aliyuncs.com/v1"},
            "protocol",
            ["Coding Plan", "protocol to openai"],
            id="the native API on a plan",
        ),
        pytest.param(
            {"model": "qwen-vl-max-latest"}, "retired model", ["2026-07-13", "qwen3-vl-plus"], id="retired VL"
        ),
        pytest.param(
            {"strategy": "fim", "model": "qwen3-coder-plus"},
            "strategy",
            ["qwen3-coder-plus", "fill-in-the-middle", "qwen-coder-turbo"],
            id="a model without FIM",
        ),
        pytest.param({"model": "qwq-plus"}, "strategy", ["qwq-plus", "thinks", "model"], id="thinking, auto"),
        pytest.param(
            {"model": "qwen3-30b-a3b-thinking-2507", "strategy": "partial"},
            "strategy",
            ["thinks"],
            id="thinking",
        ),
        pytest.param(
            {"provider": "vllm", "model": "Qwen/QwQ-32B", "strategy": "partial"},
            "strategy",
            ["QwQ-32B", "thinks"],
            id="thinking on vllm",
        ),
        pytest.param(
            {"model": "qwen2.5-coder-1.5b-instruct"},
            "retired model",
            ["2026-03-30", "qwen-coder-plus"],
            id="retired",
        ),
        pytest.param({"provider": "openai"}, "base url", ["baseUrl", "openai"], id="no address"),
        pytest.param({"provider": "openai", "base_url": "http://h"}, "no model", ["model"], id="no model"),
        pytest.param({"provider": "vllm"}, "no model", ["vLLM", "model"], id="no model on vllm"),
        pytest.param(
            {"workspace_id": "evil.example/"}, "workspace", ["workspaceId"], id="workspace is a host"
        ),
        pytest.param({"workspace_id": "a@b"}, "workspace", ["workspaceId"], id="workspace with @"),
        pytest.param({"base_url": "https://a:b@h"}, "base url", ["baseUrl"], id="credentials"),
    ],
)
def test_what_is_refused_before_any_call(settings, cause, words) -> None:
    with pytest.raises(ConfigurationError) as caught:
        target_of(**settings)
    assert caught.value.cause == cause
    assert caught.value.action is Action.STOP
    assert caught.value.remedy
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize("region", REGIONS)
@pytest.mark.parametrize("strategy", ["auto", "partial"])
def test_defaults_work_in_every_region(region: str, strategy: str) -> None:
    target = target_of(region=region, strategy=strategy)
    assert target.region == region
    assert not target.row.retired
    assert not target.row.leaving


@pytest.mark.parametrize("provider", PROVIDERS)
def test_every_provider_of_the_settings_has_a_row(provider: str) -> None:
    target = target_of(provider=provider, base_url="http://127.0.0.1:9/v1", model="qwen-coder-turbo")
    assert target.provider.name == provider


def test_a_host_of_the_settings_is_named() -> None:
    assert target_of(provider="openai", base_url="http://gpu.lan:8000", model="m").named_host == "gpu.lan"
    assert target_of().named_host == ""


def test_a_workspace_sends_its_header_even_to_an_address_of_the_settings() -> None:
    assert target_of(workspace_id="llm-x", base_url="https://dashscope.aliyuncs.com").workspace == "llm-x"
    assert target_of(provider="llama.cpp", workspace_id="llm-x").workspace == ""


@pytest.mark.parametrize(
    "pasted", ["https://api.deepseek.com", "https://api.deepseek.com/v1/chat/completions"]
)
def test_at_the_vendors_own_host_the_row_knows_the_path(pasted: str) -> None:
    assert (
        resolve(Settings(provider="deepseek", base_url=pasted)).url
        == "https://api.deepseek.com/beta/completions"
    )


def test_elsewhere_the_path_stays() -> None:
    for url in ("http://127.0.0.1:8000/other", "https://relay.example/v1"):
        assert resolve(Settings(provider="vllm", base_url=url, model="qwen")).base_url == url


def test_a_region_that_the_address_overrules_is_noted() -> None:
    assert "singapore" in target_of(base_url="https://dashscope-intl.aliyuncs.com").notes[0]
    assert target_of(base_url="https://dashscope-intl.aliyuncs.com", region="singapore").notes == ()


def test_an_announced_retirement_is_noted() -> None:
    (note,) = target_of(model="qwen3-coder-plus").notes
    assert "2026-10-10" in note
    assert "qwen3-coder-next" in note


def test_stops_are_limited_to_what_the_provider_takes() -> None:
    assert target_of().stop == ("<|endoftext|>", "<|im_end|>", "<|file_sep|>", "<|fim_pad|>")
    assert len(target_of(provider="llama.cpp", model="qwen2.5-coder").stop) == 9
    assert target_of(strategy="partial").stop == ()


def test_budgets() -> None:
    settings = Settings(prompt_tokens=2048)
    assert target_of().prompt_tokens(settings) == 2048
    assert target_of(provider="local").prompt_tokens(settings) == 300
    assert target_of(provider="local").prompt_tokens(Settings(prompt_tokens=128)) == 128
    small = target_of(model="qwen2.5-coder-7b", provider="vllm")
    assert small.prompt_tokens(Settings(prompt_tokens=32_768)) == 32_768 - 8192
    assert target_of().max_tokens(100_000) == 8192
    assert target_of().max_tokens(64) == 64


def test_the_local_engine_has_a_target_before_it_runs() -> None:
    target = target_of(provider="local", base_url="http://elsewhere.example", model="qwen-coder-turbo")
    assert (target.base_url, target.host, target.strategy) == ("", "", FIM)
    assert target.layout is Layout.SUFFIX_FIRST


def test_the_local_model_too_may_have_a_row_of_the_user_s() -> None:
    models = {"qwen2.5-coder-0.5b-instruct": {"layout": "line-last", "prompt_cap_tokens": 900}}
    target = target_of(provider="local", models=models)
    assert (target.layout, target.prompt_tokens(Settings())) == (Layout.LINE_LAST, 900)


def test_the_local_engine_says_where_it_runs() -> None:
    endpoint = LocalEndpoint("http://127.0.0.1:4711/v1", "random", "qwen2.5-coder-0.5b")
    target = resolve(Settings(provider="local", strategy="partial"), local=endpoint)
    assert target.url == "http://127.0.0.1:4711/v1/chat/completions"
    assert target.model == "qwen2.5-coder-0.5b"
    assert "random" not in repr(endpoint)


def test_a_plans_key_is_refused_at_an_ordinary_host() -> None:
    with pytest.raises(ConfigurationError) as caught:
        check_key(target_of(), "sk-sp-abcdef")
    assert "coding.dashscope.aliyuncs.com" in str(caught.value)
    assert "abcdef" not in str(caught.value)
    check_key(target_of(base_url="https://coding.dashscope.aliyuncs.com/v1"), "sk-sp-abcdef")
    check_key(target_of(), "sk-abcdef")


def test_a_key_is_refused_over_plain_http() -> None:
    with pytest.raises(ConfigurationError) as caught:
        check_key(target_of(base_url="http://dashscope.aliyuncs.com"), "sk-abcdef")
    assert caught.value.cause == "key host"


def test_a_model_of_unknown_family_is_never_asked_with_qwens_tokens() -> None:
    target = target_of(provider="vllm", model="meta-llama/Llama-3.1-8B-Instruct")
    assert target.strategy is PARTIAL
    assert target.template is None
    [note] = target.notes
    assert "Llama-3.1-8B-Instruct are not known" in note
    assert "fimTemplate" in note


def test_the_settings_know_better_than_the_name() -> None:
    target = target_of(provider="vllm", model="house-coder", fim_template="deepseek")
    assert target.strategy is FIM
    assert target.template is not None
    assert target.template.name == "deepseek"
    assert target.stop[0] == "<｜end▁of▁sentence｜>"
    assert target.notes == ()


@pytest.mark.parametrize(
    "settings",
    [
        pytest.param({"provider": "vllm", "strategy": "fim"}, id="fim by name"),
        pytest.param({"provider": "lmstudio"}, id="no partial mode to fall to"),
    ],
)
def test_where_only_a_wrong_template_is_left_no_call_is_made(settings) -> None:
    with pytest.raises(ConfigurationError) as caught:
        target_of(model="llama-3", **settings)
    assert caught.value.cause == "template"
    assert "fimTemplate" in caught.value.remedy


def test_a_provider_that_is_named_names_its_host() -> None:
    assert target_of(provider="deepseek").named_host == "api.deepseek.com"
    assert target_of(provider="deepseek", base_url="https://relay.example/beta").named_host == "relay.example"


def test_the_session_header_is_the_providers_or_the_settings() -> None:
    assert target_of(provider="vllm", model="qwen").session_header == "x-user-id"
    assert target_of(provider="vllm", model="qwen", session_header="x-k").session_header == "x-k"
    assert target_of().session_header == ""
