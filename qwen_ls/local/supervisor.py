"""One engine, kept running for those who ask: started, watched while it loads, started again when it died."""

from __future__ import annotations

import asyncio
import collections
import contextlib
import json
import logging
import os
import secrets
import signal
import socket
import subprocess
import sys
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

from qwen_ls.local import engine as engines
from qwen_ls.local.engine import Death, Engine
from qwen_ls.local.serve import NO_WINDOW

if TYPE_CHECKING:
    from collections.abc import Callable

logger = logging.getLogger("qwen_ls.local.engine")

_PORT_ATTEMPTS = 4
_MAX_STARTS = 4
_STARTS_WINDOW_S = 600.0
_POLL_S = 0.05
_LOAD_TIMEOUT_S = 180.0
_STOP_TIMEOUT_S = 5.0
_TAIL_LINES = 40
_HEALTHY = 200


@dataclass(frozen=True, slots=True)
class Order:
    """What to serve, and how."""

    weights: str
    name: str
    threads: int


@dataclass(frozen=True, slots=True)
class Running:
    """An engine that answers."""

    kind: str
    port: int
    key: str
    pid: int


class EngineDiedError(Exception):
    """No engine could be brought to answer."""

    def __init__(self, death: Death) -> None:
        super().__init__(death.message)
        self.death = death


class Supervisor:
    """Owns the engine's process.

    Args:
        order: what to serve.
        available: which engines there are, the preferred one first.
    """

    def __init__(self, order: Order, available: Callable[[], tuple[Engine, ...]] = engines.available) -> None:
        self._order = order
        self._available = available
        self._process: subprocess.Popen[bytes] | None = None
        self._running: Running | None = None
        self._attending: asyncio.Task[None] | None = None
        self._tail: collections.deque[str] = collections.deque(maxlen=_TAIL_LINES)
        self._starts: collections.deque[float] = collections.deque(maxlen=_MAX_STARTS)
        self._lock = asyncio.Lock()

    @property
    def current(self) -> Running | None:
        """The engine as it was known to answer last."""
        return self._running

    async def running(self) -> Running:
        """The engine, answering; started first where it is not.

        Raises:
            EngineDiedError: it cannot be started, or it died too often.
        """
        async with self._lock:
            if self._running is not None and await self._alive(self._running):
                return self._running
            now = asyncio.get_running_loop().time()
            if len(self._starts) == _MAX_STARTS and now - self._starts[0] < _STARTS_WINDOW_S:
                raise EngineDiedError(self._keeps_dying())
            self._starts.append(now)
            self._running = await self._start()
            return self._running

    async def stop(self) -> None:
        """End the engine's process."""
        process, self._process, self._running = self._process, None, None
        if process is None or self._attending is None:
            return
        if process.stdin is not None:
            with contextlib.suppress(OSError):
                process.stdin.close()  # which is what `serve` waits for
        await asyncio.wait([self._attending], timeout=_STOP_TIMEOUT_S)
        if process.poll() is None:
            process.kill()
        await self._attending

    async def _alive(self, running: Running) -> bool:
        if self._process is None or self._process.poll() is not None:
            return False
        return await _health(running.port) != 0

    def _keeps_dying(self) -> Death:
        last = engines.diagnose(self._process.returncode if self._process else None, "\n".join(self._tail))
        return Death(f"The local engine keeps dying. {last.message}", last.remedy)

    async def _start(self) -> Running:
        """Try each engine, and several ports; the last one's end is what is reported."""
        death = engines.no_engine()
        for candidate in self._available():
            for _ in range(_PORT_ATTEMPTS):
                await self.stop()
                outcome = await self._launch(candidate)
                if isinstance(outcome, Running):
                    logger.info("%s answers on port %d", outcome.kind, outcome.port)
                    return outcome
                death = outcome
                logger.warning("%s: %s", candidate.kind, death.message)
                if not death.port_taken:
                    break
        await self.stop()
        raise EngineDiedError(death)

    async def _launch(self, candidate: Engine) -> Running | Death:
        port, key = _free_port(), secrets.token_urlsafe(32)
        self._tail.clear()
        self._process = process = _popen(engines.environment(key))
        assert process.stdin is not None
        self._attending = asyncio.create_task(self._attend(process))
        with contextlib.suppress(OSError):  # its end will say why
            process.stdin.write(self._config(candidate, port, key))
            process.stdin.flush()
        deadline = asyncio.get_running_loop().time() + _LOAD_TIMEOUT_S
        while process.poll() is None:
            # The process is asked about again after the answer: a port may be someone else's.
            if await _health(port) == _HEALTHY and process.poll() is None:
                return Running(candidate.kind, port, key, process.pid)
            if asyncio.get_running_loop().time() > deadline:
                return Death("The local engine did not finish loading the model", "Is the machine very busy?")
            await asyncio.sleep(_POLL_S)
        await self._attending
        return engines.diagnose(process.returncode, "\n".join(self._tail))

    def _config(self, candidate: Engine, port: int, key: str) -> bytes:
        order = self._order
        arguments = engines.command(
            candidate, weights=order.weights, name=order.name, port=port, threads=order.threads
        )
        config = {
            "command": arguments if candidate.path else [],
            "weights": order.weights,
            "name": order.name,
            "threads": order.threads,
            "port": port,
            "key": key,
            "context": engines.CONTEXT_TOKENS,
            "batch": engines.BATCH_TOKENS,
            "reuse": engines.REUSE_TOKENS,
            "prompt_cache_mb": engines.PROMPT_CACHE_MB,
        }
        return json.dumps(config).encode() + b"\n"

    async def _attend(self, process: subprocess.Popen[bytes]) -> None:
        """Be there until the process ends, and let nothing of it live longer."""
        assert process.stdout is not None
        copying = asyncio.create_task(asyncio.to_thread(self._copy, process.stdout))
        # In threads: asyncio's own processes are over only when nobody holds their pipes any more.
        code = await asyncio.to_thread(process.wait)
        logger.info("the engine ended with code %s", code)
        if sys.platform != "win32":
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
        await copying

    def _copy(self, output: IO[bytes]) -> None:
        """Copy what the engine writes to the log."""
        with output:
            for line in output:
                self._note(line)

    def _note(self, line: bytes) -> None:
        text = line.decode("utf-8", "replace").rstrip()
        if text:
            self._tail.append(text)
            logger.info("| %s", text[:400])


def _popen(environment: dict[str, str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "qwen_ls.local.serve"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=environment,
        creationflags=NO_WINDOW,
        start_new_session=True,
    )


async def _health(port: int) -> int:
    """The status of `GET /health`; 0 where nothing answers."""
    try:
        async with asyncio.timeout(2.0):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                writer.write(b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
                status = (await reader.readline()).split()
            finally:
                writer.close()
        return int(status[1]) if len(status) > 1 else 0
    except (OSError, ValueError):
        return 0


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
