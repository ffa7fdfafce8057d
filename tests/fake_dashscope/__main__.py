"""``python -m tests.fake_dashscope``: the fake as a command, for benches and editor tests.

The first line on stdout is the address.  It ends at SIGINT or SIGTERM; with ``--with-stdin``, also when stdin
is closed.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
from dataclasses import replace
from pathlib import Path

from .behaviour import Behaviour
from .models import REGIONS
from .server import FakeDashScope


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(
        prog="python -m tests.fake_dashscope", description="A fake DashScope on loopback."
    )
    made.add_argument("--host", default="127.0.0.1")
    made.add_argument("--port", type=int, default=0)
    made.add_argument("--region", choices=REGIONS, default="beijing")
    made.add_argument("--key", action="append", help="an accepted key (default: sk-test)")
    made.add_argument("--answer", help="what the model says, whatever it is asked")
    made.add_argument("--truth", type=Path, help="a file whose text the model continues")
    made.add_argument("--rate-limits", action="store_true")
    made.add_argument("--realistic", action="store_true", help="the delays seen on the real service")
    made.add_argument("--ttfb-ms", type=float)
    made.add_argument("--inter-chunk-ms", type=float)
    made.add_argument("--tokens-per-chunk", type=int)
    made.add_argument("--behaviour", default="", help="key=value,... as in the x-fake-behaviour header")
    made.add_argument("--with-stdin", action="store_true", help="end when stdin is closed")
    return made


def made_behaviour(options: argparse.Namespace) -> Behaviour:
    """The behaviour that the options describe."""
    base = Behaviour.realistic() if options.realistic else Behaviour()
    given = {key: getattr(options, key) for key in ("ttfb_ms", "inter_chunk_ms", "tokens_per_chunk")}
    return replace(base, **{key: value for key, value in given.items() if value is not None}).with_text(
        options.behaviour
    )


async def serve(options: argparse.Namespace) -> None:
    """Serve until told to stop."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    if options.with_stdin:
        loop.add_reader(sys.stdin, lambda: None if os.read(0, 4096) else stop.set())
    fake = FakeDashScope(
        answer=options.answer,
        truth=options.truth.read_text(encoding="utf-8") if options.truth else "",
        behaviour=made_behaviour(options),
        region=options.region,
        keys=set(options.key) if options.key else None,
        rate_limits=options.rate_limits,
        host=options.host,
        port=options.port,
    )
    async with fake:
        print(fake.base_url, flush=True)
        await stop.wait()


if __name__ == "__main__":
    asyncio.run(serve(parser().parse_args()))
