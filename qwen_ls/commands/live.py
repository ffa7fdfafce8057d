"""A few small calls of holes whose fillings are known, and what was seen on the way.

The first goes the whole way that an editor's request takes; the others ask the backend. Together they cost
less than `MAX_TOKENS` tokens.
"""

from __future__ import annotations

import functools
import json
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from qwen_ls.backend.base import BackendError
from qwen_ls.commands.calls import Call, Recorder, ask_once
from qwen_ls.core.budget import estimate_tokens
from qwen_ls.core.types import Document, Skip, TriggerKind

if TYPE_CHECKING:
    from collections.abc import Callable

    from qwen_ls.backend.base import Backend
    from qwen_ls.books import Books
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

    test, made = LiveTest(), list[Recorder]()
    books = Books(replace(settings, limits={}), file=ledger_path, price=price, notify=lambda _: None)

    def recorded(wanted: Settings) -> Backend:
        try:
            made.append(Recorder(connect(wanted), clock))
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


async def _ask_more(test: LiveTest, recorder: Recorder, settings: Settings, books: Books) -> None:
    """The calls that the backend is asked directly."""
    measure = functools.partial(_measure, test, recorder, settings, books)
    test.suffix = await measure((SUFFIX_BEFORE, SUFFIX_AFTER), 24)
    test.long = await measure((LONG_BEFORE, LONG_AFTER), 48)
    if test.long is not None and test.long.error is None:
        test.repeat = await measure((LONG_BEFORE, LONG_AFTER), 2)


async def _measure(
    test: LiveTest,
    recorder: Recorder,
    settings: Settings,
    books: Books,
    hole: tuple[str, str],
    max_tokens: int,
) -> Call | None:
    """One call, read to its end; None where it could cost more than may be spent."""
    from qwen_ls.call import LEAST_PROMPT_TOKENS, build_request, prompt_for
    from qwen_ls.core.context import build_context

    before, after = hole
    target = recorder.target
    context = build_context(_document(before + after), len(before), TriggerKind.INVOKED)
    prompt = prompt_for(target, context, max(target.prompt_tokens(settings), LEAST_PROMPT_TOKENS))
    # Digits are a token each with Qwen: the estimate is doubled.
    cost = 2 * estimate_tokens(before + after) + max_tokens
    if sum(call.tokens for call in test.calls) + cost > MAX_TOKENS:
        return None
    request = build_request(settings, target.model, prompt, target.max_tokens(max_tokens))
    return await ask_once(recorder, request, books)


def _document(text: str) -> Document:
    return Document("untitled:doctor.py", 0, "python", text)
