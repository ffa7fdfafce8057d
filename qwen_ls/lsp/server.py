"""Puts the server together and runs it. Importing this module costs nothing; running it imports the rest."""

from __future__ import annotations

import contextlib
import gc
import logging
import signal
import sys
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from qwen_ls.lsp.configuration import Load, Loaded
    from qwen_ls.lsp.session import MakeService, QwenLanguageServer
    from qwen_ls.report import Notice, Status
    from qwen_ls.service import CompletionService
    from qwen_ls.settings import Settings

WRONG_USAGE = 2


def create_server(
    make_service: MakeService | None = None,
    *,
    load: Load | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> QwenLanguageServer:
    """One client's server.

    Args:
        make_service: makes the service once the settings are known; the real one by default.
        load: reads the settings; `qwen_ls.sources.load` by default.
        clock: seconds.
    """
    from qwen_ls.lsp.session import QwenLanguageServer

    return QwenLanguageServer(
        make_service=make_service or _real_service, load=load or _load_sources, clock=clock
    )


def _real_service(
    settings: Settings, notify: Callable[[Notice], None], on_status: Callable[[Status], None]
) -> CompletionService:
    """The service on the backend that the settings ask for."""
    from functools import partial

    from qwen_ls.backend.connect import connect
    from qwen_ls.backend.memory import Memory
    from qwen_ls.backend.prices import price
    from qwen_ls.backend.streams import Streams
    from qwen_ls.books import ledger_path
    from qwen_ls.report import Status
    from qwen_ls.service import CompletionService

    def preparing(text: str) -> None:
        on_status(Status("thinking", text) if text else service.status())

    remembering = partial(connect, memory=Memory(semantics=Streams()), on_status=preparing)
    service = CompletionService(
        settings,
        connect=remembering,
        notify=notify,
        on_status=on_status,
        ledger=ledger_path,
        price=price,
    )
    return service


def _load_sources(**given: Any) -> Loaded:
    from qwen_ls.sources import load

    return load(**given)


def run_stdio(create: Callable[[], QwenLanguageServer] = create_server) -> int:
    """Serve one client on stdin and stdout; returns the exit code."""
    from qwen_ls.lsp.greeting import greet
    from qwen_ls.lsp.standard import take_standard_streams

    reading, writing = take_standard_streams()
    log_to_stderr()
    greeting = greet(reading, writing)
    from qwen_ls.lsp.transport import serve_streams

    server = prepared(create)
    server.protocol.answered = greeting.answered
    return _run(lambda: serve_streams(server, reading, writing, greeting.data))


def run_tcp(host: str, port: int, create: Callable[[], QwenLanguageServer] = create_server) -> int:
    """Serve TCP clients, one at a time, until one says `exit`; returns the exit code.

    Args:
        host: an address or name to listen on.
        port: 0 lets the system choose; stderr says which.
        create: makes a client's server.
    """
    from qwen_ls.lsp.network import serve_tcp

    log_to_stderr()
    prepared(create).on_ready()  # The imports happen now, not when the client is waiting.
    try:
        return _run(lambda: serve_tcp(create, host, port))
    except OSError as error:
        return _cannot_listen(host, port, error)


def run_ws(host: str, port: int, create: Callable[[], QwenLanguageServer] = create_server) -> int:
    """Serve WebSocket clients, one at a time, until one says `exit`; returns the exit code.

    Args:
        host: an address or name to listen on.
        port: 0 lets the system choose; stderr says which.
        create: makes a client's server.
    """
    try:
        import websockets  # noqa: F401
    except ModuleNotFoundError:
        print("qwen-ls: --ws needs the extra `ws`: pip install 'qwen-ls[ws]'", file=sys.stderr)
        return WRONG_USAGE
    from qwen_ls.lsp.network import serve_ws

    log_to_stderr()
    prepared(create).on_ready()  # The imports happen now, not when the client is waiting.
    try:
        return _run(lambda: serve_ws(create, host, port))
    except OSError as error:
        return _cannot_listen(host, port, error)


def prepared(create: Callable[[], QwenLanguageServer]) -> QwenLanguageServer:
    """A server that, once it is ready, takes what has been made out of the garbage collector's sight.

    The imports make hundreds of thousands of objects that stay: looking through them again with each full
    collection would be the longest pause of all.
    """
    from qwen_ls.lsp.codecache import cache_file, compiled_once

    with compiled_once(cache_file()):
        server = create()
    server.on_ready = freeze
    return server


def freeze() -> None:
    """Collect once, and never look again at what has stayed."""
    gc.collect()
    gc.freeze()


def log_to_stderr() -> None:
    """Our log goes to stderr; stdout belongs to the protocol. `logLevel` in the settings says how much."""
    ours = logging.getLogger("qwen_ls")
    if not ours.handlers and not logging.getLogger().handlers:
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
        ours.addHandler(handler)
        ours.setLevel(logging.WARNING)


def _run(serve: Callable[[], Coroutine[Any, Any, int]]) -> int:
    """Run an event loop; SIGTERM ends the session as its client would, so that nothing is left running."""
    import asyncio  # 35 ms that `initialize` does not wait for

    async def main() -> int:
        task = asyncio.current_task()
        assert task is not None
        with contextlib.suppress(NotImplementedError, RuntimeError, ValueError):  # Windows, other threads
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
        return await serve()

    try:
        return asyncio.run(main())
    except asyncio.CancelledError:
        return 128 + signal.SIGTERM


def _cannot_listen(host: str, port: int, error: OSError) -> int:
    print(f"qwen-ls: cannot listen on {host}:{port}: {error.strerror or error}", file=sys.stderr)
    return WRONG_USAGE
