"""A bare JSON-RPC driver: what a polite client cannot send, and answers in the order in which they came.

`Wire` talks to a server process; `Line` to a server object in this process, without any transport.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any, Self

ROOT = Path(__file__).resolve().parents[2]
TIMEOUT_S = 60.0
"""How long an answer may take on a very busy machine: a server that never answers fails its test only."""

FOLDERS = {"QWEN_LS_LOCAL_MODEL", "QWEN_LS_DATA_DIR", "QWEN_LS_STATE_DIR", "QWEN_LS_LEDGER_DIR"}


def neutral_environment() -> dict[str, str]:
    """The environment without the tester's own settings; where files lie may be said."""
    return {
        key: value for key, value in os.environ.items() if not key.startswith("QWEN_LS_") or key in FOLDERS
    }


INITIALIZE: dict[str, Any] = {"processId": None, "rootUri": None, "capabilities": {}}


def frame(message: Any) -> bytes:
    """One message as LSP's base protocol writes it."""
    body = message if isinstance(message, bytes) else json.dumps(message).encode()
    return b"Content-Length: %d\r\n\r\n" % len(body) + body


def request(request_id: int | str, method: str, params: Any = None) -> dict[str, Any]:
    """A request."""
    message = {"jsonrpc": "2.0", "id": request_id, "method": method}
    return message if params is None else message | {"params": params}


def notification(method: str, params: Any = None) -> dict[str, Any]:
    """A notification."""
    message = {"jsonrpc": "2.0", "method": method}
    return message if params is None else message | {"params": params}


def did_open(uri: str, text: str, *, language: str = "python", version: int = 1) -> dict[str, Any]:
    """`textDocument/didOpen`."""
    document = {"uri": uri, "languageId": language, "version": version, "text": text}
    return notification("textDocument/didOpen", {"textDocument": document})


def did_change(uri: str, version: int, *changes: dict[str, Any]) -> dict[str, Any]:
    """`textDocument/didChange`."""
    document = {"uri": uri, "version": version}
    return notification("textDocument/didChange", {"textDocument": document, "contentChanges": list(changes)})


def edit(start: tuple[int, int], end: tuple[int, int], text: str) -> dict[str, Any]:
    """One incremental change."""
    places = ({"line": line, "character": character} for line, character in (start, end))
    return {"range": dict(zip(("start", "end"), places, strict=True)), "text": text}


def ask(request_id: int | str, uri: str, line: int, character: int, *, trigger: int = 2) -> dict[str, Any]:
    """`textDocument/inlineCompletion`."""
    params = {
        "textDocument": {"uri": uri},
        "position": {"line": line, "character": character},
        "context": {"triggerKind": trigger},
    }
    return request(request_id, "textDocument/inlineCompletion", params)


def cancel(request_id: int | str) -> dict[str, Any]:
    """`$/cancelRequest`."""
    return notification("$/cancelRequest", {"id": request_id})


class Wire:
    """A server process and its two pipes. A context manager: leaving it ends the process.

    Args:
        command: the server; the scripted one by default.
        env: added to the environment.
    """

    def __init__(self, *command: str, env: dict[str, str] | None = None) -> None:
        self.process = subprocess.Popen(
            command or (sys.executable, "-m", "tests.lsp.scripted_server"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=ROOT,
            env=neutral_environment() | (env or {}),
        )
        self.timeout_s = TIMEOUT_S
        self._arrived: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self.stderr = ""
        self._threads = [
            threading.Thread(target=target, daemon=True) for target in (self._read_stdout, self._read_stderr)
        ]
        for thread in self._threads:
            thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        assert self.process.stdin is not None
        with contextlib.suppress(OSError):
            self.process.stdin.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        for thread in self._threads:
            thread.join(TIMEOUT_S)
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        self.process.stdout.close()
        self.process.stderr.close()

    def send_bytes(self, data: bytes) -> None:
        """Write bytes as they are."""
        assert self.process.stdin is not None
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def send(self, *messages: Any) -> None:
        """Write messages, all of them in one write."""
        self.send_bytes(b"".join(map(frame, messages)))

    def receive(self) -> dict[str, Any]:
        """The next message, of any kind."""
        message = self._arrived.get(timeout=self.timeout_s)
        assert message is not None, f"the server closed its output\n{self.stderr}"
        return message

    def answers(self, count: int) -> list[dict[str, Any]]:
        """The next answers, in the order in which they came; other messages are dropped."""
        found: list[dict[str, Any]] = []
        while len(found) < count:
            message = self.receive()
            if "method" not in message:
                found.append(message)
        return found

    def answer(self) -> dict[str, Any]:
        """The next answer."""
        return self.answers(1)[0]

    def call(self, request_id: int | str, method: str, params: Any = None) -> Any:
        """Send a request and give back its result."""
        self.send(request(request_id, method, params))
        answer = self.answer()
        assert answer["id"] == request_id
        assert "result" in answer, answer
        return answer["result"]

    def until(self, method: str) -> dict[str, Any]:
        """The next message from the server with this method."""
        while (message := self.receive()).get("method") != method:
            pass
        return message

    def initialize(self, **params: Any) -> Any:
        """Say `initialize` and `initialized`; returns the result."""
        result = self.call("init", "initialize", INITIALIZE | params)
        self.send(notification("initialized", {}))
        return result

    def close_input(self) -> None:
        """End of file on the server's stdin."""
        assert self.process.stdin is not None
        self.process.stdin.close()

    def wait(self) -> int:
        """The exit code."""
        return self.process.wait(TIMEOUT_S)

    def _read_stdout(self) -> None:
        stream = self.process.stdout
        assert stream is not None
        with contextlib.suppress(ValueError):
            while line := stream.readline():
                length = int(line.split(b":")[1])
                while stream.readline().strip():
                    pass
                self._arrived.put(json.loads(stream.read(length)))
        self._arrived.put(None)

    def has_said(self, text: str, timeout_s: float = 60.0) -> bool:
        """Whether a text comes on stderr, which is read beside stdout."""
        deadline_s = time.monotonic() + timeout_s
        while text not in self.stderr and time.monotonic() < deadline_s:
            time.sleep(0.01)
        return text in self.stderr

    def _read_stderr(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.stderr += line.decode(errors="replace")


class Line:
    """A server object and what it has written. It must be used inside an event loop.

    Args:
        server: as `create_server` makes it.
    """

    def __init__(self, server: Any) -> None:
        self.server = server
        self.written: list[dict[str, Any]] = []
        self.exit_code: int | None = None
        server.attach(self, on_end=self._end)

    def write(self, body: bytes) -> None:
        """Called by the server."""
        self.written.append(json.loads(body))

    def send(self, *messages: Any) -> None:
        """Give messages to the server, as one read would."""
        for message in messages:
            self.server.receive(message if isinstance(message, bytes) else json.dumps(message).encode())

    def initialize(self, **params: Any) -> Any:
        """Say `initialize` and `initialized`; returns the result."""
        self.send(request("init", "initialize", INITIALIZE | params))
        result = self.answers()[-1]["result"]
        self.send(notification("initialized", {}))
        return result

    def answers(self) -> list[dict[str, Any]]:
        """The answers so far, in order."""
        return [message for message in self.written if "method" not in message]

    def answer_to(self, request_id: int | str) -> dict[str, Any]:
        """The one answer to a request."""
        (found,) = [message for message in self.answers() if message["id"] == request_id]
        return found

    def sent(self, method: str) -> list[dict[str, Any]]:
        """What the server has sent with this method."""
        return [message for message in self.written if message.get("method") == method]

    def _end(self, code: int) -> None:
        self.exit_code = code
