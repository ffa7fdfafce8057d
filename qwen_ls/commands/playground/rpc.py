"""A language server as a process of our own: JSON-RPC on its stdin and stdout, with nothing but asyncio."""

from __future__ import annotations

import asyncio
import collections
import contextlib
import json
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

CANCELLED = -32800
"""LSP `RequestCancelled`."""
LAST_WORDS_S = 1.0
"""How long what a process that has ended wrote to stderr is waited for."""
EXIT_WAIT_S = 5.0
"""How long a server may take to leave after `exit` before it is ended."""


class ServerGoneError(Exception):
    """The server process has ended, or never began; the message says what is known of why."""


class ResponseError(Exception):
    """The server answered a request with an error.

    Attributes:
        code: the JSON-RPC error code.
    """

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class ServerProcess:
    """One server, from its start to its end. Use from one event loop only."""

    def __init__(
        self, on_notification: Callable[[str, Any], None], on_end: Callable[[ServerGoneError], None]
    ) -> None:
        self._on_notification = on_notification
        self._on_end = on_end
        self._process: asyncio.subprocess.Process | None = None
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._next_id = 0
        self._readers: list[asyncio.Task[None]] = []
        self._stderr: collections.deque[str] = collections.deque(maxlen=20)
        self._closing = False

    async def start(self, command: Sequence[str]) -> None:
        """Start the process.

        Raises:
            ServerGoneError: it cannot be started.
        """
        pipe = asyncio.subprocess.PIPE
        try:
            self._process = await asyncio.create_subprocess_exec(
                *command, stdin=pipe, stdout=pipe, stderr=pipe, start_new_session=sys.platform != "win32"
            )
        except OSError as error:
            raise ServerGoneError(f"cannot start {command[0]}: {error.strerror or error}") from error
        self._readers = [asyncio.create_task(self._read()), asyncio.create_task(self._read_stderr())]

    def notify(self, method: str, params: Any) -> None:
        """Send a notification; nothing happens when the server is gone."""
        self._send({"jsonrpc": "2.0", "method": method, "params": params})

    async def request(self, method: str, params: Any) -> Any:
        """Send a request and wait for its answer. Cancelling this tells the server so.

        Raises:
            ServerGoneError: the process has ended.
            ResponseError: the answer is an error.
        """
        if self._process is None or self._process.returncode is not None:
            if self._readers:
                await asyncio.wait(self._readers, timeout=LAST_WORDS_S)
            raise self._gone()
        self._next_id += 1
        number = self._next_id
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting[number] = future
        self._send({"jsonrpc": "2.0", "id": number, "method": method, "params": params})
        try:
            return await future
        except asyncio.CancelledError:
            self.notify("$/cancelRequest", {"id": number})
            raise
        finally:
            self._waiting.pop(number, None)

    async def close(self) -> None:
        """Say goodbye as LSP has it, and end the process if it does not go."""
        process, self._closing = self._process, True
        if process is None:
            return
        if process.returncode is None:
            with contextlib.suppress(ServerGoneError, ResponseError, TimeoutError):
                await asyncio.wait_for(self.request("shutdown", None), EXIT_WAIT_S)
            self.notify("exit", None)
            await _end(process)
        await asyncio.gather(*self._readers, return_exceptions=True)
        if process.stdin is not None:
            process.stdin.close()
            with contextlib.suppress(OSError):
                await process.stdin.wait_closed()

    def _send(self, message: dict[str, Any]) -> None:
        process = self._process
        if process is None or process.stdin is None or process.returncode is not None:
            return
        body = json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")
        with contextlib.suppress(OSError, RuntimeError):
            process.stdin.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))

    async def _read(self) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        with contextlib.suppress(asyncio.IncompleteReadError, OSError, ValueError):
            while message := await _read_message(self._process.stdout):
                self._dispatch(message)
        await _end(self._process)
        await asyncio.wait(self._readers[1:], timeout=LAST_WORDS_S)
        gone = self._gone()
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(gone)
        if not self._closing:
            self._on_end(gone)

    async def _read_stderr(self) -> None:
        assert self._process is not None
        assert self._process.stderr is not None
        rest = b""
        while piece := await self._process.stderr.read(4096):
            *lines, rest = (rest + piece)[-65536:].split(b"\n")
            self._stderr.extend(line.decode("utf-8", "replace").strip() for line in lines if line.strip())
        if rest.strip():
            self._stderr.append(rest.decode("utf-8", "replace").strip())

    def _dispatch(self, message: dict[str, Any]) -> None:
        number, method = message.get("id"), message.get("method")
        if method is not None and number is not None:
            self._send({"jsonrpc": "2.0", "id": number, "result": _answer(method, message.get("params"))})
        elif method is not None:
            self._on_notification(method, message.get("params"))
        elif isinstance(number, int) and (future := self._waiting.get(number)) and not future.done():
            if (error := message.get("error")) is not None:
                future.set_exception(ResponseError(error.get("code", 0), str(error.get("message", ""))))
            else:
                future.set_result(message.get("result"))

    def _gone(self) -> ServerGoneError:
        code = None if self._process is None else self._process.returncode
        last = f": {self._stderr[-1]}" if self._stderr else ""
        return ServerGoneError(f"the server has ended (exit code {code}){last}")


async def _end(process: asyncio.subprocess.Process) -> None:
    """Wait for a process that is about to end, and end it if it does not."""
    try:
        await asyncio.wait_for(process.wait(), EXIT_WAIT_S)
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def _answer(method: str, params: Any) -> Any:
    """What a server's own requests are answered with: nothing, as often as it was asked for."""
    return [None] * len(params.get("items", ())) if method == "workspace/configuration" else None


async def _read_message(stream: asyncio.StreamReader) -> dict[str, Any] | None:
    """Read one message; None at the stream's end."""
    length = 0
    while (line := await stream.readline()).strip():
        name, _, value = line.decode("ascii", "replace").partition(":")
        if name.strip().lower() == "content-length":
            length = int(value)
    if not line:
        return None
    message: dict[str, Any] = json.loads(await stream.readexactly(length))
    return message
