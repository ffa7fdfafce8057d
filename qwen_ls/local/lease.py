"""The right to use the shared engine: taken by a connection to its keeper, given back by closing it.

Blocking, with a stop event, so that the command line can use it as it is; `lease` is for event loops.
"""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING, Any, Self

from qwen_ls.backend.base import NotReadyError
from qwen_ls.backend.presets import LocalEndpoint
from qwen_ls.local import handshake
from qwen_ls.local.connection import check_stop, connect
from qwen_ls.local.errors import EngineError, require_extra
from qwen_ls.local.handshake import HOST
from qwen_ls.local.paths import DATA_DIR_ENV, lock_path, log_path, state_dir
from qwen_ls.local.spawn import start_keeper
from qwen_ls.local.threads import run_blocking
from qwen_ls.local.weights import find

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from qwen_ls.local.connection import Connection

    Tell = Callable[[str], None]

_LOAD_TIMEOUT_S = 240.0
_STATUS_TIMEOUT_S = 5.0
_ATTEMPTS = 3


class Lease:
    """While it is open, the engine runs.

    Attributes:
        endpoint: where the engine answers.
        kind: which engine it is.
    """

    def __init__(self, connection: Connection, endpoint: LocalEndpoint, kind: str) -> None:
        self._connection = connection
        self.endpoint = endpoint
        self.kind = kind

    def close(self) -> None:
        """Give the engine back; it ends when nobody else uses it."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


async def lease(weights: Path | None = None, on_progress: Tell | None = None) -> Lease:
    """`acquire`, from an event loop."""
    return await run_blocking(lambda stop: acquire(weights, on_progress, stop), discard=Lease.close)


def acquire(
    weights: Path | None = None,
    on_progress: Tell | None = None,
    stop: threading.Event | None = None,
) -> Lease:
    """Use the engine that is running, or start it; returns when it answers.

    Args:
        weights: the checked file to start it with; looked for where it is not given.
        on_progress: told what is being waited for.
        stop: set to give up soon.

    Raises:
        ConfigurationError: the extra is missing.
        NotReadyError: the weights are missing, or `stop` was set.
        EngineError: the engine cannot be started; the message says why.
    """
    require_extra()
    stop = stop or threading.Event()
    path = weights or find(stop=stop)
    if path is None:
        raise NotReadyError("The local model has not been downloaded yet", cause="local-download")
    tell = on_progress or (lambda text: None)
    for _ in range(_ATTEMPTS):
        connection = _connect_or_start(path, tell, stop)
        tell("loading the local model")
        if (taken := _claim(connection, stop)) is not None:
            return taken
    raise EngineError("The local engine ends as soon as it is started", remedy=_see_log())


def running() -> dict[str, Any] | None:
    """What the keeper says of itself and its engine; None where none is running. Starts nothing."""
    stop = threading.Event()
    connection = connect(handshake.read_state(), stop)
    if connection is None:
        return None
    with contextlib.closing(connection), contextlib.suppress(OSError, ValueError):
        return connection.ask({"ask": "status"}, wait_s=_STATUS_TIMEOUT_S, stop=stop)
    return None


def _connect_or_start(weights: Path, tell: Tell, stop: threading.Event) -> Connection:
    if (connection := connect(handshake.read_state(), stop)) is not None:
        return connection
    folder = state_dir()
    try:
        with _starting(stop):
            # Someone else may have started it while this process waited.
            if (connection := connect(handshake.read_state(), stop)) is not None:
                return connection
            tell("starting the local engine")
            return start_keeper(weights, stop)
    except OSError as exc:
        raise EngineError(
            f"The local engine cannot be started: {exc}",
            remedy=f"Check the rights of {folder}, or let {DATA_DIR_ENV} name another folder.",
        ) from exc


@contextlib.contextmanager
def _starting(stop: threading.Event) -> Iterator[None]:
    """Hold the lock of the one who starts the keeper."""
    from filelock import FileLock, Timeout

    state_dir().mkdir(parents=True, exist_ok=True)
    lock = FileLock(lock_path())
    while True:
        try:
            lock.acquire(timeout=0.25)
            break
        except Timeout:
            check_stop(stop)
    try:
        yield
    finally:
        lock.release()


def _claim(connection: Connection, stop: threading.Event) -> Lease | None:
    """Ask for the engine and wait until it answers; None where the keeper was just about to end."""
    with contextlib.ExitStack() as stack:
        stack.callback(connection.close)
        try:
            answer = connection.ask({}, wait_s=_LOAD_TIMEOUT_S, stop=stop)
        except TimeoutError as exc:
            raise EngineError("The local engine does not answer", remedy=_see_log()) from exc
        except (OSError, ValueError):
            return None
        if answer.get("event") != "ready":
            remedy = f"{answer.get('remedy', '')} {_see_log()}".strip()
            raise EngineError(str(answer.get("message")), remedy=remedy)
        endpoint = LocalEndpoint(f"http://{HOST}:{int(answer['port'])}/v1", answer["key"], answer["model"])
        stack.pop_all()
        return Lease(connection, endpoint, answer["kind"])


def _see_log() -> str:
    return f"Its log is {log_path()}."
