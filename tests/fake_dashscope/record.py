"""The requests as the fake remembers them, and a flag that both threads and coroutines can wait for."""

from __future__ import annotations

import asyncio
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .call import Call
    from .http import HttpRequest


class Signal:
    """Something that happens once.  Set from the fake's loop; waited for from any loop or thread."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self._lock = threading.Lock()
        self._waiters: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []

    def set(self) -> None:
        """It has happened."""
        with self._lock:
            self._event.set()
            waiters, self._waiters = self._waiters, []
        for loop, event in waiters:
            if not loop.is_closed():
                loop.call_soon_threadsafe(event.set)

    def is_set(self) -> bool:
        """Whether it has happened."""
        return self._event.is_set()

    async def wait(self, timeout: float = 30) -> None:
        """Wait in a coroutine; TimeoutError after ``timeout`` seconds."""
        event = asyncio.Event()
        with self._lock:
            if self._event.is_set():
                return
            self._waiters.append((asyncio.get_running_loop(), event))
        async with asyncio.timeout(timeout):
            await event.wait()

    def wait_sync(self, timeout: float = 30) -> None:
        """Wait in a thread; TimeoutError after ``timeout`` seconds."""
        if not self._event.wait(timeout):
            raise TimeoutError


def redacted(headers: dict[str, str]) -> dict[str, str]:
    """The headers without the key."""
    secret = {"authorization": "Bearer ***", "x-api-key": "***", "api-key": "***"}
    return {name: secret.get(name, value) for name, value in headers.items()}


@dataclass(slots=True)
class Recorded:
    """One request, kept for assertions."""

    number: int
    """Order of arrival, from 0."""
    method: str
    path: str
    headers: dict[str, str]
    """Names in lower case, the key redacted."""
    body: Any
    """The JSON body, or None."""
    raw_body: bytes
    arrived: float = field(default_factory=time.monotonic)
    call: Call | None = None
    """What the fake understood: prefix, suffix, model …; None for what it could not read."""
    status: int = 0
    """The HTTP status that was sent; 0 until then."""
    chunks: int = 0
    """Text events sent so far."""
    cancelled: Signal = field(default_factory=Signal)
    """The client closed the connection before the answer was complete."""
    cancelled_at: float | None = None
    """When (monotonic seconds)."""
    finished: Signal = field(default_factory=Signal)
    """The fake is done with this request, in whatever way."""

    @classmethod
    def of(cls, number: int, request: HttpRequest, body: Any) -> Recorded:
        """The record of an HTTP request."""
        return cls(number, request.method, request.path, redacted(request.headers), body, request.body)

    @property
    def model(self) -> str:
        """The model asked for."""
        return str(self.body.get("model", "")) if isinstance(self.body, dict) else ""

    @property
    def prefix(self) -> str:
        """The text before the cursor, as the fake read it from the prompt."""
        return self.call.prefix if self.call else ""

    @property
    def suffix(self) -> str:
        """The text after the cursor (only FIM prompts have one)."""
        return self.call.suffix if self.call else ""

    def close_early(self) -> None:
        """The client has gone."""
        self.cancelled_at = time.monotonic()
        self.cancelled.set()

    def as_json(self) -> dict[str, Any]:
        """For the admin route."""
        return {
            "number": self.number,
            "method": self.method,
            "path": self.path,
            "headers": self.headers,
            "body": self.body,
            "arrived": self.arrived,
            "prefix": self.prefix,
            "suffix": self.suffix,
            "status": self.status,
            "chunks": self.chunks,
            "cancelled": self.cancelled.is_set(),
            "cancelled_at": self.cancelled_at,
            "finished": self.finished.is_set(),
        }
