"""Single calls to a backend as `doctor` makes them: watched, read to their end, and booked."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from qwen_ls.backend.base import AnswerError, BackendError, DeadlineError
from qwen_ls.call import total
from qwen_ls.core.budget import estimate_tokens
from qwen_ls.usage import Received

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from qwen_ls.backend.base import Backend
    from qwen_ls.backend.plan import Target
    from qwen_ls.books import Books, Spent
    from qwen_ls.core.types import Chunk, CompletionRequest, Usage


@dataclass(slots=True)
class Call:
    """One call as it was seen."""

    text: str = ""
    """As it came from the model."""
    error: BackendError | None = None
    refused: BackendError | None = None
    """Why the model was not asked to fill in the middle, where partial mode has answered instead."""
    first_token_ms: float | None = None
    total_ms: float = 0.0
    n_asked: int = 0
    """How often the endpoint was asked: again where it refused to fill in the middle, or cut its answer."""
    n_chunks: int = 0
    """How many pieces with text came."""
    streamed: bool = True
    finish_reason: str | None = None
    usage: Usage | None = None
    estimate: float = 0.0
    """Tokens, where the endpoint does not count."""
    spent: Spent | None = None
    """What was booked for it, once it has ended."""

    @property
    def tokens_a_second(self) -> float | None:
        """How fast the answer was written, after its first token; None where that was too short to say."""
        took_ms = self.total_ms - (self.first_token_ms or 0)
        if self.usage is None or self.n_chunks < 3 or self.usage.completion_tokens < 8 or took_ms <= 0:
            return None
        return (self.usage.completion_tokens - 1) / took_ms * 1000

    @property
    def tokens(self) -> int:
        """What it cost, prompt and answer."""
        if self.usage is None:
            return round(self.estimate)
        return self.usage.prompt_tokens + self.usage.completion_tokens


class Recorder:
    """A backend that passes everything on and takes notes."""

    def __init__(self, backend: Backend, clock: Callable[[], float]) -> None:
        self.call = Call()
        self._backend, self._clock = backend, clock

    @property
    def target(self) -> Target:
        """What calls are made to."""
        return self._backend.target

    @property
    def partial(self) -> Target | None:
        """The same in partial mode."""
        return self._backend.partial

    def forgo_fim(self) -> None:
        """The endpoint has refused to fill in the middle."""
        self.call.refused, self.call.error = self.call.error, None
        self._backend.forgo_fim()

    async def stream(self, request: CompletionRequest) -> AsyncGenerator[Chunk, None]:
        """Ask, and note what comes and when."""
        began_s, call = self._clock(), self.call
        used, said_before = call.usage, call.text
        call.n_asked += 1
        call.streamed = request.stream
        asked = request.prompt.text + request.prompt.prefix + request.prompt.suffix
        estimate = estimate_tokens(asked) + request.max_tokens
        call.estimate += estimate
        try:
            async with contextlib.aclosing(self._backend.stream(request)) as chunks:
                async for chunk in chunks:
                    if chunk.text:
                        call.text += chunk.text
                        call.n_chunks += 1
                        if call.first_token_ms is None:
                            call.first_token_ms = (self._clock() - began_s) * 1000
                    call.usage = total(used, chunk.usage) if chunk.usage else call.usage
                    call.finish_reason = chunk.finish_reason or call.finish_reason
                    yield chunk
        except BackendError as error:
            if call.text == said_before and not isinstance(error, AnswerError | DeadlineError):
                call.estimate -= estimate  # a refusal costs nothing
            if not said_before:  # a continuation may fail: the answer stands without
                call.error = call.error or error
            raise
        finally:
            call.total_ms += (self._clock() - began_s) * 1000

    async def warm(self) -> None:
        """Build what the first call would wait for."""
        try:
            await self._backend.warm()
        except BackendError as error:
            self.call.error = error
            raise

    async def aclose(self) -> None:
        """Free connections and processes."""
        await self._backend.aclose()


async def ask_once(recorder: Recorder, request: CompletionRequest, books: Books) -> Call:
    """One call to the recorder's target, read to its end and booked, however it ends.

    Raises:
        LimitError: a limit does not allow it.
    """
    recorder.call = call = Call()
    ticket = await books.admit(recorder.target, request)
    try:
        with contextlib.suppress(BackendError):  # it is in the call
            async with contextlib.aclosing(recorder.stream(request)) as chunks:
                async for _ in chunks:
                    pass
    finally:
        refused = call.error is not None and not isinstance(call.error, AnswerError)
        received = Received(call.text, call.usage, call.finish_reason, refused=refused)
        call.spent = books.settle(ticket, received)
    return call
