"""How long a coroutine computes: the time between its waits, whatever clock the event loop has."""

from __future__ import annotations

import time
import types
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Coroutine, Generator

T = TypeVar("T")


class Stopwatch:
    """Runs while the coroutine that is awaited through it does."""

    def __init__(self) -> None:
        self.seconds = 0.0

    @types.coroutine
    def timed(self, work: Coroutine[Any, Any, T]) -> Generator[Any, Any, T]:
        """Await `work`, and add the time that it computes to `seconds`."""
        value: Any = None
        error: BaseException | None = None
        while True:
            began_s = time.perf_counter()
            try:
                waited_for = work.throw(error) if error else work.send(value)
            except StopIteration as done:
                result: T = done.value
                return result
            finally:
                self.seconds += time.perf_counter() - began_s
            value = error = None
            try:
                value = yield waited_for
            except BaseException as thrown:  # what is cancelled is the work, and it may mind
                error = thrown
