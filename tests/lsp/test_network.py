"""TCP and WebSocket: one client at a time, sessions one after the other, large messages."""

from __future__ import annotations

import asyncio
import json
import re
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tests.lsp.wire import INITIALIZE, ROOT, TIMEOUT_S, ask, did_open, frame, notification, request

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

URI = "file:///a.py"


class Listening:
    """A server process that listens, and the port it told."""

    def __init__(self, process: asyncio.subprocess.Process, port: int) -> None:
        self.process = process
        self.port = port

    async def wait(self) -> int:
        return await asyncio.wait_for(self.process.wait(), TIMEOUT_S)


async def start(flag: str) -> Listening:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.lsp.scripted_server", flag, stderr=asyncio.subprocess.PIPE, cwd=ROOT
    )
    assert process.stderr is not None
    line = await asyncio.wait_for(process.stderr.readline(), TIMEOUT_S)
    found = re.search(rb"listening on \w+://127\.0\.0\.1:(\d+)", line)
    assert found, line
    return Listening(process, int(found[1]))


async def stop(listening: Listening) -> None:
    if listening.process.returncode is None:
        listening.process.kill()
    await listening.process.communicate()


@pytest.fixture
async def tcp() -> AsyncIterator[Listening]:
    listening = await start("--tcp")
    yield listening
    await stop(listening)


@pytest.fixture
async def ws() -> AsyncIterator[Listening]:
    listening = await start("--ws")
    yield listening
    await stop(listening)


class Client:
    """A TCP client."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    @classmethod
    async def connect(cls, port: int) -> Client:
        return cls(*await asyncio.open_connection("127.0.0.1", port))

    def send(self, *messages: Any) -> None:
        self.writer.write(b"".join(map(frame, messages)))

    async def receive(self) -> dict[str, Any]:
        header = await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), TIMEOUT_S)
        return json.loads(await self.reader.readexactly(int(header.split(b":")[1])))

    async def answer(self) -> dict[str, Any]:
        while "method" in (message := await self.receive()):
            pass
        return message

    async def close(self) -> None:
        self.writer.close()
        await self.writer.wait_closed()


async def test_tcp(tcp: Listening) -> None:
    client = await Client.connect(tcp.port)
    client.send(request(1, "initialize", INITIALIZE), notification("initialized", {}))
    assert (await client.answer())["id"] == 1
    client.send(did_open(URI, "x"), ask(2, URI, 0, 1), request(3, "shutdown"), notification("exit"))
    assert [(await client.answer())["id"] for _ in range(2)] == [2, 3]
    assert await tcp.wait() == 0
    await client.close()


async def test_tcp_a_second_client_is_turned_away(tcp: Listening) -> None:
    first = await Client.connect(tcp.port)
    first.send(request(1, "initialize", INITIALIZE))
    await first.answer()
    second = await Client.connect(tcp.port)
    refusal = await second.receive()
    assert refusal["method"] == "window/showMessage"
    assert "one client" in refusal["params"]["message"]
    assert await second.reader.read() == b""
    await second.close()
    first.send(request(2, "shutdown"))
    assert (await first.answer())["id"] == 2
    await first.close()


async def test_tcp_the_next_client_finds_a_fresh_session(tcp: Listening) -> None:
    client = await Client.connect(tcp.port)
    client.send(request(1, "initialize", INITIALIZE), did_open(URI, "wait"), ask(2, URI, 0, 4))
    assert "result" in await client.answer()
    await client.close()
    # The server learns of it a moment later: knock until it lets us in.
    while True:
        client = await Client.connect(tcp.port)
        client.send(request(1, "initialize", INITIALIZE))
        message = await client.receive()
        if message.get("method") != "window/showMessage":
            break
        await client.close()
    assert message["result"]["serverInfo"]["name"] == "qwen-ls"
    await client.close()


async def test_ws(ws: Listening) -> None:
    from websockets.asyncio.client import connect
    from websockets.exceptions import ConnectionClosed

    async with connect(f"ws://127.0.0.1:{ws.port}", max_size=None, proxy=None) as client:
        await client.send(json.dumps(request(1, "initialize", INITIALIZE)))
        first = json.loads(await client.recv())
        assert first["id"] == 1
        async with connect(f"ws://127.0.0.1:{ws.port}", proxy=None) as second:
            with pytest.raises(ConnectionClosed, match="one client"):
                await second.recv()
        large = did_open(URI, "x = 1\n" * 500_000)
        await client.send(json.dumps(large))
        await client.send(json.dumps(ask(2, URI, 500_000, 0)).encode())
        assert json.loads(await client.recv())["result"]["items"]
        await client.send(json.dumps(request(3, "shutdown")))
        assert json.loads(await client.recv())["id"] == 3
        await client.send(json.dumps(notification("exit")))
        assert await ws.wait() == 0


async def test_ws_refuses_the_pages_of_other_hosts(ws: Listening) -> None:
    from websockets.asyncio.client import connect
    from websockets.exceptions import InvalidStatus

    with pytest.raises(InvalidStatus, match="403"):
        await connect(f"ws://127.0.0.1:{ws.port}", origin="https://example.org", proxy=None)
    async with connect(f"ws://127.0.0.1:{ws.port}", origin="http://localhost:3000", proxy=None) as client:
        await client.send(json.dumps(request(1, "initialize", INITIALIZE)))
        assert json.loads(await client.recv())["id"] == 1


def test_ws_without_its_package(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    from qwen_ls.lsp import server

    monkeypatch.setitem(sys.modules, "websockets", None)
    assert server.run_ws("127.0.0.1", 0) == 2
    assert "qwen-ls[ws]" in capsys.readouterr().err


def test_an_address_that_is_taken(capsys: pytest.CaptureFixture[str]) -> None:
    import socket

    from tests.lsp import scripted_server

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert scripted_server.server.run_tcp("127.0.0.1", port, scripted_server.create) == 2
    error = capsys.readouterr().err
    assert f"127.0.0.1:{port}" in error
    assert len(error.splitlines()) == 1
