"""The calls in flight, by document: which one a request joins, which are closed, and how many may live."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from qwen_ls.core.types import Reason

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from qwen_ls.core.types import CompletionContext
    from qwen_ls.flight import Flight

LIVE = 2
"""How many calls a document has at once, at most: one that a request waits for, and one for the cache."""
LINGER_S = 0.5
"""How long a call lives that nobody waits for: VS Code cancels at each key, and asks again 50 ms after it."""


class Flights:
    """The calls in flight of all documents, the newest first."""

    def __init__(self, sleep: Callable[[float], Awaitable[None]]) -> None:
        """Begin with none.

        Args:
            sleep: waits for seconds.
        """
        self._sleep = sleep
        self._flights: dict[str, list[Flight]] = {}
        self._lingering: set[asyncio.Task[None]] = set()

    def of(self, uri: str) -> list[Flight]:
        """A document's open calls."""
        return [flight for flight in self._flights.get(uri, ()) if flight.is_open]

    def others(self, uri: str) -> bool:
        """Whether a call is on its way for another document."""
        return any(self.of(other) for other in self._flights if other != uri)

    def join(self, context: CompletionContext) -> tuple[Flight, str] | None:
        """The call that says what was typed since, and what that was. Those that cannot any more are closed.

        A call for a place that is still in the document, where the cursor is not now, goes on for the cache.
        """
        for flight in self.of(context.document.uri):
            if (typed := flight.typed(context)) is not None:
                return flight, typed
            if not flight.is_of_use(context):
                flight.abandon(Reason.SUPERSEDED)
        return None

    def add(self, uri: str, flight: Flight, *, alone: bool) -> None:
        """Take a new call; older ones are closed until no more than `LIVE`, or this one alone, are left."""
        for other in self.of(uri)[0 if alone else LIVE - 1 :]:
            other.abandon(Reason.SUPERSEDED)
        self._flights[uri] = [flight, *self._flights.get(uri, ())]

    def remove(self, uri: str, flight: Flight) -> None:
        """A call has ended."""
        left = [other for other in self._flights.pop(uri, ()) if other is not flight]
        if left:
            self._flights[uri] = left

    def leave(self, flight: Flight, *, at_once: bool) -> None:
        """A request does not wait for this call any more; if no other does in time, it is closed.

        Args:
            flight: the call.
            at_once: whether to wait no longer than until a request that is there already has joined.
        """
        task = asyncio.ensure_future(self._close_if_unwanted(flight, at_once=at_once))
        self._lingering.add(task)
        task.add_done_callback(self._lingering.discard)

    async def _close_if_unwanted(self, flight: Flight, *, at_once: bool) -> None:
        await (asyncio.sleep(0) if at_once else self._sleep(LINGER_S))
        if flight.is_open and not flight.is_awaited and not flight.candidate.shown:
            flight.abandon()

    def abandon(self, uri: str | None = None) -> list[Flight]:
        """Close the calls of a document, or of all, and return them."""
        uris = list(self._flights) if uri is None else [uri]
        flights = [flight for one in uris for flight in self._flights.get(one, ())]
        for flight in flights:
            flight.abandon()
        return flights

    async def aclose(self) -> None:
        """Close all, and wait until they are closed."""
        for task in self._lingering:
            task.cancel()
        await asyncio.gather(*(flight.closed() for flight in self.abandon()))
