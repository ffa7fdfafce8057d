"""The bench's client: a blocking JSON-RPC driver over pipes, as thin as one can be."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Self

ROOT = Path(__file__).parent.parent.parent
URI = "file:///bench/a.py"


class Server:
    """A language server process and its two pipes."""

    def __init__(self, command: list[str], env: dict[str, str] | None = None) -> None:
        self.spawned_s = time.perf_counter()
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=None if os.environ.get("BENCH_STDERR") else subprocess.DEVNULL,
            env=os.environ | (env or {}),
            cwd=ROOT,
        )
        self._id = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe:
                pipe.close()

    def write(self, *messages: dict[str, Any]) -> None:
        """Send messages in one write."""
        data = b""
        for message in messages:
            body = json.dumps({"jsonrpc": "2.0", **message}).encode()
            data += b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
        assert self.process.stdin
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def read(self) -> dict[str, Any]:
        """The next message."""
        stdout = self.process.stdout
        assert stdout
        length = 0
        while line := stdout.readline().strip():
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        return json.loads(stdout.read(length))

    def answer(self, request_id: int) -> Any:
        """Read until the answer to a request; answer what the server asks meanwhile."""
        while True:
            message = self.read()
            if message.get("id") == request_id and "method" not in message:
                return message.get("result")
            if "method" in message and "id" in message:
                result = [None] if message["method"] == "workspace/configuration" else None
                self.write({"id": message["id"], "result": result})

    def request(self, method: str, params: Any, *before: dict[str, Any]) -> Any:
        """Send a request, after some notifications in the same write, and wait for its answer."""
        self._id += 1
        self.write(*before, {"id": self._id, "method": method, "params": params})
        return self.answer(self._id)

    def initialize(self, options: dict[str, Any] | None = None, *, root: Path | None = None) -> float:
        """The handshake, with a workspace's folder if there is one; returns the seconds since spawning."""
        folder = root.as_uri() if root else None
        self.request("initialize", {"processId": None, "rootUri": folder, "capabilities": CAPABILITIES,
                                    "initializationOptions": options})  # fmt: skip
        took_s = time.perf_counter() - self.spawned_s
        self.write({"method": "initialized", "params": {}})
        return took_s

    def open(self, text: str, version: int = 0) -> None:
        """Open the document."""
        document = {"uri": URI, "languageId": "python", "version": version, "text": text}
        self.write({"method": "textDocument/didOpen", "params": {"textDocument": document}})

    def complete(self, line: int, character: int, *before: dict[str, Any], kind: int = 2) -> Any:
        """One inline completion."""
        return self.answer(self.ask(line, character, *before, kind=kind))

    def ask(self, line: int, character: int, *before: dict[str, Any], kind: int = 2) -> int:
        """Ask for an inline completion, and do not wait for it; returns the request's id."""
        params = {
            "textDocument": {"uri": URI},
            "position": {"line": line, "character": character},
            "context": {"triggerKind": kind},
        }
        self._id += 1
        self.write(*before, {"id": self._id, "method": "textDocument/inlineCompletion", "params": params})
        return self._id

    def rss_kib(self) -> int:
        """The memory that is the process's own, in KiB (Linux)."""
        rollup = Path(f"/proc/{self.process.pid}/smaps_rollup").read_text("ascii")
        fields = dict(line.split(":", 1) for line in rollup.splitlines()[1:])
        return int(fields["Rss"].split()[0])


CAPABILITIES = {
    "textDocument": {"inlineCompletion": {"dynamicRegistration": False}, "synchronization": {}},
    "general": {"positionEncodings": ["utf-16"]},
}


def typed(line: int, character: int, text: str, version: int) -> dict[str, Any]:
    """The notification that `text` was inserted."""
    at = {"line": line, "character": character}
    return {
        "method": "textDocument/didChange",
        "params": {
            "textDocument": {"uri": URI, "version": version},
            "contentChanges": [{"range": {"start": at, "end": at}, "text": text}],
        },
    }


PYTHON = sys.executable
