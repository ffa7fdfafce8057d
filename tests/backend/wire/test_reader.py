"""Whole answers from bytes: streams, bodies, and the one labelled as the other."""

from __future__ import annotations

import json

import pytest

from qwen_ls.backend import base
from qwen_ls.backend.forms import GENERATE_SHAPE
from qwen_ls.backend.wire.errors import error_of
from qwen_ls.backend.wire.reader import MAX_BODY_BYTES, AnswerReader
from qwen_ls.backend.wire.semantics import TextStream
from qwen_ls.core.types import Chunk, Usage
from tests.backend.asking import target_of


def event(**fields: object) -> bytes:
    return b"data: " + json.dumps(fields).encode() + b"\n\n"


def choice(text: str, finish_reason: str | None = None, **more: object) -> bytes:
    return event(choices=[{"index": 0, "text": text, "finish_reason": finish_reason}], **more)


USAGE = {"prompt_tokens": 17, "completion_tokens": 3}
DONE = b"data: [DONE]\n\n"
BODY = json.dumps(
    {"choices": [{"index": 0, "text": "abc", "finish_reason": "stop"}], "usage": USAGE}
).encode()


def read(
    body: bytes,
    *,
    is_stream: bool = True,
    kind: str = "",
    size: int = 7,
    echoed_prefix: str = "",
    **more: object,
) -> Chunk:
    reader = AnswerReader(
        TextStream(),
        lambda failure: error_of(failure, target_of()),
        kind=kind or ("text/event-stream;charset=UTF-8" if is_stream else "application/json"),
        echoed_prefix=echoed_prefix,
        **more,
    )
    text = ""
    for start in range(0, len(body), size):
        for chunk in reader.feed(body[start : start + size]):
            text += chunk.text
    last = reader.close()
    return Chunk(text + last.text, last.finish_reason, last.usage)


@pytest.mark.parametrize(
    ("body", "answer"),
    [
        pytest.param(
            choice("a") + choice("b", "stop") + event(choices=[], usage=USAGE) + DONE,
            Chunk("ab", "stop", Usage(17, 3)),
            id="as documented",
        ),
        pytest.param(
            choice("a") + choice("b") + choice("", "length") + DONE, Chunk("ab", "length"), id="no usage"
        ),
        pytest.param(
            choice("a") + choice("b", "stop", usage=USAGE), Chunk("ab", "stop", Usage(17, 3)), id="no done"
        ),
        pytest.param(choice("a") + choice("b"), Chunk("ab"), id="no finish reason"),
        pytest.param(choice("a", "stop")[:-2], Chunk("a", "stop"), id="no line end"),
        pytest.param(
            choice("a", "stop") + DONE + choice("dropped"), Chunk("a", "stop"), id="text after the end"
        ),
        pytest.param(event(choices=[]) + DONE, Chunk(""), id="no text"),
        pytest.param(DONE, Chunk(""), id="only done"),
        pytest.param(event(type="ping") + choice("a", "stop"), Chunk("a", "stop"), id="unknown event"),
        pytest.param(BODY, Chunk("abc", "stop", Usage(17, 3)), id="a body labelled as a stream"),
        pytest.param(
            json.dumps(json.loads(BODY), indent=1).encode(),
            Chunk("abc", "stop", Usage(17, 3)),
            id="the same on lines",
        ),
    ],
)
@pytest.mark.parametrize("size", [1, 7, 10_000])
def test_streams(body: bytes, answer: Chunk, size: int) -> None:
    assert read(body, size=size) == answer


@pytest.mark.parametrize("size", [1, 10_000])
def test_bodies(size: int) -> None:
    assert read(BODY, is_stream=False, size=size) == Chunk("abc", "stop", Usage(17, 3))
    stream = choice("a") + choice("b", "stop") + event(choices=[], usage=USAGE) + DONE
    assert read(stream, is_stream=False, size=size) == Chunk("ab", "stop", Usage(17, 3))


def test_an_echo_is_taken_off_bodies_and_not_off_streams() -> None:
    assert read(BODY, is_stream=False, echoed_prefix="ab").text == "c"
    assert read(choice("abc", "stop") + DONE, echoed_prefix="ab").text == "abc"


ERROR = {"error": {"code": "invalid_parameter_error", "message": "<400> x", "type": "invalid_request_error"}}


@pytest.mark.parametrize(
    ("body", "is_stream", "expected"),
    [
        pytest.param(event(**ERROR), True, base.RequestError, id="error in a stream"),
        pytest.param(choice("a") + event(**ERROR), True, base.RequestError, id="error after text"),
        pytest.param(json.dumps(ERROR).encode(), False, base.RequestError, id="error in a body"),
        pytest.param(
            json.dumps(ERROR).encode(), True, base.RequestError, id="error body labelled as a stream"
        ),
        pytest.param(event(**ERROR), False, base.RequestError, id="error event labelled as a body"),
        pytest.param(
            b'id:1\nevent:error\n:HTTP_STATUS/429\ndata:{"code":"Odd","message":"m"}\n\n',
            True,
            base.RateLimitError,
            id="status in a comment",
        ),
        pytest.param(
            b'id:1\nevent:error\n:HTTP_STATUS/500\ndata:{"message":"m"}\n\n',
            True,
            base.ServerError,
            id="error event without a code",
        ),
        pytest.param(
            b'event:error\ndata:{"code":"","message":"m"}\n\n',
            True,
            base.ServerError,
            id="error event, no status",
        ),
        pytest.param(
            choice("a") + b"event: error\ndata: upstream failed\n\n",
            True,
            base.ServerError,
            id="error event that is no JSON",
        ),
        pytest.param(
            b'event:error\ndata:{"code":"InvalidParameter","message":"m"}\n\n',
            True,
            base.RequestError,
            id="error event, a code that says little",
        ),
        pytest.param(b"", True, base.AnswerError, id="empty stream"),
        pytest.param(b"", False, base.AnswerError, id="empty body"),
        pytest.param(b": ping\n\n", True, base.AnswerError, id="comments only"),
        pytest.param(b"<html>Sign in</html>", False, base.AnswerError, id="a page"),
        pytest.param(b"<html>Sign in</html>", True, base.AnswerError, id="a page labelled as a stream"),
        pytest.param(b"data: {broken\n\n", True, base.AnswerError, id="broken event"),
        pytest.param(b'data: "x"\n\n', True, base.AnswerError, id="no object"),
        pytest.param(b'{"choices": []}', False, base.AnswerError, id="no choice in a body"),
    ],
)
def test_what_goes_wrong(body: bytes, is_stream: bool, expected: type[base.BackendError]) -> None:
    with pytest.raises(expected) as caught:
        read(body, is_stream=is_stream)
    assert type(caught.value) is expected


@pytest.mark.parametrize("size", [1, 7, 10_000])
@pytest.mark.parametrize(
    ("events", "text"),
    [
        pytest.param([r"\ud83d", r"\ude00 x"], "😀 x", id="halves in two events"),
        pytest.param([r"a\ud83d", "", r"\ude00"], "a😀", id="an empty event between"),
        pytest.param([r"\ud83d b"], "\ufffd b", id="a half alone"),
        pytest.param([r"\ude00 b", r"c\ud83d"], "\ufffd bc", id="halves of nothing"),
        pytest.param(
            [r"def \ud83d", r"def \ud83d\ude00 g", r"def \ud83d\ude00 ghijkl"], "def 😀 ghijkl", id="so far"
        ),
    ],
)
def test_a_character_cut_between_events_is_whole(events: list[str], text: str, size: int) -> None:
    """JSON may write an emoji as two escapes; half of one is no text that an editor can be sent."""
    frames = [
        f'data: {{"choices":[{{"index":0,"text":"{said}","finish_reason":null}}]}}\n\n' for said in events
    ]
    found = read("".join(frames).encode() + DONE, size=size)
    assert found.text == text
    found.text.encode()


def test_a_half_of_a_character_in_a_body() -> None:
    body = rb'{"choices":[{"index":0,"text":"a\ud83d","finish_reason":"stop"}]}'
    assert read(body, is_stream=False).text == "a\ufffd"


def test_a_body_without_an_end_is_refused() -> None:
    with pytest.raises(base.AnswerError):
        read(b" " * (MAX_BODY_BYTES + 1), is_stream=False, size=1 << 20)


LINES = (
    b'{"model":"m","response":"caf\xc3\xa9","done":false}\n{"model":"m","response":" = 1","done":false}\n'
    b'\n{"model":"m","response":"","done":true,"done_reason":"length","prompt_eval_count":7,"eval_count":2}'
)


@pytest.mark.parametrize("size", [1, 2, 7, 10_000])
@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n"])
def test_an_object_a_line(size: int, end: bytes) -> None:
    body = LINES.replace(b"\n", end or b"\n") + end
    found = read(body, kind="application/x-ndjson", shape=GENERATE_SHAPE, size=size)
    assert found == Chunk("café = 1", "length", Usage(7, 2))


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        pytest.param(
            LINES[:50] + b'{"error":"CUDA error"}\n', base.AnswerError, id="cut in the middle of a line"
        ),
        pytest.param(
            LINES.split(b"\n")[0] + b'\n{"error":"CUDA error"}\n', base.ServerError, id="error after text"
        ),
        pytest.param(b"<html>Sign in</html>", base.AnswerError, id="a page"),
        pytest.param(b"", base.AnswerError, id="nothing"),
        pytest.param(b"{" + b" " * (2 << 20), base.AnswerError, id="a line without an end"),
    ],
)
def test_what_goes_wrong_in_lines(body: bytes, expected: type[base.BackendError]) -> None:
    with pytest.raises(expected) as caught:
        read(body, kind="application/x-ndjson", shape=GENERATE_SHAPE, size=1 << 16)
    assert type(caught.value) is expected


@pytest.mark.parametrize("words", [["word "], ["word ", "other "]], ids=["repeated", "new"])
def test_a_stream_without_an_end_is_given_up(words: list[str]) -> None:
    """A server that ignores the token limit must not fill the memory."""
    with pytest.raises(base.AnswerError):
        read(b"".join(choice(word * 1000) for word in words) * 60, size=1 << 16)


def test_a_long_stream_that_repeats_everything_is_read() -> None:
    """All its events together are hundreds of times as long as its text."""
    said = "".join(f"line {n} of a long answer\n" for n in range(800))
    step = len(said) // 400
    events = b"".join(choice(said[:end]) for end in range(step, len(said) + step, step))
    assert read(events + choice("", "stop") + DONE, size=1 << 16).text == said
