"""Bodies out: every documented parameter, and nothing else."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwen_ls.backend.base import ConfigurationError
from qwen_ls.backend.plan import resolve
from qwen_ls.backend.presets import LocalEndpoint
from qwen_ls.backend.wire.body import encode, stop_list
from qwen_ls.backend.wire.chat import chat_body
from qwen_ls.backend.wire.completions import completions_body
from qwen_ls.core.types import CompletionRequest, Prompt, Strategy
from qwen_ls.settings import Settings
from tests.backend.asking import FIM_PROMPT, PREFIX, request_to, target_of

STOPS = ["<|endoftext|>", "<|im_end|>", "<|file_sep|>", "<|fim_pad|>"]


def test_fim_with_everything() -> None:
    request = request_to(
        target_of(), temperature=0.2, top_p=0.9, seed=7, presence_penalty=-1.5, stop=("\n\n",), max_tokens=256
    )
    assert completions_body(request, target_of(), {}) == {
        "model": "qwen-coder-turbo",
        "prompt": FIM_PROMPT,
        "max_tokens": 256,
        "temperature": 0.2,
        "top_p": 0.9,
        "seed": 7,
        "presence_penalty": -1.5,
        "stop": ["\n\n", *STOPS[:3]],
        "stream": True,
        "stream_options": {"include_usage": True},
    }


def test_fim_with_nothing() -> None:
    target = target_of()
    body = completions_body(request_to(target, stream=False), target, {})
    assert body == {"model": "qwen-coder-turbo", "prompt": FIM_PROMPT, "max_tokens": 64, "stop": STOPS}


def test_zero_is_sent() -> None:
    body = completions_body(request_to(target_of(), temperature=0.0, seed=0), target_of(), {})
    assert (body["temperature"], body["seed"]) == (0.0, 0)


@pytest.mark.parametrize(
    "name", ["suffix", "n", "echo", "best_of", "logprobs", "user", "frequency_penalty", "top_k"]
)
def test_what_is_not_documented_is_not_sent(name: str) -> None:
    assert name not in completions_body(request_to(target_of()), target_of(), {})


def test_partial_mode() -> None:
    target = target_of(model="qwen3-coder-flash")
    assert chat_body(request_to(target, temperature=0.0), target, {}) == {
        "model": "qwen3-coder-flash",
        "messages": [
            {"role": "user", "content": "Continue."},
            {"role": "assistant", "content": PREFIX, "partial": True},
        ],
        "max_tokens": 64,
        "temperature": 0.0,
        "stream": True,
        "stream_options": {"include_usage": True},
    }


@pytest.mark.parametrize(
    ("settings", "fields"),
    [
        pytest.param({"model": "qwen-plus"}, {"enable_thinking": False}, id="hybrid"),
        pytest.param({"model": "qwen3.7-plus"}, {"enable_thinking": False}, id="newer hybrid"),
        pytest.param({"model": "qwen3-coder-flash"}, {}, id="coder"),
        pytest.param({"strategy": "partial"}, {}, id="the FIM model"),
        pytest.param(
            {"provider": "vllm", "model": "Qwen/Qwen3-8B", "strategy": "partial"},
            {
                "chat_template_kwargs": {"enable_thinking": False},
                "continue_final_message": True,
                "add_generation_prompt": False,
            },
            id="hybrid on vLLM",
        ),
        pytest.param(
            {"provider": "vllm", "model": "Qwen/Qwen2.5-Coder-7B", "strategy": "partial"},
            {"continue_final_message": True, "add_generation_prompt": False},
            id="coder on vLLM",
        ),
        pytest.param(
            {"provider": "llama.cpp", "model": "qwen3-8b", "strategy": "partial"},
            {"chat_template_kwargs": {"enable_thinking": False}},
            id="hybrid on llama.cpp",
        ),
        pytest.param({"provider": "local", "strategy": "partial"}, {}, id="local"),
    ],
)
def test_how_thinking_is_switched_off_and_the_prefix_continued(settings, fields) -> None:
    target = target_of(**settings)
    body = json.loads(encode(chat_body(request_to(target, stream=False), target, {})))
    expected = {"model", "messages", "max_tokens", *fields}
    assert set(body) == expected
    assert {name: body[name] for name in fields} == fields


def test_hybrid_models_are_not_told_about_thinking_in_fim() -> None:
    target = target_of(provider="vllm", model="Qwen/Qwen3-8B")
    assert "chat_template_kwargs" not in completions_body(request_to(target), target, {})


@pytest.mark.parametrize("provider", ["dashscope", "openai", "vllm", "llama.cpp"])
def test_only_providers_that_know_partial_are_sent_it(provider: str) -> None:
    target = target_of(provider=provider, base_url="http://127.0.0.1:9/v1", model="m", strategy="partial")
    message = chat_body(request_to(target), target, {})["messages"][-1]
    assert message.get("partial", False) is (provider in {"dashscope", "openai"})


def test_an_empty_prefix_leaves_nothing_to_continue() -> None:
    target = target_of(provider="vllm", model="m", strategy="partial")
    request = request_to(target, prompt=Prompt(Strategy.PARTIAL, "", "x", "Complete."))
    body = chat_body(request, target, {})
    assert body["messages"] == [{"role": "user", "content": "Complete."}]
    assert "continue_final_message" not in body


@given(st.text())
def test_the_prefix_goes_out_as_it_is(prefix: str) -> None:
    target = target_of(strategy="partial")
    request = request_to(target, prompt=Prompt(Strategy.PARTIAL, prefix, "", "Continue."))
    messages = json.loads(encode(chat_body(request, target, {})))["messages"]
    assert "".join(m["content"] for m in messages[1:]) == prefix


@given(st.text(st.characters(exclude_categories=())))
def test_any_text_becomes_json(text: str) -> None:
    """Editors send half a surrogate pair for half an emoji; JSON in UTF-8 cannot."""
    sent = json.loads(encode({"prompt": text}).decode("utf-8"))["prompt"]
    assert sent == text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


@pytest.mark.parametrize(
    ("text", "sent"),
    [("a\ud83d", "a\ufffd"), ("\ude00b", "\ufffdb"), ("\ud83d\ude00", "😀"), ("中\ud800文", "中\ufffd文")],
    ids=["high", "low", "pair", "amid Chinese"],
)
def test_lone_surrogates(text: str, sent: str) -> None:
    assert json.loads(encode({"prompt": text}))["prompt"] == sent


def test_extra_body_is_merged_last_and_null_takes_away() -> None:
    extra = {"temperature": 0.7, "top_k": 20, "stream_options": None}
    body = completions_body(request_to(target_of(), temperature=0.0), target_of(), extra)
    assert (body["temperature"], body["top_k"]) == (0.7, 20)
    assert "stream_options" not in body


@pytest.mark.parametrize("value", [math.nan, math.inf, {1, 2}, object()], ids=["nan", "inf", "set", "object"])
def test_extra_body_that_json_cannot_say_is_refused(value: object) -> None:
    with pytest.raises(ConfigurationError, match="extraBody"):
        encode({"x": value})


def test_stops_of_user_prompt_and_model_are_joined_once_each() -> None:
    target = target_of(provider="llama.cpp", model="qwen2.5-coder")
    request = request_to(
        target, prompt=Prompt(target.strategy, "", "", "", ("\n\n", "<|im_end|>")), stop=("@", "@", "")
    )
    stops = stop_list(request, target)
    assert stops[:4] == ("@", "\n\n", "<|im_end|>", "<|endoftext|>")
    assert len(stops) == len(set(stops)) == 11


def test_the_answer_is_no_longer_than_the_model_can() -> None:
    target = target_of()
    assert completions_body(request_to(target, max_tokens=99_999), target, {})["max_tokens"] == 8192


@pytest.mark.parametrize("provider", ["llama.cpp", "local"])
@pytest.mark.parametrize(
    ("held_back", "grammar"),
    [
        pytest.param(" ra", r'root ::= " ra" [^\x00]*', id="a-word"),
        pytest.param('("', r'root ::= "(\"" [^\x00]*', id="a-quote"),
        pytest.param("\\", r'root ::= "\\" [^\x00]*', id="a-backslash"),
        pytest.param("\t\t", r'root ::= "\t\t" [^\x00]*', id="tabs"),
        pytest.param("", None, id="nothing"),
    ],
)
def test_llama_cpp_is_held_to_what_the_prompt_leaves_out(
    provider: str, held_back: str, grammar: str | None
) -> None:
    target = target_of(provider=provider, model="qwen2.5-coder-0.5b-instruct")
    prompt = Prompt(Strategy.FIM, "for i in ra", "", "for i in", held_back=held_back)
    assert completions_body(request_to(target, prompt=prompt), target, {}).get("grammar") == grammar


def test_no_other_endpoint_is_sent_a_grammar() -> None:
    prompt = Prompt(Strategy.FIM, "if a:\n    ", "", "if a:\n", held_back="    ")
    for provider, model in (("dashscope", "qwen-coder-turbo"), ("vllm", "qwen2.5-coder-0.5b-instruct")):
        target = target_of(provider=provider, model=model)
        assert "grammar" not in completions_body(request_to(target, prompt=prompt), target, {})


def test_the_local_model_is_called_by_its_own_name() -> None:
    target = resolve(Settings(provider="local"), local=LocalEndpoint("http://127.0.0.1:1/v1", "k", "alias"))
    request = CompletionRequest(target.model, Prompt(Strategy.FIM, "", "", "x"), 8)
    assert completions_body(request, target, {})["model"] == "alias"


@pytest.mark.parametrize("stream", [True, False])
def test_ollamas_own_api_streams_unless_it_is_told_not_to(stream: bool) -> None:
    target = target_of(provider="ollama", model="qwen2.5-coder:7b")
    assert target.url == "http://127.0.0.1:11434/api/generate"
    body = completions_body(request_to(target, stream=stream), target, {"options": None})
    assert body["stream"] is stream
    assert body["raw"] is True
    assert not {"options", "stream_options", "stop", "max_tokens"} & body.keys()
