"""The native protocol: bodies out, and answers and errors of its own shapes in."""

from __future__ import annotations

import pytest

from qwen_ls.backend.wire.answer import read_body, read_event
from qwen_ls.backend.wire.native import native_body
from qwen_ls.core.types import Chunk, Prompt, Strategy, Usage
from tests.backend.asking import PREFIX, request_to, target_of

IMAGE = "https://img.example/a.png"


def test_text_generation_with_everything() -> None:
    target = target_of(protocol="dashscope", model="qwen3-coder-flash")
    request = request_to(target, temperature=0.2, seed=7, presence_penalty=-1.5, stop=("\n\n",))
    assert native_body(request, target, {}) == {
        "model": "qwen3-coder-flash",
        "input": {
            "messages": [
                {"role": "user", "content": "Continue."},
                {"role": "assistant", "content": PREFIX, "partial": True},
            ]
        },
        "parameters": {
            "result_format": "message",
            "max_tokens": 64,
            "temperature": 0.2,
            "seed": 7,
            "presence_penalty": -1.5,
            "stop": ["\n\n"],
            "incremental_output": True,
        },
    }


def test_without_a_stream_there_are_no_increments() -> None:
    target = target_of(protocol="dashscope", model="qwen3-coder-flash")
    body = native_body(request_to(target, stream=False), target, {})
    assert body["parameters"] == {"result_format": "message", "max_tokens": 64}


@pytest.mark.parametrize("model", ["qwen-plus", "qwen3-vl-plus", "qwen3.7-plus"])
def test_hybrids_are_told_not_to_think_inside_the_parameters(model: str) -> None:
    target = target_of(protocol="dashscope", model=model)
    body = native_body(request_to(target), target, {})
    assert body["parameters"]["enable_thinking"] is False
    assert "enable_thinking" not in body


def test_a_multimodal_message_comes_in_parts_and_the_prefix_stays_a_string() -> None:
    target = target_of(protocol="dashscope", model="qwen3-vl-plus")
    prompt = Prompt(Strategy.PARTIAL, "The cat ", "", "Go on.", images=(IMAGE,))
    messages = native_body(request_to(target, prompt=prompt), target, {})["input"]["messages"]
    assert messages == [
        {"role": "user", "content": [{"image": IMAGE}, {"text": "Go on."}]},
        {"role": "assistant", "content": "The cat ", "partial": True},
    ]


def test_an_image_goes_along_where_the_row_has_the_path_wrong() -> None:
    """The text path refuses it, and the other one is asked with the same message."""
    rows = {"qwen3-vl-plus": {"native_path": "text"}}
    target = target_of(protocol="dashscope", model="qwen3-vl-plus", models=rows)
    prompt = Prompt(Strategy.PARTIAL, "The cat ", "", "Go on.", images=(IMAGE,))
    messages = native_body(request_to(target, prompt=prompt), target, {})["input"]["messages"]
    assert messages[0]["content"] == [{"image": IMAGE}, {"text": "Go on."}]


def test_extra_fields_are_parameters_unless_they_are_the_bodys_own() -> None:
    target = target_of(protocol="dashscope", model="qwen3-coder-flash")
    body = native_body(request_to(target), target, {"top_k": 3, "max_tokens": None, "model": "m"})
    assert body["model"] == "m"
    assert body["parameters"]["top_k"] == 3
    assert "max_tokens" not in body["parameters"]


def output(content: object, finish_reason: object = "null", **usage: int) -> dict:
    choice = {"message": {"content": content, "role": "assistant"}, "finish_reason": finish_reason}
    return {"output": {"choices": [choice]}, "usage": usage, "request_id": "r"}


@pytest.mark.parametrize(
    ("event", "chunk"),
    [
        pytest.param(
            output("1", input_tokens=8, output_tokens=1), Chunk("1", None, Usage(8, 1)), id="recorded"
        ),
        pytest.param(output("", "stop"), Chunk("", "stop"), id="the end"),
        pytest.param(output([{"text": "a"}, {"text": "b"}]), Chunk("ab"), id="parts"),
        pytest.param(output([], "length"), Chunk("", "length"), id="no parts"),
        pytest.param(
            {"output": {"finish_reason": "null", "text": "1+"}, "usage": {"input_tokens": 3}},
            Chunk("1+", None, Usage(3)),
            id="result_format text",
        ),
        pytest.param(
            {"output": {"finish_reason": "stop", "text": "1+", "choices": None}},
            Chunk("1+", "stop"),
            id="text beside null choices",
        ),
        pytest.param(
            output("a") | {"usage": {"input_tokens": 9, "prompt_tokens_details": {"cached_tokens": 5}}},
            Chunk("a", None, Usage(9, 0, 5)),
            id="cached tokens",
        ),
    ],
)
def test_events(event: dict, chunk: Chunk) -> None:
    assert read_event(event) == chunk


def test_a_whole_body_as_documented() -> None:
    body = output("        return n", "stop", total_tokens=67, output_tokens=19, input_tokens=48)
    assert read_body(body) == Chunk("        return n", "stop", Usage(48, 19))
