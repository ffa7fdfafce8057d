"""QwenLanguageServer: one client's session, from `initialize` to `exit`.

It owns the documents, the pending requests and the service; `handlers` has what single messages do.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING, Any

from lsprotocol import types
from pygls.lsp.server import LanguageServer

from qwen_ls import __version__
from qwen_ls.lsp import handlers
from qwen_ls.lsp.capabilities import position_encoding
from qwen_ls.lsp.clients import OTHER, client_named, counts_triggers_from_zero
from qwen_ls.lsp.completions import SUPERSEDED, Completions, log_failure
from qwen_ls.lsp.configuration import Configuration
from qwen_ls.lsp.documents import DocumentStore
from qwen_ls.lsp.protocol import QwenProtocol, State
from qwen_ls.lsp.status import Herald
from qwen_ls.lsp.workarounds import make_converter, quiet_loggers

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from qwen_ls.lsp.acceptance import Offer
    from qwen_ls.lsp.configuration import Load
    from qwen_ls.lsp.transport import Writer
    from qwen_ls.report import Notice, Status
    from qwen_ls.service import CompletionService
    from qwen_ls.settings import Settings

    MakeService = Callable[[Settings, Callable[[Notice], None], Callable[[Status], None]], CompletionService]

logger = logging.getLogger(__name__)

CLOSE_TIMEOUT_S = 5.0
"""How long stopping may take before the client has its answer all the same."""
SETTINGS_TIMEOUT_S = 2.0
"""How long the first requests wait for a client to tell its settings."""


class QwenLanguageServer(LanguageServer):
    """One client's server; also the `Session` of the transports.

    Args:
        make_service: makes the service once the settings are known.
        load: reads the settings.
        clock: seconds, for the time since a change.
    """

    protocol: QwenProtocol

    def __init__(self, *, make_service: MakeService, load: Load, clock: Callable[[], float]) -> None:
        super().__init__(
            "qwen-ls",
            __version__,
            text_document_sync_kind=types.TextDocumentSyncKind.Incremental,
            notebook_document_sync=types.NotebookDocumentSyncOptions(
                notebook_selector=[types.NotebookDocumentFilterWithNotebook(notebook="*")]
            ),
            protocol_cls=QwenProtocol,
            converter_factory=make_converter,
        )
        quiet_loggers()
        self.documents = DocumentStore(clock=clock)
        self.completions = Completions(self.protocol.answer)
        self.herald = Herald(self.protocol.notify)
        self.configuration = Configuration(load)
        self.on_ready: Callable[[], None] = lambda: None
        """Called once, when all that stays has been made."""
        self.client = OTHER
        self.offers: dict[str, Offer] = {}
        """The suggestion that stands in the client's list, by document; none where it is drawn inline."""
        self.triggers_from_zero = False
        self._make_service = make_service
        self._service: CompletionService | None = None
        self._settings_known = asyncio.Event()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._closing: asyncio.Task[None] | None = None
        self._shutting_down: asyncio.Task[None] | None = None
        self._is_warm = False
        self._on_end: Callable[[int], None] = lambda _: None
        handlers.register(self)

    # What the transports call

    def attach(self, writer: Writer, *, on_end: Callable[[int], None]) -> None:
        """Write to this writer from now on; call `on_end` with the exit code at `exit`."""
        self.protocol.out = writer
        self._on_end = on_end

    def receive(self, body: bytes) -> None:
        """Take one message. Never raises."""
        self.protocol.receive(body)

    async def aclose(self) -> None:
        """Stop all work, within `CLOSE_TIMEOUT_S`. Never raises; a second call waits for the first."""
        if self._closing is None:
            self._closing = asyncio.get_running_loop().create_task(self._close())
        await asyncio.wait([self._closing])
        if self._shutting_down and self._shutting_down is not asyncio.current_task():
            await asyncio.wait([self._shutting_down])  # its answer leaves before the writer is closed

    @property
    def service(self) -> CompletionService:
        """The service, made when it is first needed, with the settings as they are then."""
        if self._service is None:
            settings = self.configuration.read(self.herald)
            self._service = self._make_service(settings, self.herald.notice, self.herald.status)
            self._service.look_at(self.documents, self.configuration.roots)
        return self._service

    # The life of a session

    def on_initialize(self, params: types.InitializeParams) -> None:
        """Learn about the client."""
        raw = self.protocol.raw_initialize
        raw_capabilities = raw.get("capabilities")
        name = params.client_info.name if params.client_info else None
        self.client = client_named(name)
        if isinstance(raw_capabilities, dict):
            self.triggers_from_zero = counts_triggers_from_zero(self.client, raw_capabilities)
        self.herald.sends_status = self.client.takes_status
        self.documents.encoding = position_encoding(raw)
        self.configuration.learn(params)
        if not self.configuration.can_ask:
            self._settings_known.set()
        # The answer to `initialize` leaves first: editors wait for it.
        asyncio.get_running_loop().call_soon(self._get_ready)
        logger.info("client: %s; positions: %s", name or "unnamed", self.documents.encoding)

    def on_initialized(self) -> None:
        """Say what was held back, ask for the settings, and get ready for the first request."""
        status = self.service.status()
        self.herald.begin()
        self.herald.status(status)
        self.spawn(handlers.register_dynamically(self))
        self.spawn(self._settle_in())

    def on_shutdown(self, request_id: int | str) -> None:
        """Answer what is pending, refuse what comes, stop, and then answer."""
        self.protocol.state = State.SHUT_DOWN
        self.completions.settle_all(SUPERSEDED)
        self._shutting_down = asyncio.get_running_loop().create_task(self._shut_down(request_id))

    def on_exit(self) -> None:
        """End the session: 0 after `shutdown`, else 1, as LSP has it."""
        self._on_end(0 if self.protocol.state is State.SHUT_DOWN else 1)

    async def refresh_settings(self) -> None:
        """Read the settings again and give them to the service."""
        await self.configuration.fetch(self.protocol.ask)
        self.apply_settings()

    def apply_settings(self) -> None:
        """Give the service the settings as they are now."""
        before = self.configuration.settings
        settings = self.configuration.read(self.herald)
        if settings != before:
            self.service.reconfigure(settings)
            if self._is_warm:
                self.spawn(self.service.warm())
            self.herald.status(self.service.status())

    async def settled(self) -> None:
        """Wait until the client has told its settings, or has had `SETTINGS_TIMEOUT_S` for it.

        A request that comes earlier must not be refused for want of a setting that is on its way.
        """
        if not self._settings_known.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._settings_known.wait(), SETTINGS_TIMEOUT_S)
            self._settings_known.set()

    def warm_up(self) -> None:
        """Let the service prepare in the background, once, with settings that are not about to change."""
        if not self._is_warm and self._settings_known.is_set():
            self._is_warm = True
            self.spawn(self.service.warm())

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run something in the background; it ends with the session, and its failure is logged."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._reap)

    def report_server_error(self, error: Exception, source: Any) -> None:
        """Log, where pygls would pop up a message for each fault."""
        log_failure("the server", error)

    async def _settle_in(self) -> None:
        """Get the client's settings, then warm up with them."""
        await self.refresh_settings()
        self._settings_known.set()
        self.warm_up()

    def _get_ready(self) -> None:
        """Make what the first request needs."""
        _ = self.service
        self.on_ready()

    async def _shut_down(self, request_id: int | str) -> None:
        await self.aclose()
        self.protocol.answer(request_id, None)

    async def _close(self) -> None:
        """Cancel what runs and close the service; bounded in time."""
        self.completions.settle_all(SUPERSEDED)
        others: set[asyncio.Future[Any]] = set(self._tasks)
        for task in others:
            task.cancel()
        if self._service is not None:
            others.add(asyncio.ensure_future(self._service.aclose()))
        try:
            async with asyncio.timeout(CLOSE_TIMEOUT_S):
                await self.completions.wait(CLOSE_TIMEOUT_S)
                await asyncio.gather(*others, return_exceptions=True)
        except TimeoutError:
            logger.warning("some work did not stop within %g s", CLOSE_TIMEOUT_S)

    def _reap(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log_failure("background work", error)
