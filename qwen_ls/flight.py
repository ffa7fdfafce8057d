"""A call on its way: what it has said so far, and the requests that wait for it.

An editor's cancel and the connection's end are different things. A call outlives the request that it was made
for: as long as what it says agrees with what is typed, it answers the next one.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from qwen_ls.core import postprocess
from qwen_ls.core.postprocess.hole import Hole
from qwen_ls.core.postprocess.limit import is_complete
from qwen_ls.core.text import with_eol
from qwen_ls.core.types import RawCompletion, Reason, Skip, Strategy

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator

    from qwen_ls.core.candidate import Candidate
    from qwen_ls.core.trigger import Ask
    from qwen_ls.core.types import CompletionContext

TYPED_CHARS = 512
"""How much may have been typed at the place of a call that has said nothing yet."""


@dataclass(eq=False, slots=True)
class _Waiter:
    """A request that waits for the flight."""

    context: CompletionContext
    ask: Ask
    typed: str
    """What had been typed at the flight's place when the request came."""
    outcome: asyncio.Future[str | Skip | None] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )


class Flight:
    """One call on its way. Its candidate's text grows with what it says."""

    def __init__(
        self,
        candidate: Candidate,
        work: Callable[[Flight], Coroutine[None, None, RawCompletion | Skip]],
        *,
        on_left: Callable[[Flight], None],
        on_end: Callable[[Flight], None],
    ) -> None:
        """Start the work.

        Args:
            candidate: the place, and where what is said goes.
            work: makes the call, and tells `hear` what comes.
            on_left: called when the last request that waited was cancelled without an answer.
            on_end: called when the call has ended, however it did.
        """
        self.candidate = candidate
        self._waiters: list[_Waiter] = []
        self._said = self._clean = ""
        self._hole: Hole | None = None
        self._seen = 0
        self._outcome: Skip | None = None
        self._on_left, self._on_end = on_left, on_end
        self._task = asyncio.create_task(work(self))
        self._task.add_done_callback(self._ended)

    @property
    def is_open(self) -> bool:
        """Whether it may still say something."""
        return self._outcome is None and not self._task.done()

    @property
    def is_whole(self) -> bool:
        """Whether it has ended well: all that the model says at its place is there."""
        return self._task.done() and self._outcome is None

    @property
    def is_superseded(self) -> bool:
        """Whether it was closed because it could not agree any more."""
        return self._outcome is not None and self._outcome.reason is Reason.SUPERSEDED

    @property
    def is_awaited(self) -> bool:
        """Whether a request waits for it."""
        return bool(self._waiters)

    def typed(self, context: CompletionContext) -> str | None:
        """What was typed at its place, if that agrees with what it has said; else None."""
        self._catch_up()
        return next((typed for typed in self._typed(context) if self._agrees(typed)), None)

    def is_of_use(self, context: CompletionContext) -> bool:
        """Whether its place is in the document, and nothing else than what it says was typed there."""
        anchor = self.candidate.anchor
        is_here = next(self._typed(context), None) is not None
        return self.typed(context) is not None if is_here else anchor.stands_in(context.document.text)

    def _typed(self, context: CompletionContext) -> Iterator[str]:
        return self.candidate.anchor.typed(context, said=(self._clean,), more=TYPED_CHARS)

    def hear(self, text: str, hole: Hole) -> None:
        """The call has said this so far.

        Args:
            text: the answer as it came, from its beginning.
            hole: what it is cleaned for.
        """
        has_line = "\n" in text[self._seen :]
        self._said, self._hole, self._seen = text, hole, len(text)
        if has_line or any(waiter.typed for waiter in self._waiters):
            self._catch_up()
            for waiter in self._waiters:
                self._tell(waiter, has_line=has_line)

    async def wait(self, context: CompletionContext, ask: Ask, typed: str) -> str | Skip | None:
        """Wait until it has said what a request shows.

        Args:
            context: the request's.
            ask: how much the request shows.
            typed: what `typed` said about the request.

        Returns:
            `typed`; or why there is no answer; or None where the call says something else than was typed.
        """
        if self._outcome is not None:
            return self._outcome
        waiter = _Waiter(context, ask, typed)
        self._waiters.append(waiter)
        self._tell(waiter, has_line=True)
        try:
            return await waiter.outcome
        finally:
            self._waiters.remove(waiter)
            if not waiter.outcome.done() or waiter.outcome.cancelled():
                self._on_left(self)

    def abandon(self, reason: Reason = Reason.ABANDONED) -> None:
        """Close the connection, without waiting until it is closed."""
        self._settle(Skip(reason))
        self._task.cancel()

    async def closed(self) -> None:
        """Wait until the connection is closed."""
        await asyncio.wait({self._task})

    def _agrees(self, typed: str) -> bool:
        if self._clean.startswith(typed) or typed.startswith(self._clean):
            return True
        # A chat model's first line may be a fence, or the beginning of an echo.
        return self._is_undecided()

    def _is_undecided(self) -> bool:
        chats = self._hole is not None and self._hole.strategy is Strategy.PARTIAL
        return chats and "\n" not in self._said and not self._task.done()

    def _catch_up(self) -> None:
        """Clean what was said so far. The candidate has whole lines only: a broken one must not be shown."""
        if self._hole is None or self._task.done():
            return
        steps: list[postprocess.Change] = []
        text = postprocess.run(postprocess.BEFORE_CACHE, self._said, self._hole, steps)
        self.candidate.origin.steps = steps
        self._clean = "" if isinstance(text, Skip) else with_eol(text, "\n")
        lines = self._clean[: self._clean.rfind("\n") + 1]
        if not self.candidate.text.startswith(lines):  # the end of a fence takes a line end back
            self.candidate.text = lines

    def _tell(self, waiter: _Waiter, *, has_line: bool) -> None:
        """Answer a request, if it can be."""
        if waiter.outcome.done():
            return
        if not self._agrees(waiter.typed):
            waiter.outcome.set_result(None)
        elif has_line and not self._is_undecided():
            rest = self._clean[len(waiter.typed) :]
            if rest.strip() and is_complete(rest, Hole(waiter.context, waiter.ask)):
                waiter.outcome.set_result(waiter.typed)

    def _ended(self, task: asyncio.Task[RawCompletion | Skip]) -> None:
        failure = None if task.cancelled() else task.exception()
        result = Skip(Reason.ABANDONED) if task.cancelled() or failure else task.result()
        if isinstance(result, Skip):
            self._settle(result, failure)
        else:
            self._clean = self.candidate.text = with_eol(result.text, "\n")
            self.candidate.whole |= result.finish_reason == "stop"
            for waiter in self._waiters:
                is_all_typed = waiter.typed and not self.candidate.rest(waiter.typed).strip()
                if not waiter.outcome.done():
                    waiter.outcome.set_result(None if is_all_typed else waiter.typed)
        self._on_end(self)

    def _settle(self, outcome: Skip, failure: BaseException | None = None) -> None:
        """Nothing more will be said."""
        self._outcome = self._outcome or outcome
        for waiter in self._waiters:
            if waiter.outcome.done():
                continue
            if failure:
                waiter.outcome.set_exception(failure)
            else:
                waiter.outcome.set_result(self._outcome)
