"""The keeper: a small process that owns the engine while anyone uses it.

`python -m qwen_ls.local.keeper`, started by the first server that needs the engine. Every user holds a
connection; the operating system closes it however the user ends. When the last one is gone, and nobody came
for a while, the keeper ends the engine and itself. It outlives the terminal and the editor that started it.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import logging.handlers
import os
import secrets
import signal
import sys
from dataclasses import asdict
from typing import Any

from qwen_ls.local import handshake
from qwen_ls.local.handshake import HOST, Config, State
from qwen_ls.local.paths import lock_path, log_path
from qwen_ls.local.supervisor import EngineDiedError, Order, Supervisor

logger = logging.getLogger("qwen_ls.local.keeper")

LOG_BYTES = 200_000
_HANDSHAKE_S = 10.0
_UNCLAIMED_S = 30.0


class Keeper:
    """Counts the leases and ends with the last one."""

    def __init__(self, config: Config, supervisor: Supervisor) -> None:
        self._config = config
        self._supervisor = supervisor
        self._leases = 0
        self._failed = False
        self._over = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None

    async def run(self) -> None:
        """Listen until nobody needs the engine any more."""
        server = await asyncio.start_server(self._serve, HOST, 0, limit=handshake.MAX_LINE)
        port = server.sockets[0].getsockname()[1]
        handshake.write_state(State(self._config.token, port, os.getpid()))
        logger.info("keeper %d listens on port %d", os.getpid(), port)
        self._end_after(max(_UNCLAIMED_S, self._config.grace_s))
        loop = asyncio.get_running_loop()
        if sys.platform != "win32":
            loop.add_signal_handler(signal.SIGTERM, self._over.set)
        try:
            await self._over.wait()
        finally:
            server.close()
            _remove_state(self._config.token)
            await self._supervisor.stop()
            logger.info("keeper %d ends", os.getpid())

    def _end_after(self, delay_s: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(delay_s, self._over.set)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One user, from the proof of who it is until its connection ends."""
        try:
            async with asyncio.timeout(_HANDSHAKE_S):
                hello = await self._greet(reader, writer)
            if hello is None:
                return
            if hello.get("ask") == "status":
                writer.write(handshake.encode(self._status()))
                return
            await self._hold(reader, writer)
        except (OSError, ValueError, TypeError, TimeoutError):
            logger.info("a connection was given up")
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def _greet(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> dict[str, Any] | None:
        token, nonce = self._config.token, secrets.token_hex(16)
        theirs = str(handshake.decode(await reader.readline())["nonce"])
        answer = {"proof": handshake.proof(token, "keeper", theirs), "nonce": nonce}
        writer.write(handshake.encode(answer))
        hello = handshake.decode(await reader.readline())
        if handshake.proves(hello, token, "client", nonce):
            return hello
        logger.warning("a connection without the token was refused")
        return None

    async def _hold(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Count a lease for as long as the connection lives."""
        self._leases += 1
        if self._timer is not None:
            self._timer.cancel()
        try:
            writer.write(handshake.encode(await self._answer()))
            await writer.drain()
            while await reader.read(handshake.MAX_LINE):
                pass
        finally:
            self._leases -= 1
            if not self._leases:
                self._end_after(0 if self._failed else self._config.grace_s)

    async def _answer(self) -> dict[str, Any]:
        try:
            running = await self._supervisor.running()
        except EngineDiedError as exc:
            self._failed = True
            return {"event": "failed", "message": exc.death.message, "remedy": exc.death.remedy}
        except OSError as exc:
            self._failed = True
            return {"event": "failed", "message": f"The local engine cannot be started: {exc}", "remedy": ""}
        return {"event": "ready", "model": self._config.name, **asdict(running)}

    def _status(self) -> dict[str, Any]:
        running = self._supervisor.current
        engine = {"kind": running.kind, "port": running.port, "pid": running.pid} if running else None
        return {"pid": os.getpid(), "leases": self._leases, "engine": engine}


def _remove_state(token: str) -> None:
    """Take the state file away, unless it is another keeper's or one is being started just now."""
    from filelock import FileLock, Timeout

    with contextlib.suppress(Timeout, OSError), FileLock(lock_path(), timeout=0):
        state = handshake.read_state()
        if state is not None and state.token == token:
            handshake.state_path().unlink()


def _detach() -> None:
    """Leave the process that the server is waiting for, and with it the server's family."""
    if sys.platform != "win32" and os.fork():
        os._exit(0)


def _set_up_logging() -> None:
    handler = logging.handlers.RotatingFileHandler(
        log_path(), maxBytes=LOG_BYTES, backupCount=1, encoding="utf-8"
    )
    handler.setFormatter(logging.Formatter("%(asctime)s %(name)s %(message)s"))
    root = logging.getLogger("qwen_ls.local")
    root.setLevel(logging.INFO)
    root.addHandler(handler)


def main() -> None:
    """Run the keeper that stdin describes."""
    config = Config(**json.loads(sys.stdin.buffer.read()))
    _detach()
    try:
        _set_up_logging()
        order = Order(config.weights, config.name, config.threads)
        asyncio.run(_run(config, order))
    except Exception as exc:
        handshake.write_state(State(config.token, error=f"{type(exc).__name__}: {exc}"))
        raise


async def _run(config: Config, order: Order) -> None:
    await Keeper(config, Supervisor(order)).run()


if __name__ == "__main__":
    main()
