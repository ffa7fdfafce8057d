"""The backend against servers that answer with chosen bytes: connections, credentials, TLS, proxies."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import ssl
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from qwen_ls.backend import base, http
from qwen_ls.backend.http import HttpBackend
from qwen_ls.backend.keys import Key
from qwen_ls.settings import Settings

from .asking import ask, request_to, target_of
from .byteserver import ByteServer, Exchange, chunk, chunked_head, response

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

KEY = Key("sk-very-secret", "environment variable DASHSCOPE_API_KEY")
CERTIFICATE = Path(__file__).parent / "certificates" / "localhost.pem"
BODY = json.dumps({"choices": [{"index": 0, "text": "abc", "finish_reason": "stop"}]}).encode()
EVENT = b'data: {"choices":[{"index":0,"text":"abc","finish_reason":null}]}\n\n'
FINISH = b'data: {"choices":[{"index":0,"text":"","finish_reason":"stop"}]}\n\n'
DONE = b"data: [DONE]\n\n"


@contextlib.asynccontextmanager
async def connected(url: str, *, key: Key | None = KEY, **settings: Any) -> AsyncIterator[HttpBackend]:
    values = {"base_url": url, "provider": "openai", "model": "qwen2.5-coder-7b", **settings}
    backend = HttpBackend(target_of(**values), key, Settings(**values))
    try:
        yield backend
    finally:
        await backend.aclose()


async def stream_answer(exchange: Exchange) -> None:
    await exchange.send(chunked_head() + chunk(EVENT) + chunk(FINISH) + chunk(DONE) + chunk(b""))


async def body_answer(exchange: Exchange) -> None:
    await exchange.send(response(BODY))


async def test_a_connection_read_to_its_end_is_used_again() -> None:
    async with ByteServer(stream_answer) as server, connected(server.url) as backend:
        for _ in range(20):
            assert (await ask(backend)).text == "abc"
        assert (server.connections, len(server.exchanges)) == (1, 20)


async def test_bytes_after_the_end_marker_are_waited_for_briefly() -> None:
    """A server that is slow to end the response does not hold up the answer; it costs the connection."""

    async def answer(exchange: Exchange) -> None:
        await exchange.send(chunked_head() + chunk(EVENT) + chunk(DONE))
        await asyncio.Event().wait()

    async with ByteServer(answer) as server, connected(server.url) as backend:
        assert (await ask(backend)).text == "abc"


async def test_a_server_that_hangs_up_after_the_last_event_has_answered() -> None:
    async def answer(exchange: Exchange) -> bool:
        await exchange.send(chunked_head() + chunk(EVENT) + chunk(FINISH))
        return False

    async with ByteServer(answer) as server, connected(server.url) as backend:
        assert (await ask(backend)).finish_reason == "stop"


async def test_a_stream_that_never_ends_after_its_finish_reason_has_answered(monkeypatch) -> None:
    monkeypatch.setattr(http, "AFTER_FINISH_S", 0.01)

    async def answer(exchange: Exchange) -> None:
        await exchange.send(chunked_head() + chunk(EVENT) + chunk(FINISH))
        await asyncio.Event().wait()

    async with ByteServer(answer) as server, connected(server.url) as backend:
        assert (await ask(backend)).finish_reason == "stop"


async def test_a_stall_is_bounded_by_events_and_not_by_comments(monkeypatch) -> None:
    monkeypatch.setattr(http, "STALL_S", 0.05)

    async def answer(exchange: Exchange) -> None:
        await exchange.send(chunked_head() + chunk(EVENT))
        while True:
            await exchange.send(chunk(b": still here\n\n"))
            await asyncio.sleep(0.005)

    async with ByteServer(answer) as server, connected(server.url) as backend:
        with pytest.raises(base.DeadlineError) as caught:
            await ask(backend)
    assert caught.value.cause == "stall"


async def test_comments_before_the_first_event_are_not_a_stall(monkeypatch) -> None:
    monkeypatch.setattr(http, "STALL_S", 0.01)

    async def answer(exchange: Exchange) -> None:
        await exchange.send(chunked_head() + chunk(b": queued\n\n"))
        await asyncio.sleep(0.05)
        await exchange.send(chunk(EVENT) + chunk(DONE) + chunk(b""))

    async with ByteServer(answer) as server, connected(server.url) as backend:
        assert (await ask(backend)).text == "abc"


async def test_a_gateway_that_answers_a_stream_with_a_body() -> None:
    async with ByteServer(body_answer) as server, connected(server.url) as backend:
        assert (await ask(backend)).text == "abc"


async def test_a_gateway_that_labels_a_stream_as_a_body() -> None:
    async def answer(exchange: Exchange) -> None:
        await exchange.send(response(EVENT + FINISH + DONE))

    async with ByteServer(answer) as server, connected(server.url) as backend:
        assert (await ask(backend)).text == "abc"


async def test_llama_cpps_echo_of_the_prefix_is_taken_off_what_is_not_streamed() -> None:
    async def answer(exchange: Exchange) -> None:
        prefix = json.loads(exchange.body)["messages"][-1]["content"]
        message = {"role": "assistant", "content": prefix + "    return 1"}
        body = {"choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}
        await exchange.send(response(json.dumps(body).encode()))

    settings = {"provider": "llama.cpp", "strategy": "partial", "streaming": "off"}
    async with ByteServer(answer) as server, connected(server.url, **settings) as backend:
        assert (await ask(backend)).text == "    return 1"


@pytest.mark.parametrize("how", ["close", "reset"])
async def test_a_dead_connection_is_tried_again_once(how: str) -> None:
    """A server may drop a connection that it kept alive just when the next request comes."""

    async def answer(exchange: Exchange) -> bool:
        if exchange.nth == 2:
            if how == "reset":
                exchange.reset()
            return False
        await stream_answer(exchange)
        return True

    async with ByteServer(answer) as server, connected(server.url) as backend:
        assert (await ask(backend)).text == "abc"
        assert (await ask(backend)).text == "abc"
        assert (server.connections, len(server.exchanges)) == (2, 3)


async def test_a_new_connection_that_dies_is_not_tried_again() -> None:
    async def answer(exchange: Exchange) -> bool:
        return False

    async with ByteServer(answer) as server, connected(server.url) as backend:
        with pytest.raises(base.UnreachableError):
            await ask(backend)
        assert len(server.exchanges) == 1


async def test_redirects_are_not_followed() -> None:
    async with ByteServer(body_answer) as other:

        async def answer(exchange: Exchange) -> None:
            await exchange.send(
                response(b"", status="307 Temporary Redirect", more=f"location: {other.url}\r\n")
            )

        async with ByteServer(answer) as server, connected(server.url) as backend:
            with pytest.raises(base.ModelError, match="307"):
                await ask(backend)
        assert other.connections == 0


async def test_the_key_is_sent_and_nothing_from_netrc(tmp_path: Path, monkeypatch) -> None:
    netrc = tmp_path / ".netrc"
    netrc.write_text(
        "machine 127.0.0.1 login me password sk-from-netrc\ndefault login me password sk-default\n"
    )
    netrc.chmod(0o600)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(netrc))
    async with ByteServer(body_answer) as server:
        async with connected(server.url) as backend:
            await ask(backend)
        async with connected(server.url, key=None) as backend:
            await ask(backend)
        with_key, without = (exchange.head.lower() for exchange in server.exchanges)
    assert b"authorization: bearer sk-very-secret" in with_key
    assert b"authorization" not in without


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
async def test_this_machine_is_asked_without_proxies(variable: str, monkeypatch) -> None:
    monkeypatch.setenv(variable, "http://127.0.0.1:9")
    async with ByteServer(body_answer) as server, connected(server.url) as backend:
        assert (await ask(backend)).text == "abc"


async def test_other_machines_are_asked_through_the_proxy(monkeypatch) -> None:
    async with ByteServer(body_answer) as proxy:
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{proxy.port}")
        async with connected("http://gpu.example:8000/v1") as backend:
            assert (await ask(backend)).text == "abc"
        assert proxy.exchanges[0].head.startswith(b"POST http://gpu.example:8000/v1/completions ")


async def test_a_proxy_that_cannot_be_used_is_said(monkeypatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "gopher://proxy.example")
    async with connected("https://gpu.example/v1") as backend:
        with pytest.raises(base.ConfigurationError) as caught:
            await ask(backend)
    assert caught.value.cause == "proxy setting"


async def test_a_proxy_that_refuses_is_said(monkeypatch) -> None:
    async def answer(exchange: Exchange) -> None:
        await exchange.send(response(b"", status="403 Forbidden"))

    async with ByteServer(answer) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.port}")
        async with connected("https://gpu.example/v1") as backend:
            with pytest.raises(base.UnreachableError) as caught:
                await ask(backend)
    assert caught.value.cause == "proxy"
    assert proxy.exchanges[0].head.startswith(b"CONNECT gpu.example:443")
    assert b"secret" not in proxy.exchanges[0].head


async def test_nothing_answers_there() -> None:
    async with ByteServer(body_answer) as server:
        url = server.url
    async with connected(url) as backend:
        with pytest.raises(base.UnreachableError) as caught:
            await ask(backend)
    assert caught.value.cause == "refused"
    shown = "".join(traceback.format_exception(caught.value))
    assert "very-secret" not in shown
    assert "httpx" not in shown.replace(http.__file__, "")


def certified() -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(CERTIFICATE)
    return context


async def test_a_certificate_that_nobody_knows_is_refused() -> None:
    async with ByteServer(body_answer, tls=certified()) as server, connected(server.url) as backend:
        with pytest.raises(base.TlsError) as caught:
            await ask(backend)
    assert "SSL_CERT_FILE" in caught.value.remedy


async def test_a_certificate_that_the_user_trusts_is_taken(monkeypatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
    async with ByteServer(body_answer, tls=certified()) as server, connected(server.url) as backend:
        assert (await ask(backend)).text == "abc"


async def test_a_server_without_tls_is_said() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(response(b"", status="400 Bad Request"))
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server, connected(f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1") as backend:
        with pytest.raises(base.TlsError):
            await ask(backend)


async def test_a_handshake_without_an_answer_is_no_refused_certificate(monkeypatch) -> None:
    """That may pass: it must not stop the calls for good."""
    monkeypatch.setattr(http, "CONNECT_S", 0.05)
    async with ByteServer(body_answer) as server, connected(server.url.replace("http:", "https:")) as backend:
        with pytest.raises(base.BackendError) as caught:  # the server waits for a line end that never comes
            await ask(backend)
    assert type(caught.value) is base.UnreachableError


async def test_certificates_that_cannot_be_read_are_said(monkeypatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "/no/such/file.pem")
    async with connected("https://gpu.example/v1") as backend:
        with pytest.raises(base.TlsError) as caught:
            await ask(backend)
    assert caught.value.cause == "certificates"


@pytest.fixture
def no_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """No name can be resolved, on whatever network the tests run."""

    def getaddrinfo(*args: Any, **kwargs: Any) -> Any:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)


@pytest.mark.usefixtures("no_names")
async def test_a_name_that_does_not_exist_is_said() -> None:
    async with connected("https://no-such-host.invalid/v1") as backend:
        with pytest.raises(base.UnreachableError) as caught:
            await ask(backend)
    assert caught.value.cause == "dns"


async def test_the_key_is_not_sent_where_it_may_not_go() -> None:
    """The last check stands right before the call, with the host as the HTTP library has read it."""
    async with ByteServer(body_answer) as server:
        values = {"base_url": server.url, "provider": "openai", "model": "qwen2.5-coder-7b"}
        backend = HttpBackend(target_of(**values), KEY, Settings(**values))
        object.__setattr__(backend.target, "base_url", f"http://evil.example:{server.port}/v1")
        object.__setattr__(backend.target, "host", "127.0.0.1")
        with pytest.raises(base.ConfigurationError) as caught:
            await ask(backend)
        await backend.aclose()
    assert caught.value.cause == "key host"
    assert server.connections == 0


async def test_warming_up_leaves_an_open_connection_and_sends_no_key(monkeypatch) -> None:
    monkeypatch.setattr(http, "is_loopback", lambda host: False)
    monkeypatch.setenv("NO_PROXY", "*")

    async def answer(exchange: Exchange) -> None:
        if exchange.head.startswith(b"HEAD"):
            await exchange.send(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n")
        else:
            await stream_answer(exchange)

    async with ByteServer(answer) as server, connected(server.url) as backend:
        await backend.warm()
        assert (await ask(backend)).text == "abc"
        assert server.connections == 1
        assert b"authorization" not in server.exchanges[0].head.lower()


async def test_warming_up_does_not_call_on_a_server_of_this_machine() -> None:
    async with ByteServer(body_answer) as server, connected(server.url) as backend:
        await backend.warm()
        assert server.connections == 0


@pytest.mark.usefixtures("no_names")
@pytest.mark.parametrize("url", ["http://no-such-host.invalid/v1", "https://no-such-host.invalid/v1"])
async def test_warming_up_never_fails(url: str, monkeypatch) -> None:
    monkeypatch.setattr(http, "is_loopback", lambda host: False)
    monkeypatch.setenv("SSL_CERT_FILE", "/no/such/file.pem")
    async with connected(url) as backend:
        await backend.warm()


async def test_a_client_that_could_not_be_built_is_built_at_the_next_call(monkeypatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "/no/such/file.pem")
    async with ByteServer(body_answer, tls=certified()) as server, connected(server.url) as backend:
        await backend.warm()
        monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
        assert (await ask(backend)).text == "abc"


async def test_the_pool_is_built_anew_when_it_is_broken(monkeypatch) -> None:
    def narrow(target: Any, settings: Settings) -> Any:
        import httpx

        limits = httpx.Limits(max_connections=1)
        return httpx.AsyncClient(limits=limits, timeout=httpx.Timeout(5, pool=0.01), trust_env=False)

    held = asyncio.Event()

    async def answer(exchange: Exchange) -> None:
        if len(exchange.server.exchanges) == 1:
            await held.wait()
        await stream_answer(exchange)

    monkeypatch.setattr(http, "build_client", narrow)
    async with ByteServer(answer) as server, connected(server.url) as backend:
        first = asyncio.ensure_future(ask(backend))
        while not server.exchanges:
            await asyncio.sleep(0)
        assert (await ask(backend)).text == "abc"
        assert backend.n_rebuilt == 1
        held.set()
        assert (await first).text == "abc"  # calls under way keep the client they have


async def test_a_body_that_cannot_be_sent_is_said_before_any_call() -> None:
    async with ByteServer(body_answer) as server:
        async with connected(server.url, extra_body={"x": {1, 2}}) as backend:
            with pytest.raises(base.ConfigurationError, match="extraBody"):
                await anext(backend.stream(request_to(backend.target)))
        assert server.connections == 0


async def test_a_fleets_router_sees_one_random_name_that_says_nothing() -> None:
    async with ByteServer(body_answer) as server:
        for _ in range(2):
            async with connected(server.url, session_header="X-Session") as backend:
                await ask(backend)
        async with connected(server.url) as backend:
            await ask(backend)
    named = [
        [line for line in exchange.head.lower().split(b"\r\n") if line.startswith(b"x-session:")]
        for exchange in server.exchanges
    ]
    assert named == [[f"x-session: {http.SESSION_ID}".encode()]] * 2 + [[]]
    assert len(http.SESSION_ID) == 16


@pytest.mark.parametrize(("provider", "calls"), [("openai", 2), ("llama.cpp", 1)])
async def test_a_fleet_whose_replica_failed_is_asked_once_more(provider: str, calls: int) -> None:
    async def answer(exchange: Exchange) -> None:
        await exchange.send(response(b"", status="503 Gone") if len(exchange.server.exchanges) == 1 else ok)

    ok = response(BODY)
    async with ByteServer(answer) as server, connected(server.url, provider=provider) as backend:
        if calls == 2:
            assert (await ask(backend)).text == "abc"
        else:
            with pytest.raises(base.ServerError):
                await ask(backend)
        assert len(server.exchanges) == calls


async def test_a_fleet_that_asks_to_wait_is_not_asked_again() -> None:
    async def answer(exchange: Exchange) -> None:
        await exchange.send(response(b"", status="503 Busy", more="retry-after: 17\r\n"))

    async with ByteServer(answer) as server, connected(server.url) as backend:
        with pytest.raises(base.ServerError) as raised:
            await ask(backend)
        assert raised.value.retry_after_s == 17
        assert len(server.exchanges) == 1


async def test_a_fleet_that_is_gone_is_not_asked_for_ever() -> None:
    async def answer(exchange: Exchange) -> None:
        await exchange.send(response(b"", status="502 Gone"))

    async with ByteServer(answer) as server, connected(server.url) as backend:
        with pytest.raises(base.ServerError):
            await ask(backend)
        assert len(server.exchanges) == 2
