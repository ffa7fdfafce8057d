"""A storm of cancels: what typing does to a connection pool."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import sys
from pathlib import Path

import pytest

from qwen_ls.backend.http import HttpBackend
from qwen_ls.settings import Settings

from .asking import ask, target_of
from .byteserver import ByteServer, Exchange, chunk, chunked_head, response

BODY = json.dumps({"choices": [{"index": 0, "text": "abc", "finish_reason": "stop"}]}).encode()
EVENT = b'data: {"choices":[{"index":0,"text":"abc","finish_reason":null}]}\n\n'


async def answer_soon(exchange: Exchange) -> None:
    await asyncio.sleep(random.random() * 0.002)
    if b"text/event-stream" in exchange.head:
        await exchange.send(chunked_head() + chunk(EVENT))
        await asyncio.sleep(0.001)
        await exchange.send(chunk(b"data: [DONE]\n\n") + chunk(b""))
    else:
        await exchange.send(response(BODY))


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


async def settled(server: ByteServer, connections: int) -> None:
    """Wait until the server has no more open connections than these."""
    async with asyncio.timeout(30):
        while server.open > connections:
            await asyncio.sleep(0.005)


@pytest.mark.parametrize("streaming", ["auto", "off"])
@pytest.mark.parametrize("pattern", ["one by one", "in bursts"])
async def test_a_storm_of_cancels_leaves_nothing_behind(streaming: str, pattern: str) -> None:
    """Cancels at 0 to 3 ms, where httpcore's pool can be poisoned: see `backend.scoped`."""
    random.seed(7)
    values = {
        "base_url": "http://127.0.0.1:9/v1",
        "provider": "openai",
        "model": "qwen",
        "streaming": streaming,
    }
    async with ByteServer(answer_soon) as server:
        values["base_url"] = server.url
        backend = HttpBackend(target_of(**values), None, Settings(**values))
        assert (await ask(backend)).text == "abc"
        files_before = open_files() if sys.platform == "linux" else 0
        size = 1 if pattern == "one by one" else 6
        for _ in range(420 // size):
            asking = [asyncio.ensure_future(ask(backend)) for _ in range(size)]
            await asyncio.sleep(random.choice([0.0, random.random() * 0.003]))
            for task in asking:
                task.cancel()
            for task in asking:
                with contextlib.suppress(asyncio.CancelledError):
                    await task
        async with asyncio.timeout(30):
            while len(backend._calls):
                await asyncio.sleep(0.005)
        await settled(server, 4)
        assert backend.n_rebuilt == 0
        connections = server.connections
        for _ in range(10):
            assert (await ask(backend)).text == "abc"
        assert server.connections <= connections + 1, "the pool keeps connections alive no more"
        await settled(server, 4)
        if files_before:
            assert open_files() <= files_before + 2 * 4
        await backend.aclose()
        await settled(server, 0)
    assert len(asyncio.all_tasks()) == 1
