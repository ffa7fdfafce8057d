"""Writing to a client that reads late, or not at all."""

from __future__ import annotations

import asyncio
import contextlib
import os
from typing import Any

import pytest

from qwen_ls.lsp import transport
from qwen_ls.lsp.framing import frame
from qwen_ls.lsp.transport import FdWriter, ThreadWriter

pytestmark = pytest.mark.skipif(os.name != "posix", reason="pipes of this kind are POSIX's")


@pytest.fixture
def pipe() -> Any:
    reading, writing = os.pipe()
    yield reading, writing
    for fd in (reading, writing):
        with contextlib.suppress(OSError):
            os.close(fd)


async def read_all(fd: int, length: int) -> bytes:
    data = b""
    while len(data) < length:
        data += await asyncio.to_thread(os.read, fd, 1 << 20)
    return data


async def test_what_a_client_does_not_read_waits_and_stops_the_reading(pipe: tuple[int, int]) -> None:
    pressure: list[bool] = []
    writer = FdWriter(pipe[1], pressure.append)
    bodies = [bytes([65 + number]) * 1_000_000 for number in range(20)]
    for body in bodies:
        writer.write(body)
    assert pressure == [True]
    expected = b"".join(map(frame, bodies))
    assert await read_all(pipe[0], len(expected)) == expected
    await writer.aclose()
    assert pressure == [True, False]


async def test_a_client_that_is_gone_is_no_trouble(pipe: tuple[int, int]) -> None:
    writer = FdWriter(pipe[1], lambda _: None)
    writer.write(b"x" * 1_000_000)
    os.close(pipe[0])
    await writer.aclose()
    writer.write(b"more")


async def test_closing_does_not_wait_for_ever(pipe: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "DRAIN_TIMEOUT_S", 0.01)
    writer = FdWriter(pipe[1], lambda _: None)
    writer.write(b"x" * 1_000_000)
    await writer.aclose()


async def test_the_writer_for_files_keeps_the_order(pipe: tuple[int, int]) -> None:
    writer = ThreadWriter(pipe[1])
    bodies = [b"%d" % number for number in range(200)]
    for body in bodies:
        writer.write(body)
    await writer.aclose()
    expected = b"".join(map(frame, bodies))
    assert await read_all(pipe[0], len(expected)) == expected
