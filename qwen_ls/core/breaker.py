"""When no call is made: after errors that another would only repeat. Pure: the caller brings the time."""

from __future__ import annotations

FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 60.0


class Breaker:
    """One endpoint's breaker. Closed: calls are made. Open: until a time, or until it is reset."""

    def __init__(self) -> None:
        self._failures = 0
        self._open_until_s = 0.0
        self.cause = ""
        """Why it is open, for the user."""

    def remaining_s(self, now_s: float) -> float:
        """Seconds until the next call may be made; infinite after an error that only new settings mend."""
        return max(0.0, self._open_until_s - now_s)

    def stop(self, cause: str) -> None:
        """No more calls until `reset`."""
        self._open_until_s, self.cause = float("inf"), cause

    def cool_down(self, cause: str, now_s: float, retry_after_s: float | None = None) -> float:
        """No calls for a while, longer each time; returns the seconds. The endpoint's own wish wins."""
        pause_s = retry_after_s
        if pause_s is None:
            pause_s = min(FIRST_PAUSE_S * 2**self._failures, LONGEST_PAUSE_S)
        self._failures = min(self._failures + 1, 30)
        self._open_until_s, self.cause = max(self._open_until_s, now_s + pause_s), cause
        return pause_s

    def reset(self) -> None:
        """The endpoint answered, or the settings changed."""
        self._failures, self._open_until_s, self.cause = 0, 0.0, ""
