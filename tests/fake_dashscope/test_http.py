"""The server as an HTTP server: connections, bodies, clients that leave, threads."""

from __future__ import annotations

import asyncio
import gzip
import socket
import threading
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from . import Behaviour, FakeDashScope, Reply
from .ask import CHAT, COMPLETIONS, TEXT, ask, fim, native
from .conftest import KEY
from .http import BadRequestError, dumps, parse_head

if TYPE_CHECKING:
    from collections.abc import Callable

BODY = dumps(fim()).encode()


def head_of(*lines: str) -> bytes:
    first = (f"POST {COMPLETIONS} HTTP/1.1", "Host: x", "Authorization: Bearer sk-test")
    return "\r\n".join((*first, *lines, "", "")).encode()


async def exchange(fake: FakeDashScope, data: bytes, *more: bytes, answers: int = 1) -> bytes:
    """Send bytes on a bare socket, with pauses between them, and read until these answers are there."""
    reader, writer = await asyncio.open_connection(fake.host, fake.port)
    async with asyncio.timeout(30):
        writer.write(data)
        for piece in more:
            await writer.drain()
            await asyncio.sleep(0.01)
            writer.write(piece)
        got = b""
        while got.count(b"HTTP/1.1 200 OK") < answers or not got.endswith(b"}"):
            piece = await reader.read(65536)
            got += piece
            if not piece:
                break
    writer.close()
    await writer.wait_closed()
    return got


LENGTH = head_of(f"Content-Length: {len(BODY)}") + BODY


async def test_keep_alive(fake: FakeDashScope, client: httpx.AsyncClient) -> None:
    """Whole answers, streams and errors all leave the connection usable."""
    for body in (fim(), fim(stream=True), fim(model="no"), fim()):
        await ask(client, COMPLETIONS, body)
    assert fake.open_connections == 1


async def test_connection_close(fake: FakeDashScope) -> None:
    """``Connection: close`` is obeyed."""
    data = head_of("Connection: close", f"Content-Length: {len(BODY)}") + BODY
    assert (await exchange(fake, data, answers=2)).count(b"HTTP/1.1 200") == 1


async def test_pipelined_requests(fake: FakeDashScope) -> None:
    """Two requests in one packet are answered in their order."""
    fake.script.extend([Reply(text="first"), Reply(text="second")])
    got = await exchange(fake, LENGTH + LENGTH, answers=2)
    assert got.index(b"first") < got.index(b"second")


async def test_request_in_single_bytes(fake: FakeDashScope) -> None:
    """A request may come in any pieces."""
    cuts = [LENGTH[:3], LENGTH[3:60], LENGTH[60:-30], LENGTH[-30:-1], LENGTH[-1:]]
    assert b"HTTP/1.1 200 OK" in await exchange(fake, *cuts)
    assert fake.requests[0].body == fim()


async def test_chunked_request(fake: FakeDashScope) -> None:
    """A chunked request body, with an extension and a trailer."""
    chunks = b"5;x=y\r\n%b\r\n%x\r\n%b\r\n0\r\nTrailer: t\r\n\r\n" % (BODY[:5], len(BODY) - 5, BODY[5:])
    assert b"HTTP/1.1 200 OK" in await exchange(fake, head_of("Transfer-Encoding: chunked") + chunks)
    assert fake.requests[0].body == fim()


async def test_expect_continue(fake: FakeDashScope) -> None:
    """A client that waits for ``100 Continue`` gets it."""
    data = head_of("Expect: 100-continue", f"Content-Length: {len(BODY)}")
    got = await exchange(fake, data, BODY)
    assert got.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n")


@pytest.mark.parametrize(
    "data",
    [
        b"\x16\x03\x01\x02\x00 TLS\r\n\r\n",
        b"GET /\r\n\r\n",
        b"GET / HTTP/2\r\n\r\n",
        b"GET / HTTP/1.1\r\nno colon\r\n\r\n",
        b"GET / HTTP/1.1\r\n folded: x\r\n\r\n",
    ],
)
async def test_no_http(fake: FakeDashScope, data: bytes) -> None:
    """What is not HTTP/1.1 is refused and not recorded."""
    with pytest.raises(BadRequestError):
        parse_head(data)
    assert (await exchange(fake, data)).startswith(b"HTTP/1.1 400 ")
    assert fake.requests == []


async def test_bad_lengths(fake: FakeDashScope) -> None:
    """A length that is none, and a head without an end, are refused."""
    assert (await exchange(fake, head_of("Content-Length: many"))).startswith(b"HTTP/1.1 400 ")
    assert (await exchange(fake, b"GET / HTTP/1.1\r\n" + b"x: " + b"y" * 70_000)).startswith(b"HTTP/1.1 400 ")


async def test_large_bodies(fake: FakeDashScope, client: httpx.AsyncClient) -> None:
    """Megabytes pass in both directions, past the socket's buffers."""
    fake.script.append(Reply(pieces=["x" * 3_000_000] * 2))
    answer = await ask(
        client,
        CHAT,
        {
            **fim(stream=True),
            "model": "qwen3-coder-plus",
            "messages": [{"role": "user", "content": "hi"}],
            "pad": "p" * 3_000_000,
        },
    )
    assert sum(map(len, answer.texts)) == 6_000_000


@pytest.mark.parametrize("streamed", [True, False], ids=["stream", "whole"])
async def test_gzip(fake: FakeDashScope, client: httpx.AsyncClient, streamed: bool) -> None:
    """Compressed only for a client that accepts it, and streams are flushed piece by piece."""
    fake.behaviour = Behaviour(gzip=True)
    async with client.stream("POST", COMPLETIONS, json=fim(stream=streamed)) as got:
        raw = b"".join([piece async for piece in got.aiter_raw()])
    assert got.headers["content-encoding"] == "gzip"
    assert b"pass" in gzip.decompress(raw)
    plain = await ask(client, COMPLETIONS, fim(stream=streamed), accept_encoding="identity")
    assert "content-encoding" not in plain.headers


# --- clients that leave ---

EARLY: list[tuple[str, Any, Behaviour, int]] = [
    ("before the first byte", fim(), Behaviour(hold=True), 0),
    ("before the stream", fim(stream=True), Behaviour(hold=True), 0),
    ("in the stream", fim(stream=True), Behaviour(hold_after=2, tokens_per_chunk=1), 2),
    ("in a delay", fim(), Behaviour(ttfb_ms=60_000), 0),
    ("in a stall", fim(stream=True), Behaviour(stall_ms=60_000), 1),
    ("before an error", fim(), Behaviour(fault="quota", error_ms=60_000), 0),
]


@pytest.mark.parametrize(
    ("body", "behaviour", "chunks"), [row[1:] for row in EARLY], ids=[row[0] for row in EARLY]
)
async def test_client_leaves_early(
    fake: FakeDashScope, client: httpx.AsyncClient, body: Any, behaviour: Behaviour, chunks: int
) -> None:
    """A client that closes is noticed at once, wherever the answer stands."""
    fake.answer = "one two three four"
    fake.behaviour = behaviour
    task = asyncio.create_task(ask(client, COMPLETIONS, body))
    (record, *_) = await fake.wait_for_requests(1)
    while record.chunks < chunks:
        await asyncio.sleep(0.001)
    assert not record.cancelled.is_set()
    assert record.as_json()["cancelled_at"] is None
    task.cancel()
    await record.cancelled.wait()
    await record.finished.wait()
    assert record.cancelled_at is not None
    assert record.cancelled_at >= record.arrived
    assert record.chunks == chunks
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_complete_answers_are_not_cancelled(fake: FakeDashScope, client: httpx.AsyncClient) -> None:
    """Closing after the answer is no cancellation."""
    await ask(client, COMPLETIONS)
    await client.aclose()
    await fake.requests[0].finished.wait()
    while fake.open_connections:
        await asyncio.sleep(0.001)
    assert not fake.requests[0].cancelled.is_set()


async def test_end_with_requests_in_flight(client: httpx.AsyncClient) -> None:
    """The fake ends at once, with requests in flight; they are not recorded as cancelled by their clients."""
    async with FakeDashScope(behaviour=Behaviour(hold=True)) as fake:
        client.base_url = fake.base_url
        tasks = [asyncio.create_task(ask(client, COMPLETIONS)) for _ in range(5)]
        await fake.wait_for_requests(5)
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert all(isinstance(result, httpx.TransportError) for result in results)
    assert not any(record.cancelled.is_set() for record in fake.requests)


async def test_records(fake: FakeDashScope, client: httpx.AsyncClient) -> None:
    """A record has the request as it came, but never the key."""
    await ask(client, TEXT, native(), X_DashScope_SSE="enable")
    (record,) = fake.requests
    assert (record.number, record.method, record.path) == (0, "POST", TEXT)
    assert record.body == native()
    assert record.headers["x-dashscope-sse"] == "enable"
    assert "sk-test" not in repr(record)
    assert "sk-test" not in str(record.as_json())


# --- threads ---


def test_in_a_thread(threaded: FakeDashScope) -> None:
    """Everything works from outside the loop: answers, refusing, waiting for a client that leaves."""
    with httpx.Client(base_url=threaded.base_url, headers=KEY, timeout=30, trust_env=False) as client:
        threaded.script.append(Reply(text="hello"))
        assert client.post(COMPLETIONS, json=fim()).json()["choices"][0]["text"] == "hello"
        threaded.refuse()
        with pytest.raises(httpx.ConnectError):
            client.post(COMPLETIONS, json=fim())
        threaded.accept()
        threaded.behaviour = Behaviour(hold_after=1)
        with client.stream("POST", COMPLETIONS, json=fim(stream=True)) as got:
            assert got.status_code == 200
            record = threaded.wait_for_requests_sync(2)[-1]
            with pytest.raises(TimeoutError):
                record.cancelled.wait_sync(0.01)
        record.cancelled.wait_sync()


def test_release_from_a_thread(threaded: FakeDashScope) -> None:
    """``release`` may be called from any thread."""
    threaded.behaviour = Behaviour(hold=True)
    answers: list[int] = []

    def get() -> None:
        answers.append(
            httpx.post(threaded.base_url + COMPLETIONS, json=fim(), headers=KEY, timeout=30).status_code
        )

    thread = threading.Thread(target=get)
    thread.start()
    threaded.wait_for_requests_sync(1)
    threaded.release()
    thread.join(30)
    assert answers == [200]


@pytest.mark.parametrize("wait", [lambda fake: fake.wait_for_requests_sync(1, 0.01)])
def test_waiting_in_vain(threaded: FakeDashScope, wait: Callable[[FakeDashScope], Any]) -> None:
    """Waiting ends with TimeoutError."""
    with pytest.raises(TimeoutError):
        wait(threaded)


async def test_waiting_in_vain_in_a_loop(fake: FakeDashScope, client: httpx.AsyncClient) -> None:
    """The same in coroutines."""
    with pytest.raises(TimeoutError):
        await fake.wait_for_requests(1, 0.01)
    await ask(client, COMPLETIONS)
    with pytest.raises(TimeoutError):
        await fake.requests[0].cancelled.wait(0.01)
    await fake.requests[0].finished.wait()


def test_two_at_once() -> None:
    """Fakes are independent of each other; a port that is taken is an error, not a hang."""
    with FakeDashScope.in_thread(answer="a") as one, FakeDashScope.in_thread(answer="b") as two:
        texts = [
            httpx.post(fake.base_url + COMPLETIONS, json=fim(), headers=KEY, timeout=30).json()["choices"][0][
                "text"
            ]
            for fake in (one, two)
        ]
        assert texts == ["a", "b"]
        with pytest.raises(OSError, match="in use"), FakeDashScope.in_thread(port=one.port):
            pass


async def test_crashes_are_reported(client: httpx.AsyncClient) -> None:
    """An answer that raises breaks the connection and fails the test that made it."""

    def broken(_: object) -> str:
        raise ZeroDivisionError

    fake = await FakeDashScope(answer=broken).__aenter__()
    client.base_url = fake.base_url
    with pytest.raises(httpx.ReadError):
        await ask(client, COMPLETIONS)
    with pytest.raises(ZeroDivisionError):
        await fake.__aexit__(None)


async def test_loopback_only(fake: FakeDashScope) -> None:
    """It listens on loopback and nowhere else."""
    reader, writer = await asyncio.open_connection(fake.host, fake.port)
    assert writer.get_extra_info("peername") == ("127.0.0.1", fake.port)
    assert writer.get_extra_info("socket").family == socket.AF_INET
    writer.close()
    await writer.wait_closed()
    assert await reader.read() == b""
