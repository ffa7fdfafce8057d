"""Bytes to messages: whatever the reads bring, and whatever else a client writes."""

from __future__ import annotations

import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwen_ls.lsp.framing import MAX_HEADER_BYTES, Framer, frame


@given(bodies=st.lists(st.binary(max_size=40), max_size=6), cuts=st.lists(st.integers(1, 30), min_size=1))
def test_messages_are_found_however_they_are_cut(bodies: list[bytes], cuts: list[int]) -> None:
    data, framer, found = b"".join(map(frame, bodies)), Framer(), []
    while data:
        for cut in cuts:
            found += framer.feed(data[:cut])
            data = data[cut:]
    assert found == bodies


@pytest.mark.parametrize(
    ("data", "bodies"),
    [
        pytest.param(b"content-length: 2\r\n\r\n{}", [b"{}"], id="lower case"),
        pytest.param(b"CONTENT-LENGTH:2\r\n\r\n{}", [b"{}"], id="upper case, no space"),
        pytest.param(b"Content-Type: x\r\nContent-Length: 2\r\n\r\n{}", [b"{}"], id="another header before"),
        pytest.param(b"Content-Length: 2\r\nContent-Type: x\r\n\r\n{}", [b"{}"], id="another header after"),
        pytest.param(b"Content-Length: 2 \n\n{}", [b"{}"], id="bare line feeds"),
        pytest.param(b"Content-Length: 0\r\n\r\nContent-Length: 1\r\n\r\nx", [b"", b"x"], id="empty body"),
        pytest.param(b"noise\r\nContent-Length: 2\r\n\r\n{}", [b"{}"], id="a line of noise"),
        pytest.param(b"noiseContent-Length: 2\r\n\r\n{}", [b"{}"], id="noise without an end"),
        pytest.param(b"Content-Length: x\r\n\r\n{}Content-Length: 2\r\n\r\n[]", [b"[]"], id="bad length"),
        pytest.param(b"Content-Length: -5\r\n\r\nContent-Length: 2\r\n\r\n[]", [b"[]"], id="negative length"),
        pytest.param(
            b"Content-Length: 9999999999\r\n\r\nContent-Length: 1\r\n\r\nx", [b"x"], id="absurd length"
        ),
        pytest.param(
            b"a: b\r\n\r\nc: d\r\n\r\nContent-Length: 1\r\n\r\nx", [b"x"], id="headers without length"
        ),
    ],
)
def test_headers(data: bytes, bodies: list[bytes]) -> None:
    assert Framer().feed(data) == bodies
    bytewise = Framer()
    assert [body for byte in data for body in bytewise.feed(bytes([byte]))] == bodies


def test_endless_garbage_is_not_kept_and_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    framer = Framer()
    with caplog.at_level(logging.WARNING, "qwen_ls"):
        for _ in range(40):
            assert framer.feed(b"x" * 16_384) == []
    assert len(framer._buffer) <= MAX_HEADER_BYTES + 16_384
    assert len(caplog.records) == 1
    assert framer.feed(b"\r\n" + frame(b"{}")) == [b"{}"]
