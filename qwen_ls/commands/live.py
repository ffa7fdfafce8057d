"""One tiny completion of a hole whose filling is known, and what was seen on the way."""

from __future__ import annotations

import contextlib
import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from qwen_ls.backend.base import BackendError
from qwen_ls.core.types import Document, Skip, TriggerKind

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from qwen_ls.backend.base import Backend
    from qwen_ls.backend.plan import Target
    from qwen_ls.core.types import Chunk, CompletionRequest
    from qwen_ls.settings import Settings

BEFORE = 'def add(a, b):\n    """Return the sum of a and b."""\n    return '
AFTER = '\n\n\ndef subtract(a, b):\n    """Return a less b."""\n    return a - b\n'
EXPECTED = ("a + b", "b + a", "sum((a, b))", "sum([a, b])")


@dataclass(slots=True)
class LiveTest:
    """What was seen."""

    text: str = ""
    """What an editor would have shown."""
    error: BackendError | None = None
    refused: BackendError | None = None
    """Why the model was not asked to fill in the middle, where partial mode has answered instead."""
    first_token_ms: float | None = None
    total_ms: float = 0.0
    n_chunks: int = 0
    """How many pieces with text came."""
    streamed: bool = True
    prompt_tokens: int = 0
    completion_tokens: int = 0
    expected: str = EXPECTED[0]

    @property
    def makes_sense(self) -> bool:
        """Whether the hole was filled with what belongs there."""
        return "".join(self.text.split("\n")[0].split()) in {"".join(one.split()) for one in EXPECTED}

    @property
    def shown(self) -> str:
        """The answer as a message has it."""
        return json.dumps(self.text[:60], ensure_ascii=False)


class _Recorder:
    """A backend that passes everything on and takes notes."""

    def __init__(self, backend: Backend, test: LiveTest, clock: Callable[[], float]) -> None:
        self._backend, self._test, self._clock = backend, test, clock

    @property
    def target(self) -> Target:
        return self._backend.target

    @property
    def partial(self) -> Target | None:
        return self._backend.partial

    def forgo_fim(self) -> None:
        self._test.refused, self._test.error = self._test.error, None
        self._backend.forgo_fim()

    async def stream(self, request: CompletionRequest) -> AsyncGenerator[Chunk, None]:
        began_s, test = self._clock(), self._test
        test.streamed = request.stream
        try:
            async with contextlib.aclosing(self._backend.stream(request)) as chunks:
                async for chunk in chunks:
                    if chunk.text:
                        test.n_chunks += 1
                        if test.first_token_ms is None:
                            test.first_token_ms = (self._clock() - began_s) * 1000
                    if chunk.usage is not None:
                        test.prompt_tokens = chunk.usage.prompt_tokens
                        test.completion_tokens = chunk.usage.completion_tokens
                    yield chunk
        except BackendError as error:
            test.error = error
            raise
        finally:
            test.total_ms = (self._clock() - began_s) * 1000

    async def warm(self) -> None:
        try:
            await self._backend.warm()
        except BackendError as error:
            self._test.error = error
            raise

    async def aclose(self) -> None:
        await self._backend.aclose()


async def ask(
    settings: Settings, connect: Callable[[Settings], Backend], clock: Callable[[], float] = time.perf_counter
) -> LiveTest:
    """Make the call, by the same way that an editor's requests take.

    Args:
        settings: the settings in force.
        connect: builds the backend.
        clock: seconds.
    """
    from qwen_ls.service import CompletionService

    test = LiveTest()

    def recorded(wanted: Settings) -> Backend:
        try:
            return _Recorder(connect(wanted), test, clock)
        except BackendError as error:
            test.error = error
            raise

    service = CompletionService(settings, connect=recorded)
    document = Document("untitled:doctor.py", 0, "python", BEFORE + AFTER)
    try:
        await service.warm()
        result = await service.complete(document, len(BEFORE), TriggerKind.INVOKED)
    finally:
        await service.aclose()
    test.text = "" if isinstance(result, Skip) else result.text
    return test
