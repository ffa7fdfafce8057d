"""An event loop whose clock jumps: what would take an hour takes as long as its computing does.

Where nothing is ready, the clock is set to the next timer instead of waiting for it. Work that was handed to
a thread takes no time at all: the clock stands still until it is back.
"""

from __future__ import annotations

import asyncio
import selectors
from typing import TYPE_CHECKING, Any, TypeVar, TypeVarTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from concurrent.futures import Executor

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class _JumpingSelector(selectors.DefaultSelector):
    """Looks at what is ready, and lets the time pass at once where nothing is."""

    def __init__(self) -> None:
        super().__init__()
        self.now_s = 0.0
        self.n_threads = 0
        """How much work is out in threads."""

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """What is ready. Only a thread, or a socket while no timer is set, is really waited for."""
        if timeout is None or (self.n_threads and timeout > 0):
            return super().select(None)
        ready = super().select(0)
        if not ready:
            self.now_s += max(timeout, 0.0)
        return ready


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """An event loop in virtual time; `time` begins at 0. For code whose only waiting is for timers."""

    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)

    def time(self) -> float:
        """Virtual seconds."""
        return self._jumping.now_s

    def run_in_executor(
        self, executor: Executor | None, func: Callable[[*Ts], T], *args: *Ts
    ) -> asyncio.Future[T]:
        """As the base class, and the clock stands still meanwhile."""
        future = super().run_in_executor(executor, func, *args)
        self._jumping.n_threads += 1
        future.add_done_callback(self._is_back)
        return future

    def _is_back(self, _: asyncio.Future[Any]) -> None:
        self._jumping.n_threads -= 1


def run(main: Coroutine[Any, Any, T]) -> T:
    """As `asyncio.run`, in virtual time."""
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        return runner.run(main)
