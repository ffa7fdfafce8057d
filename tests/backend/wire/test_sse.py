"""Event streams: the same events, however the bytes are cut."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwen_ls.backend.base import AnswerError
from qwen_ls.backend.wire.sse import MAX_LINE_BYTES, Event, EventDecoder, events_in, looks_like_events

NATIVE_ERROR = b'id:1\nevent:error\n:HTTP_STATUS/400\ndata:{"code":"InvalidParameter"}\n\n'


@pytest.mark.parametrize(
    ("body", "events"),
    [
        pytest.param(b"data: a\n\ndata: b\n\n", [Event("a"), Event("b")], id="as specified"),
        pytest.param(b"data:a\n\ndata:b\n\n", [Event("a"), Event("b")], id="no space"),
        pytest.param(b"data:  a\n\n", [Event(" a")], id="one space only"),
        pytest.param(b"data: a\ndata: b\n", [Event("a"), Event("b")], id="no blank lines"),
        pytest.param(b"data: a\r\n\r\ndata: b\r\n\r\n", [Event("a"), Event("b")], id="CRLF"),
        pytest.param(b"data: a\r\rdata: b\r\r", [Event("a"), Event("b")], id="CR"),
        pytest.param(b"data: a\n\ndata: b", [Event("a"), Event("b")], id="no line end at the end"),
        pytest.param(b"\n\n\ndata: a\n\n\n\n", [Event("a")], id="many blank lines"),
        pytest.param(b": ping\n:\ndata: a\n\n: ping\n\n", [Event("a")], id="comments"),
        pytest.param(b"data: a\n\ndata: [DONE]\n\n", [Event("a"), Event("[DONE]")], id="done"),
        pytest.param(b"\xef\xbb\xbfdata: a\n\n", [Event("a")], id="byte order mark"),
        pytest.param(b"data:\n\ndata: \n\n", [], id="empty data"),
        pytest.param(b"data\n\nnonsense\n\n", [], id="no data"),
        pytest.param(
            b"retry: 10\nid: 7\nevent: result\ndata: a\n\n", [Event("a", "result")], id="other fields"
        ),
        pytest.param(
            NATIVE_ERROR, [Event('{"code":"InvalidParameter"}', "error", 400)], id="DashScope's error"
        ),
        pytest.param(
            NATIVE_ERROR + b"data: a\n",
            [Event('{"code":"InvalidParameter"}', "error", 400), Event("a")],
            id="status and name are of one event",
        ),
        pytest.param(b":HTTP_STATUS/abc\n:HTTP_STATUS/99999\ndata: a\n", [Event("a")], id="no status"),
        pytest.param(
            "data: \u2028\x85\x0b\x0c\x1c中😀\n\n".encode(),
            [Event("\u2028\x85\x0b\x0c\x1c中😀")],
            id="only CR and LF end a line",
        ),
        pytest.param(b"data: a\xffb\n\n", [Event("a\ufffdb")], id="bytes that are no UTF-8"),
        pytest.param(b"", [], id="nothing"),
    ],
)
def test_events(body: bytes, events: list[Event]) -> None:
    assert events_in(body) == events
    decoder = EventDecoder()
    one_by_one = [e for i in range(len(body)) for e in decoder.feed(body[i : i + 1])]
    assert one_by_one + decoder.close() == events


@given(
    st.lists(st.text().map(lambda t: "".join(t.splitlines())).filter(lambda t: t.strip())),
    st.sampled_from(["\n", "\r\n", "\r", "\n\n", "\r\n\r\n", "\n: ping\n"]),
    st.data(),
)
def test_cuts_do_not_matter(texts: list[str], end: str, data: st.DataObject) -> None:
    body = "".join(f"data: {text}{end}" for text in texts).encode()
    cuts = sorted(data.draw(st.lists(st.integers(0, len(body)))))
    decoder = EventDecoder()
    pieces = [body[a:b] for a, b in zip([0, *cuts], [*cuts, len(body)], strict=True)]
    events = [event for piece in pieces for event in decoder.feed(piece)] + decoder.close()
    assert [event.data for event in events] == texts


@given(st.binary())
def test_any_bytes_are_read(body: bytes) -> None:
    events_in(body)


def test_a_line_without_an_end_is_refused() -> None:
    decoder = EventDecoder()
    decoder.feed(b"x" * MAX_LINE_BYTES)
    with pytest.raises(AnswerError):
        decoder.feed(b"x")


def test_what_is_no_event_stream_is_kept_for_a_look() -> None:
    decoder = EventDecoder()
    assert decoder.feed(b'{"error":\n {"code": "x"}}\n') == []
    assert decoder.stray == b'{"error":\n {"code": "x"}}\n'


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"data: {}", True),
        (b"\n\nid:1\nevent:error", True),
        (b": ping\n", True),
        (b'{"data": 1}', False),
        (b"<html>", False),
        (b"", False),
    ],
)
def test_looks_like_events(body: bytes, expected: bool) -> None:
    assert looks_like_events(body) is expected


@pytest.mark.parametrize(
    ("data", "is_done"), [("[DONE]", True), (" [DONE] ", True), ("{}", False), ("DONE", False)]
)
def test_done(data: str, is_done: bool) -> None:
    assert Event(data).is_done is is_done
