"""The endpoint as the service sees it: connected when first needed, paused after errors, told about once."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING, Any

from qwen_ls.backend.base import Action, BackendError, ConfigurationError, RateLimitError
from qwen_ls.core.breaker import Breaker
from qwen_ls.core.types import Reason, Skip
from qwen_ls.report import Level, Notice

if TYPE_CHECKING:
    from collections.abc import Callable

    from qwen_ls.backend.base import Backend
    from qwen_ls.settings import Settings

logger = logging.getLogger(__name__)

TELL_AGAIN_S = 600.0
"""A cause of trouble that has come back is told again after this time, not before."""


class Endpoint:
    """Holds the backend of the settings in force, and the breaker before it."""

    def __init__(
        self,
        settings: Settings,
        *,
        connect: Callable[[Settings], Backend],
        notify: Callable[[Notice], None],
        clock: Callable[[], float],
    ) -> None:
        """Keep what is needed to connect; connect nothing.

        Args:
            settings: the settings in force.
            connect: builds the backend; may block and may raise ConfigurationError.
            notify: called with what the user should read.
            clock: seconds, ever growing.
        """
        self._settings, self._connect, self._notify, self._clock = settings, connect, notify, clock
        self._backend: asyncio.Task[Backend] | None = None
        self._breaker = Breaker()
        self._told: dict[str, float] = {}
        self._closing: set[asyncio.Future[Any]] = set()

    async def connected(self) -> Backend:
        """The backend, built off the loop at its first use: keyrings and imports may block.

        Raises:
            ConfigurationError: the settings cannot work.
        """
        if self._backend is None:
            self._backend = asyncio.ensure_future(asyncio.to_thread(self._connect, self._settings))
        return await asyncio.shield(self._backend)

    async def warm(self) -> None:
        """Connect ahead of the first call. Never raises."""
        try:
            await (await self.connected()).warm()
        except BackendError as error:
            self.failed(error)

    def pause(self) -> Skip | None:
        """Why no call is made now, if none is."""
        remaining_s = self.pause_s()
        if not remaining_s:
            return None
        reason = Reason.COOLING_DOWN if remaining_s < float("inf") else Reason.NOT_CONFIGURED
        return Skip(reason, self._breaker.cause)

    def pause_s(self) -> float:
        """Seconds until the next call may be made; infinite until the settings change."""
        return self._breaker.remaining_s(self._clock())

    def succeeded(self) -> None:
        """The endpoint has answered."""
        self._breaker.reset()

    def failed(self, error: BackendError) -> Skip:
        """Decide what happens next, tell the user once, and decline."""
        logger.info("no answer: %s (request id %s)", error.cause, error.request_id or "none")
        if error.action is Action.STOP:
            self._breaker.stop(str(error))
        elif error.action is Action.COOL_DOWN:
            wish_s = error.retry_after_s if isinstance(error, RateLimitError) else None
            self._breaker.cool_down(str(error), self._clock(), wish_s)
        level = Level.ERROR if error.action is Action.STOP else Level.WARNING
        self.tell(Notice(level, error.cause, str(error)))
        reason = Reason.NOT_CONFIGURED if isinstance(error, ConfigurationError) else Reason.BACKEND
        return Skip(reason, str(error))

    def reconfigure(self, settings: Settings) -> None:
        """Take new settings: pauses and told causes are forgotten, the old backend is closed."""
        self._settings = settings
        self._breaker.reset()
        self._told.clear()
        if self._backend:
            closing = asyncio.ensure_future(_close(self._backend))
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)
            self._backend = None

    async def aclose(self) -> None:
        """Free connections and processes."""
        if self._backend:
            backend, self._backend = self._backend, None
            await _close(backend)
        await asyncio.gather(*self._closing, return_exceptions=True)

    def tell(self, notice: Notice) -> None:
        """Tell the user, unless this very cause has been told lately."""
        now_s = self._clock()
        if now_s - self._told.get(notice.cause, float("-inf")) >= TELL_AGAIN_S:
            self._told[notice.cause] = now_s
            self._notify(notice)


async def _close(connecting: asyncio.Task[Backend]) -> None:
    with contextlib.suppress(BackendError):
        await (await connecting).aclose()
