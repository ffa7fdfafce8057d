"""One document at one language server: what an editor says to get ghost text, and what it hears.

Below this, LSP's positions; above it, offsets into the text and `Ghost`s.
"""

from __future__ import annotations

import asyncio
import os
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from qwen_ls import __version__
from qwen_ls.commands.playground import ghost as ghosts
from qwen_ls.commands.playground.rpc import CANCELLED, ResponseError, ServerGoneError, ServerProcess

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from qwen_ls.commands.playground.ghost import Ghost
    from qwen_ls.core.types import TriggerKind

SERVER = (sys.executable, "-P", "-m", "qwen_ls", "--stdio")
"""The real server. `-P`: a `json.py` in the folder that this is run in is not Python's."""

_UNITS: Mapping[str, Callable[[str], int]] = {
    "utf-32": len,
    "utf-16": lambda text: len(text.encode("utf-16-le", "surrogatepass")) // 2,
    "utf-8": lambda text: len(text.encode("utf-8", "surrogatepass")),
}
_SEVERITIES = {1: "error", 2: "warning"}


@dataclass(frozen=True, slots=True)
class Message:
    """Something the server wants the user to read. `level`: error, warning or info."""

    level: str
    text: str


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to one request. `keep`: the ghost on the screen, if any, stays."""

    ghost: Ghost | None = None
    keep: bool = False
    latency_ms: float = 0.0


@dataclass(frozen=True, slots=True)
class Explanation:
    """What `qwen-ls.explain` said of the last request; empty where it said nothing."""

    reason: str = ""
    source: str = ""
    strategy: str = ""
    model: str = ""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    raw: Mapping[str, Any] = field(default_factory=dict)


def read_explanation(answer: Any) -> Explanation:
    """Read what is there; a server of another version may say more or less."""
    if not isinstance(answer, dict):
        return Explanation()
    usage = answer.get("usage")
    usage = usage if isinstance(usage, dict) else {}

    def word(*keys: str) -> str:
        return next((str(answer[key]) for key in keys if answer.get(key)), "")

    def count(key: str) -> int:
        value = usage.get(key)
        return value if isinstance(value, int) else 0

    return Explanation(
        reason=word("reason"),
        source=word("source"),
        strategy=word("strategy"),
        model=word("model"),
        prompt_tokens=count("prompt_tokens"),
        completion_tokens=count("completion_tokens"),
        raw=answer,
    )


class Session:
    """A server process that has one document open.

    Args:
        uri: the document's.
        language_id: the document's language, as LSP names it.
        options: the settings to send, as initializationOptions.
        on_message: told what the server wants the user to read.
        on_end: told when the server process ended and was not asked to.
    """

    def __init__(
        self,
        uri: str,
        language_id: str,
        *,
        options: Mapping[str, Any],
        on_message: Callable[[Message], None],
        on_end: Callable[[ServerGoneError], None] = lambda _: None,
    ) -> None:
        self.uri = uri
        self.text = ""
        self._language_id = language_id
        self._options = options
        self._on_message = on_message
        self._server = ServerProcess(self._on_notification, on_end)
        self._encoding = "utf-16"
        self._version = 0

    async def start(self, text: str, command: Sequence[str] = SERVER) -> Self:
        """Start the server and open the document.

        Raises:
            ServerGoneError: it did not come up.
        """
        self.text = text
        await self._server.start(command)
        try:
            result = await self._server.request("initialize", self._initialize_params())
        except ResponseError as error:
            await self._server.close()
            raise ServerGoneError(f"the server refused to start: {error}") from error
        capabilities = (result or {}).get("capabilities", {})
        self._encoding = capabilities.get("positionEncoding", "utf-16")
        self._server.notify("initialized", {})
        document = {"uri": self.uri, "languageId": self._language_id, "version": self._version, "text": text}
        self._server.notify("textDocument/didOpen", {"textDocument": document})
        return self

    def change(self, text: str) -> None:
        """Tell the server that the document's text is now this one."""
        if text == self.text:
            return
        start, end, new = ghosts.change(self.text, text)
        edit = {"range": {"start": self._position(start), "end": self._position(end)}, "text": new}
        self._version += 1
        self.text = text
        self._server.notify(
            "textDocument/didChange",
            {"textDocument": {"uri": self.uri, "version": self._version}, "contentChanges": [edit]},
        )

    async def complete(self, cursor: int, trigger: TriggerKind) -> Answer:
        """Ask for a suggestion at this offset. Cancelling this cancels the request.

        Raises:
            ServerGoneError: the process has ended.
        """
        loop, text = asyncio.get_running_loop(), self.text
        began = loop.time()
        params = {
            "textDocument": {"uri": self.uri},
            "position": self._position(cursor),
            "context": {"triggerKind": int(trigger)},
        }
        try:
            result = await self._server.request("textDocument/inlineCompletion", params)
        except ResponseError as error:
            if error.code != CANCELLED:
                self._on_message(Message("error", str(error)))
            return Answer(keep=error.code == CANCELLED)
        latency_ms = (loop.time() - began) * 1000
        if result is None:
            return Answer(keep=True, latency_ms=latency_ms)
        items = result.get("items", []) if isinstance(result, dict) else result
        return Answer(self._read_item(items[0], text, cursor) if items else None, latency_ms=latency_ms)

    async def explain(self) -> Explanation:
        """Ask why the last request showed what it showed.

        Raises:
            ServerGoneError: the process has ended.
        """
        return read_explanation(await self._execute({"command": "qwen-ls.explain"}))

    async def accepted(self, command: Mapping[str, Any] | None) -> None:
        """Run the accepted item's command.

        Raises:
            ServerGoneError: the process has ended.
        """
        if command is not None:
            await self._execute(command)

    async def close(self) -> None:
        """Close the document and end the server."""
        self._server.notify("textDocument/didClose", {"textDocument": {"uri": self.uri}})
        await self._server.close()

    async def _execute(self, command: Mapping[str, Any]) -> Any:
        params = {"command": command["command"], "arguments": command.get("arguments", [])}
        try:
            return await self._server.request("workspace/executeCommand", params)
        except ResponseError:
            return None  # the server of a stranger; nothing that the user waits for

    def _initialize_params(self) -> dict[str, Any]:
        folder = Path.cwd().as_uri()
        return {
            "processId": os.getpid(),
            "clientInfo": {"name": "qwen-ls try", "version": __version__},
            "rootUri": folder,
            "workspaceFolders": [{"uri": folder, "name": Path.cwd().name}],
            "initializationOptions": dict(self._options),
            "capabilities": {
                "general": {"positionEncodings": ["utf-32", "utf-16"]},
                "textDocument": {
                    "synchronization": {"dynamicRegistration": False},
                    "inlineCompletion": {"dynamicRegistration": False},
                },
                "window": {"showMessage": {}, "workDoneProgress": True},
            },
        }

    def _on_notification(self, method: str, params: Any) -> None:
        if not isinstance(params, dict):
            return
        if method == "window/showMessage":
            level = _SEVERITIES.get(params.get("type", 3), "info")
            self._on_message(Message(level, str(params.get("message", ""))))
        elif method == "$/progress":
            value = params.get("value") or {}
            if text := value.get("message") or value.get("title"):
                self._on_message(Message("info", str(text)))

    def _read_item(self, item: Mapping[str, Any], text: str, cursor: int) -> Ghost:
        insert = item["insertText"]
        insert = insert["value"] if isinstance(insert, dict) else insert
        place = item.get("range")
        start, end = cursor, cursor
        if place is not None:
            start, end = self._offset(text, place["start"]), self._offset(text, place["end"])
        return ghosts.suggest(text, insert, start, end, item.get("command"))

    def _position(self, offset: int) -> dict[str, int]:
        """An offset into the present text as LSP has it. The text's only line end is LF."""
        line_start = self.text.rfind("\n", 0, offset) + 1
        character = _UNITS[self._encoding](self.text[line_start:offset])
        return {"line": self.text.count("\n", 0, line_start), "character": character}

    def _offset(self, text: str, position: Mapping[str, int]) -> int:
        start = 0
        for _ in range(position["line"]):
            found = text.find("\n", start)
            if found < 0:
                return len(text)
            start = found + 1
        end = text.find("\n", start)
        line = text[start : end if end >= 0 else len(text)]
        if self._encoding == "utf-32":
            return start + min(position["character"], len(line))
        units, count = 0, _UNITS[self._encoding]
        for index, character in enumerate(line):
            if units >= position["character"]:
                return start + index
            units += count(character)
        return start + len(line)
