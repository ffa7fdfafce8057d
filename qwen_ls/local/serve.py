"""The engine's own process: `python -m qwen_ls.local.serve`.

Reads one line of JSON from stdin, runs the engine, and ends when stdin does: whatever kills the keeper, its
engine does not stay behind.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

NO_WINDOW = getattr(subprocess, "CREATE_NO_WINDOW", 0)
"""Keeps Windows from opening a console for a program that nobody looks at."""


def main() -> None:
    """Serve what stdin says."""
    config = json.loads(sys.stdin.buffer.readline())
    if config["command"]:
        _run_program(config)
    else:
        _run_wheel(config)


def _run_program(config: dict[str, Any]) -> None:
    """Run llama-server; its exit code is ours."""
    try:
        process = subprocess.Popen(config["command"], stdin=subprocess.DEVNULL, creationflags=NO_WINDOW)  # noqa: S603
    except OSError as exc:
        sys.exit(f"{config['command'][0]} cannot be run: {exc}")

    def end() -> None:
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
        os._exit(0)

    signal.signal(signal.SIGTERM, lambda *_: end())
    _at_end_of_input(end)
    code = process.wait()
    # A signal's number travels as shells write it.
    os._exit(code if code >= 0 else 128 - code)


def _run_wheel(config: dict[str, Any]) -> None:
    """Run the server that is inside the xllamacpp wheel."""
    _at_end_of_input(lambda: os._exit(0))
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = config["weights"]
    params.model_alias = {config["name"]}
    params.hostnames = ["127.0.0.1"]
    params.port = config["port"]
    params.api_keys = [config["key"]]
    params.n_ctx = config["context"]
    params.n_parallel = 1
    params.n_batch = params.n_ubatch = config["batch"]
    params.n_cache_reuse = config["reuse"]
    params.cache_ram_mib = config["prompt_cache_mb"]
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = config["threads"]
    params.verbosity = 2  # warnings and errors
    try:
        server = xllamacpp.Server(params)  # loads the model, then serves from threads of its own
    except RuntimeError as exc:
        sys.exit(str(exc))
    threading.Event().wait()
    del server


def _at_end_of_input(end: Callable[[], None]) -> None:
    def watch() -> None:
        # Not sys.stdin: an interpreter that ends cannot take its lock from this thread.
        while os.read(0, 4096):
            pass
        end()

    threading.Thread(target=watch, daemon=True).start()


if __name__ == "__main__":
    main()
