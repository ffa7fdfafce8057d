"""The completion requests that wait for their answer: once each, in order, and never for the network.

An answer leaves before the work that it makes needless is unwound.
"""

from __future__ import annotations

import asyncio
import logging
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

logger = logging.getLogger(__name__)

SUPERSEDED = None
"""The answer to a request that a newer one has replaced: the client keeps what it shows."""


@dataclass(frozen=True, slots=True)
class Kind:
    """What requests of one kind are answered while there is no suggestion for them."""

    nothing: dict[str, Any]
    """There is none: the client clears what it shows."""
    unfinished: dict[str, Any] | None = None
    """There may be one later: the answer after `patience_s`, while the work goes on."""
    patience_s: float = math.inf


INLINE = Kind(nothing={"items": []})


@dataclass(eq=False, slots=True)
class Pending:
    """One request that has no answer yet, or whose work has not ended."""

    id: int | str
    uri: str
    kind: Kind
    task: asyncio.Task[None] | None = None
    timer: asyncio.TimerHandle | None = None


class Completions:
    """The table of pending requests.

    Args:
        answer: sends a result.
    """

    def __init__(self, answer: Callable[[int | str, Any], None]) -> None:
        self._answer = answer
        self._pending: dict[int | str, Pending] = {}
        self._by_uri: dict[str, Pending] = {}
        """What is at work for each document; it may have been answered already."""
        self._tasks: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        return len(self._pending)

    def __contains__(self, request_id: object) -> bool:
        return request_id in self._pending

    @property
    def n_tasks(self) -> int:
        """Tasks that have not ended, those that are being unwound included."""
        return len(self._tasks)

    def start(
        self, request_id: int | str, uri: str, work: Callable[[], Awaitable[Any]], kind: Kind = INLINE
    ) -> None:
        """Supersede the document's older request, then begin the work of this one.

        Nothing of `work` runs before the event loop's next turn: a cancel in the same read comes in time.
        """
        self._settle(uri, lambda _: SUPERSEDED)
        pending = Pending(request_id, uri, kind)
        self._pending[request_id] = self._by_uri[uri] = pending
        loop = asyncio.get_running_loop()
        pending.task = task = loop.create_task(self._run(pending, work))
        if kind.unfinished is not None:
            pending.timer = loop.call_later(kind.patience_s, self._finish, pending, kind.unfinished)
        self._tasks.add(task)
        task.add_done_callback(lambda done: self._ended(pending, done))

    def clear(self, uri: str) -> None:
        """Answer the document's pending request, if there is one, with nothing, and end its work."""
        self._settle(uri, lambda kind: kind.nothing)

    def take(self, request_id: Any) -> bool:
        """End a request's work and leave its answer to the caller; False where it is not pending."""
        pending = self._pending.get(request_id)
        if pending is None:
            return False
        self._forget(pending)
        # The caller answers first; a cancelled task only runs on the event loop's next turn.
        self._stop(pending)
        return True

    def settle_all(self, result: Any) -> None:
        """Answer every pending request and end all work."""
        for uri in list(self._by_uri):
            self._settle(uri, lambda _: result)

    async def wait(self, timeout_s: float) -> None:
        """Wait until stopped work has been unwound, within a time."""
        if self._tasks:
            await asyncio.wait(set(self._tasks), timeout=timeout_s)

    async def _run(self, pending: Pending, work: Callable[[], Awaitable[Any]]) -> None:
        result: Any = pending.kind.nothing
        try:
            result = await work()
        except Exception as error:  # whatever happens, the request has its answer
            log_failure("a completion", error)
        self._finish(pending, result)

    def _settle(self, uri: str, result: Callable[[Kind], Any]) -> None:
        if (pending := self._by_uri.get(uri)) is not None:
            self._finish(pending, result(pending.kind))
            self._stop(pending)

    def _finish(self, pending: Pending, result: Any) -> None:
        """Answer, unless that has been done."""
        if self._pending.get(pending.id) is pending:
            self._forget(pending)
            self._answer(pending.id, result)

    def _forget(self, pending: Pending) -> None:
        """It has its answer."""
        del self._pending[pending.id]
        if pending.timer is not None:
            pending.timer.cancel()

    def _stop(self, pending: Pending) -> None:
        """End its work, once: to be cancelled again would disturb it while it is unwound."""
        self._leave(pending)
        if pending.task is not None:
            pending.task.cancel()

    def _leave(self, pending: Pending) -> None:
        if self._by_uri.get(pending.uri) is pending:
            del self._by_uri[pending.uri]

    def _ended(self, pending: Pending, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._leave(pending)
        # Work that was cancelled from below has not answered yet.
        self._finish(pending, SUPERSEDED)


def log_failure(what: str, error: BaseException) -> None:
    """Log a bug of ours: its kind and where it happened.

    Its message is left out: it may hold the user's text.
    """
    frames = []
    trace = error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        frames.append(f"{code.co_filename.replace(chr(92), '/').rsplit('/', 1)[-1]}:{trace.tb_lineno}")
        trace = trace.tb_next
    logger.error("%s failed: %s (%s)", what, type(error).__name__, " > ".join(frames[-6:]))
