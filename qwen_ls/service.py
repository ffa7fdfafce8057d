"""CompletionService: the order of work of one request, and what is in flight.

CONTRACT STUB: signatures only; the body follows.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from qwen_ls.core.types import Completion, Document, SelectedCompletion, Skip, TriggerKind
    from qwen_ls.settings import Settings


class Level(enum.StrEnum):
    """How loud a notice is."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


@dataclass(frozen=True, slots=True)
class Notice:
    """Something the user should read once: one per cause of trouble."""

    level: Level
    cause: str
    text: str


@dataclass(frozen=True, slots=True)
class Status:
    """What the server is doing, for the status bar. `kind`: ready, thinking, limited, off, error."""

    kind: str
    text: str = ""


class CompletionService:
    """Answers one request after the other; see `complete`.

    Constructor (keyword-only): settings, connect: Callable[[Settings], Backend], notify: Callable[[Notice], None],
    on_status: Callable[[Status], None], clock: Callable[[], float], sleep: async (seconds) -> None,
    new_id: Callable[[], str]; all but settings have defaults.
    """

    settings: Settings

    async def complete(
        self,
        document: Document,
        offset: int,
        trigger: TriggerKind,
        *,
        selected: SelectedCompletion | None = None,
        waited_s: float = 0.0,
    ) -> Completion | Skip:
        """One request. Never raises but CancelledError; cancelling it frees the connection if nobody else waits.
        `waited_s`: time since the document's last change, credited to the debounce."""
        raise NotImplementedError

    async def warm(self) -> None:
        """Build the backend and its connection ahead of the first call. Never raises."""

    def reconfigure(self, settings: Settings) -> None:
        """Take new settings; the next request uses them. Clears stops, cool-downs and told causes."""

    def forget(self, uri: str) -> None:
        """The document was closed: drop what is kept for it, close what is in flight for it."""

    def accepted(self, completion_id: str) -> None:
        """The user accepted this completion."""

    def toggle(self) -> bool:
        """Switch off or on until the next change; returns whether it is on now."""
        raise NotImplementedError

    def clear_cache(self) -> None: ...

    def explain(self) -> dict[str, Any]:
        """Why the last request showed what it showed: gate, source, timings in ms, reason. JSON-able."""
        raise NotImplementedError

    def status(self) -> Status:
        raise NotImplementedError

    async def aclose(self) -> None:
        """Cancel what is in flight and free connections and processes."""
