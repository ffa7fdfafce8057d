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
import time
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from qwen_ls.backend import base, network
from qwen_ls.backend.address import is_loopback
from qwen_ls.backend.client import CONNECT_S, build_client
from qwen_ls.backend.memory import Memory
from qwen_ls.backend.scoped import ScopedCall, ScopedCalls
from qwen_ls.backend.wire.body import encode
from qwen_ls.backend.wire.chat import chat_body
from qwen_ls.backend.wire.completions import completions_body
from qwen_ls.backend.wire.errors import WRONG_NATIVE_PATH, error_of
from qwen_ls.backend.wire.failures import Failure, read_failure, retry_after_s
from qwen_ls.backend.wire.headers import request_headers
from qwen_ls.backend.wire.native import native_body
from qwen_ls.backend.wire.reader import AnswerReader
from qwen_ls.backend.wire.semantics import Semantics, TextStream
from qwen_ls.core.types import Chunk, Strategy

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Mapping

    import httpx

    from qwen_ls.backend.keys import Key
    from qwen_ls.backend.plan import Target
    from qwen_ls.core.types import CompletionRequest
    from qwen_ls.settings import Settings

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


@dataclass(frozen=True, slots=True)
class _Asked:
    """What is sent, and to whom."""

    request: CompletionRequest
    target: Target
    body: bytes


class HttpBackend:
    """An endpoint that speaks the OpenAI-compatible protocol, or DashScope's own.

    Args:
        target: whom to ask.
        key: the key, if one is needed.
        settings: the settings in force.
        memory: what is known of endpoints.
        clock: the time, in seconds since 1970, for answers that ask to wait until a date.

    Attributes:
        target: whom it asks, and how.
        partial: how it asks where a prompt is one of partial mode and the target is not; None: not at all.
        n_rebuilt: how often the client was built anew because its pool was broken.
    """

    def __init__(
        self,
        target: Target,
        key: Key | None,
        settings: Settings,
        *,
        memory: Memory | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._memory = memory if memory is not None else Memory()
        self.target = replace(target, native=self._memory.native_path(target) or target.native)
        self.partial = target.in_partial_mode()
        self._first = self.target
        if self.partial and settings.strategy == "auto" and self._memory.lacks_fim(target):
            self.target = self.partial
        self.n_rebuilt = 0
        self._key = key
        self._settings = settings
        self._timeout_ms = target.timeout_ms(settings)
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
        asked = self._asked(request, self._target_of(request))
        await self._client()
        call = self._calls.start(partial(self._call, asked))
        try:
            while (chunk := await call.get()) is not None:
                yield chunk
        finally:
            call.cancel()

    def forgo_fim(self) -> None:
        """Ask in partial mode from now on: the endpoint refuses to fill in the middle with this model."""
        if self.partial is not None:
            self._memory.learn_no_fim(self.target)
            self.target = self.partial

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

    async def _call(self, asked: _Asked, call: ScopedCall[Chunk]) -> None:
        import anyio

        try:
            with anyio.fail_after(self._timeout_ms / 1000):
                try:
                    await self._exchange(asked, call)
                except base.RequestError as error:
                    if error.cause != WRONG_NATIVE_PATH or asked.target.native is None:
                        raise
                    await self._repair(asked, call)
        except TimeoutError:
            raise network.timeout_failure(self.target, self._timeout_ms) from None

    async def _exchange(self, asked: _Asked, call: ScopedCall[Chunk]) -> None:
        response = await self._send(asked, call)
        has_failed = response.status_code in _REPLICA_FAILED and asked.target.provider.second_try
        if has_failed and retry_after_s(response.headers, self._clock()) is None:
            await response.aclose()
            response = await self._send(asked, call)
        try:
            await self._read(asked, response, call)
        finally:
            await response.aclose()

    async def _repair(self, asked: _Asked, call: ScopedCall[Chunk]) -> None:
        """Ask once more by the native API's other path, and stay with it where it is the right one."""
        native = asked.target.native
        other = replace(asked.target, native=native and native.other)
        await self._exchange(self._asked(asked.request, other), call)
        self._memory.learn_native_path(other)
        self.target = other

    def _target_of(self, request: CompletionRequest) -> Target:
        """The target that the request's prompt was made for."""
        every = (self.target, self.partial, self._first)
        fitting = (one for one in every if one and one.strategy is request.prompt.strategy)
        return next(fitting, self.target)

    def _asked(self, request: CompletionRequest, target: Target) -> _Asked:
        build = completions_body if target.strategy is Strategy.FIM else chat_body
        if target.native is not None:
            build = native_body
        return _Asked(request, target, encode(build(request, target, self._settings.extra_body)))

    async def _send(self, asked: _Asked, call: ScopedCall[Chunk]) -> httpx.Response:
        """Send, and wait for the answer's headers; once more where a connection kept alive proves dead."""
        import httpx

        client = await self._client()
        is_again = False
        while True:
            connecting = _Connecting(call)
            try:
                http_request = client.build_request(
                    "POST", asked.target.url, content=asked.body, extensions={"trace": connecting}
                )
                http_request.headers.update(self._headers(http_request.url, stream=asked.request.stream))
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

    async def _read(self, asked: _Asked, response: httpx.Response, call: ScopedCall[Chunk]) -> None:
        import httpx

        target = asked.target
        text = self._text_stream(target)
        echoes = target.provider.echoes_prefix and target.strategy is Strategy.PARTIAL
        reader = AnswerReader(
            text,
            partial(self._error_of, response, target),
            kind=response.headers.get("content-type", ""),
            echoed_prefix=asked.request.prompt.prefix if echoes else "",
            shape=target.form.shape,
        )
        try:
            if not response.is_success:
                raise await self._refusal(response, target)
            await self._read_all(response, reader, call)
        except httpx.HTTPError as error:
            if not reader.is_over:
                raise self._mapped(error) from None
        finally:
            self._learn(text, target)
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

    async def _refusal(self, response: httpx.Response, target: Target) -> base.BackendError:
        body = bytearray()
        async for data in response.aiter_bytes():
            body += data
            if len(body) > _ERROR_BYTES:
                break
        return self._error_of(response, target, read_failure(response.status_code, bytes(body)))

    def _error_of(self, response: httpx.Response, target: Target, failure: Failure) -> base.BackendError:
        headers = response.headers
        if not failure.request_id:
            failure = replace(failure, request_id=headers.get("x-request-id", ""))
        return error_of(
            failure,
            target,
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

    def _text_stream(self, target: Target) -> TextStream:
        if self._settings.streaming in set(Semantics):
            return TextStream(Semantics(self._settings.streaming), certain=True)
        if target.provider.delta_streams:
            return TextStream(Semantics.DELTA, certain=True)
        known = self._memory.semantics.recall(target.url, target.model)
        if known is None and target.native is not None:
            known = Semantics.DELTA  # asked for by `incremental_output`, and watched: it may be ignored
        return TextStream(known)

    def _learn(self, text: TextStream, target: Target) -> None:
        if text.conclusive and text.semantics is not None:
            self._memory.semantics.learn(target.url, target.model, text.semantics)


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


def _look_at(future: asyncio.Future[Any]) -> None:
    """Fetch an exception that nobody may be waiting for any more."""
    if not future.cancelled():
        future.exception()
