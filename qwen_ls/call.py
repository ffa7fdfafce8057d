"""One call to the endpoint: from a context to the model's cleaned answer, and who waits for it."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from qwen_ls.backend.base import AnswerError, BackendError, DeadlineError
from qwen_ls.books import Received
from qwen_ls.core import postprocess
from qwen_ls.core.postprocess.hole import Hole
from qwen_ls.core.postprocess.limit import is_complete
from qwen_ls.core.postprocess.whitespace import without_held_back
from qwen_ls.core.prompt import build_prompt
from qwen_ls.core.types import CompletionContext, CompletionRequest, Prompt, RawCompletion, Reason, Skip

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Hashable

    from qwen_ls.backend.base import Backend
    from qwen_ls.books import Books
    from qwen_ls.core.trigger import Ask
    from qwen_ls.report import Report
    from qwen_ls.settings import Settings

LEAST_PROMPT_TOKENS = 64


class Call:
    """A call on its way. It lives while somebody waits for it."""

    def __init__(
        self, key: Hashable, work: Coroutine[None, None, RawCompletion | Skip], on_end: Callable[[], None]
    ) -> None:
        """Start the work.

        Args:
            key: the question; a request with the same one joins.
            work: makes the call.
            on_end: called when the call has ended, however it did.
        """
        self.key = key
        self._waiters = 0
        self._abandoned: Skip | None = None
        self._task = asyncio.create_task(work)

        def ended(task: asyncio.Task[RawCompletion | Skip]) -> None:
            if not task.cancelled():
                task.exception()  # it has been seen, also if nobody waits for it any more
            on_end()

        self._task.add_done_callback(ended)

    @property
    def is_open(self) -> bool:
        """Whether a request may join."""
        return self._abandoned is None

    async def wait(self) -> RawCompletion | Skip:
        """The answer, or why there is none.

        Raises:
            asyncio.CancelledError: the waiter was cancelled; if it was the last one, the call is closed.
        """
        self._waiters += 1
        try:
            await asyncio.wait({self._task})
        finally:
            self._waiters -= 1
            # On the loop's next turn: a request that supersedes this one with the same question joins first.
            asyncio.get_running_loop().call_soon(self._close_if_unwanted)
        return self._abandoned or self._task.result()

    def abandon(self, reason: Reason = Reason.ABANDONED) -> None:
        """Close the connection, without waiting until it is closed."""
        self._abandoned = self._abandoned or Skip(reason)
        self._task.cancel()

    def _close_if_unwanted(self) -> None:
        if not self._waiters and not self._task.done():
            self.abandon()

    async def closed(self) -> None:
        """Wait until the connection is closed."""
        await asyncio.wait({self._task})


async def ask_model(
    backend: Backend, context: CompletionContext, ask: Ask, settings: Settings, report: Report, books: Books
) -> RawCompletion:
    """Call the endpoint, cut the stream as soon as it holds what will be shown, clean the answer.

    Raises:
        BackendError: the call failed.
    """
    target = backend.target
    prompt = build_prompt(
        context,
        strategy=target.strategy,
        layout=target.layout,
        template=target.template,
        tokens=max(target.prompt_tokens(settings), LEAST_PROMPT_TOKENS),
        stop=target.stop,
    )
    request = build_request(settings, target.model, prompt, target.max_tokens(ask.max_tokens))
    raw = await _booked(backend, request, Hole(context, ask, target.strategy), report, books)
    report.usage(raw.usage)
    hole = Hole(context, ask, target.strategy, raw.finish_reason)
    answer = before_stop(raw.text, settings.stop)
    text = postprocess.run(postprocess.BEFORE_CACHE, answer, hole, report.steps)
    return RawCompletion("" if isinstance(text, Skip) else text, raw.finish_reason, raw.usage)


def build_request(settings: Settings, model: str, prompt: Prompt, max_tokens: int) -> CompletionRequest:
    """The request for a prompt; of temperature and top_p only one is sent, as the API asks."""
    return CompletionRequest(
        model=model,
        prompt=prompt,
        max_tokens=max_tokens,
        stream=settings.streaming != "off",
        temperature=settings.temperature if settings.top_p is None else None,
        top_p=settings.top_p,
        seed=settings.seed,
        presence_penalty=settings.presence_penalty,
        stop=tuple(dict.fromkeys((*settings.stop, *prompt.stop))),
    )


def before_stop(text: str, stop: tuple[str, ...]) -> str:
    """The text before the first of the user's stop strings: an endpoint takes only a few of them."""
    return text[: min((text.find(mark) for mark in stop if mark and mark in text), default=len(text))]


async def _booked(
    backend: Backend, request: CompletionRequest, hole: Hole, report: Report, books: Books
) -> RawCompletion:
    """Make one call within the limits, and book what it used, however it ends: each call goes this way.

    Raises:
        BackendError: the call failed, or a limit does not allow it.
    """
    ticket, received = await books.admit(backend.target, request), Received()
    try:
        return await _read(backend, request, hole, report, received)
    finally:
        books.settle(ticket, received)


async def _read(
    backend: Backend, request: CompletionRequest, hole: Hole, report: Report, received: Received
) -> RawCompletion:
    """Read the stream until it ends or holds enough; `received` has what came, however it ends.

    A time-out after whole lines have come is an answer that was cut, not a failure.
    """
    held_back = request.prompt.held_back
    text, finish_reason, usage = "", None, None
    try:
        async with contextlib.aclosing(backend.stream(request)) as chunks:
            async for chunk in chunks:
                if chunk.text and not text:
                    report.mark("first token")
                text += chunk.text
                finish_reason = chunk.finish_reason or finish_reason
                usage = chunk.usage or usage
                received.text, received.finish_reason, received.usage = text, finish_reason, usage
                if (
                    "\n" in chunk.text
                    and finish_reason is None
                    and is_complete(without_held_back(text, held_back), hole)
                ):
                    break
    except DeadlineError:
        if "\n" not in text.strip():
            raise
        finish_reason = "length"
    except BackendError as error:
        received.refused = not isinstance(error, AnswerError)
        raise
    return RawCompletion(without_held_back(text, held_back), finish_reason, usage)
