"""TCP and WebSocket: for editors that live elsewhere, and for debugging.

One client at a time: a second one is told so and turned away. When a client leaves without saying `exit`,
the next one is served, by a fresh session.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import re
import sys
from typing import TYPE_CHECKING, Any

from qwen_ls.lsp.framing import Framer, frame
from qwen_ls.lsp.transport import DRAIN_TIMEOUT_S, HIGH_WATER_BYTES, Session

if TYPE_CHECKING:
    from collections.abc import Callable

    from websockets.asyncio.server import ServerConnection
    from websockets.http11 import Request, Response

logger = logging.getLogger(__name__)

BUSY = "qwen-ls serves one client at a time here, and another one is connected"
MAX_MESSAGE_BYTES = 64 * 1024 * 1024
TRY_AGAIN_LATER = 1013
_LOCAL_ORIGIN = re.compile(r"https?://(localhost|127\.0\.0\.1|\[::1\])(:\d+)?")


class Door:
    """Lets one client in at a time.

    Args:
        create: makes the session of a client.
    """

    def __init__(self, create: Callable[[], Session]) -> None:
        self._create = create
        self._inside: Session | None = None
        self._closing: set[asyncio.Task[None]] = set()
        self.ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    def enter(self, writer: TcpConnection | WebSocketWriter) -> Session | None:
        """A session for this client, or None where there is one already."""
        if self._inside is not None or self.ended.done():
            logger.warning("%s", BUSY)
            return None
        self._inside = self._create()
        self._inside.attach(writer, on_end=self._end)
        return self._inside

    def leave(self) -> None:
        """The client is gone: end its work, be ready for the next."""
        if self._inside is not None:
            task = asyncio.ensure_future(self._inside.aclose())
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)
            self._inside = None

    async def aclose(self) -> None:
        """End all work."""
        self.leave()
        await asyncio.gather(*self._closing)

    def _end(self, code: int) -> None:
        if not self.ended.done():
            self.ended.set_result(code)


class TcpConnection(asyncio.Protocol):
    """One TCP client; also its writer. The kernel's and the loop's buffers keep writes from blocking."""

    def __init__(self, door: Door, connections: set[TcpConnection]) -> None:
        self._door = door
        self._connections = connections
        self._framer = Framer()
        self._session: Session | None = None
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Let the client in, or tell it why not."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._connections.add(self)
        transport.set_write_buffer_limits(high=HIGH_WATER_BYTES)
        self._session = self._door.enter(self)
        if self._session is None:
            message = {
                "jsonrpc": "2.0",
                "method": "window/showMessage",
                "params": {"type": 1, "message": BUSY},
            }
            self.write(json.dumps(message).encode())
            transport.close()

    def data_received(self, data: bytes) -> None:
        """Hand over the messages that are complete now."""
        if self._session is not None:
            for body in self._framer.feed(data):
                self._session.receive(body)

    def pause_writing(self) -> None:
        """Too much is unread: leave the client's input unread too."""
        if self._transport is not None:
            self._transport.pause_reading()

    def resume_writing(self) -> None:
        """The client has caught up."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        """The client is gone."""
        self._connections.discard(self)
        if self._session is not None:
            self._session = None
            self._door.leave()

    def write(self, body: bytes) -> None:
        """Write one message."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(frame(body))

    def close(self) -> None:
        """Close once everything has been written."""
        if self._transport is not None:
            self._transport.close()


async def serve_tcp(create: Callable[[], Session], host: str, port: int) -> int:
    """Serve TCP clients until one says `exit`; returns the exit code.

    Raises:
        OSError: the address cannot be listened on.
    """
    door = Door(create)
    connections: set[TcpConnection] = set()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: TcpConnection(door, connections), host, port)
    _announce("tcp", server.sockets[0].getsockname())
    try:
        return await door.ended
    finally:
        await door.aclose()
        for connection in list(connections):
            connection.close()
        server.close()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(server.wait_closed(), DRAIN_TIMEOUT_S)


class WebSocketWriter:
    """Sends one client's messages in their order, as text frames."""

    def __init__(self, socket: ServerConnection) -> None:
        self._socket = socket
        self._queue: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._waiting_bytes = 0
        self._room = asyncio.Event()
        self._room.set()
        self._task = asyncio.ensure_future(self._run())

    def write(self, body: bytes) -> None:
        """Queue one message."""
        self._queue.put_nowait(body)
        self._waiting_bytes += len(body)
        if self._waiting_bytes > HIGH_WATER_BYTES:
            self._room.clear()

    async def room(self) -> None:
        """Wait while the client leaves too much unread."""
        await self._room.wait()

    async def aclose(self) -> None:
        """Let the queue run empty, within `DRAIN_TIMEOUT_S`."""
        self._queue.put_nowait(None)
        await asyncio.wait([self._task], timeout=DRAIN_TIMEOUT_S)
        self._task.cancel()

    async def _run(self) -> None:
        from websockets.exceptions import ConnectionClosed

        while (body := await self._queue.get()) is not None:
            with contextlib.suppress(ConnectionClosed):
                await self._socket.send(body.decode())
            self._waiting_bytes -= len(body)
            if self._waiting_bytes <= HIGH_WATER_BYTES:
                self._room.set()


async def serve_ws(create: Callable[[], Session], host: str, port: int) -> int:
    """Serve WebSocket clients until one says `exit`; returns the exit code.

    Raises:
        OSError: the address cannot be listened on.
        ModuleNotFoundError: the extra `ws` is not installed.
    """
    from websockets.asyncio.server import serve
    from websockets.exceptions import ConnectionClosed

    door = Door(create)

    async def talk(socket: ServerConnection) -> None:
        writer = WebSocketWriter(socket)
        session = door.enter(writer)
        if session is None:
            await writer.aclose()
            await socket.close(TRY_AGAIN_LATER, BUSY)
            return
        with contextlib.suppress(ConnectionClosed):
            async for message in socket:
                session.receive(message.encode() if isinstance(message, str) else message)
                await writer.room()
        door.leave()
        await writer.aclose()

    async with serve(talk, host, port, max_size=MAX_MESSAGE_BYTES, process_request=_check_origin) as server:
        _announce("ws", next(iter(server.sockets)).getsockname())
        try:
            return await door.ended
        finally:
            await door.aclose()


def _check_origin(socket: ServerConnection, request: Request) -> Response | None:
    """Turn away web pages of other hosts: any page in the user's browser could knock here."""
    origin = request.headers.get("Origin")
    if origin is None or _LOCAL_ORIGIN.fullmatch(origin):
        return None
    logger.warning("refused a WebSocket from the web page of another host")
    return socket.respond(403, "qwen-ls takes WebSockets from this machine's own pages only\n")


def _announce(scheme: str, address: Any) -> None:
    """Say on stderr where we listen; the port may have been chosen by the system."""
    host, port = address[0], address[1]
    host = f"[{host}]" if ":" in host else host
    print(f"qwen-ls: listening on {scheme}://{host}:{port}", file=sys.stderr, flush=True)
