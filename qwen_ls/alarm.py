"""A timer that is set anew each time somebody looks, and rings once."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

LONGEST_S = 60.0
"""When it rings at the latest, to look again: a machine may sleep, and a clock on the wall be set."""


class Handle(Protocol):
    """What is to come, and can be called off."""

    def cancel(self) -> None:
        """Call it off."""


class Alarm:
    """Rings when the time that it was last set to has passed.

    Args:
        ring: called then, in the event loop.
        later: calls something after so many seconds; by default the event loop does.
    """

    def __init__(
        self,
        ring: Callable[[], None],
        later: Callable[[float, Callable[[], None]], Handle] | None = None,
    ) -> None:
        self._ring = ring
        self._later = later or _in_loop
        self._handle: Handle | None = None

    def set(self, seconds: float) -> None:
        """Ring in so many seconds, and not when it was set to before; 0 and infinity: not at all."""
        if self._handle:
            self._handle.cancel()
        rings = 0 < seconds < float("inf")
        self._handle = self._later(min(seconds, LONGEST_S), self._ring) if rings else None


def _in_loop(seconds: float, ring: Callable[[], None]) -> Handle:
    return asyncio.get_running_loop().call_later(seconds, ring)
