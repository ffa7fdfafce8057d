"""Tasks that are cancelled by an anyio scope, when it is safe, and never by `Task.cancel`.

httpcore 1.0.9 guards its connections with anyio's shields, which a plain cancel passes. One that lands
between "connected" and "request sent", or while a response is being closed, leaves a connection in the pool
for ever, and its socket open (encode/httpcore#1093). A scope waits those moments out. Making a connection
has no shield: a cancel at its very end loses the socket, so such moments are held. Whoever cancels waits
for none of this.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from qwen_ls.backend.base import BackendError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    import anyio

T = TypeVar("T")


class ScopedCall(Generic[T]):
    """One task in progress, and what it hands out."""

    def __init__(self, scope: anyio.CancelScope) -> None:
        self._scope = scope
        self._items: asyncio.Queue[T | BaseException | None] = asyncio.Queue()
        self._is_held = False
        self._is_unwanted = False

    def put(self, item: T) -> None:
        """Hand out an item."""
        self._items.put_nowait(item)

    async def get(self) -> T | None:
        """The next item; None after the last one.

        Raises:
            Exception: what ended the task, in the place of an item.
        """
        item = await self._items.get()
        if isinstance(item, BaseException):
            raise item
        return item

    def cancel(self) -> None:
        """Stop the task as soon as that is safe. Does not wait; does nothing when it has ended."""
        self._is_unwanted = True
        if not self._is_held:
            self._scope.cancel()

    def cancel_now(self) -> None:
        """Stop the task even where it is held."""
        self._is_held = False
        self.cancel()

    async def hold(self) -> None:
        """From within the task: it cannot be stopped safely from here on. The last moment to stop it."""
        if self._is_unwanted:
            import anyio.lowlevel

            await anyio.lowlevel.checkpoint()
        self._is_held = True

    def release(self) -> None:
        """From within the task: it can be stopped again."""
        self._is_held = False
        if self._is_unwanted:
            self._scope.cancel()

    async def run(self, work: Callable[[ScopedCall[T]], Coroutine[Any, Any, None]]) -> None:
        """The task itself."""
        try:
            with self._scope:
                await work(self)
            if self._scope.cancelled_caught:  # who still reads learns that this is not the end
                raise BackendError("The connection has been closed", cause="closed")
        except Exception as error:  # it is raised where the items are awaited
            self._items.put_nowait(error)
        finally:
            self._items.put_nowait(None)


class ScopedCalls:
    """The tasks in progress."""

    def __init__(self) -> None:
        self._running: dict[asyncio.Task[None], ScopedCall[Any]] = {}

    def __len__(self) -> int:
        return len(self._running)

    def start(self, work: Callable[[ScopedCall[T]], Coroutine[Any, Any, None]]) -> ScopedCall[T]:
        """Begin a task; anyio must have been imported already where time matters."""
        import anyio

        call: ScopedCall[T] = ScopedCall(anyio.CancelScope())
        task = asyncio.ensure_future(call.run(work))
        self._running[task] = call
        task.add_done_callback(self._running.pop)
        return call

    async def aclose(self) -> None:
        """Cancel all tasks and wait for their end."""
        for call in self._running.values():
            call.cancel_now()
        if self._running:
            await asyncio.wait(list(self._running))
