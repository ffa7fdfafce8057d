"""A small HTTP/1.1 server side on :class:`asyncio.Protocol`: keep-alive, pipelining, chunked bodies.

It is a Protocol, not a stream pair, because the fake must know at once when a client hangs up.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import struct
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

MAX_HEAD = 64 * 1024
REASONS = {
    200: "OK",
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    429: "Too Many Requests",
    500: "Internal Server Error",
    502: "Bad Gateway",
    503: "Service Unavailable",
}


class BadRequestError(Exception):
    """The bytes on the connection are not an HTTP/1.1 request."""


@dataclass(slots=True)
class HttpRequest:
    """One request as it came."""

    method: str
    target: str
    headers: dict[str, str]
    """Names in lower case; repeated headers are joined with a comma."""
    body: bytes = b""
    raw_headers: list[tuple[str, str]] = field(default_factory=list)

    @property
    def path(self) -> str:
        """The target without its query."""
        return self.target.partition("?")[0]

    @property
    def keep_alive(self) -> bool:
        """Whether the client wants to go on with this connection."""
        return self.headers.get("connection", "").lower() != "close"


class Connection(asyncio.Protocol):
    """One client.  ``serve`` is called for one request after the other, cancelled when the client leaves."""

    def __init__(
        self, serve: Callable[[Connection, HttpRequest], Awaitable[None]], all_: set[Connection]
    ) -> None:
        self._serve = serve
        self._all = all_
        self._buffer = bytearray()
        self._news = asyncio.Event()
        self._writable = asyncio.Event()
        self._writable.set()
        self.lost = False
        """The connection has ended."""
        self.ended_here = False
        """It was the server that ended it."""

    # --- the Protocol ---

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self._all.add(self)
        self.task = asyncio.get_running_loop().create_task(self._run())

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        self._news.set()

    def eof_received(self) -> bool:
        """A client that ends its side has hung up (half-open connections are not served)."""
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = True
        self._all.discard(self)
        self._writable.set()
        if not self.task.done():
            self.task.cancel()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    # --- reading ---

    async def _run(self) -> None:
        with contextlib.suppress(asyncio.CancelledError):
            try:
                while (request := await self._read_request()) is not None:
                    await self._serve(self, request)
                    if not request.keep_alive:
                        break
            except BadRequestError as exc:
                text = str(exc).encode()
                headers = [("Connection", "close"), ("Content-Length", str(len(text)))]
                self.write(head(400, headers) + text)
            finally:
                self.close()

    async def _more(self) -> None:
        self._news.clear()
        await self._news.wait()

    async def _read_request(self) -> HttpRequest | None:
        while (end := self._buffer.find(b"\r\n\r\n")) < 0:
            if len(self._buffer) > MAX_HEAD:
                raise BadRequestError("the request head is too long")
            await self._more()
        request = parse_head(bytes(self._take(end + 4)))
        if request.headers.get("expect", "").lower() == "100-continue":
            self.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        if "chunked" in request.headers.get("transfer-encoding", "").lower():
            request.body = await self._read_chunks()
        else:
            request.body = await self._read_exactly(_length(request.headers.get("content-length", "0")))
        return request

    def _take(self, count: int) -> bytearray:
        taken = self._buffer[:count]
        del self._buffer[:count]
        return taken

    async def _read_exactly(self, count: int) -> bytes:
        while len(self._buffer) < count:
            await self._more()
        return bytes(self._take(count))

    async def _read_line(self) -> bytes:
        while (end := self._buffer.find(b"\r\n")) < 0:
            await self._more()
        return bytes(self._take(end + 2)[:-2])

    async def _read_chunks(self) -> bytes:
        body = bytearray()
        while size := _length((await self._read_line()).partition(b";")[0].decode("latin-1"), 16):
            body += await self._read_exactly(size)
            await self._read_line()
        while await self._read_line():
            pass  # trailers
        return bytes(body)

    # --- writing ---

    def write(self, data: bytes) -> None:
        """Hand bytes to the socket (a lost connection swallows them)."""
        if not self.lost:
            self.transport.write(data)

    async def drain(self) -> None:
        """Wait until the client has read enough."""
        await self._writable.wait()

    def close(self) -> None:
        """Close after what was written."""
        self.ended_here = True
        self.transport.close()

    def abort(self) -> None:
        """Close without sending what was written."""
        self.ended_here = True
        self.transport.abort()

    def reset(self) -> None:
        """Break the connection with a TCP reset."""
        sock = self.transport.get_extra_info("socket")
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.abort()


def _length(text: str, base: int = 10) -> int:
    try:
        return int(text, base)
    except ValueError as exc:
        raise BadRequestError("not a length") from exc


def parse_head(data: bytes) -> HttpRequest:
    """The request line and the headers."""
    first, *lines = data.decode("latin-1").removesuffix("\r\n\r\n").split("\r\n")
    parts = first.split(" ")
    if len(parts) != 3 or not parts[2].startswith("HTTP/1."):
        raise BadRequestError("not an HTTP/1.1 request line")
    raw: list[tuple[str, str]] = []
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or name != name.strip():
            raise BadRequestError("not a header")
        raw.append((name, value.strip()))
        key = name.lower()
        headers[key] = f"{headers[key]}, {value.strip()}" if key in headers else value.strip()
    return HttpRequest(parts[0], parts[1], headers, raw_headers=raw)


def head(status: int, headers: list[tuple[str, str]]) -> bytes:
    """The bytes of a response head."""
    lines = [
        f"HTTP/1.1 {status} {REASONS.get(status, 'Unknown')}",
        *(f"{name}: {value}" for name, value in headers),
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def dumps(data: Any) -> str:
    """JSON as DashScope writes it: compact, UTF-8."""
    return json.dumps(data, ensure_ascii=False, separators=(",", ":"))


class Responder:
    """Writes one response."""

    def __init__(self, connection: Connection, *, gzip: bool = False) -> None:
        self._connection = connection
        self._zip = zlib.compressobj(wbits=31) if gzip else None
        self.status = 0

    def send(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        """A whole response with a known length."""
        self.status = status
        if self._zip is not None:
            body = self._zip.compress(body) + self._zip.flush()
            headers = [*headers, ("Content-Encoding", "gzip")]
        self._connection.write(head(status, [*headers, ("Content-Length", str(len(body)))]) + body)

    def start(self, status: int, headers: list[tuple[str, str]]) -> None:
        """The head of a chunked response."""
        self.status = status
        if self._zip is not None:
            headers = [*headers, ("Content-Encoding", "gzip")]
        self._connection.write(head(status, [*headers, ("Transfer-Encoding", "chunked")]))

    async def chunk(self, data: bytes) -> None:
        """One chunk of the body, sent at once."""
        if self._zip is not None:
            data = self._zip.compress(data) + self._zip.flush(zlib.Z_SYNC_FLUSH)
        self._connection.write(b"%x\r\n%b\r\n" % (len(data), data))
        await self._connection.drain()

    def end(self) -> None:
        """The last chunk."""
        rest = self._zip.flush() if self._zip is not None else b""
        tail = b"%x\r\n%b\r\n" % (len(rest), rest) if rest else b""
        self._connection.write(tail + b"0\r\n\r\n")
