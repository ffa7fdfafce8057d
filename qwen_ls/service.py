"""CompletionService: the order of work of one request, and what is in flight.

Gate → type-through → cache → join in flight → wait → call → cut the stream → trim → answer. Hits never wait.
Time, sleep and ids are injected; the network is behind `backend.base.Backend`.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from typing import TYPE_CHECKING, Any

from qwen_ls.backend.base import BackendError
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
        """
        self.settings = settings
        self.roots: tuple[Path, ...] = ()
        """The workspace's folders; images may be sent from there."""
        self._clock, self._sleep, self._on_status = clock, sleep, on_status
        numbers = itertools.count(1)
        self._new_id = new_id or (lambda: f"c{next(numbers)}")
        self._enabled = True
        self._endpoint = Endpoint(settings, connect=connect, notify=notify, clock=clock)
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
        self._counts["requests"] += 1
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
        if call is None or call.key != key or context.trigger is TriggerKind.INVOKED:
            if pause := self._endpoint.pause():
                return pause
            if ask.delay_s:
                await self._sleep(ask.delay_s)
                report.mark("wait")
            backend = await self._endpoint.connected()
            if pause := self._endpoint.pause():
                return pause
            report.target(backend.target)
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

        async def work() -> RawCompletion:
            question = Question(context, ask, self.settings, report, self.roots, self._endpoint.pause)
            answer = await ask_model(backend, question, self._endpoint.tell)
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

    def _trim(
        self, answer: RawCompletion, context: CompletionContext, ask: Ask, source: str, report: Report
    ) -> Completion | Skip:
        """Fit an answer into the document as it is now, and remember that it is shown."""
        hole = Hole(context, ask, finish_reason=answer.finish_reason)
        text = postprocess.run(postprocess.AFTER_CACHE, answer.text, hole, report.steps)
        if isinstance(text, Skip):
            return text
        self._counts["shown"] += 1
        completion = self._fit(text, context, self._new_id(), source)
        self._cache.show(context.document.uri, Candidate.shown(completion.id, text, context))
        return completion

    def _fit(self, text: str, context: CompletionContext, completion_id: str, source: str) -> Completion:
        """The completion for a text at the context's cursor, with the range that it replaces."""
        start, end = context.offset, len(context.document.text) - len(context.suffix)
        end += covered(text, context)
        if context.selected:
            start, text = context.selected.start, context.selected.text + text
        return Completion(completion_id, text, start, end, source)

    # --- what the user and the editor do --------------------------------------------------------------------

    def accepted(self, completion_id: str) -> None:
        """The user accepted a completion."""
        self._counts["accepted"] += bool(completion_id)

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

    def status(self) -> Status:
        """What the service is doing."""
        if not self._enabled or not self.settings.enabled:
            return Status("off", Reason.DISABLED.value)
        if pause := self._endpoint.pause():
            return Status("error" if pause.reason is Reason.NOT_CONFIGURED else "limited", pause.detail)
        return Status("thinking") if self._calls else Status("ready")

    # --- settings and life ----------------------------------------------------------------------------------

    async def warm(self) -> None:
        """Build the backend and its connection ahead of the first call. Never raises."""
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
        self._show_status()

    async def aclose(self) -> None:
        """Cancel what is in flight and free connections and processes."""
        calls, self._calls = list(self._calls.values()), {}
        for call in calls:
            call.abandon()
        await asyncio.gather(*(call.closed() for call in calls))
        await self._endpoint.aclose()

    def _show_status(self) -> None:
        status = self.status()
        if status != self._shown_status:
            self._shown_status = status
            self._on_status(status)
