"""A few small calls of holes whose fillings are known, and what was seen on the way.

The first goes the whole way that an editor's request takes; the others ask the backend. Together they cost
less than `MAX_TOKENS` tokens.
"""

from __future__ import annotations

import contextlib
import functools
import json
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from qwen_ls.backend.base import AnswerError, BackendError, DeadlineError
from qwen_ls.call import total
from qwen_ls.core.budget import estimate_tokens
from qwen_ls.core.types import CompletionRequest, Document, Skip, TriggerKind, Usage

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from qwen_ls.backend.base import Backend
    from qwen_ls.backend.plan import Target
    from qwen_ls.books import Books
    from qwen_ls.core.types import Chunk
    from qwen_ls.settings import Settings

MAX_TOKENS = 2000
MAX_ANSWER_TOKENS = 128
"""The longest answer to the first hole, which may be continued twice."""
BEFORE = 'def add(a, b):\n    """Return the sum of a and b."""\n    return '
AFTER = '\n\n\ndef subtract(a, b):\n    """Return a less b."""\n    return a - b\n'
EXPECTED = ("a + b", "b + a", "sum((a, b))", "sum([a, b])")

# The name that belongs here stands after the cursor only.
SUFFIX_NAME = "zebra_sum"
SUFFIX_BEFORE = 'def total_price(items):\n    """Add up the prices."""\n    '
SUFFIX_AFTER = (
    f"\n    for item in items:\n        {SUFFIX_NAME} += item.price\n"
    f"    for item in items:\n        {SUFFIX_NAME} -= item.discount\n    return {SUFFIX_NAME}\n"
)
# Long enough for a context cache, which begins at 256 tokens (DashScope), and to be continued for a while.
LONG_BEFORE = "SQUARES = {\n" + "".join(f"    {n}: {n * n},\n" for n in range(10, 55)) + "    55:"
LONG_AFTER = "\n}\n"


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


@dataclass(slots=True)
class LiveTest:
    """What was seen in all calls. A call that was not made is None."""

    text: str = ""
    """What an editor would have shown for the first hole."""
    hole: Call = field(default_factory=Call)
    suffix: Call | None = None
    long: Call | None = None
    repeat: Call | None = None
    error: BackendError | None = None
    """Why no call could be made."""
    expected: str = EXPECTED[0]

    @property
    def calls(self) -> list[Call]:
        """The calls that were made."""
        return [call for call in (self.hole, self.suffix, self.long, self.repeat) if call is not None]

    @property
    def makes_sense(self) -> bool:
        """Whether the first hole was filled with what belongs there."""
        return "".join(self.text.split("\n")[0].split()) in {"".join(one.split()) for one in EXPECTED}

    @property
    def shown(self) -> str:
        """The first answer as a message has it; as it came, where nothing of it would be shown."""
        return json.dumps((self.text or self.hole.text)[:60], ensure_ascii=False)


class _Recorder:
    """A backend that passes everything on and takes notes."""

    def __init__(self, backend: Backend, clock: Callable[[], float]) -> None:
        self.call = Call()
        self._backend, self._clock = backend, clock

    @property
    def target(self) -> Target:
        return self._backend.target

    @property
    def partial(self) -> Target | None:
        return self._backend.partial

    def forgo_fim(self) -> None:
        self.call.refused, self.call.error = self.call.error, None
        self._backend.forgo_fim()

    async def stream(self, request: CompletionRequest) -> AsyncGenerator[Chunk, None]:
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
        try:
            await self._backend.warm()
        except BackendError as error:
            self.call.error = error
            raise

    async def aclose(self) -> None:
        await self._backend.aclose()


async def ask(
    settings: Settings, connect: Callable[[Settings], Backend], clock: Callable[[], float] = time.perf_counter
) -> LiveTest:
    """Make the calls; the ones after a first that failed are not made.

    Args:
        settings: the settings in force.
        connect: builds the backend.
        clock: seconds.
    """
    from qwen_ls.backend.prices import price
    from qwen_ls.books import Books, ledger_path
    from qwen_ls.service import CompletionService

    test, made = LiveTest(), list[_Recorder]()
    books = Books(replace(settings, limits={}), file=ledger_path, price=price, notify=lambda _: None)

    def recorded(wanted: Settings) -> Backend:
        try:
            made.append(_Recorder(connect(wanted), clock))
        except BackendError as error:
            test.error = error
            raise
        return made[-1]

    # What it spends is counted; a limit that is reached does not keep it from its diagnosis. An answer that
    # goes on and on must not cost more than was promised.
    most = min(settings.max_tokens or MAX_ANSWER_TOKENS, MAX_ANSWER_TOKENS)
    service = CompletionService(
        replace(settings, limits={}, max_tokens=most), connect=recorded, ledger=ledger_path, price=price
    )
    try:
        await service.warm()
        result = await service.complete(_document(BEFORE + AFTER), len(BEFORE), TriggerKind.INVOKED)
        test.text = "" if isinstance(result, Skip) else result.text
        if made:
            test.hole = made[-1].call
            test.error = test.error or test.hole.error
            if test.error is None and test.hole.total_ms:
                await _ask_more(test, made[-1], settings, books)
    finally:
        await service.aclose()
        await books.aclose()
    return test


async def _ask_more(test: LiveTest, recorder: _Recorder, settings: Settings, books: Books) -> None:
    """The calls that the backend is asked directly."""
    measure = functools.partial(_measure, test, recorder, settings, books)
    test.suffix = await measure((SUFFIX_BEFORE, SUFFIX_AFTER), 24)
    test.long = await measure((LONG_BEFORE, LONG_AFTER), 48)
    if test.long is not None and test.long.error is None:
        test.repeat = await measure((LONG_BEFORE, LONG_AFTER), 2)


async def _measure(
    test: LiveTest,
    recorder: _Recorder,
    settings: Settings,
    books: Books,
    hole: tuple[str, str],
    max_tokens: int,
) -> Call | None:
    """One call, read to its end; None where it could cost more than may be spent."""
    from qwen_ls.backend.base import AnswerError
    from qwen_ls.call import LEAST_PROMPT_TOKENS, build_request
    from qwen_ls.core.context import build_context
    from qwen_ls.core.prompt import build_prompt
    from qwen_ls.usage import Received

    before, after = hole
    target = recorder.target
    prompt = build_prompt(
        build_context(_document(before + after), len(before), TriggerKind.INVOKED),
        strategy=target.strategy,
        layout=target.layout,
        template=target.template,
        tokens=max(target.prompt_tokens(settings), LEAST_PROMPT_TOKENS),
        stop=target.stop,
    )
    # Digits are a token each with Qwen: the estimate is doubled.
    cost = 2 * estimate_tokens(before + after) + max_tokens
    if sum(call.tokens for call in test.calls) + cost > MAX_TOKENS:
        return None
    recorder.call = call = Call()
    request = build_request(settings, target.model, prompt, target.max_tokens(max_tokens))
    ticket = await books.admit(target, request)
    with contextlib.suppress(BackendError):  # it is in the call
        async with contextlib.aclosing(recorder.stream(request)) as chunks:
            async for _ in chunks:
                pass
    refused = call.error is not None and not isinstance(call.error, AnswerError)
    books.settle(ticket, Received(call.text, call.usage, call.finish_reason, refused=refused))
    return call


def _document(text: str) -> Document:
    return Document("untitled:doctor.py", 0, "python", text)
