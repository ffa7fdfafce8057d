"""Books: what the service asks before a call and tells after it, without ever waiting on a disk.

Everything that touches the ledger runs in one thread. Without limits a call costs the event loop an append
to a list; the list is written a second later. With limits, a call waits for its reservation. When the shared
file cannot be used, one in memory takes its place, and the file is tried again after a while.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from qwen_ls.backend.base import LimitError
from qwen_ls.core.limits import Limits, Refusal, Want
from qwen_ls.core.types import Reason, Skip, Usage
from qwen_ls.entries import Account, Amounts, Entry
from qwen_ls.report import Level, Notice, clock_time
from qwen_ls.settings import camel
from qwen_ls.usage import prompt_tokens, used

if TYPE_CHECKING:
    from collections.abc import Callable

    from qwen_ls.backend.plan import Target
    from qwen_ls.core.types import CompletionRequest
    from qwen_ls.entries import Row
    from qwen_ls.ledger import Ledger
    from qwen_ls.settings import Settings
    from qwen_ls.sums import Sums
    from qwen_ls.usage import Received

    Price = Callable[[Target, Usage], tuple[float, str] | None]
    """What a call costs and in which currency; None where the price is not known."""

T = TypeVar("T")
logger = logging.getLogger(__name__)

FOLDER_ENV = "QWEN_LS_LEDGER_DIR"
DATA_DIR_ENV = "QWEN_LS_DATA_DIR"
FILE_NAME = "ledger.sqlite3"
FLUSH_S = 1.0
"""How long what has happened may wait to be written down."""
RETRY_S = 60.0
"""How long the shared file is left alone after a failure."""
CLOSE_S = 3.0
"""How long closing may take."""

_NAMES = {
    "requests_per_minute": "requests a minute",
    "tokens_per_minute": "tokens a minute",
    "tokens_per_day": "tokens a day",
}


def ledger_path() -> Path:
    """Where the shared ledger is: in the folder that the environment names, else in the data folder."""
    if folder := os.environ.get(FOLDER_ENV) or os.environ.get(DATA_DIR_ENV):
        return Path(folder).expanduser() / FILE_NAME
    import platformdirs

    return platformdirs.user_data_path("qwen-ls", appauthor=False) / FILE_NAME


@dataclass(frozen=True, slots=True)
class Ticket:
    """Leave to make one call."""

    target: Target
    prompt_tokens: int
    """Estimated."""
    reservation: int | None = None
    is_shared: bool = False
    """Whether the shared ledger holds the reservation, and not one of our own."""


class Spent(NamedTuple):
    """What a call has used and cost; no currency where its price is not known."""

    usage: Usage
    is_estimated: bool
    """Whether some of it was not counted by the endpoint."""
    money: float
    currency: str


class Books:
    """One service's view of the ledger.

    Args:
        settings: the settings in force.
        file: the shared ledger; None keeps all in memory.
        price: what a call costs.
        notify: called with what the user should read, in the event loop.
        wall: the time, in seconds since 1970.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        file: Callable[[], Path] | None,
        price: Price | None,
        notify: Callable[[Notice], None],
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._file, self._price, self._notify, self._wall = file, price, notify, wall
        self._limits = Limits.of(settings.limits)
        self._pending: list[Entry] = []
        self._flush: asyncio.TimerHandle | None = None
        self._thread: ThreadPoolExecutor | None = None
        self._is_closed = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._shared: Ledger | None = None
        self._where = ""
        self._memory: Ledger | None = None
        self._lost_at_s = -float("inf")
        self._told: set[str] = set()
        self._refused: tuple[float, float, str] | None = None

    # --- before and after a call ----------------------------------------------------------------------------

    def pause(self) -> Skip | None:
        """Why no call is made now: a limit that was reached, until it ends."""
        return Skip(Reason.LIMITED, self._refused[2]) if self._refused and self.pause_s() else None

    def pause_s(self) -> float:
        """Seconds until a limit that was reached ends; 0 where none is."""
        if self._refused is None:
            return 0.0
        since_s, until_s, _ = self._refused
        now_s = self._wall()
        return until_s - now_s if since_s <= now_s < until_s else 0.0  # a clock that was set back lifts it

    async def admit(self, target: Target, request: CompletionRequest) -> Ticket:
        """Reserve what a call may cost at most.

        Raises:
            LimitError: a limit is reached; no call may be made.
        """
        tokens = prompt_tokens(target, request.prompt)
        if not self._limits or not target.provider.metered:
            return Ticket(target, tokens)
        money, currency = self._cost(target, Usage(tokens, request.max_tokens))
        if self._limits.money_per_day is not None and not currency:
            self._tell(
                f"no price {target.model}",
                f"The price of {target.model} is not known: limits.moneyPerDay does not count its calls.",
            )
        limits, want = self._limits, Want(tokens + request.max_tokens, money)
        now_s = self._wall()

        def reserve(ledger: Ledger) -> Ticket | Refusal:
            self._book_pending(ledger)
            account = _account(target)
            number = ledger.reserve(limits, account, want, currency, now_s, output=request.max_tokens)
            return number if isinstance(number, Refusal) else Ticket(target, tokens, number, ledger.is_shared)

        answer = await self._reserved(reserve)
        if isinstance(answer, Refusal):
            raise self._limit_error(answer, want, currency)
        return answer

    def give_back(self, ticket: Ticket) -> None:
        """Release what was put aside for a call that is not made after all."""
        if (number := ticket.reservation) is not None:
            with contextlib.suppress(RuntimeError):  # closed meanwhile; it will be counted as estimated
                self._in_thread(lambda: self._with_ledger(lambda ledger: ledger.release(number)))

    def settle(self, ticket: Ticket, received: Received) -> Spent:
        """Book a call that has ended; returns what it has used and cost."""
        found = used(ticket.prompt_tokens, received)
        usage, is_estimated = found.usage, found.is_estimated
        money, currency = self._cost(ticket.target, usage)
        amounts = Amounts(
            calls=1,
            prompt_tokens=usage.prompt_tokens,
            completion_tokens=usage.completion_tokens,
            cached_tokens=usage.cached_tokens,
            estimated_tokens=is_estimated * (usage.prompt_tokens + usage.completion_tokens),
            money=money,
            estimated_money=is_estimated * money,
            counted_prompt_tokens=found.counted_prompt_tokens,
        )
        account = _account(ticket.target)
        self._note(Entry(self._wall(), account, amounts, currency, ticket.reservation, ticket.is_shared))
        return Spent(usage, is_estimated, money, currency)

    def count(self, what: str, target: Target | None) -> None:
        """Book one of `requests`, `shown`, `accepted`, `dismissed`."""
        account = _account(target) if target else Account()
        self._note(Entry(self._wall(), account, Amounts(**{what: 1})))

    async def today(self) -> Sums:
        """What all servers of this user have booked since midnight."""
        from qwen_ls.entries import day_of
        from qwen_ls.sums import Sums

        day, _ = day_of(self._wall())

        def read(ledger: Ledger) -> list[Row]:
            self._book_pending(ledger)
            return [row for row in ledger.rows(day) if row.day == day]

        return Sums.of(await self._in_thread(lambda: self._with_ledger(read)))

    # --- settings and life ----------------------------------------------------------------------------------

    def reconfigure(self, settings: Settings) -> None:
        """Take new limits; the next call is measured by them."""
        self._limits = Limits.of(settings.limits)
        self._refused = None
        self._told.clear()

    async def aclose(self) -> None:
        """Write down what is pending and close the file. Never raises, and takes `CLOSE_S` at most."""
        if self._is_closed:
            return
        self._is_closed = True
        if self._flush:
            self._flush.cancel()
        if self._thread is None and not self._pending:
            return
        closing = self._in_thread(self._close)
        await asyncio.wait([closing], timeout=CLOSE_S)
        if self._thread:
            self._thread.shutdown(wait=False)

    # --- in the event loop ----------------------------------------------------------------------------------

    def _note(self, entry: Entry) -> None:
        """Queue an entry; it is written in the thread."""
        if self._is_closed or (self._file is None and not self._limits):
            return  # nobody would ever read it
        self._pending.append(entry)
        if self._flush is None:
            with contextlib.suppress(RuntimeError):  # no event loop: the next entry, or closing, writes it
                self._flush = asyncio.get_running_loop().call_later(FLUSH_S, self._start_flush)

    def _start_flush(self) -> None:
        self._flush = None
        self._in_thread(lambda: self._with_ledger(self._book_pending))

    def _in_thread(self, work: Callable[[], T]) -> asyncio.Future[T]:
        if self._thread is None:
            self._thread = ThreadPoolExecutor(1, "qwen-ls-ledger")
        self._loop = asyncio.get_running_loop()
        return self._loop.run_in_executor(self._thread, work)

    async def _reserved(self, reserve: Callable[[Ledger], Ticket | Refusal]) -> Ticket | Refusal:
        """Reserve in the thread; what was reserved for a call that nobody wants any more is given back."""
        reserving = self._in_thread(lambda: self._with_ledger(reserve))
        try:
            return await asyncio.shield(reserving)
        except asyncio.CancelledError:
            reserving.add_done_callback(self._unwanted)
            raise

    def _unwanted(self, reserving: asyncio.Future[Ticket | Refusal]) -> None:
        if not reserving.cancelled() and not reserving.exception():
            answer = reserving.result()
            if isinstance(answer, Ticket):
                self.give_back(answer)

    def _limit_error(self, refusal: Refusal, want: Want, currency: str) -> LimitError:
        name, is_money = f"limits.{camel(refusal.limit)}", refusal.limit == "money_per_day"
        allowed = f"{refusal.allowed:,.10g} {f'{currency} a day' if is_money else _NAMES[refusal.limit]}"
        cause = f"limit {refusal.limit}"
        if refusal.until_s is None:
            if not refusal.allowed:
                return LimitError(
                    f"No call is allowed: {name} is 0", remedy="Raise it.", cause=f"{cause}, none"
                )
            needs = f"cost {want.money:.4g} {currency}" if is_money else f"need {want.tokens:,} tokens"
            message = f"One call may {needs}, and {name} allows {allowed}"
            remedy = "Raise it, or lower promptTokens or maxTokens."
            return LimitError(message, remedy=remedy, cause=f"{cause}, one call")
        now_s = self._wall()
        if refusal.until_s <= now_s:
            message = f"Calls on their way have the rest of {allowed} ({name}) put aside"
            return LimitError(message, remedy="Raise it for more of them at once.", cause=f"{cause}, at once")
        until = clock_time(refusal.until_s, now_s)
        self._refused = (now_s, refusal.until_s, f"until {until}: {name} ({allowed}) is reached")
        message = f"The limit of {allowed} ({name}) is reached"
        return LimitError(message, remedy=f"Completions go on at {until}, or when you raise it.", cause=cause)

    def _cost(self, target: Target, usage: Usage) -> tuple[float, str]:
        """Amount and currency; no currency where the price is not known."""
        return (self._price(target, usage) if self._price else None) or (0.0, "")

    def _tell(self, cause: str, text: str) -> None:
        if cause not in self._told:
            self._told.add(cause)
            self._notify(Notice(Level.WARNING, cause, text))

    # --- in the ledger's thread -----------------------------------------------------------------------------

    def _book_pending(self, ledger: Ledger) -> None:
        """Write the queue down, but for what only the shared ledger can settle; what fails stays queued."""
        entries = list(self._pending)
        ledger.book([entry for entry in entries if ledger.is_shared or not entry.is_shared])
        self._pending[: len(entries)] = [
            entry for entry in entries if entry.is_shared and not ledger.is_shared
        ]

    def _with_ledger(self, work: Callable[[Ledger], T]) -> T:
        """Do it with the shared ledger, or, where that cannot be used, with one of our own."""
        from qwen_ls.ledger import Ledger, LedgerError

        # A clock that was set back does not make it longer.
        if self._file is not None and not 0 <= self._wall() - self._lost_at_s < RETRY_S:
            try:
                return work(self._open())
            except LedgerError as error:
                self._lose(str(error))
            except (OSError, RuntimeError, ValueError) as error:  # there is no such folder, not even by name
                self._lose(type(error).__name__)
        if self._memory is None:
            self._memory = Ledger(None)
        return work(self._memory)

    def _open(self) -> Ledger:
        """The shared ledger; what was booked in its absence is carried over."""
        from qwen_ls.ledger import Ledger

        assert self._file is not None
        if self._shared is None:
            file = self._file()
            self._where = str(file)
            self._shared = Ledger(file)
        if self._memory is not None:
            self._shared.carry_over(self._memory)
            self._memory.close()
            self._memory = None
        return self._shared

    def _lose(self, why: str) -> None:
        """Leave the shared ledger alone for a while; say so once, aloud where it matters."""
        self._lost_at_s = self._wall()
        if self._shared is not None:
            self._shared.close()
            self._shared = None
        where = f" {self._where}" if self._where else ""
        text = f"The ledger{where} cannot be used ({why}): limits count this editor alone meanwhile."
        if self._limits and self._loop:
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody reads it any more
                self._loop.call_soon_threadsafe(partial(self._tell, "ledger", text))
        else:
            logger.warning("the ledger cannot be used: %s", why)

    def _close(self) -> None:
        self._lost_at_s = -float("inf")  # what only this process knows would be lost: try once more
        self._with_ledger(self._book_pending)
        for ledger in (self._shared, self._memory):
            if ledger is not None:
                ledger.close()
        self._shared = self._memory = None


def _account(target: Target) -> Account:
    model = target.model.encode(errors="replace").decode()  # half a surrogate pair is no text for a file
    return Account(target.provider.name, model, target.provider.metered)
