"""Blocking work beside the event loop, in threads that never hold up the end of the process."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


async def run_blocking(
    work: Callable[[threading.Event], T], *, discard: Callable[[T], None] = lambda result: None
) -> T:
    """Await what `work` returns.

    Args:
        work: called in a thread of its own with an event that is set when nobody waits any more; it should
            then end soon.
        discard: called with a result that nobody waits for any more.
    """
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()
    stop = threading.Event()

    def settle(result: T | None, error: BaseException | None) -> None:
        if future.done():
            if error is None:
                discard(result)  # type: ignore[arg-type]
        elif error is not None:
            future.set_exception(error)
        else:
            future.set_result(result)  # type: ignore[arg-type]

    def run() -> None:
        result: T | None = None
        error: BaseException | None = None
        try:
            result = work(stop)
        except BaseException as exc:
            error = exc
        try:
            loop.call_soon_threadsafe(settle, result, error)
        except RuntimeError:  # the loop is closed
            with contextlib.suppress(Exception):
                if error is None:
                    discard(result)  # type: ignore[arg-type]

    threading.Thread(target=run, name="qwen-ls local", daemon=True).start()
    try:
        return await future
    finally:
        stop.set()
