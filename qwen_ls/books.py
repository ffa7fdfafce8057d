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
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from qwen_ls.backend.base import LimitError
from qwen_ls.core.budget import estimate_tokens
from qwen_ls.core.limits import Limits, Refusal, Want
from qwen_ls.core.types import Reason, Skip, Strategy, Usage
from qwen_ls.report import Level, Notice, clock_time
from qwen_ls.settings import camel

if TYPE_CHECKING:
    from collections.abc import Callable

    from qwen_ls.backend.plan import Target
    from qwen_ls.core.types import CompletionRequest, Prompt
    from qwen_ls.ledger import Account, Entry, Ledger, Row
    from qwen_ls.settings import Settings
    from qwen_ls.usage import Sums

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
    ledger: Ledger | None = None
    """Which one holds the reservation."""
    reservation: int | None = None


@dataclass(slots=True)
class Received:
    """What has come of a call's answer, however it ended."""

    text: str = ""
    usage: Usage | None = None
    finish_reason: str | None = None
    refused: bool = False
    """The endpoint did no work: it refused, failed, or could not be reached."""


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
        self._pending: list[Callable[[Ledger], Entry]] = []
        self._flush: asyncio.TimerHandle | None = None
        self._thread: ThreadPoolExecutor | None = None
        self._is_closed = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._shared: Ledger | None = None
        self._where = ""
        self._memory: Ledger | None = None
        self._left_alone_until_s = 0.0
        self._told: set[str] = set()
        self._refused: tuple[float, float, str] | None = None

    # --- before and after a call ----------------------------------------------------------------------------

    def pause(self) -> Skip | None:
        """Why no call is made now: a limit that was reached, until it ends."""
        if self._refused is None:
            return None
        since_s, until_s, why = self._refused
        if since_s <= self._wall() < until_s:  # a clock that was set back lifts it
            return Skip(Reason.LIMITED, why)
        self._refused = None
        return None

    async def admit(self, target: Target, request: CompletionRequest) -> Ticket:
        """Reserve what a call may cost at most.

        Raises:
            LimitError: a limit is reached; no call may be made.
        """
        tokens = _prompt_tokens(request.prompt)
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

        def reserve(ledger: Ledger) -> tuple[Ledger, int | Refusal]:
            self._book_pending(ledger)
            account = _account(target)
            return ledger, ledger.reserve(limits, account, want, currency, now_s, output=request.max_tokens)

        ledger, answer = await self._reserved(reserve)
        if isinstance(answer, Refusal):
            raise self._limit_error(answer, want, currency)
        return Ticket(target, tokens, ledger, answer)

    def settle(self, ticket: Ticket, received: Received) -> None:
        """Book a call that has ended."""
        usage, is_estimated = _usage(ticket, received)
        money, currency = self._cost(ticket.target, usage)
        at_s = self._wall()

        def entry(ledger: Ledger) -> Entry:
            from qwen_ls.ledger import Amounts, Entry

            amounts = Amounts(
                calls=1,
                prompt_tokens=usage.prompt_tokens,
                completion_tokens=usage.completion_tokens,
                cached_tokens=usage.cached_tokens,
                estimated_tokens=is_estimated * (usage.prompt_tokens + usage.completion_tokens),
                money=money,
                estimated_money=is_estimated * money,
            )
            held = ticket.reservation if ticket.ledger is ledger else None
            return Entry(at_s, _account(ticket.target), amounts, currency, held)

        self._note(entry)

    def count(self, what: str, target: Target | None) -> None:
        """Book one of `requests`, `shown`, `accepted`."""
        at_s = self._wall()

        def entry(_: Ledger) -> Entry:
            from qwen_ls.ledger import Account, Amounts, Entry

            account = _account(target) if target else Account()
            return Entry(at_s, account, Amounts(**{what: 1}))

        self._note(entry)

    async def today(self) -> Sums:
        """What all servers of this user have booked since midnight."""
        from qwen_ls.ledger import day_of
        from qwen_ls.usage import Sums

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

    def _note(self, entry: Callable[[Ledger], Entry]) -> None:
        """Queue an entry; it is made and written in the thread."""
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

    async def _reserved(
        self, reserve: Callable[[Ledger], tuple[Ledger, int | Refusal]]
    ) -> tuple[Ledger, int | Refusal]:
        """Reserve in the thread; what was reserved for a call that nobody wants any more is given back."""
        reserving = self._in_thread(lambda: self._with_ledger(reserve))
        try:
            return await asyncio.shield(reserving)
        except asyncio.CancelledError:
            reserving.add_done_callback(self._give_back)
            raise

    def _give_back(self, reserving: asyncio.Future[tuple[Ledger, int | Refusal]]) -> None:
        if reserving.cancelled() or reserving.exception():
            return
        ledger, answer = reserving.result()
        if isinstance(answer, int) and self._thread:
            with contextlib.suppress(RuntimeError):  # closed meanwhile; it will be counted as estimated
                self._thread.submit(_release, ledger, answer)

    def _limit_error(self, refusal: Refusal, want: Want, currency: str) -> LimitError:
        name = f"limits.{camel(refusal.limit)}"
        unit = f"{currency} a day" if refusal.limit == "money_per_day" else _NAMES[refusal.limit]
        allowed = f"{refusal.allowed:,.10g} {unit}"
        cause = f"limit {refusal.limit}"
        if refusal.until_s is None:
            message = f"One call may need {want.tokens:,} tokens, and {name} allows {allowed}"
            return LimitError(message, remedy="Raise it, or lower promptTokens or maxTokens.", cause=cause)
        now_s = self._wall()
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
        """Write the queue down; what was not written stays queued."""
        n_entries = len(self._pending)
        ledger.book([entry(ledger) for entry in self._pending[:n_entries]])
        del self._pending[:n_entries]

    def _with_ledger(self, work: Callable[[Ledger], T]) -> T:
        """Do it with the shared ledger, or, where that cannot be used, with one of our own."""
        from qwen_ls.ledger import Ledger, LedgerError

        if self._file is not None and self._wall() >= self._left_alone_until_s:
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
            self._shared.carry_over(self._memory.rows())
            self._memory.close()
            self._memory = None
        return self._shared

    def _lose(self, why: str) -> None:
        """Leave the shared ledger alone for a while; say so once, aloud where it matters."""
        self._left_alone_until_s = self._wall() + RETRY_S
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
        self._with_ledger(self._book_pending)
        for ledger in (self._shared, self._memory):
            if ledger is not None:
                ledger.close()
        self._shared = self._memory = None


def _release(ledger: Ledger, reservation: int) -> None:
    with contextlib.suppress(Exception):  # it will be counted as estimated
        ledger.release(reservation)


def _account(target: Target) -> Account:
    from qwen_ls.ledger import Account

    return Account(target.provider.name, target.model, target.provider.metered)


def _prompt_tokens(prompt: Prompt) -> int:
    """About how many tokens the endpoint will read."""
    text = prompt.text if prompt.strategy is Strategy.FIM else prompt.text + prompt.prefix
    return round(estimate_tokens(text))


def _usage(ticket: Ticket, received: Received) -> tuple[Usage, bool]:
    """What a call has used, and whether that is estimated.

    The endpoint's own count is for the whole answer: it stands when the answer was read to its end. Of an
    answer that was cut, what came is known, and the prompt was read.
    """
    counted = received.usage
    if counted and received.finish_reason:
        return counted, False
    if received.refused and not received.text:
        return Usage(), False
    written = round(estimate_tokens(received.text))
    if counted:
        return replace(counted, completion_tokens=max(written, counted.completion_tokens)), True
    return Usage(ticket.prompt_tokens, written), True
