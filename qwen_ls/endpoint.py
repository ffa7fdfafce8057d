"""The endpoint as the service sees it: connected when first needed, paused after errors, told about once."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from qwen_ls.backend.base import Action, BackendError, ConfigurationError, LimitError
from qwen_ls.core.breaker import Breaker
from qwen_ls.core.types import Reason, Skip
from qwen_ls.report import Level, Notice, clock_time

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from qwen_ls.backend.base import Backend
    from qwen_ls.backend.plan import Target
    from qwen_ls.settings import Settings

logger = logging.getLogger(__name__)

TELL_AGAIN_S = 600.0
"""A cause of trouble that was mended and has come back is told again after this time, not before."""


class Endpoint:
    """Holds the backend of the settings in force, and the breaker before each endpoint that they had."""

    def __init__(
        self,
        settings: Settings,
        *,
        connect: Callable[[Settings], Backend],
        notify: Callable[[Notice], None],
        clock: Callable[[], float],
        wall: Callable[[], float],
        random: Callable[[], float],
    ) -> None:
        """Keep what is needed to connect; connect nothing.

        Args:
            settings: the settings in force.
            connect: builds the backend; may block and may raise ConfigurationError.
            notify: called with what the user should read.
            clock: seconds, ever growing.
            wall: the time, in seconds since 1970, for what the user reads.
            random: a number from 0 to 1, for the length of pauses.
        """
        self._settings, self._connect, self._notify, self._clock = settings, connect, notify, clock
        self._backend: asyncio.Task[Backend] | None = None
        self._wall, self._random = wall, random
        self._pauses: dict[Hashable, _Pause] = {}
        self._paused = self._pause_of(settings)
        self._told: dict[str, float] = {}
        self._closing: dict[asyncio.Future[None], asyncio.Task[Backend]] = {}

    async def connected(self) -> Backend:
        """The backend of the settings in force, built off the loop: keyrings and imports may block.

        Raises:
            ConfigurationError: the settings cannot work.
        """
        while True:
            connecting = self._backend
            if connecting is None:
                connecting = asyncio.ensure_future(_in_thread(partial(self._connect, self._settings)))
                self._backend = connecting
            await asyncio.wait({connecting})  # unlike the task itself: cancelling a waiter leaves it alone
            if connecting is self._backend:  # else the settings have changed meanwhile
                return connecting.result()

    @property
    def backend(self) -> Backend | None:
        """The backend, if it has been built."""
        connecting = self._backend
        if connecting is None or not connecting.done() or connecting.cancelled() or connecting.exception():
            return None
        return connecting.result()

    @property
    def target(self) -> Target | None:
        """Whom calls go to, once that is known."""
        return self.backend.target if self.backend else None

    async def warm(self) -> None:
        """Connect ahead of the first call, unless none may be made. Never raises."""
        if self.pause():
            return
        try:
            await (await self.connected()).warm()
        except BackendError as error:
            self.failed(error)

    def pause(self) -> Skip | None:
        """Why no call is made now, if none is."""
        remaining_s, text = self.pause_s(), self._paused.breaker.text
        if not remaining_s:
            return None
        if remaining_s == float("inf"):
            return Skip(Reason.NOT_CONFIGURED, text)
        return Skip(Reason.COOLING_DOWN, f"until {self._paused.until}: {text}")

    def is_half_open(self) -> bool:
        """Whether a pause is over and no call has succeeded since: one at a time may be made."""
        return self._paused.breaker.is_half_open(self._clock())

    def pause_s(self) -> float:
        """Seconds until the next call may be made; infinite until the settings change."""
        return self._paused.breaker.remaining_s(self._clock())

    def succeeded(self) -> None:
        """The endpoint has answered. A pause that began after it was asked stands."""
        now_s = self._clock()
        if not self._paused.breaker.remaining_s(now_s):
            self._paused.breaker.reset()
        self._told = {cause: at_s for cause, at_s in self._told.items() if now_s - at_s < TELL_AGAIN_S}

    def failed(self, error: BackendError) -> Skip:
        """Decide what happens next, tell the user once, and decline."""
        logger.info("no answer: %s (request id %s)", error.cause, error.request_id or "none")
        if error.action is Action.STOP:
            self._paused.breaker.stop(error.cause, str(error))
        self.heed(error)
        level = Level.ERROR if error.action is Action.STOP else Level.WARNING
        self.tell(Notice(level, error.cause, str(error)))
        return Skip(_reason(error), str(error))

    def heed(self, error: BackendError) -> None:
        """Pause where an error asks for it, without a word: the request may have its answer all the same."""
        if error.action is not Action.COOL_DOWN:
            return
        now_s, wall_s = self._clock(), self._wall()
        self._paused.breaker.cool_down(error.cause, str(error), now_s, error.retry_after_s)
        remaining_s = self._paused.breaker.remaining_s(now_s)
        if remaining_s < float("inf"):
            self._paused.until = clock_time(wall_s + remaining_s, wall_s)

    def reconfigure(self, settings: Settings) -> None:
        """Take new settings: what only they can mend may be mended, and the old backend is closed.

        A pause that an endpoint was given for a time stands, also where the settings come back to it.
        """
        self._settings = settings
        self._paused = self._pause_of(settings)
        self._told.clear()
        if self._backend:
            backend, self._backend = self._backend, None
            closing = asyncio.ensure_future(_close(backend))
            self._closing[closing] = backend
            closing.add_done_callback(self._closing.pop)

    async def aclose(self) -> None:
        """Free connections and processes. A backend that is still being built is left to its thread."""
        closing = dict(self._closing)
        if self._backend:
            closing[asyncio.ensure_future(_close(self._backend))] = self._backend
        for connecting in closing.values():
            connecting.cancel()
        await asyncio.gather(*closing, return_exceptions=True)

    def _pause_of(self, settings: Settings) -> _Pause:
        """The pause of the settings' endpoint; those of others are kept while they last."""
        now_s, asked = self._clock(), _asked(settings)
        for pause in self._pauses.values():
            pause.breaker.resume()
        self._pauses = {
            one: pause
            for one, pause in self._pauses.items()
            if one == asked or pause.breaker.remaining_s(now_s)
        }
        return self._pauses.setdefault(asked, _Pause(Breaker(self._random)))

    def tell(self, notice: Notice) -> None:
        """Tell the user, unless this very cause has been told and was not mended since."""
        if notice.cause not in self._told:
            self._told[notice.cause] = self._clock()
            self._notify(notice)


@dataclass(slots=True)
class _Pause:
    """Why an endpoint is not asked."""

    breaker: Breaker
    until: str = ""
    """When it ends, as a clock on the wall shows it."""


def _asked(settings: Settings) -> Hashable:
    """What makes an endpoint another one: where it is, which model is asked, and with whose key."""
    return (
        settings.provider,
        settings.region,
        settings.workspace_id,
        settings.base_url,
        settings.protocol,
        settings.model,
        settings.api_key_env,
    )


def _reason(error: BackendError) -> Reason:
    if isinstance(error, ConfigurationError):
        return Reason.NOT_CONFIGURED
    return Reason.LIMITED if isinstance(error, LimitError) else Reason.BACKEND


async def _close(connecting: asyncio.Task[Backend]) -> None:
    await asyncio.wait({connecting})
    if not connecting.cancelled() and connecting.exception() is None:
        await connecting.result().aclose()


async def _in_thread(work: Callable[[], Backend]) -> Backend:
    """As `asyncio.to_thread`, but its thread does not keep the process: a keyring may ask its owner."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[Backend] = loop.create_future()

    def settle(backend: Backend | None, error: Exception | None) -> None:
        if done.cancelled():
            return
        if backend is not None:
            done.set_result(backend)
        else:
            done.set_exception(error or RuntimeError("there is no backend"))

    def run() -> None:
        backend, failure = None, None
        try:
            backend = work()
        except Exception as error:  # it is raised where the backend is awaited
            failure = error
        with contextlib.suppress(RuntimeError):  # the loop was closed meanwhile
            loop.call_soon_threadsafe(settle, backend, failure)

    threading.Thread(target=run, name="qwen-ls-connect", daemon=True).start()
    return await done
