"""A clock that stands still until it is told, and a backend that answers from a script."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import AsyncGenerator, Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from qwen_ls.backend.base import Backend, BackendError
from qwen_ls.backend.plan import Target, resolve
from qwen_ls.core.types import Chunk, Completion, CompletionRequest, Skip, TriggerKind
from qwen_ls.report import Notice, Status
from qwen_ls.service import CompletionService
from qwen_ls.settings import Settings
from tests.marked import marked

INVOKED, AUTOMATIC = TriggerKind.INVOKED, TriggerKind.AUTOMATIC


async def settle() -> None:
    """Let everything that can run, run."""
    for _ in range(20):
        await asyncio.sleep(0)


class FakeClock:
    """Seconds that pass only in `advance`."""

    def __init__(self) -> None:
        self.now_s = 1000.0
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._timers: set[asyncio.Future[None]] = set()

    def __call__(self) -> float:
        return self.now_s

    async def sleep(self, seconds: float) -> None:
        await self._after(seconds)

    def later(self, seconds: float, callback: Callable[[], None]) -> asyncio.Future[None]:
        timer = self._after(seconds)
        self._timers.add(timer)
        timer.add_done_callback(self._timers.discard)
        timer.add_done_callback(lambda done: None if done.cancelled() else callback())
        return timer

    def _after(self, seconds: float) -> asyncio.Future[None]:
        future = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self.now_s + seconds, id(future), future))
        return future

    @property
    def sleepers(self) -> int:
        """Requests that wait for time to pass."""
        return sum(not future.done() for _, _, future in self._sleepers) - self.timers

    @property
    def timers(self) -> int:
        """What is to be called later."""
        return sum(not timer.done() for timer in self._timers)

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
        self.n_warmed = 0
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
        self.n_warmed += 1

    async def aclose(self) -> None:
        self.closed = True


WAIT = object()
NOON_S = datetime(2026, 11, 20, 12).astimezone().timestamp()
"""What the clock on the wall shows at first, in seconds since 1970."""


class Stage:
    """A service with everything around it scripted."""

    def __init__(
        self,
        *,
        ledger: Path | None = None,
        price: Any = None,
        **settings: Any,
    ) -> None:
        self.clock = FakeClock()
        self.settings = Settings(**settings)
        self.backend = ScriptedBackend(resolve(self.settings))
        self.notices: list[Notice] = []
        self.statuses: list[Status] = []
        self.ledger = (lambda: ledger) if ledger else None
        self.price = price
        self.service = self.serving(self.connect)

    def serving(self, connect: Callable[[Settings], Backend]) -> CompletionService:
        """A service that is connected otherwise, with the same things around it."""
        return CompletionService(
            self.settings,
            connect=connect,
            notify=self.notices.append,
            on_status=self.statuses.append,
            clock=self.clock,
            sleep=self.clock.sleep,
            ledger=self.ledger,
            price=self.price,
            random=lambda: 1.0,
            later=self.clock.later,
            wall=lambda: NOON_S + self.clock() - 1000,
        )

    def connect(self, settings: Settings) -> ScriptedBackend:
        self.backend.target = resolve(settings)
        self.backend.partial = self.backend.target.in_partial_mode()
        return self.backend


async def ask(stage: Stage, picture: str, trigger: TriggerKind = AUTOMATIC, **more: Any) -> Completion | Skip:
    """One request, with all the time it needs."""
    task = start(stage, picture, trigger, **more)
    for _ in range(100):
        await settle()
        if task.done():
            break
        if stage.clock.sleepers:
            await stage.clock.advance(10)
        await asyncio.sleep(0.001)  # the backend is built in a thread
    return await asyncio.wait_for(task, 5)


def start(
    stage: Stage,
    picture: str,
    trigger: TriggerKind = AUTOMATIC,
    *,
    uri: str = "file:///p/a.py",
    **more: Any,
) -> asyncio.Task[Any]:
    return asyncio.create_task(stage.service.complete(*marked(picture, uri=uri), trigger, **more))


async def until(condition: Any) -> None:
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.001)
