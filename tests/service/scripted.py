"""A clock that stands still until it is told, and a backend that answers from a script."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import AsyncGenerator
from typing import Any

from qwen_ls.backend.base import BackendError
from qwen_ls.backend.plan import Target, resolve
from qwen_ls.core.types import Chunk, CompletionRequest
from qwen_ls.report import Notice, Status
from qwen_ls.service import CompletionService
from qwen_ls.settings import Settings


async def settle() -> None:
    """Let everything that can run, run."""
    for _ in range(20):
        await asyncio.sleep(0)


class FakeClock:
    """Seconds that pass only in `advance`."""

    def __init__(self) -> None:
        self.now_s = 1000.0
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []

    def __call__(self) -> float:
        return self.now_s

    async def sleep(self, seconds: float) -> None:
        future = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self.now_s + seconds, id(future), future))
        await future

    @property
    def sleepers(self) -> int:
        return sum(not future.done() for _, _, future in self._sleepers)

    async def advance(self, seconds: float) -> None:
        await settle()
        end_s = self.now_s + seconds
        while self._sleepers and self._sleepers[0][0] <= end_s:
            self.now_s, _, future = heapq.heappop(self._sleepers)
            if not future.done():
                future.set_result(None)
            await settle()
        self.now_s = end_s


class ScriptedBackend:
    """Answers each request with the next item of `script`: chunks, or an error, or a wait for `release`."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self.partial = target.in_partial_mode()
        self.script: list[Any] = []
        self.requests: list[CompletionRequest] = []
        self.closed_early = 0
        self.live = 0
        self.closed = False
        self.release = asyncio.Event()

    def forgo_fim(self) -> None:
        self.target = self.partial

    async def stream(self, request: CompletionRequest) -> AsyncGenerator[Chunk, None]:
        self.requests.append(request)
        item = self.script.pop(0) if self.script else "answer"
        pieces = item if isinstance(item, list) else [item]
        self.live += 1
        ended = False
        try:
            for piece in pieces:
                if isinstance(piece, BackendError):
                    raise piece
                if piece is WAIT:
                    await self.release.wait()
                else:
                    yield piece if isinstance(piece, Chunk) else Chunk(piece)
            if not (isinstance(pieces[-1], Chunk) and pieces[-1].finish_reason):
                yield Chunk("", "stop")
            ended = True
        finally:
            self.live -= 1
            self.closed_early += not ended

    async def warm(self) -> None:
        pass

    async def aclose(self) -> None:
        self.closed = True


WAIT = object()


class Stage:
    """A service with everything around it scripted."""

    def __init__(self, **settings: Any) -> None:
        self.clock = FakeClock()
        self.settings = Settings(**settings)
        self.backend = ScriptedBackend(resolve(self.settings))
        self.notices: list[Notice] = []
        self.statuses: list[Status] = []
        self.service = CompletionService(
            self.settings,
            connect=self.connect,
            notify=self.notices.append,
            on_status=self.statuses.append,
            clock=self.clock,
            sleep=self.clock.sleep,
        )

    def connect(self, settings: Settings) -> ScriptedBackend:
        self.backend.target = resolve(settings)
        self.backend.partial = self.backend.target.in_partial_mode()
        return self.backend
