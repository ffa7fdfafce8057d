"""Starting the keeper apart from the process that needs it."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from qwen_ls.local import handshake
from qwen_ls.local.connection import check_stop, connect
from qwen_ls.local.engine import physical_cores
from qwen_ls.local.errors import EngineError
from qwen_ls.local.handshake import Config
from qwen_ls.local.paths import DATA_DIR_ENV, STATE_DIR_ENV, log_path, state_dir
from qwen_ls.local.weights import MODEL

if TYPE_CHECKING:
    import threading

    from qwen_ls.local.connection import Connection

GRACE_ENV = "QWEN_LS_LOCAL_GRACE_S"
_GRACE_S = 10.0
_TIMEOUT_S = 30.0
_POLL_S = 0.02


def start_keeper(weights: Path, stop: threading.Event) -> Connection:
    """Start a keeper and wait until it can be talked to; the caller holds the lock.

    Raises:
        EngineError: it does not come up.
        NotReadyError: `stop` was set.
        OSError: the state folder cannot be written.
    """
    config = Config(
        token=secrets.token_urlsafe(32),
        weights=str(weights.resolve()),
        name=MODEL.name,
        threads=physical_cores(),
        grace_s=_grace_s(),
    )
    process = _spawn(config)
    deadline = time.monotonic() + _TIMEOUT_S
    try:
        while time.monotonic() < deadline and not process.poll():
            check_stop(stop)
            state = handshake.read_state()
            if state is not None and state.token == config.token:
                if state.error:
                    break
                if (connection := connect(state, stop)) is not None:
                    return connection
            time.sleep(_POLL_S)
    finally:
        process.returncode = process.returncode or 0  # it is not ours to wait for
    raise EngineError(
        "The process that keeps the local engine did not start", remedy=f"What it said is in {_said_path()}."
    )


def _said_path() -> Path:
    """What a keeper writes that ends before it has a log."""
    return log_path().with_name("keeper.log")


def _spawn(config: Config) -> subprocess.Popen[bytes]:
    """Start the keeper: no shared terminal, stream or working folder."""
    with _said_path().open("wb") as said:
        process = _popen(said)
    assert process.stdin is not None
    with process.stdin:
        process.stdin.write(json.dumps(asdict(config)).encode())
    if os.name != "nt":
        process.wait(_TIMEOUT_S)  # the keeper goes on in a child of its own
    return process


def _popen(said: IO[bytes]) -> subprocess.Popen[bytes]:
    # -P: a folder of the user's that is called qwen_ls is not imported.
    command = [sys.executable, "-P", "-m", "qwen_ls.local.keeper"]
    options: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": said, "stderr": said}
    options |= {"cwd": state_dir(), "env": _environment()}
    if sys.platform == "win32":
        apart = subprocess.CREATE_NO_WINDOW | subprocess.CREATE_NEW_PROCESS_GROUP
        try:
            flags = apart | subprocess.CREATE_BREAKAWAY_FROM_JOB
            return subprocess.Popen(command, creationflags=flags, **options)  # noqa: S603
        except PermissionError:  # the editor's job does not let go of it
            return subprocess.Popen(command, creationflags=apart, **options)  # noqa: S603
    else:
        return subprocess.Popen(command, start_new_session=True, **options)  # noqa: S603


def _environment() -> dict[str, str]:
    """This process's environment, with the folders that it names from here made true from anywhere."""
    environment = dict(os.environ)
    for name in (DATA_DIR_ENV, STATE_DIR_ENV, "PYTHONPATH"):
        if value := environment.get(name):
            folders = [str(Path(folder).expanduser().absolute()) for folder in value.split(os.pathsep)]
            environment[name] = os.pathsep.join(folders)
    return environment


def _grace_s() -> float:
    try:
        return max(0.0, float(os.environ.get(GRACE_ENV, "")))
    except ValueError:
        return _GRACE_S
