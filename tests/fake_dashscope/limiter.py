"""The rate limits per model: RPM, RPM/60 in one second, TPM (notes §4.5)."""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from .models import Model


class RateLimiter:
    """Counts the requests and tokens of the last minute, for each model."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._seen: dict[str, deque[tuple[float, int]]] = {}

    def check(self, model: Model, tokens: int) -> str:
        """Count one request; '' or, when it is one too many (and not counted), the fault's name."""
        now = self._clock()
        seen = self._seen.setdefault(model.name, deque())
        while seen and seen[0][0] <= now - 60:
            seen.popleft()
        in_second = sum(1 for at, _ in seen if at > now - 1)
        if len(seen) >= model.rpm or in_second >= max(1, model.rpm // 60):
            return "rate_limit"
        if sum(count for _, count in seen) + tokens > model.tpm:
            return "quota"
        seen.append((now, tokens))
        return ""

    def clear(self) -> None:
        """Forget everything."""
        self._seen.clear()
