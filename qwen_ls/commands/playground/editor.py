"""The playground without its screen: a text, a cursor, a ghost, and a session that is asked."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from qwen_ls.commands.playground import ghost as ghosts
from qwen_ls.commands.playground.rpc import ServerGoneError
from qwen_ls.commands.playground.session import Explanation, Message
from qwen_ls.core.types import TriggerKind

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from qwen_ls.commands.playground.ghost import Edit, Ghost, Shown
    from qwen_ls.commands.playground.session import Answer, Session

SOURCES = {"network": "from the model", "cache": "cached", "type-through": "type-through"}
"""How an answer's source is said."""


class Editor:
    """What the screen shows and what keys do to it.

    Attributes:
        ghost: the suggestion, shown or not.
        message: what the user has to read: the last error, or what is being prepared.
        thinking: whether an answer is on its way.
        latency_ms: from the last question to its answer, as the editor saw it.
        explanation: the server's, of the last answer.
    """

    def __init__(self, text: str, cursor: int, on_change: Callable[[], None]) -> None:
        self.text = text
        self.cursor = cursor
        self.ghost: Ghost | None = None
        self.message: Message | None = None
        self.thinking = False
        self.latency_ms: float | None = None
        self.explanation = Explanation()
        self.failure: BaseException | None = None
        self._on_change = on_change
        self._session: Session | None = None
        self._asking: asyncio.Task[None] | None = None
        self._telling: set[asyncio.Task[None]] = set()

    def connect(self, session: Session) -> None:
        """Take the session that is asked from now on."""
        self._session = session

    def view(self) -> Shown | None:
        """How the ghost looks now."""
        return None if self.ghost is None else ghosts.shown(self.ghost, self.text, self.cursor)

    def typed(self, text: str, cursor: int) -> None:
        """The text has changed: the ghost stays while it is being typed, and the server is asked again."""
        if self.ghost is not None and not ghosts.survives(self.ghost, self.text, text, cursor):
            self.ghost = None
        self.text, self.cursor = text, cursor
        if self._session is not None:
            self._session.change(text)
            self.ask(TriggerKind.AUTOMATIC)

    def moved(self, cursor: int) -> None:
        """The cursor has moved and the text has not."""
        self.cursor = cursor
        if self.view() is None:
            self.ghost = None

    def ask(self, trigger: TriggerKind) -> None:
        """Ask for a suggestion here; an earlier question is taken back."""
        self._take_back()
        self.thinking = True
        self._asking = asyncio.get_running_loop().create_task(self._ask(trigger))

    def dismiss(self) -> None:
        """Drop the ghost, and the question for the next one."""
        self._take_back()
        self.ghost = None

    def accept(self, *, word: bool = False) -> Edit | None:
        """Take the ghost, or its next word; the caller puts the edit on the screen, then calls `settled`."""
        if self.ghost is None:
            return None
        take = ghosts.accept_word if word else ghosts.accept
        return take(self.ghost, self.text, self.cursor)

    def settled(self, edit: Edit) -> None:
        """An accepted edit stands in the text: keep what is left of the ghost, tell the server."""
        self.ghost = edit.ghost
        if edit.command is not None and self._session is not None:
            task = asyncio.get_running_loop().create_task(self._tell(edit.command))
            self._telling.add(task)
            task.add_done_callback(self._telling.discard)

    def tell(self, message: Message) -> None:
        """Take a message that the user has to read."""
        self.message = message
        self._on_change()

    def lost(self, gone: ServerGoneError) -> None:
        """The server process has ended."""
        self._take_back()
        self.ghost = None
        self.tell(Message("error", f"{gone}. Leave with Ctrl-Q; `qwen-ls doctor` says what is wrong"))

    def state(self) -> str:
        """Say in a word or a sentence what is going on."""
        if self.thinking:
            return "thinking…"
        if self.explanation.source and self.view() is not None:
            return SOURCES.get(self.explanation.source, self.explanation.source)
        return (
            f"no suggestion: {self.explanation.reason}"
            if self.explanation.reason and self.ghost is None
            else "ready"
        )

    async def aclose(self) -> None:
        """End the tasks."""
        tasks = [task for task in (self._asking, *self._telling) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _take_back(self) -> None:
        if self._asking is not None:
            self._asking.cancel()
        self._asking = None
        self.thinking = False

    async def _ask(self, trigger: TriggerKind) -> None:
        assert self._session is not None
        try:
            answer = await self._session.complete(self.cursor, trigger)
            self._take(answer)
            self.thinking = False
            self._on_change()
            self.explanation = await self._session.explain()
        except ServerGoneError as gone:
            self.lost(gone)
        except Exception as error:  # a task has no caller: the screen ends, and the command reports it
            self.failure = error
        self._on_change()

    def _take(self, answer: Answer) -> None:
        self.latency_ms = answer.latency_ms or self.latency_ms
        if answer.keep:
            return
        self.ghost = answer.ghost
        if self.view() is None:
            self.ghost = None
        elif self.message is not None:
            self.message = None  # it works again

    async def _tell(self, command: Mapping[str, Any]) -> None:
        assert self._session is not None
        try:
            await self._session.accepted(command)
        except ServerGoneError as gone:
            self.lost(gone)
