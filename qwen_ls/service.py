"""CompletionService: the order of work of one request, and what is in flight.

Gate → type-through → exact cache → walk back along the line → fuzzy → join what is in flight → wait → call →
cut the stream → trim → answer → look ahead. Hits never wait.
Time, sleep and ids are injected; the network is behind `backend.base.Backend`.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from qwen_ls.alarm import Alarm
from qwen_ls.backend.base import BackendError
from qwen_ls.books import Books
from qwen_ls.call import PausedError, Question, ask_model
from qwen_ls.core.ahead import READ_ON_LINES, READ_ON_TOKENS
from qwen_ls.core.candidate import Anchor, Candidate
from qwen_ls.core.context import build_context
from qwen_ls.core.pace import Pace
from qwen_ls.core.trigger import Ask, decide
from qwen_ls.core.types import (
    Completion,
    CompletionContext,
    Document,
    RawCompletion,
    Reason,
    SelectedCompletion,
    Skip,
    TriggerKind,
)
from qwen_ls.endpoint import Endpoint
from qwen_ls.flight import Flight
from qwen_ls.flights import Flights
from qwen_ls.related import Related
from qwen_ls.report import Notice, Report, Status
from qwen_ls.screen import Screen

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from qwen_ls.alarm import Handle
    from qwen_ls.backend.base import Backend
    from qwen_ls.books import Price
    from qwen_ls.core.postprocess.hole import Hole
    from qwen_ls.search import Workspace
    from qwen_ls.settings import Settings


def _tell_nobody(_: object) -> None:
    """The default listener."""


class CompletionService:
    """Answers completion requests, for any number of documents."""

    def __init__(
        self,
        settings: Settings,
        *,
        connect: Callable[[Settings], Backend],
        notify: Callable[[Notice], None] = _tell_nobody,
        on_status: Callable[[Status], None] = _tell_nobody,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        new_id: Callable[[], str] | None = None,
        ledger: Callable[[], Path] | None = None,
        price: Price | None = None,
        wall: Callable[[], float] = time.time,
        random: Callable[[], float] = random.random,
        later: Callable[[float, Callable[[], None]], Handle] | None = None,
    ) -> None:
        """Build the service; nothing is connected before the first call or `warm`.

        Args:
            settings: the settings in force.
            connect: builds the backend; may block and may raise ConfigurationError.
            notify: called with what the user should read.
            on_status: called when the status changes.
            clock: seconds, ever growing.
            sleep: waits for seconds.
            new_id: makes the ids of completions.
            ledger: where limits and usage are shared; by default they are this service's own.
            price: what a call costs; by default nothing is known.
            wall: the time, in seconds since 1970.
            random: a number from 0 to 1, for the length of pauses.
            later: calls something after so many seconds; by default the event loop does.
        """
        self.settings = settings
        self.roots: tuple[Path, ...] = ()
        """The workspace's folders; images may be sent from there."""
        self._clock, self._sleep, self._on_status = clock, sleep, on_status
        numbers = itertools.count(1)
        self._screen = Screen(clock, new_id or (lambda: f"c{next(numbers)}"))
        self._enabled = True
        self._endpoint = Endpoint(
            settings, connect=connect, notify=notify, clock=clock, wall=wall, random=random
        )
        self._books = Books(settings, file=ledger, price=price, notify=notify, wall=wall)
        self.related = Related(clock=clock, sleep=sleep)
        """Code from elsewhere in the workspace; it looks at nothing before `look_at`."""
        self._flights = Flights(sleep)
        self._pace = Pace()
        self._waiting = 0
        self._report = Report(clock)
        self._counts = {"requests": 0, "calls": 0, "shown": 0, "accepted": 0, "tokens": 0}
        self._shown_status = self.status()
        self._end_of_pause = Alarm(self._show_status, later)

    def look_at(self, workspace: Workspace, roots: tuple[Path, ...]) -> None:
        """Take code from elsewhere from these documents, and from files below the workspace's folders."""
        self.roots = roots
        self.related.look_at(workspace, roots)

    # --- requests -------------------------------------------------------------------------------------------

    async def complete(
        self,
        document: Document,
        offset: int,
        trigger: TriggerKind,
        *,
        selected: SelectedCompletion | None = None,
        waited_s: float = 0.0,
    ) -> Completion | Skip:
        """Answer one request.

        Args:
            document: the snapshot.
            offset: the cursor, in characters, in `document.text`.
            trigger: who asked.
            selected: the selected row of the editor's own completion list.
            waited_s: the time since the document's last change, credited to the wait.

        Raises:
            asyncio.CancelledError: the request was cancelled; its call lives on for a moment.
        """
        self._count("requests")
        report = self._report = Report.begin(self._clock, document, trigger)
        context = build_context(document, offset, trigger, selected)
        is_automatic = trigger is TriggerKind.AUTOMATIC
        typed = self._screen.notice(context)
        if is_automatic:
            self._pace.key(self._clock())
        ask = decide(context, self.settings, enabled=self._enabled)
        if isinstance(ask, Skip):
            return report.end(ask)
        if is_automatic and (known := self._screen.known(context, ask, report, typed)):
            self._pace.fed(self._clock())
            return report.end(self._shown(document.uri, known))
        try:
            changed_s = self._clock() - waited_s
            answer = await self._unknown(context, ask, report, changed_s)
            return report.end(self._shown(document.uri, answer))
        except BackendError as error:
            return report.end(self._endpoint.failed(error))
        except asyncio.CancelledError:
            report.end(Skip(Reason.SUPERSEDED, "cancelled"))
            raise
        finally:
            self._show_status()

    def _shown(self, uri: str, answer: Completion | Skip) -> Completion | Skip:
        """Count what is shown, and look ahead of it."""
        if isinstance(answer, Completion):
            if answer.source != "type-through":
                self._count("shown")
            self._look_ahead(uri)
        return answer

    async def _unknown(
        self, context: CompletionContext, ask: Ask, report: Report, changed_s: float
    ) -> Completion | Skip:
        """Join a call that is on its way, or wait and make one; again if it says something else."""
        while True:
            joined = self._join(context)
            if joined is None:
                backend = await self._ready(context, report, changed_s)
                if isinstance(backend, Skip):
                    return backend
                joined = self._join(context)  # another request may have made the call meanwhile
                joined = joined or (self._start(backend, context, ask, report), "")
            flight, typed = joined
            self._waiting += 1
            self._show_status()
            try:
                said = await flight.wait(context, ask, typed)
            finally:
                self._waiting -= 1
            if isinstance(said, Skip):
                return said
            if said is not None:
                return self._screen.show(flight.candidate, said, context, ask, "network", report)

    def _join(self, context: CompletionContext) -> tuple[Flight, str] | None:
        """The call that answers this request as well. An explicit request makes its own."""
        return None if context.trigger is TriggerKind.INVOKED else self._flights.join(context)

    async def _ready(self, context: CompletionContext, report: Report, changed_s: float) -> Backend | Skip:
        """Wait as long as the place is worth; then whom to call, or why no call is made."""
        if pause := self._pause():
            return pause
        self.related.begin(context, self.settings)
        if (wait_s := self._wait_s(context) - (self._clock() - changed_s)) > 0:
            await self._sleep(wait_s)
            report.mark("wait")
        await self.related.gather(context, self.settings)
        backend = await self._endpoint.connected()
        if pause := self._pause():
            return pause
        # The settings, or the switch, may have changed since.
        again = decide(context, self.settings, enabled=self._enabled)
        if isinstance(again, Skip):
            return again
        report.target(backend.target)
        if self._endpoint.is_half_open() and self._flights.others(context.document.uri):
            return Skip(Reason.COOLING_DOWN, "one call finds out whether the endpoint is back")
        return backend

    def _wait_s(self, context: CompletionContext) -> float:
        if context.trigger is TriggerKind.INVOKED:
            return 0.0
        wait_s = self._pace.wait_s(context, self._clock())
        limit_ms = self.settings.debounce_ms
        return min(wait_s, limit_ms / 1000) if isinstance(limit_ms, int) else wait_s

    def _start(self, backend: Backend, context: CompletionContext, ask: Ask, report: Report) -> Flight:
        """Put a call on its way."""
        uri, started_s = context.document.uri, self._clock()
        is_automatic = context.trigger is TriggerKind.AUTOMATIC
        read_on = (
            READ_ON_LINES
            if is_automatic and self.settings.look_ahead and not self._screen.odds.are_bad
            else 0
        )
        if not self.settings.max_tokens:
            ask = replace(ask, max_tokens=ask.max_tokens + read_on * READ_ON_TOKENS)
        question = Question(
            context,
            ask,
            self.settings,
            report,
            self._books,
            self.roots,
            paused=self._pause,
            heed=self._endpoint.heed,
            read_on=read_on,
            gathered=self.related.known(uri, self.settings),
        )

        async def work(flight: Flight) -> RawCompletion | Skip:
            is_first = True

            def heard(text: str, hole: Hole) -> None:
                nonlocal is_first
                if is_first:
                    self._pace.first_token(self._clock() - started_s)
                is_first = False
                flight.hear(text, hole)

            try:
                answer = await ask_model(backend, replace(question, heard=heard), self._endpoint.tell)
            except PausedError as paused:
                return paused.skip
            except BackendError as error:
                return self._endpoint.failed(error)
            self._endpoint.succeeded()
            if answer.usage:
                self._counts["tokens"] += answer.usage.prompt_tokens + answer.usage.completion_tokens
            return answer

        candidate = Candidate("", Anchor.at(context), whole=ask.multiline)
        flight = Flight(
            candidate,
            work,
            on_left=lambda flight: self._flights.leave(flight, at_once=not is_automatic),
            on_end=lambda flight: self._ended(uri, flight),
        )
        is_alone = not is_automatic or backend.target.provider.one_at_a_time
        self._flights.add(uri, flight, alone=is_alone)
        self._counts["calls"] += 1
        self._pace.fed(started_s)
        self._show_status()
        return flight

    def _ended(self, uri: str, flight: Flight) -> None:
        """Keep what a call has said: all of it, or the whole lines of one that was closed early."""
        self._flights.remove(uri, flight)
        if flight.is_whole:
            self._screen.cache.file(uri, flight.candidate)
            self._look_ahead(uri)
        elif flight.is_superseded and flight.candidate.text.strip():
            flight.candidate.whole = False
            self._screen.cache.file(uri, flight.candidate)
        self._show_status()

    def _look_ahead(self, uri: str) -> None:
        """Ask for what comes after what is shown, if it is likely to be taken and nobody has asked yet."""
        backend = self._endpoint.backend
        if backend is None or not self.settings.look_ahead or self._flights.of(uri):
            return
        if self._pause() or self._endpoint.is_half_open():
            return
        context = self._screen.next_place(uri)
        if context is None:
            return
        ask = decide(context, self.settings, enabled=self._enabled)
        if isinstance(ask, Skip):
            return
        if not any(self._screen.cache.find(context, multiline=ask.multiline, typed=None)):
            self._start(backend, context, ask, Report(self._clock))

    # --- what the user and the editor do --------------------------------------------------------------------

    def accepted(self, completion_id: str) -> None:
        """The user accepted a completion."""
        if completion_id:
            self._count("accepted")
        self._screen.accepted(completion_id)

    def _count(self, what: str) -> None:
        self._counts[what] += 1
        self._books.count(what, self._endpoint.target)

    def toggle(self) -> bool:
        """Switch completions off, or on again; returns whether they are on."""
        self._enabled = not self._enabled
        self._show_status()
        return self._enabled

    def clear_cache(self) -> None:
        """Forget every answer."""
        self._screen.clear()

    def forget(self, uri: str) -> None:
        """The document was closed: drop what is kept for it, close what is in flight for it."""
        self._screen.forget(uri)
        self._flights.abandon(uri)
        self.related.forget(uri)

    def explain(self) -> dict[str, Any]:
        """Why the last request showed what it showed. Plain values, no document text."""
        return self._report.as_dict() | {"counts": dict(self._counts), "status": self.status().kind}

    def status(self) -> Status:
        """What the service is doing."""
        if not self._enabled or not self.settings.enabled:
            return Status("off", Reason.DISABLED.value)
        if pause := self._pause():
            return Status("error" if pause.reason is Reason.NOT_CONFIGURED else "limited", pause.detail)
        return Status("thinking") if self._waiting else Status("ready")

    def _pause(self) -> Skip | None:
        """Why no call is made now, if none is."""
        return self._endpoint.pause() or self._books.pause()

    # --- settings and life ----------------------------------------------------------------------------------

    async def warm(self) -> None:
        """Build the backend and its connection ahead of the first call, unless all is off. Never raises."""
        if self.status().kind == "off":
            return
        await self._endpoint.warm()
        self._show_status()

    def reconfigure(self, settings: Settings) -> None:
        """Take new settings; the next request uses them. Old answers and pauses are forgotten."""
        if settings == self.settings:
            return
        self.settings = settings
        self.clear_cache()
        self._flights.abandon()
        self.related.clear()
        self._endpoint.reconfigure(settings)
        self._books.reconfigure(settings)
        self._show_status()

    async def aclose(self) -> None:
        """Cancel what is in flight and free connections and processes."""
        await self._flights.aclose()
        await self._endpoint.aclose()
        await self._books.aclose()
        self._end_of_pause.set(0)

    def _show_status(self) -> None:
        status = self.status()
        if status != self._shown_status:
            self._shown_status = status
            self._on_status(status)
        pauses_s = (self._endpoint.pause_s(), self._books.pause_s())
        self._end_of_pause.set(min((pause_s for pause_s in pauses_s if pause_s), default=0))
