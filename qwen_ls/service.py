"""CompletionService: the order of work of one request, and what is in flight.

Gate → type-through → cache → join in flight → wait → call → cut the stream → trim → answer. Hits never wait.
Time, sleep and ids are injected; the network is behind `backend.base.Backend`.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import time
from typing import TYPE_CHECKING, Any

from qwen_ls.backend.base import BackendError
from qwen_ls.books import Books
from qwen_ls.call import Call, Question, ask_model
from qwen_ls.core import postprocess
from qwen_ls.core.cache import Candidate, CompletionCache
from qwen_ls.core.context import build_context
from qwen_ls.core.postprocess.hole import Hole
from qwen_ls.core.postprocess.suffix import covered
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
from qwen_ls.report import Notice, Report, Status

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Hashable
    from pathlib import Path

    from qwen_ls.backend.base import Backend
    from qwen_ls.books import Price
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
        """
        self.settings = settings
        self.roots: tuple[Path, ...] = ()
        """The workspace's folders; images may be sent from there."""
        self._clock, self._sleep, self._on_status = clock, sleep, on_status
        numbers = itertools.count(1)
        self._new_id = new_id or (lambda: f"c{next(numbers)}")
        self._enabled = True
        self._accepted_id = ""
        self._endpoint = Endpoint(
            settings, connect=connect, notify=notify, clock=clock, wall=wall, random=random
        )
        self._books = Books(settings, file=ledger, price=price, notify=notify, wall=wall)
        self._cache = CompletionCache(clock)
        self._calls: dict[str, Call] = {}
        self._report = Report(clock)
        self._counts = {"requests": 0, "calls": 0, "shown": 0, "accepted": 0, "tokens": 0}
        self._shown_status = self.status()

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
            asyncio.CancelledError: the request was cancelled; its connection is closed if nobody else waits.
        """
        self._count("requests")
        report = self._report = Report.begin(self._clock, document, trigger)
        context = build_context(document, offset, trigger, selected)
        ask = decide(context, self.settings, enabled=self._enabled, waited_s=waited_s)
        if isinstance(ask, Skip):
            return report.end(ask)
        key = CompletionCache.key(context, multiline=ask.multiline)
        if trigger is TriggerKind.AUTOMATIC and (hit := self._known(context, ask, key, report)):
            return report.end(hit)
        try:
            return report.end(await self._unknown(context, ask, key, report))
        except BackendError as error:
            return report.end(self._endpoint.failed(error))
        except asyncio.CancelledError:
            report.end(Skip(Reason.SUPERSEDED, "cancelled"))
            raise
        finally:
            self._show_status()

    def _known(
        self, context: CompletionContext, ask: Ask, key: Hashable, report: Report
    ) -> Completion | Skip | None:
        """What can be answered at once: the rest of what is shown, or an answer to the same question."""
        candidate = self._cache.candidate(context.document.uri)
        if candidate and (rest := candidate.rest(context)):
            return self._fit(rest, context, candidate.id, "type-through")
        if answer := self._cache.answer(key):
            return self._trim(answer, context, ask, "cache", report)
        return None

    async def _unknown(
        self, context: CompletionContext, ask: Ask, key: Hashable, report: Report
    ) -> Completion | Skip:
        """Join the call that is on its way for this very question, or wait and make one."""
        call = self._calls.get(context.document.uri)
        joins = call is not None and call.is_open and call.key == key
        if call is None or not joins or context.trigger is TriggerKind.INVOKED:
            if pause := self._pause():
                return pause
            if ask.delay_s:
                await self._sleep(ask.delay_s)
                report.mark("wait")
            backend = await self._endpoint.connected()
            if pause := self._pause():
                return pause
            # The settings, or the switch, may have changed since.
            again = decide(context, self.settings, enabled=self._enabled)
            if isinstance(again, Skip):
                return again
            report.target(backend.target)
            if self._endpoint.is_half_open() and self._is_asking_for_others(context.document.uri):
                return Skip(Reason.COOLING_DOWN, "one call finds out whether the endpoint is back")
            call = self._start(backend, context, ask, key, report)
        answer = await call.wait()
        if isinstance(answer, Skip):
            return answer
        return self._trim(answer, context, ask, "network", report)

    def _start(
        self, backend: Backend, context: CompletionContext, ask: Ask, key: Hashable, report: Report
    ) -> Call:
        """Put a call on its way; the document's other one, if there is one, is closed."""
        uri = context.document.uri
        if other := self._calls.pop(uri, None):
            other.abandon(Reason.SUPERSEDED)

        async def work() -> RawCompletion | Skip:
            question = Question(context, ask, self.settings, report, self._books, self.roots, self._pause)
            try:
                answer = await ask_model(backend, question, self._endpoint.tell)
            except BackendError as error:
                return self._endpoint.failed(error)
            self._endpoint.succeeded()
            self._cache.file(key, answer)
            if answer.usage:
                self._counts["tokens"] += answer.usage.prompt_tokens + answer.usage.completion_tokens
            return answer

        def ended() -> None:
            if self._calls.get(uri) is call:
                del self._calls[uri]
            self._show_status()

        call = self._calls[uri] = Call(key, work(), ended)
        self._counts["calls"] += 1
        self._show_status()
        return call

    def _is_asking_for_others(self, uri: str) -> bool:
        """Whether a call is on its way for another document; this one's own would be closed by the next."""
        return any(call.is_open for other, call in self._calls.items() if other != uri)

    def _trim(
        self, answer: RawCompletion, context: CompletionContext, ask: Ask, source: str, report: Report
    ) -> Completion | Skip:
        """Fit an answer into the document as it is now, and remember that it is shown."""
        hole = Hole(context, ask, finish_reason=answer.finish_reason)
        text = postprocess.run(postprocess.AFTER_CACHE, answer.text, hole, report.steps)
        if isinstance(text, Skip):
            return text
        completion = self._fit(text, context, self._new_id(), source)
        if isinstance(completion, Skip):
            return completion
        self._count("shown")
        self._cache.show(context.document.uri, Candidate.shown(completion.id, text, context))
        return completion

    def _fit(
        self, text: str, context: CompletionContext, completion_id: str, source: str
    ) -> Completion | Skip:
        """The completion for a text at the context's cursor, with the range that it replaces."""
        start, end = context.offset, len(context.document.text) - len(context.suffix)
        n_covered = covered(text, context)
        if text == context.suffix[:n_covered]:
            return Skip(Reason.ECHO)  # accepting it would change nothing
        end += n_covered
        if context.selected:
            start, text = context.selected.start, context.selected.text + text
        return Completion(completion_id, text, start, end, source)

    # --- what the user and the editor do --------------------------------------------------------------------

    def accepted(self, completion_id: str) -> None:
        """The user accepted a completion, or a part of it: it counts once."""
        if completion_id and completion_id != self._accepted_id:
            self._accepted_id = completion_id
            self._count("accepted")

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
        self._cache.clear()

    def forget(self, uri: str) -> None:
        """The document was closed: drop what is kept for it, close what is in flight for it."""
        self._cache.forget(uri)
        if call := self._calls.pop(uri, None):
            call.abandon()

    def explain(self) -> dict[str, Any]:
        """Why the last request showed what it showed. Plain values, no document text."""
        return self._report.as_dict() | {"counts": dict(self._counts), "status": self.status().kind}

    async def usage(self) -> dict[str, Any]:
        """Whom calls go to, and what this user has used today, on this machine, as plain values."""
        target = self._endpoint.target
        asked = {"provider": target.provider.name, "model": target.model} if target else {}
        return {"provider": "", "model": ""} | asked | {"today": (await self._books.today()).as_dict()}

    def status(self) -> Status:
        """What the service is doing."""
        if not self._enabled or not self.settings.enabled:
            return Status("off", Reason.DISABLED.value)
        if pause := self._pause():
            return Status("error" if pause.reason is Reason.NOT_CONFIGURED else "limited", pause.detail)
        return Status("thinking") if self._calls else Status("ready")

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
        self._cache.clear()
        for uri in list(self._calls):
            self._calls.pop(uri).abandon()
        self._endpoint.reconfigure(settings)
        self._books.reconfigure(settings)
        self._show_status()

    async def aclose(self) -> None:
        """Cancel what is in flight and free connections and processes."""
        calls, self._calls = list(self._calls.values()), {}
        for call in calls:
            call.abandon()
        await asyncio.gather(*(call.closed() for call in calls))
        await self._endpoint.aclose()
        await self._books.aclose()

    def _show_status(self) -> None:
        status = self.status()
        if status != self._shown_status:
            self._shown_status = status
            self._on_status(status)
