"""When no call is made: after errors that another would only repeat. Pure: the caller brings time and chance.

One endpoint has one breaker, and each cause of trouble in it a circuit of its own: a gateway that fails now
and then does not lengthen the pauses that a rate limit asks for. Closed: calls are made. Open: none, until a
time or until `resume`. Half open, once the time has passed: one call, whose end decides.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 60.0
LONGEST_WISH_S = 300.0
"""The longest pause that an endpoint gets by asking for it; then it is asked whether it still wants one."""
_MOST_FAILURES = 30


@dataclass(slots=True)
class _Circuit:
    text: str
    failures: int = 0
    open_until_s: float = 0.0


class Breaker:
    """One endpoint's breaker.

    Args:
        random: a number from 0 to 1; pauses are shortened by up to half, so that the servers of many users
            do not come back in the same instant.
    """

    def __init__(self, random: Callable[[], float] = lambda: 1.0) -> None:
        self._random = random
        self._circuits: dict[str, _Circuit] = {}

    @property
    def text(self) -> str:
        """Why it is open, for the user: the reason that holds longest."""
        longest = max(self._circuits.values(), key=lambda circuit: circuit.open_until_s, default=None)
        return longest.text if longest else ""

    def remaining_s(self, now_s: float) -> float:
        """Seconds until the next call may be made; infinite after an error that only new settings mend."""
        return max([0.0, *(circuit.open_until_s - now_s for circuit in self._circuits.values())])

    def is_half_open(self, now_s: float) -> bool:
        """Whether a pause is over and no call has succeeded since: one at a time may be made."""
        return bool(self._circuits) and not self.remaining_s(now_s)

    def stop(self, cause: str, text: str) -> None:
        """No more calls until `resume`."""
        self._circuits[cause] = _Circuit(text, open_until_s=float("inf"))

    def cool_down(self, cause: str, text: str, now_s: float, retry_after_s: float | None = None) -> float:
        """No calls for a while, longer each time the cause comes back; the endpoint's own wish wins.

        Calls that were on their way when the circuit opened fail for the same reason: they do not make it
        longer. To wait no time at all is no wish: a date in it may be a clock's that is behind ours.

        Args:
            cause: a stable id.
            text: why, for the user.
            now_s: the time.
            retry_after_s: how long the endpoint asked to wait.

        Returns:
            The pause, in seconds.
        """
        circuit = self._circuits.setdefault(cause, _Circuit(text))
        if retry_after_s is not None and retry_after_s > 0:
            pause_s = min(retry_after_s, LONGEST_WISH_S)
        elif circuit.open_until_s > now_s:
            return circuit.open_until_s - now_s
        else:
            longest_s = min(FIRST_PAUSE_S * 2.0**circuit.failures, LONGEST_PAUSE_S)
            pause_s = longest_s * (0.5 + 0.5 * self._random())
        circuit.text = text
        if circuit.open_until_s <= now_s:
            circuit.failures = min(circuit.failures + 1, _MOST_FAILURES)
        circuit.open_until_s = max(circuit.open_until_s, now_s + pause_s)
        return pause_s

    def resume(self) -> None:
        """The settings changed: what only they can mend may be mended. Other pauses stand."""
        self._circuits = {
            cause: circuit
            for cause, circuit in self._circuits.items()
            if circuit.open_until_s != float("inf")
        }

    def reset(self) -> None:
        """The endpoint answered."""
        self._circuits.clear()
