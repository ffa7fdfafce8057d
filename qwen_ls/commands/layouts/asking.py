"""Asks about each written hole in each way, books each call, and keeps what came also when it is stopped."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from qwen_ls.backend.base import (
    AuthenticationError,
    BackendError,
    BillingError,
    ConfigurationError,
    LimitError,
    NotReadyError,
    RateLimitError,
    UnreachableError,
)
from qwen_ls.backend.prices import price
from qwen_ls.call import LEAST_PROMPT_TOKENS, build_request, prompt_for
from qwen_ls.commands.calls import Recorder, ask_once
from qwen_ls.commands.layouts.answer import ANSWER_TOKENS, Answer
from qwen_ls.commands.layouts.holes import HOLES
from qwen_ls.commands.live import AFTER, BEFORE
from qwen_ls.core.context import build_context
from qwen_ls.core.postprocess.whitespace import without_held_back
from qwen_ls.core.types import CompletionContext, CompletionRequest, Document, TriggerKind, Usage
from qwen_ls.usage import prompt_tokens

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from qwen_ls.backend.base import Backend
    from qwen_ls.backend.plan import Target
    from qwen_ls.books import Books
    from qwen_ls.commands.layouts.comparison import Comparison, Row
    from qwen_ls.commands.layouts.holes import WrittenHole
    from qwen_ls.settings import Settings

OF_THE_ENDPOINT = (
    AuthenticationError, BillingError, ConfigurationError, LimitError, NotReadyError, RateLimitError,
    UnreachableError,
)  # fmt: skip
"""What is wrong with the endpoint, or with all calls to it, and not with one way of asking."""
WAIT_S = 5.0
MOST_WAIT_S = 60.0
"""How long is waited where an endpoint asks for fewer calls: without a time of its own, and at most."""


def context_of(hole: WrittenHole) -> CompletionContext:
    """A written hole as a place in a document."""
    return _context(hole.before, hole.after, hole.language)


def _context(before: str, after: str, language: str) -> CompletionContext:
    document = Document("untitled:doctor", 0, language, before + after)
    return build_context(document, len(before), TriggerKind.INVOKED)


def request_for(
    context: CompletionContext, target: Target, settings: Settings, tokens: int
) -> CompletionRequest:
    """The call for a hole."""
    prompt = prompt_for(target, context, max(target.prompt_tokens(settings), LEAST_PROMPT_TOKENS))
    return build_request(settings, target.model, prompt, target.max_tokens(tokens))


def announcement(comparison: Comparison, settings: Settings) -> str:
    """What is going to happen, and what it will cost, about."""
    targets = [row.way.target for row in comparison.rows]
    usage = Usage()
    for target in targets:
        for hole in HOLES:
            request = request_for(context_of(hole), target, settings, ANSWER_TOKENS)
            asked = prompt_tokens(target, request.prompt)
            usage = Usage(usage.prompt_tokens + asked, usage.completion_tokens + request.max_tokens)
    cost = price(targets[0], usage)
    money = f", {cost[0]:.2g} {cost[1]}" if cost else ""
    names = ", ".join(row.way.name for row in comparison.rows)
    return (
        f"qwen-ls: {len(HOLES)} holes, each asked about by {names}: {calls_of(comparison)} calls and about "
        f"{usage.prompt_tokens + usage.completion_tokens:,} tokens{money}; your limits hold. "
        "Ctrl-C stops it and prints what there is."
    )


def calls_of(comparison: Comparison) -> int:
    """How many calls are made: one for each hole and way, and one before them that wakes the endpoint."""
    return len(HOLES) * len(comparison.rows) + 1


async def ask_all(
    comparison: Comparison,
    settings: Settings,
    connect: Callable[[Target], Backend],
    books: Books,
    *,
    on_call: Callable[[], None] = lambda: None,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    clock: Callable[[], float] = time.perf_counter,
) -> None:
    """Fill the comparison in, hole by hole, so that all ways have the same holes when it is stopped.

    Args:
        comparison: takes what comes.
        settings: what calls are made with.
        connect: builds the backend for a way's target.
        books: grant and book each call; closed at the end.
        on_call: told of each call that has ended.
        sleep: waits for seconds.
        clock: seconds.
    """
    asker = _Asker(settings, books, sleep, on_call)
    recorders: list[tuple[Row, Recorder]] = []
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(books.aclose)
        try:
            for row in comparison.rows:
                recorder = Recorder(connect(row.way.target), clock)
                stack.push_async_callback(recorder.aclose)
                recorders.append((row, recorder))
                await recorder.warm()
            await asker.wake(recorders[0][1])
            for n, hole in enumerate(HOLES):
                for row, recorder in (*recorders[n % len(recorders) :], *recorders[: n % len(recorders)]):
                    if row.given_up is None:
                        await asker.fill(row, recorder, n, hole)
        except BackendError as error:
            comparison.ended = error


class _Asker:
    """Makes the calls, one after the other."""

    def __init__(
        self,
        settings: Settings,
        books: Books,
        sleep: Callable[[float], Awaitable[None]],
        on_call: Callable[[], None],
    ) -> None:
        self._settings, self._books, self._sleep, self._on_call = settings, books, sleep, on_call

    async def wake(self, recorder: Recorder) -> None:
        """A first call, whose answer does not count: what sleeps, or is loaded when first asked, is slow."""
        context = _context(BEFORE, AFTER, "python")
        request = request_for(context, recorder.target, self._settings, 1)
        error = (await ask_once(recorder, request, self._books)).error
        if isinstance(error, OF_THE_ENDPOINT):
            raise error
        self._on_call()

    async def fill(self, row: Row, recorder: Recorder, n: int, hole: WrittenHole) -> None:
        """Ask about one hole in one way.

        Raises:
            BackendError: the endpoint cannot be asked any more, in no way.
        """
        context, way = context_of(hole), row.way
        request = request_for(context, way.target, self._settings, ANSWER_TOKENS)
        call = await ask_once(recorder, request, self._books)
        if isinstance(call.error, RateLimitError):
            await self._sleep(min(call.error.retry_after_s or WAIT_S, MOST_WAIT_S))
            call = await ask_once(recorder, request, self._books)
        self._on_call()
        if isinstance(call.error, OF_THE_ENDPOINT):
            raise call.error
        if call.error is not None:
            row.failed(call.error)
            return
        raw = without_held_back(call.text, request.prompt.held_back)
        row.answered(n, Answer.of(call, raw, hole, context, way))


def run(comparison: Comparison, settings: Settings) -> None:
    """Say what it takes, ask, greedily, and show on a terminal how far it is; Ctrl-C ends it early."""
    from qwen_ls.backend.connect import connect, connect_to
    from qwen_ls.books import Books, ledger_path

    def connected(target: Target) -> Backend:
        return connect(settings) if target.provider.name == "local" else connect_to(target, settings)

    settings = replace(settings, temperature=0.0, top_p=None, presence_penalty=None)
    print(announcement(comparison, settings), file=sys.stderr)
    books = Books(settings, file=ledger_path, price=price, notify=lambda notice: None)
    progress = _Progress(calls_of(comparison))
    try:
        asyncio.run(ask_all(comparison, settings, connected, books, on_call=progress.step))
    except KeyboardInterrupt:
        comparison.interrupted = True
    progress.end()


class _Progress:
    """How many calls have been made, on a terminal."""

    def __init__(self, n_calls: int) -> None:
        self._n_calls, self._n_made, self._is_shown = n_calls, 0, sys.stderr.isatty()

    def step(self) -> None:
        """One more has been made."""
        self._n_made += 1
        self._show(f"\r{self._n_made} of {self._n_calls} calls ")

    def end(self) -> None:
        """Leave the line."""
        self._show("\n")

    def _show(self, text: str) -> None:
        if self._is_shown:
            with contextlib.suppress(OSError):
                print(text, end="", file=sys.stderr, flush=True)
