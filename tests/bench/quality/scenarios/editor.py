"""An editor with one document: it tells the server of each key, asks after it, and shows what comes.

What a scenario lets its user do: `type TEXT`, `backspace N`; `see` that something is shown, and then
`follow N`, which types its first characters, `accept` it, or dismiss it by `escape`, of both of which the
server is told; `ask`, where the editor asks again by itself; `invoke`, to ask by a key; and `toggle`, the
server's command.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tests.bench.quality.arms import position, replaced
from tests.bench.wire import Server

AUTOMATIC, INVOKED = 2, 1
COMMAND = "workspace/executeCommand"


class NothingShownError(Exception):
    """Nothing is shown where the user goes on with what is."""


class Editor:
    """One open document, its cursor, and the suggestion that is shown there."""

    def __init__(self, server: Server, uri: str, language: str, text: str, offset: int) -> None:
        """Open it.

        Args:
            server: has been initialized.
            uri: the document's.
            language: its id.
            text: what it says.
            offset: the cursor, in characters.
        """
        self._server, self._uri, self._version = server, uri, 1
        self.text, self.offset = text, offset
        self.item: dict[str, Any] | None = None
        """What is shown."""
        self.is_answered = False
        """Whether nothing has happened since the last answer."""
        document = {"uri": uri, "languageId": language, "version": 1, "text": text}
        server.write({"method": "textDocument/didOpen", "params": {"textDocument": document}})

    @property
    def line(self) -> str:
        """The current line, up to the cursor."""
        return self.text[self.text.rfind("\n", 0, self.offset) + 1 : self.offset]

    @property
    def shown(self) -> str:
        """The text of what is shown."""
        return str(self.item["insertText"]) if self.item else ""

    def play(self, events: Iterable[tuple[str, str]]) -> None:
        """Let things happen; ask in the end, where the last of them has not led to a request.

        Raises:
            NothingShownError: nothing is shown where the user sees something.
            ValueError: there is no such event.
        """
        for action, argument in events:
            match action:
                case "type":
                    self._type(argument)
                case "backspace":
                    self._backspace(int(argument))
                case "follow":
                    self._type(self._needed()["insertText"][: int(argument)])
                case "accept":
                    self._accept()
                case "see":
                    self._needed()
                case "escape":
                    self._escape()
                case "ask" | "invoke":
                    self.ask(INVOKED if action == "invoke" else AUTOMATIC)
                case "toggle":
                    self._server.request(COMMAND, {"command": "qwen-ls.toggle"})
                    self.is_answered = False
                case _:
                    raise ValueError(f"nobody can {action}")
        if not self.is_answered:
            self.ask(AUTOMATIC)

    def ask(self, kind: int) -> None:
        """Ask for a suggestion at the cursor, and show it."""
        result = self._server.request(
            "textDocument/inlineCompletion",
            {
                "textDocument": {"uri": self._uri},
                "position": position(self.text, self.offset),
                "context": {"triggerKind": kind},
            },
        )
        items = (result or {}).get("items") or [None]
        self.item, self.is_answered = items[0], True

    def _type(self, keys: str) -> None:
        for key in keys:
            self._replace(self.offset, self.offset, key)
            self.ask(AUTOMATIC)

    def _backspace(self, times: int) -> None:
        for _ in range(times):
            self._replace(self.offset - 1, self.offset, "")
            self.ask(AUTOMATIC)

    def _accept(self) -> None:
        item = self._needed()
        self._replace(*replaced(self.text, item), item["insertText"])
        command = item["command"]
        self._server.request(COMMAND, {key: command[key] for key in ("command", "arguments")})
        self.item = None

    def _escape(self) -> None:
        """As the editors' own clients do: the command that dismisses, with the arguments of the item's."""
        arguments = self._needed()["command"]["arguments"]
        self._server.request(COMMAND, {"command": "qwen-ls.dismissed", "arguments": arguments})
        self.item, self.is_answered = None, False

    def _replace(self, start: int, end: int, text: str) -> None:
        """Change the document, and put the cursor behind what has come."""
        self._version += 1
        at = {"start": position(self.text, start), "end": position(self.text, end)}
        params = {
            "textDocument": {"uri": self._uri, "version": self._version},
            "contentChanges": [{"range": at, "text": text}],
        }
        self._server.write({"method": "textDocument/didChange", "params": params})
        self.text, self.offset = self.text[:start] + text + self.text[end:], start + len(text)
        self.is_answered = False

    def _needed(self) -> dict[str, Any]:
        if self.item is None:
            raise NothingShownError
        return self.item
