"""Answers in: bodies and events of every shape that was seen."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwen_ls.backend.base import AnswerError
from qwen_ls.backend.wire.answer import read_body, read_event, read_json, read_usage
from qwen_ls.core.types import Chunk, Usage


def choice(**fields: object) -> dict:
    return {"choices": [{"index": 0, "logprobs": None, **fields}]}


@pytest.mark.parametrize(
    ("event", "chunk"),
    [
        pytest.param(choice(text="a", finish_reason=None), Chunk("a"), id="completions"),
        pytest.param(
            choice(text="b", finish_reason="stop"), Chunk("b", "stop"), id="text in the finish chunk"
        ),
        pytest.param(choice(text="", finish_reason="length"), Chunk("", "length"), id="empty finish chunk"),
        pytest.param(choice(delta={"content": "a"}), Chunk("a"), id="chat"),
        pytest.param(
            choice(delta={"role": "assistant", "content": None}), Chunk(""), id="llama.cpp's first chunk"
        ),
        pytest.param(
            choice(delta={"content": "", "role": "assistant"}), Chunk(""), id="DashScope's first chunk"
        ),
        pytest.param(choice(delta={}), Chunk(""), id="empty delta"),
        pytest.param(
            choice(delta={"content": "a", "reasoning_content": "hm"}),
            Chunk("a"),
            id="thinking beside the text",
        ),
        pytest.param(choice(delta={"reasoning_content": "hm"}), Chunk(""), id="thinking alone"),
        pytest.param(
            choice(delta={"content": [{"text": "a"}, {"text": "b"}]}), Chunk("ab"), id="list content"
        ),
        pytest.param(
            choice(delta={"content": [{"type": "text", "text": "a"}, {"image": "x"}, "b"]}),
            Chunk("ab"),
            id="mixed list content",
        ),
        pytest.param(choice(message={"content": "a"}), Chunk("a"), id="message in a stream"),
        pytest.param(choice(delta={"content": "a"}, finish_reason="null"), Chunk("a"), id="the word null"),
        pytest.param(choice(text=None), Chunk(""), id="no text"),
        pytest.param({"choices": []}, Chunk(""), id="no choices"),
        pytest.param({"choices": [], "usage": None}, Chunk(""), id="no usage"),
        pytest.param({}, Chunk(""), id="nothing known"),
        pytest.param(
            {"choices": [], "usage": {"prompt_tokens": 17, "completion_tokens": 3, "total_tokens": 20}},
            Chunk("", None, Usage(17, 3)),
            id="usage of its own",
        ),
        pytest.param(
            {**choice(text="a", finish_reason="stop"), "usage": {"prompt_tokens": 1, "completion_tokens": 2}},
            Chunk("a", "stop", Usage(1, 2)),
            id="usage inline",
        ),
        pytest.param(
            {"choices": [{"index": 1, "text": "no"}, {"index": 0, "text": "yes"}]},
            Chunk("yes"),
            id="another choice",
        ),
        pytest.param({"choices": [{"text": "yes"}]}, Chunk("yes"), id="no index"),
    ],
)
def test_events(event: dict, chunk: Chunk) -> None:
    assert read_event(event) == chunk


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        (None, None),
        ([], None),
        ({}, None),
        ({"prompt_tokens": 0, "completion_tokens": 0}, None),
        (
            {"prompt_tokens": 5, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 4}},
            Usage(5, 2, 4),
        ),
        ({"input_tokens": 5, "output_tokens": 2, "cached_tokens": 4}, Usage(5, 2, 4)),
        ({"prompt_tokens": 5, "prompt_tokens_details": None}, Usage(5)),
        ({"prompt_tokens": 5, "completion_tokens": 10**30}, Usage(5)),
        (
            {"prompt_tokens": "5", "completion_tokens": -1, "prompt_tokens_details": {"cached_tokens": True}},
            None,
        ),
    ],
)
def test_usage(usage: object, expected: Usage | None) -> None:
    assert read_usage(usage) == expected


def test_a_whole_body() -> None:
    body = {
        "id": "cmpl-1",
        "object": "text_completion",
        "choices": [{"index": 0, "text": "    pass\n", "finish_reason": "stop", "logprobs": None}],
        "usage": {"prompt_tokens": 17, "completion_tokens": 21, "total_tokens": 38},
    }
    assert read_body(body) == Chunk("    pass\n", "stop", Usage(17, 21))


def test_a_whole_chat_body_keeps_its_indentation() -> None:
    body = {
        "choices": [
            {"message": {"content": "        return 1", "reasoning_content": ""}, "finish_reason": "stop"}
        ]
    }
    assert read_body(body).text == "        return 1"


@pytest.mark.parametrize(
    ("content", "text"),
    [("def f():\n    pass", "    pass"), ("    pass", "    pass"), ("def f():\ndef f():\n", "def f():\n")],
    ids=["echoed", "not echoed", "echoed once"],
)
def test_llama_cpps_echo_is_taken_off_once(content: str, text: str) -> None:
    body = {"choices": [{"message": {"content": content}, "finish_reason": "stop"}]}
    assert read_body(body, echoed_prefix="def f():\n").text == text


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"choices": []},
        {"choices": None},
        {"choices": "x"},
        {"choices": ["x"]},
        {"choices": [{"text": 1}]},
        {"choices": [{"message": {"content": {"a": 1}}}]},
        {"output": {}},
        {"output": {"text": None}},
        {"output": {"choices": "x"}},
    ],
)
def test_what_is_no_answer(body: dict) -> None:
    with pytest.raises(AnswerError):
        read_body(body)


@pytest.mark.parametrize("text", ["", "<html>", "[]", "1", "null", "{", '{"a":', "[" * 100_000, b"\xff\xfe"])
def test_what_is_no_json_object(text: str | bytes) -> None:
    with pytest.raises(AnswerError):
        read_json(text)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["choices", "text", "delta", "content", "usage", "index"]), inner, max_size=4
        )
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(["choices", "usage", "error", "code"]), json_values))
def test_any_json_is_read_or_refused(answer: dict) -> None:
    try:
        chunk = read_event(answer)
    except AnswerError:
        return
    assert isinstance(chunk.text, str)
