"""Caller: puts calls on their way, when the place is worth one and nothing forbids it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from qwen_ls.backend.base import BackendError
from qwen_ls.call import PausedError, Question, ask_model
from qwen_ls.core.ahead import READ_ON_LINES, READ_ON_TOKENS
from qwen_ls.core.candidate import Anchor, Candidate
from qwen_ls.core.origin import Origin, Origins
from qwen_ls.core.pace import Pace
from qwen_ls.core.types import RawCompletion, Reason, Skip, TriggerKind
from qwen_ls.flight import Flight
from qwen_ls.flights import Flights
from qwen_ls.related import Related

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from qwen_ls.backend.base import Backend
    from qwen_ls.backend.plan import Target
    from qwen_ls.books import Books
    from qwen_ls.core.postprocess.hole import Hole
    from qwen_ls.core.trigger import Ask
    from qwen_ls.core.types import CompletionContext
    from qwen_ls.endpoint import Endpoint
    from qwen_ls.report import Report
    from qwen_ls.settings import Settings


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a call is made for."""

    context: CompletionContext
    ask: Ask
    settings: Settings
    reads_on: bool
    """Whether more lines than will be shown are wanted, for what comes after that."""
    is_ahead: bool = False
    """Whether it is for what may be asked after the suggestion that is shown."""

    @property
    def is_automatic(self) -> bool:
        """Whether nobody has asked for it."""
        return self.context.trigger is TriggerKind.AUTOMATIC

    @property
    def read_on(self) -> int:
        """How many lines are wanted beyond what is shown."""
        return READ_ON_LINES if self.reads_on and self.is_automatic and self.settings.look_ahead else 0

    @property
    def allowance(self) -> Ask:
        """How much the model may say: what is shown and what is read on, unless the user has set that."""
        if self.settings.max_tokens:
            return self.ask
        return replace(self.ask, max_tokens=self.ask.max_tokens + self.read_on * READ_ON_TOKENS)


@dataclass(slots=True)
class Caller:
    """Makes the calls of all documents, and knows those that are on their way."""

    endpoint: Endpoint
    books: Books
    clock: Callable[[], float]
    sleep: Callable[[float], Awaitable[None]]
    on_end: Callable[[str, Flight], None]
    """Called with a document and its call when that has ended, however it did."""
    roots: tuple[Path, ...] = ()
    """The workspace's folders; images may be sent from there."""
    pace: Pace = field(default_factory=Pace)
    n_calls: int = 0
    n_tokens: int = 0
    """As far as the endpoint counted them."""
    flights: Flights = field(init=False)
    origins: Origins = field(default_factory=Origins)
    related: Related = field(init=False)
    """Code from elsewhere in the workspace; it looks at nothing before `related.look_at`."""

    def __post_init__(self) -> None:
        self.flights = Flights(self.sleep)
        self.related = Related(clock=self.clock, sleep=self.sleep)

    def pause(self) -> Skip | None:
        """Why no call is made now, if none is."""
        return self.endpoint.pause() or self.books.pause()

    async def ready(
        self, context: CompletionContext, settings: Settings, report: Report, changed_s: float
    ) -> Backend | Skip:
        """Wait as long as the place is worth; then whom to call, or why no call is made.

        Code from elsewhere is looked for meanwhile.

        Args:
            context: where the cursor stands.
            settings: the settings in force.
            report: hears of the wait.
            changed_s: when the document was changed last; the wait counts from there.
        """
        if pause := self.pause():
            return pause
        self.related.begin(context, settings)
        if (wait_s := self._wait_s(context, settings) - (self.clock() - changed_s)) > 0:
            await self.sleep(wait_s)
            report.mark("wait")
        await self.related.gather(context, settings)
        backend = await self.endpoint.connected()
        if pause := self.pause():
            return pause
        if self.endpoint.is_half_open() and self.flights.others(context.document.uri):
            return Skip(Reason.COOLING_DOWN, "one call finds out whether the endpoint is back")
        return backend

    def _wait_s(self, context: CompletionContext, settings: Settings) -> float:
        if context.trigger is TriggerKind.INVOKED:
            return 0.0
        wait_s, limit_ms = self.pace.wait_s(context, self.clock()), settings.debounce_ms
        return min(wait_s, limit_ms / 1000) if isinstance(limit_ms, int) else wait_s

    def start(self, backend: Backend, wanted: Wanted) -> Flight:
        """Put a call on its way."""
        uri = wanted.context.document.uri
        origin = _origin(backend.target, self.clock(), wanted)
        self.origins.add(origin)
        flight = Flight(
            Candidate("", Anchor.at(wanted.context), whole=wanted.ask.multiline, origin=origin),
            lambda flight: self._work(backend, wanted, flight),
            on_left=lambda flight: self.flights.leave(flight, at_once=not wanted.is_automatic),
            on_end=lambda flight: self._ended(uri, flight),
        )
        is_alone = not wanted.is_automatic or backend.target.provider.one_at_a_time
        self.flights.add(uri, flight, alone=is_alone)
        self.n_calls += 1
        self.pace.fed(self.clock())
        return flight

    async def _work(self, backend: Backend, wanted: Wanted, flight: Flight) -> RawCompletion | Skip:
        """Make the call, and tell the flight what comes."""
        origin = flight.candidate.origin

        def heard(text: str, hole: Hole) -> None:
            if origin.first_token_s is None:
                origin.first_token_s = self.clock()
                self.pace.first_token(origin.first_token_s - origin.started_s)
            origin.said = text
            flight.hear(text, hole)

        question = Question(
            wanted.context,
            wanted.allowance,
            wanted.settings,
            origin,
            self.books,
            self.roots,
            paused=self.pause,
            heed=self.endpoint.heed,
            heard=heard,
            read_on=wanted.read_on,
            gathered=self.related.known(wanted.context.document.uri, wanted.settings),
        )
        try:
            answer = await ask_model(backend, question, self.endpoint.tell)
        except PausedError as paused:
            return paused.skip
        except BackendError as error:
            return self.endpoint.failed(error)
        self.endpoint.succeeded()
        if answer.usage:
            self.n_tokens += answer.usage.prompt_tokens + answer.usage.completion_tokens
        return answer

    def _ended(self, uri: str, flight: Flight) -> None:
        self.flights.remove(uri, flight)
        self.on_end(uri, flight)

    def forget(self, uri: str) -> None:
        """The document was closed: close what is in flight for it."""
        self.related.forget(uri)
        self.flights.abandon(uri)

    def clear(self) -> None:
        """Close what is in flight, and forget what was found elsewhere: the settings have changed."""
        self.related.clear()
        self.flights.abandon()


def _origin(target: Target, started_s: float, wanted: Wanted) -> Origin:
    facts = {"provider": target.provider.name, "model": target.model, "strategy": target.strategy.value}
    return Origin(started_s, facts=facts | ({"ahead": True} if wanted.is_ahead else {}))
