"""Bytes in and out: standard streams, TCP and WebSocket.

Every transport gives a `Session` whole bodies and a writer that never blocks the event loop. One client is
served at a time.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import queue
import stat
import threading
from typing import TYPE_CHECKING, Protocol

from qwen_ls.lsp.framing import Framer, frame

if TYPE_CHECKING:
    from collections.abc import Callable

logger = logging.getLogger(__name__)

READ_BYTES = 256 * 1024
HIGH_WATER_BYTES = 8 * 1024 * 1024
"""Above this much unread output the client's input is left unread too, until it has caught up."""
LOW_WATER_BYTES = 1024 * 1024
DRAIN_TIMEOUT_S = 2.0
"""How long the last bytes may take to leave."""


class Session(Protocol):
    """What a transport serves: one client's server."""

    def attach(self, writer: Writer, *, on_end: Callable[[int], None]) -> None:
        """Start with this writer; `on_end` is called with the exit code when the client says `exit`."""
        ...

    def receive(self, body: bytes) -> None:
        """Take one message. Never raises."""
        ...

    async def aclose(self) -> None:
        """Stop all work. Never raises, and is bounded in time."""
        ...


class Writer(Protocol):
    """Where bodies are written."""

    def write(self, body: bytes) -> None:
        """Write one message's body. Neither blocks nor raises; a lost client is found by the reading side."""
        ...


class ThreadWriter:
    """Writes from a thread of its own: for files, terminals and Windows, where writing blocks."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._queue: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="qwen-ls-writer", daemon=True)
        self._thread.start()

    def write(self, body: bytes) -> None:
        """Queue one message."""
        self._queue.put(frame(body))

    async def aclose(self) -> None:
        """Let the queue run empty, within `DRAIN_TIMEOUT_S`."""
        self._queue.put(None)
        await asyncio.to_thread(self._thread.join, DRAIN_TIMEOUT_S)

    def _run(self) -> None:
        while (data := self._queue.get()) is not None:
            view = memoryview(data)
            try:
                while view:
                    view = view[os.write(self._fd, view) :]
            except OSError:
                return


class FdWriter:
    """Writes to a pipe or socket without blocking; what does not fit waits in memory.

    Args:
        fd: an open descriptor; becomes non-blocking.
        on_pressure: called with True when too much is waiting, with False when that is over.
    """

    def __init__(self, fd: int, on_pressure: Callable[[bool], None]) -> None:
        self._fd = fd
        self._loop = asyncio.get_running_loop()
        self._waiting = bytearray()
        self._pressed = False
        self._lost = False
        self._on_pressure = on_pressure
        self._empty = asyncio.Event()
        self._empty.set()
        os.set_blocking(fd, False)

    def write(self, body: bytes) -> None:
        """Write what fits now, and the rest when there is room."""
        if self._lost:
            return
        data = frame(body)
        if not self._waiting:
            data = data[self._try(data) :]
        if data and not self._lost:
            if not self._waiting:
                self._empty.clear()
                self._loop.add_writer(self._fd, self._flush)
            self._waiting += data
            self._press()

    async def aclose(self) -> None:
        """Let the rest leave, within `DRAIN_TIMEOUT_S`."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._empty.wait(), DRAIN_TIMEOUT_S)
        self._lose()

    def _try(self, data: bytes | bytearray) -> int:
        """Write once; returns how many bytes left."""
        try:
            return os.write(self._fd, data)
        except BlockingIOError:
            return 0
        except OSError:
            self._lose()
            return 0

    def _flush(self) -> None:
        del self._waiting[: self._try(self._waiting)]
        if not self._waiting:
            self._loop.remove_writer(self._fd)
            self._empty.set()
        self._press()

    def _press(self) -> None:
        limit = LOW_WATER_BYTES if self._pressed else HIGH_WATER_BYTES
        if (len(self._waiting) > limit) != self._pressed:
            self._pressed = not self._pressed
            self._on_pressure(self._pressed)

    def _lose(self) -> None:
        """The client is gone, or we are: nothing will be written any more."""
        if not self._lost:
            self._lost = True
            self._loop.remove_writer(self._fd)
            self._waiting.clear()
            self._empty.set()


class PipeReader(asyncio.Protocol):
    """Reads a pipe or socket: frames what arrives and hands it over, several messages a read."""

    def __init__(self, session: Session, on_eof: Callable[[], None], framer: Framer) -> None:
        self._session = session
        self._framer = framer
        self._on_eof = on_eof

    def data_received(self, data: bytes) -> None:
        """Hand over the messages that are complete now."""
        for body in self._framer.feed(data):
            self._session.receive(body)

    def connection_lost(self, exc: Exception | None) -> None:
        """The client closed its end."""
        self._on_eof()


def read_in_thread(fd: int, session: Session, on_eof: Callable[[], None], framer: Framer) -> None:
    """Read what an event loop cannot watch (files, Windows' pipes) in a thread; hand over whole messages."""
    loop = asyncio.get_running_loop()

    def hand_over(bodies: list[bytes]) -> None:
        for body in bodies:
            session.receive(body)

    def run() -> None:
        with contextlib.suppress(OSError, RuntimeError):  # the descriptor, or the loop, was closed
            while data := os.read(fd, READ_BYTES):
                if bodies := framer.feed(data):
                    loop.call_soon_threadsafe(hand_over, bodies)
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(on_eof)

    threading.Thread(target=run, name="qwen-ls-reader", daemon=True).start()


def is_pollable(fd: int) -> bool:
    """Whether the event loop can watch this descriptor."""
    mode = os.fstat(fd).st_mode
    return os.name == "posix" and (stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode))


class Valve:
    """Stops reading while the client leaves too much unread."""

    def __init__(self) -> None:
        self.reader: asyncio.ReadTransport | None = None

    def press(self, pressed: bool) -> None:
        """Stop (True) or go on (False)."""
        if self.reader is None or self.reader.is_closing():
            return
        if pressed:
            logger.warning("the client does not read its answers; waiting for it")
            self.reader.pause_reading()
        else:
            self.reader.resume_reading()


async def serve_streams(session: Session, reading: int, writing: int, data: bytes = b"") -> int:
    """Serve one client on two descriptors until it leaves; returns the exit code.

    Args:
        session: the client's session.
        reading: a descriptor of the client's output.
        writing: a descriptor of the client's input.
        data: what was read already.
    """
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[int] = loop.create_future()
    valve = Valve()

    def end(code: int) -> None:
        if not ended.done():
            ended.set_result(code)

    pollable = is_pollable(writing)
    writer = FdWriter(writing, valve.press) if pollable else ThreadWriter(writing)
    session.attach(writer, on_end=end)
    framer = Framer()
    for body in framer.feed(data):
        session.receive(body)
    reader: asyncio.ReadTransport | None = None
    if is_pollable(reading):
        pipe = os.fdopen(reading, "rb", buffering=0)
        reader, _ = await loop.connect_read_pipe(lambda: PipeReader(session, lambda: end(0), framer), pipe)
        valve.reader = reader
    else:
        read_in_thread(reading, session, lambda: end(0), framer)
    try:
        return await ended
    finally:
        await session.aclose()
        await writer.aclose()
        if reader is not None:
            reader.close()
