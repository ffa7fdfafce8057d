"""The backend of the provider `local`: an HTTP backend whose endpoint is made on first need.

A download never makes a request wait; an engine that is being loaded does, for a while.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from qwen_ls.backend.base import AuthenticationError, NotReadyError, UnreachableError
from qwen_ls.backend.plan import resolve
from qwen_ls.local import weights
from qwen_ls.local.errors import EngineError
from qwen_ls.local.lease import Lease, acquire
from qwen_ls.local.paths import log_path
from qwen_ls.local.threads import run_blocking
from qwen_ls.local.weights import MODEL, megabytes

if TYPE_CHECKING:
    import threading
    from collections.abc import AsyncGenerator, Callable
    from pathlib import Path

    from qwen_ls.backend.base import Backend
    from qwen_ls.backend.plan import Target
    from qwen_ls.backend.presets import LocalEndpoint
    from qwen_ls.core.types import Chunk, CompletionRequest
    from qwen_ls.local.weights import Progress
    from qwen_ls.settings import Settings

    Say = Callable[[str], None]

logger = logging.getLogger(__name__)

PATIENCE_S = 20.0
_LOST = (UnreachableError, AuthenticationError)


@dataclass(frozen=True, slots=True)
class Steps:
    """The blocking steps towards an engine, each with an event that is set when it is not needed any more."""

    find: Callable[[threading.Event], Path | None] = lambda stop: weights.find(stop=stop)
    ensure: Callable[[Progress, threading.Event], Path] = lambda progress, stop: weights.ensure(
        on_progress=progress, stop=stop
    )
    acquire: Callable[[Path, Say, threading.Event], Lease] = acquire


@dataclass(slots=True)
class _Connected:
    lease: Lease
    http: Backend


class LocalBackend:
    """Implements `Backend` on the engine that all servers of the user share.

    Args:
        settings: the settings in force.
        make_http: builds the backend that talks to an endpoint.
        on_status: told in a few words what is being prepared, and the empty string when nothing is.
        patience_s: how long a request waits for the engine, in seconds.
        steps: how weights and engine are had.
    """

    def __init__(
        self,
        settings: Settings,
        make_http: Callable[[LocalEndpoint], Backend],
        *,
        on_status: Say = lambda text: None,
        patience_s: float = PATIENCE_S,
        steps: Steps | None = None,
    ) -> None:
        self._settings = settings
        self._make_http = make_http
        self._on_status = on_status
        self._patience_s = patience_s
        self._steps = steps or Steps()
        self._connected: _Connected | None = None
        self._starting: asyncio.Task[_Connected | None] | None = None
        self._download: asyncio.Task[Path] | None = None
        self._status = ""
        self._percent = 0
        self.target: Target = resolve(settings)
        self.partial: Target | None = None  # asking twice would take too long on a small machine

    def forgo_fim(self) -> None:
        """See `Backend`: the engine is ours, and fills in the middle."""

    async def stream(self, request: CompletionRequest) -> AsyncGenerator[Chunk, None]:
        """See `Backend`. An engine that died since the last request is replaced once.

        Raises:
            NotReadyError: the weights are being downloaded, or the engine is still loading them.
            WeightsError: the weights cannot be had.
            EngineError: the engine cannot be started, or dies of this request.
            BackendError: what the engine answers.
        """
        for is_last in (False, True):
            connected = await self._ready()
            begun = False
            try:
                async with aclosing(connected.http.stream(request)) as chunks:
                    async for chunk in chunks:
                        begun = True
                        yield chunk
            except _LOST as exc:
                await self._drop(connected)
                if begun or is_last:
                    remedy = f"It is started again with the next request; its log is {log_path()}."
                    raise EngineError(f"The local engine was lost: {exc.message}", remedy=remedy) from exc
                logger.info("the local engine was lost and is started again")
            else:
                return

    async def warm(self) -> None:
        """Start the engine, or the download of its weights, ahead of the first request.

        Raises:
            BackendError: the first request would find no engine; the user should read why before it comes.
        """
        connected = await self._ready()
        await connected.http.warm()

    async def aclose(self) -> None:
        """Give the engine back; end a download, which goes on from there next time."""
        for task in (self._starting, self._download):
            if task is not None:
                task.cancel()
                await asyncio.wait([task])
        self._starting = self._download = None
        if self._connected is not None:
            await self._drop(self._connected)

    async def _ready(self) -> _Connected:
        if self._connected is not None:
            return self._connected
        self._check_download()
        if self._starting is None:
            self._starting = asyncio.create_task(self._start())
        task = self._starting
        await asyncio.wait([task], timeout=self._patience_s)
        if not task.done():
            raise NotReadyError(f"The local engine is not ready yet: {self._status}", cause="local-start")
        if self._starting is task:
            self._starting = None
        if task.cancelled():
            raise NotReadyError("The local engine is not needed any more", cause="local-start")
        connected = task.result()
        if connected is None:
            self._begin_download()
            self._check_download()
        assert connected is not None
        return connected

    async def _start(self) -> _Connected | None:
        """Bring an engine up; None where the weights are missing."""
        loop = asyncio.get_running_loop()
        self._say("checking the local model")
        try:
            path = await run_blocking(self._steps.find)
            if path is None:
                return None

            def tell(text: str) -> None:
                loop.call_soon_threadsafe(self._say, text)

            lease = await run_blocking(
                lambda stop: self._steps.acquire(path, tell, stop), discard=Lease.close
            )
        finally:
            self._say("")
        try:
            self._connected = _Connected(lease, self._make_http(lease.endpoint))
        except BaseException:
            lease.close()
            raise
        self.target = resolve(self._settings, local=lease.endpoint)
        logger.info("the local engine (%s) is at %s", lease.kind, lease.endpoint.base_url)
        return self._connected

    async def _drop(self, connected: _Connected) -> None:
        if self._connected is connected:
            self._connected = None
        connected.lease.close()
        await connected.http.aclose()

    def _check_download(self) -> None:
        """Raise while there is a download, and once if it failed.

        Raises:
            NotReadyError: it goes on.
            BackendError: it failed; the next request begins it again.
        """
        if self._download is None:
            return
        if not self._download.done():
            raise NotReadyError(
                f"Downloading the local model: {self._percent} % of {megabytes(MODEL.size)}",
                remedy="Completions come when it is here.",
                cause="local-download",
            )
        task, self._download = self._download, None
        if not task.cancelled():
            task.result()

    def _begin_download(self) -> None:
        if self._download is not None:
            return
        loop = asyncio.get_running_loop()

        def progress(done: int, total: int, what: str) -> None:
            percent = done * 100 // total
            if percent != self._percent:
                loop.call_soon_threadsafe(self._tell_percent, percent)

        self._percent = 0
        self._download = asyncio.create_task(
            run_blocking(lambda stop: self._steps.ensure(progress, stop)), name="local model download"
        )
        self._download.add_done_callback(self._end_download)

    def _tell_percent(self, percent: int) -> None:
        if percent != self._percent:
            self._percent = percent
            self._say(f"downloading the local model: {percent} %")

    def _end_download(self, task: asyncio.Task[Path]) -> None:
        self._say("")
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.warning("%s", error)

    def _say(self, text: str) -> None:
        if text != self._status:
            self._status = text
            self._on_status(text)
