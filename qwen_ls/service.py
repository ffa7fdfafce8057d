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
from typing import TYPE_CHECKING, Any, TypeVar

from qwen_ls.alarm import Alarm
from qwen_ls.backend.base import BackendError
from qwen_ls.books import Books
from qwen_ls.caller import Caller, Wanted
from qwen_ls.core.context import build_context
from qwen_ls.core.trigger import Ask, decide, gate, how_much
from qwen_ls.core.types import (
    Completion,
    CompletionContext,
    Document,
    Reason,
    SelectedCompletion,
    Skip,
    TriggerKind,
)
from qwen_ls.endpoint import Endpoint
from qwen_ls.report import Notice, Report, Status
from qwen_ls.screen import Screen

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from qwen_ls.alarm import Handle
    from qwen_ls.backend.base import Backend
    from qwen_ls.books import Price
    from qwen_ls.flight import Flight
    from qwen_ls.search import Workspace
    from qwen_ls.settings import Settings

T = TypeVar("T")


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
        self._clock, self._on_status = clock, on_status
        numbers = itertools.count(1)
        self._screen = Screen(clock, new_id or (lambda: f"c{next(numbers)}"))
        self._enabled = True
        self._accepted_id = ""
        self._endpoint = Endpoint(
            settings, connect=connect, notify=notify, clock=clock, wall=wall, random=random
        )
        self._books = Books(settings, file=ledger, price=price, notify=notify, wall=wall)
        self._caller = Caller(self._endpoint, self._books, clock, sleep, self._ended)
        self._waiting = 0
        self._report = Report(clock)
        self._counts = {"requests": 0, "shown": 0, "accepted": 0, "dismissed": 0}
        self._shown_status = self.status()
        self._end_of_pause = Alarm(self._show_status, later)

    @property
    def roots(self) -> tuple[Path, ...]:
        """The workspace's folders; images may be sent from there."""
        return self._caller.roots

    @roots.setter
    def roots(self, roots: tuple[Path, ...]) -> None:
        self._caller.roots = roots

    def look_at(self, workspace: Workspace, roots: tuple[Path, ...]) -> None:
        """Take code from elsewhere from these documents, and from files below the workspace's folders."""
        self._caller.roots = roots
        self._caller.related.look_at(workspace, roots)

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
        typed, moment = self._screen.notice(context)
        if is_automatic:
            self._caller.pace.key(self._clock())
        if skip := gate(context, self.settings, moment=moment, enabled=self._enabled):
            return report.end(skip)
        report.facts["gate"] = "passed"
        if is_automatic and (rest := self._screen.rest(context, typed, report)):
            return report.end(self._at_once(document.uri, rest))
        ask = how_much(context, self.settings, moment)
        report.facts["asked_for"] = ask.described
        if is_automatic and (known := self._screen.known(context, ask, report, typed)):
            return report.end(self._at_once(document.uri, known))
        report.facts["cache"] = "nothing fits" if is_automatic else "not looked into: it was asked for"
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

    def _at_once(self, uri: str, answer: Completion | Skip) -> Completion | Skip:
        """An answer for which nobody had to wait."""
        self._caller.pace.fed(self._clock())
        return self._shown(uri, answer)

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
            joined, is_joined = self._join(context), True
            if joined is None:
                backend = await self._caller.ready(context, self.settings, report, changed_s)
                if isinstance(backend, Skip):
                    return backend
                # The settings, or the switch, may have changed since; another request may have made the call.
                if skip := gate(context, self.settings, enabled=self._enabled):
                    return skip
                joined = self._join(context)
                if joined is None:
                    joined, is_joined = (self._start(backend, context, ask), ""), False
            flight, typed = joined
            report.answered_by(flight.candidate.origin, is_own=True)
            report.facts["joined"] = is_joined
            said = await self._wait(flight.wait(context, ask, typed))
            if isinstance(said, Skip):
                return said
            if said is not None:
                return self._screen.show(flight.candidate, said, context, ask, "network", report)

    def _join(self, context: CompletionContext) -> tuple[Flight, str] | None:
        """The call that answers this request as well. An explicit request makes its own."""
        if context.trigger is TriggerKind.INVOKED:
            return None
        return self._caller.flights.join(context)

    async def _wait(self, answer: Awaitable[T]) -> T:
        """Wait for a call; the status says so."""
        self._waiting += 1
        self._show_status()
        try:
            return await answer
        finally:
            self._waiting -= 1

    def _start(
        self, backend: Backend, context: CompletionContext, ask: Ask, *, is_ahead: bool = False
    ) -> Flight:
        reads_on = not self._screen.odds.are_bad
        return self._caller.start(backend, Wanted(context, ask, self.settings, reads_on, is_ahead))

    def _ended(self, uri: str, flight: Flight) -> None:
        """Keep what a call has said: all of it, or the whole lines of one that was closed early."""
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
        if backend is None or not self.settings.look_ahead or self._caller.flights.of(uri):
            return
        if self._caller.pause() or self._endpoint.is_half_open():
            return
        context = self._screen.next_place(uri)
        if context is None:
            return
        ask = decide(context, self.settings, enabled=self._enabled)
        if isinstance(ask, Skip):
            return
        if not any(self._screen.cache.find(context, multiline=ask.multiline, typed=None)):
            self._start(backend, context, ask, is_ahead=True)

    # --- what the user and the editor do --------------------------------------------------------------------

    def accepted(self, completion_id: str) -> None:
        """The user accepted a completion, or a part of it: it counts once."""
        if completion_id and completion_id != self._accepted_id:
            self._accepted_id = completion_id
            self._count("accepted")
        self._screen.accepted(completion_id)

    def dismissed(self, completion_id: str) -> None:
        """The user does not want a completion: it stays away for a while."""
        if self._screen.dismissed(completion_id):
            self._count("dismissed")

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
        self._caller.forget(uri)

    def explain(self) -> dict[str, Any]:
        """Why the last request showed what it showed. Plain values, no document text."""
        calls = {"calls": self._caller.n_calls, "tokens": self._caller.n_tokens}
        return self._report.as_dict() | {"counts": self._counts | calls, "status": self.status().kind}

    async def usage(self) -> dict[str, Any]:
        """Whom calls go to, and what this user has used today, on this machine, as plain values."""
        target = self._endpoint.target
        asked = {"provider": target.provider.name, "model": target.model} if target else {}
        return {"provider": "", "model": ""} | asked | {"today": (await self._books.today()).as_dict()}

    def explanation(self, *, with_prompt: bool = False) -> str:
        """The last request's life as a Markdown document, with what the model said, for the user's eyes."""
        from qwen_ls.explanation import markdown

        return markdown(self._report, with_prompt=with_prompt)

    def status(self) -> Status:
        """What the service is doing."""
        if not self._enabled or not self.settings.enabled:
            return Status("off", Reason.DISABLED.value)
        if pause := self._caller.pause():
            return Status("error" if pause.reason is Reason.NOT_CONFIGURED else "limited", pause.detail)
        return Status("thinking") if self._waiting else Status("ready")

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
        self._screen.clear()
        self._caller.clear()
        self._endpoint.reconfigure(settings)
        self._books.reconfigure(settings)
        self._show_status()

    async def aclose(self) -> None:
        """Cancel what is in flight and free connections and processes."""
        await self._caller.flights.aclose()
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
