"""The completion requests that wait for their answer: once each, in order, and never for the network.

An answer leaves before the work that it makes needless is unwound.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

logger = logging.getLogger(__name__)

SUPERSEDED = None
"""The answer to a request that a newer one has replaced: the client keeps what it shows."""


def nothing() -> dict[str, Any]:
    """The answer of a request without a suggestion: the client clears what it shows."""
    return {"items": []}


@dataclass(eq=False, slots=True)
class Pending:
    """One request that has no answer yet."""

    id: int | str
    uri: str
    task: asyncio.Task[None] | None = None


class Completions:
    """The table of pending requests.

    Args:
        answer: sends a result.
    """

    def __init__(self, answer: Callable[[int | str, Any], None]) -> None:
        self._answer = answer
        self._pending: dict[int | str, Pending] = {}
        self._by_uri: dict[str, Pending] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        return len(self._pending)

    def __contains__(self, request_id: object) -> bool:
        return request_id in self._pending

    @property
    def n_tasks(self) -> int:
        """Tasks that have not ended, those that are being unwound included."""
        return len(self._tasks)

    def start(self, request_id: int | str, uri: str, work: Callable[[], Awaitable[Any]]) -> None:
        """Supersede the document's older request, then begin the work of this one.

        Nothing of `work` runs before the event loop's next turn: a cancel in the same read comes in time.
        """
        self.settle(uri, SUPERSEDED)
        pending = Pending(request_id, uri)
        self._pending[request_id] = self._by_uri[uri] = pending
        task = asyncio.get_running_loop().create_task(self._run(pending, work))
        pending.task = task
        self._tasks.add(task)
        task.add_done_callback(lambda done: self._ended(pending, done))

    def settle(self, uri: str, result: Any) -> None:
        """Answer the document's pending request, if there is one, and end its work."""
        if (pending := self._by_uri.get(uri)) is not None:
            self._finish(pending, result)
            self._stop(pending)

    def take(self, request_id: Any) -> bool:
        """End a request's work and leave its answer to the caller; False where it is not pending."""
        pending = self._pending.get(request_id)
        if pending is None:
            return False
        self._remove(pending)
        # The caller answers first; a cancelled task only runs on the event loop's next turn.
        self._stop(pending)
        return True

    def settle_all(self, result: Any) -> None:
        """Answer every pending request and end all work."""
        for pending in list(self._pending.values()):
            self._finish(pending, result)
            self._stop(pending)

    async def wait(self, timeout_s: float) -> None:
        """Wait until stopped work has been unwound, within a time."""
        if self._tasks:
            await asyncio.wait(set(self._tasks), timeout=timeout_s)

    async def _run(self, pending: Pending, work: Callable[[], Awaitable[Any]]) -> None:
        result: Any = nothing()
        try:
            result = await work()
        except Exception as error:  # whatever happens, the request has its answer
            log_failure("a completion", error)
        self._finish(pending, result)

    def _finish(self, pending: Pending, result: Any) -> None:
        """Answer, unless that has been done."""
        if self._pending.get(pending.id) is pending:
            self._remove(pending)
            self._answer(pending.id, result)

    def _remove(self, pending: Pending) -> None:
        del self._pending[pending.id]
        if self._by_uri.get(pending.uri) is pending:
            del self._by_uri[pending.uri]

    def _stop(self, pending: Pending) -> None:
        if pending.task is not None:
            pending.task.cancel()

    def _ended(self, pending: Pending, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
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
