"""The backend over HTTP: one client, every fault mapped to the tree.

The only module of `backend` that speaks HTTP to an endpoint. httpx is imported when it is first needed, in
a thread: import and TLS setup take 0.1 s, which `warm` spends before anybody waits. HTTP/1.1 only: over
HTTP/2 httpcore does not tell the server that a stream was cancelled. Nothing here puts an exception's own
text into a message, since a library's text may hold a header, and a header the key.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import ssl
import sys
import time
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from qwen_ls.backend import base, network
from qwen_ls.backend.address import is_loopback
from qwen_ls.backend.scoped import ScopedCall, ScopedCalls
from qwen_ls.backend.wire.body import encode
from qwen_ls.backend.wire.chat import chat_body
from qwen_ls.backend.wire.completions import completions_body
from qwen_ls.backend.wire.errors import error_of
from qwen_ls.backend.wire.failures import Failure, read_failure, retry_after_s
from qwen_ls.backend.wire.headers import USER_AGENT, request_headers
from qwen_ls.backend.wire.reader import AnswerReader
from qwen_ls.backend.wire.semantics import Semantics, SemanticsMemory, TextStream
from qwen_ls.core.types import Chunk, Strategy

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Mapping

    import httpx

    from qwen_ls.backend.keys import Key
    from qwen_ls.backend.plan import Target
    from qwen_ls.core.types import CompletionRequest
    from qwen_ls.settings import Settings

CONNECT_S = 3.0
"""The longest a connection may take to be made."""
POOL_S = 1.0
"""The longest wait for a place in the pool. The pool has no limit: this is only met when it is broken."""
STALL_S = 5.0
"""The longest pause between two events of a stream; comments that keep it alive are none."""
AFTER_FINISH_S = 1.0
"""The longest wait for the usage once the model has finished."""
DRAIN_S = 0.25
"""The longest wait for a stream's end after its last event; only what was read to its end is used again."""
_ERROR_BYTES = 1 << 16
_REPLICA_FAILED = frozenset({500, 502, 503, 504})
"""What a gateway says when the replica that it chose is gone; before the first byte of an answer."""
SESSION_ID = secrets.token_hex(8)
"""A random name for this process, by which a fleet's router keeps it on one replica. It is kept nowhere."""

logger = logging.getLogger(__name__)


class HttpBackend:
    """An endpoint that speaks the OpenAI-compatible protocol.

    Args:
        target: whom to ask.
        key: the key, if one is needed.
        settings: the settings in force.
        memory: what is known of the endpoint's streams.
        clock: the time, in seconds since 1970, for answers that ask to wait until a date.

    Attributes:
        target: whom it asks.
        n_rebuilt: how often the client was built anew because its pool was broken.
    """

    def __init__(
        self,
        target: Target,
        key: Key | None,
        settings: Settings,
        *,
        memory: SemanticsMemory | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.target = target
        self.n_rebuilt = 0
        self._key = key
        self._settings = settings
        self._timeout_ms = target.timeout_ms(settings)
        self._memory = memory if memory is not None else SemanticsMemory()
        self._clock = clock
        self._calls = ScopedCalls()
        self._building: asyncio.Future[httpx.AsyncClient] | None = None
        self._retired: list[httpx.AsyncClient] = []
        self._closed = False

    async def stream(self, request: CompletionRequest) -> AsyncGenerator[Chunk, None]:
        """Ask, and yield the answer in pieces.

        Closing the generator closes the connection at once; reading it to its end keeps the connection alive.

        Raises:
            BackendError: one of the tree, before or between the pieces.
        """
        if self._settings.streaming == "off":
            request = replace(request, stream=False)
        build = completions_body if self.target.strategy is Strategy.FIM else chat_body
        body = encode(build(request, self.target, self._settings.extra_body))
        await self._client()
        call = self._calls.start(partial(self._call, request, body))
        try:
            while (chunk := await call.get()) is not None:
                yield chunk
        finally:
            call.cancel()

    async def warm(self) -> None:
        """Import, set up TLS, and open a connection unless the host is this machine. Never raises."""
        try:
            await self._client()
            if not is_loopback(self.target.host):
                await self._calls.start(self._knock).get()
        except Exception as error:  # the first call will say what is wrong
            logger.debug("could not warm up: %s", type(error).__name__)

    async def aclose(self) -> None:
        """Cancel what is under way and close the connections."""
        self._closed = True
        await self._calls.aclose()
        building, self._building = self._building, None
        if building is not None:
            await asyncio.wait([building])
            if not building.cancelled() and building.exception() is None:
                self._retired.append(building.result())
        while self._retired:
            await self._retired.pop().aclose()

    async def _client(self) -> httpx.AsyncClient:
        """The client, built in a thread at the first need; where that failed, built again at the next."""
        if self._closed:
            raise base.BackendError("The connection has been closed", cause="closed")
        building = self._building
        if building is None or (
            building.done() and (building.cancelled() or building.exception() is not None)
        ):
            building = asyncio.ensure_future(asyncio.to_thread(build_client, self.target, self._settings))
            building.add_done_callback(_look_at)
            self._building = building
        return await asyncio.shield(building)

    async def _rebuilt(self, broken: httpx.AsyncClient) -> httpx.AsyncClient:
        if await self._client() is broken:
            self._retired.append(broken)  # other calls may still be using it
            self._building = None
            self.n_rebuilt += 1
            logger.warning("the connection pool was broken; it has been built anew (%d)", self.n_rebuilt)
        return await self._client()

    async def _knock(self, call: ScopedCall[None]) -> None:
        """Leave an open connection in the pool: a request without a key, whose answer does not matter."""
        import anyio
        import httpx

        client = await self._client()
        with contextlib.suppress(httpx.HTTPError), anyio.move_on_after(2 * CONNECT_S):
            await client.head(self.target.base_url)

    async def _call(self, request: CompletionRequest, body: bytes, call: ScopedCall[Chunk]) -> None:
        import anyio

        try:
            with anyio.fail_after(self._timeout_ms / 1000):
                response = await self._send(request, body, call)
                if response.status_code in _REPLICA_FAILED and self.target.provider.second_try:
                    await response.aclose()
                    response = await self._send(request, body, call)
                try:
                    await self._read(request, response, call)
                finally:
                    await response.aclose()
        except TimeoutError:
            raise network.timeout_failure(self.target, self._timeout_ms) from None

    async def _send(self, request: CompletionRequest, body: bytes, call: ScopedCall[Chunk]) -> httpx.Response:
        """Send, and wait for the answer's headers; once more where a connection kept alive proves dead."""
        import httpx

        client = await self._client()
        is_again = False
        while True:
            connecting = _Connecting(call)
            try:
                http_request = client.build_request(
                    "POST", self.target.url, content=body, extensions={"trace": connecting}
                )
                http_request.headers.update(self._headers(http_request.url, stream=request.stream))
                return await client.send(http_request, stream=True)
            except httpx.PoolTimeout as error:
                if is_again:
                    raise self._mapped(error) from None
                client = await self._rebuilt(client)
            except (httpx.ReadError, httpx.WriteError, httpx.RemoteProtocolError) as error:
                if is_again or connecting.seen:
                    raise self._mapped(error) from None
            except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:  # a host that IDNA forbids
                raise self._mapped(error) from None
            is_again = True

    def _headers(self, url: httpx.URL, *, stream: bool) -> dict[str, str]:
        extra = dict(self._settings.extra_headers)
        if self.target.session_header:
            extra = {self.target.session_header: SESSION_ID, **extra}
        return request_headers(self.target, self._key, extra, scheme=url.scheme, host=url.host, stream=stream)

    async def _read(
        self, request: CompletionRequest, response: httpx.Response, call: ScopedCall[Chunk]
    ) -> None:
        import httpx

        text = self._text_stream()
        echoes = self.target.provider.echoes_prefix and self.target.strategy is Strategy.PARTIAL
        reader = AnswerReader(
            text,
            partial(self._error_of, response),
            is_stream="event-stream" in response.headers.get("content-type", ""),
            echoed_prefix=request.prompt.prefix if echoes else "",
            shape=self.target.form.shape,
        )
        try:
            if not response.is_success:
                raise await self._refusal(response)
            await self._read_all(response, reader, call)
        except httpx.HTTPError as error:
            if not reader.is_over:
                raise self._mapped(error) from None
        finally:
            self._learn(text)
        last = reader.close()
        if response.headers.get("x-dashscope-partialresponse") == "true":  # the server's own time ran out
            last = replace(last, finish_reason="length")
        call.put(last)

    async def _read_all(
        self, response: httpx.Response, reader: AnswerReader, call: ScopedCall[Chunk]
    ) -> None:
        import anyio

        with anyio.CancelScope() as pause:
            async for data in response.aiter_bytes():
                n_events = reader.n_events
                for chunk in reader.feed(data):
                    call.put(chunk)
                if reader.n_events > n_events:
                    deadline = anyio.current_time() + _patience_s(reader)
                    if (
                        abs(deadline - pause.deadline) > 0.1 * STALL_S
                    ):  # setting it costs more than reading an event
                        pause.deadline = deadline
        if pause.cancelled_caught and not reader.is_over:
            raise network.stall_failure(self.target, STALL_S)

    async def _refusal(self, response: httpx.Response) -> base.BackendError:
        body = bytearray()
        async for data in response.aiter_bytes():
            body += data
            if len(body) > _ERROR_BYTES:
                break
        return self._error_of(response, read_failure(response.status_code, bytes(body)))

    def _error_of(self, response: httpx.Response, failure: Failure) -> base.BackendError:
        headers = response.headers
        if not failure.request_id:
            failure = replace(failure, request_id=headers.get("x-request-id", ""))
        return error_of(
            failure,
            self.target,
            key_source=self._key.source if self._key else "",
            key=self._key.value if self._key else "",
            retry_after_s=retry_after_s(headers, self._clock()),
        )

    def _mapped(self, error: httpx.HTTPError | httpx.InvalidURL | UnicodeError) -> base.BackendError:
        import httpx

        if isinstance(error, httpx.ProxyError):
            return network.proxy_failure(self.target)
        if isinstance(error, httpx.ConnectTimeout):
            return network.unreachable(self.target)
        if isinstance(error, (httpx.ConnectError, httpx.InvalidURL, httpx.UnsupportedProtocol, UnicodeError)):
            return network.connect_failure(error, self.target)
        if isinstance(error, (httpx.ReadTimeout, httpx.WriteTimeout)):
            return network.timeout_failure(self.target, self._timeout_ms)
        return network.lost_connection(self.target)

    def _text_stream(self) -> TextStream:
        if self._settings.streaming in set(Semantics):
            return TextStream(Semantics(self._settings.streaming), certain=True)
        if self.target.provider.delta_streams:
            return TextStream(Semantics.DELTA, certain=True)
        return TextStream(self._memory.recall(self.target.url, self.target.model))

    def _learn(self, text: TextStream) -> None:
        if text.conclusive and text.semantics is not None:
            self._memory.learn(self.target.url, self.target.model, text.semantics)


def _patience_s(reader: AnswerReader) -> float:
    """How long to wait for more after an event."""
    if reader.is_done:
        return DRAIN_S
    return AFTER_FINISH_S if reader.is_over else STALL_S


class _Connecting:
    """Watches how a request gets its connection (httpcore's `trace`), and holds its task meanwhile."""

    def __init__(self, call: ScopedCall[Chunk]) -> None:
        self.seen = False
        """Whether it opened one, instead of using one that was kept alive."""
        self._call = call

    async def __call__(self, event: str, info: Mapping[str, Any]) -> None:
        if event.endswith(("connect_tcp.started", "start_tls.started")):
            self.seen = True
            await self._call.hold()
        elif event.endswith(("send_request_headers.started", ".failed")):
            self._call.release()


def build_client(target: Target, settings: Settings) -> httpx.AsyncClient:
    """Import httpx and build a client. Takes 0.1 s: it reads the certificates.

    Proxies and SSL_CERT_FILE come from the environment, but not for this machine: a proxy has no business
    with a server of one's own, nor with its key. httpx 0.28 reads no .netrc. Redirects are not followed.

    Raises:
        TlsError: the certificates cannot be read.
        ConfigurationError: the environment's proxy cannot be used.
    """
    # httpx has a command line of its own; where click and rich are installed, it imports them for it: 60 ms.
    sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]
    import anyio
    import httpx

    for name in ("httpx", "httpcore"):  # they log addresses and headers below this level
        logging.getLogger(name).setLevel(logging.WARNING)
    with contextlib.suppress(Exception):
        anyio.run(anyio.sleep, 0)  # imports its asyncio side here instead of in the first call
    is_local = is_loopback(target.host)
    try:
        if is_local and target.base_url.startswith("http:"):
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # not used; the real one costs 20 ms and more
        else:
            context = httpx.create_ssl_context()
    except (OSError, ssl.SSLError):
        raise network.certificates_failure() from None
    try:
        return httpx.AsyncClient(
            verify=context,
            http2=False,
            trust_env=not is_local,
            follow_redirects=False,
            headers={"user-agent": USER_AGENT},
            timeout=httpx.Timeout(target.timeout_ms(settings) / 1000, connect=CONNECT_S, pool=POOL_S),
            # A limit would let connections that hang block the ones after them.
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=4),
        )
    except (ImportError, ValueError, httpx.InvalidURL):
        raise network.bad_proxy() from None


def _look_at(future: asyncio.Future[Any]) -> None:
    """Fetch an exception that nobody may be waiting for any more."""
    if not future.cancelled():
        future.exception()
