"""The life of the server: its socket, its thread, refusing and accepting connections."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Self

from .http import Connection, HttpRequest
from .record import Signal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class HttpHost(ABC):
    """A server on loopback: ``async with``, or ``with ….in_thread()`` for synchronous tests."""

    def __init__(self, host: str, port: int) -> None:
        self.host, self.port = host, port
        self.crashes: list[BaseException] = []
        """What went wrong inside the fake itself; raised when it ends."""
        self._connections: set[Connection] = set()
        self._server: asyncio.Server | None = None
        self._socket: socket.socket | None = None
        self._starting: asyncio.Task[None] | None = None

    @abstractmethod
    async def _handle(self, connection: Connection, request: HttpRequest) -> None:
        """Answer one request."""

    @property
    def base_url(self) -> str:
        """``http://127.0.0.1:PORT``."""
        return f"http://{self.host}:{self.port}"

    @property
    def open_connections(self) -> int:
        """How many clients are connected now."""
        return len(self._connections)

    # --- life ---

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        self._socket = self._bound()
        self.port = self._socket.getsockname()[1]
        self._socket.listen(512)
        await self._serve(self._socket)
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        tasks = [connection.task for connection in self._connections]
        if self._starting is not None:
            await self._starting
        self._stop_listening()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0)  # transports close their sockets in the loop's next turn
        if self.crashes and kind is None:
            raise self.crashes[0]

    @classmethod
    @contextlib.contextmanager
    def in_thread(cls, **options: Any) -> Iterator[Self]:
        """The server in a loop of its own, in a thread of its own."""
        host = cls(**options)
        ready, stop, failures = threading.Event(), Signal(), list[BaseException]()

        async def main() -> None:
            async with host:
                ready.set()
                await stop.wait(timeout=3600)

        def run() -> None:
            try:
                asyncio.run(main())
            except BaseException as exc:  # handed to the other thread
                failures.append(exc)
            ready.set()

        thread = threading.Thread(target=run, name="fake-dashscope", daemon=True)
        thread.start()
        assert ready.wait(30), "the fake did not start"
        try:
            if not failures:
                yield host
        finally:
            stop.set()
            thread.join(30)
        if failures:
            raise failures[0]

    def _bound(self) -> socket.socket:
        # The protocol must be named: asyncio switches Nagle's algorithm off only where it is.
        sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        try:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind((self.host, self.port))
            sock.setblocking(False)
        except OSError:
            sock.close()
            raise
        return sock

    async def _serve(self, sock: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: Connection(self._handle, self._connections), sock=sock
        )

    def _stop_listening(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        elif self._socket is not None:
            self._socket.close()
        self._socket = None
        for connection in list(self._connections):
            connection.abort()

    # --- refusing ---

    def refuse(self) -> None:
        """Drop all connections and refuse new ones; the port stays ours.  From any thread."""
        self._in_loop(self._refuse)

    def accept(self) -> None:
        """Undo :meth:`refuse`.  From any thread."""
        self._in_loop(self._accept)

    def _refuse(self) -> None:
        self._stop_listening()
        self._socket = self._bound()  # bound and not listening: connecting to it is refused

    def _accept(self) -> None:
        starting = self._starting is not None and not self._starting.done()
        if self._server is None and self._socket is not None and not starting:
            self._socket.listen(512)
            self._starting = asyncio.ensure_future(self._serve(self._socket))

    def _in_loop(self, action: Callable[[], None]) -> None:
        """Run in the server's loop and wait for it."""
        try:
            inside = asyncio.get_running_loop() is self._loop
        except RuntimeError:
            inside = False
        if inside:
            action()
            return
        done = threading.Event()

        def act() -> None:
            action()
            self._loop.call_soon(done.set)  # after what it has put off: an aborted connection closes then

        self._loop.call_soon_threadsafe(act)
        assert done.wait(30)
