"""Sending: the headers of notes §1.4, errors in all their carriers, whole answers and streams."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

from . import render
from .errors import HELP, HELP_ABROAD, HTML_200, HTML_502, Fault
from .http import Connection, HttpRequest, Responder, dumps
from .render import Event

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from .answers import Outcome
    from .behaviour import Behaviour
    from .call import Call
    from .models import Region
    from .record import Recorded

JSON = "application/json"
SSE = "text/event-stream;charset=UTF-8"
HTML = "text/html; charset=utf-8"
VARY = "Origin,Access-Control-Request-Method,Access-Control-Request-Headers, Accept-Encoding"
MIDSTREAM_EVENTS = 2
EDGE_MS = 9
"""The gateway's edge answers sooner than the model's service."""


class Exchange:
    """One request being answered."""

    def __init__(
        self,
        connection: Connection,
        request: HttpRequest,
        record: Recorded,
        behaviour: Behaviour,
        request_id: str,
        region: Region,
        released: Callable[[], Awaitable[None]],
    ) -> None:
        self.connection = connection
        self.request = request
        self.record = record
        self.behaviour = behaviour
        self.request_id = request_id
        self.native = request.path.startswith("/api/v1/")
        self._region = region
        self._released = released
        self._arrived = time.time()
        self._number = 0

    def _responder(self) -> Responder:
        gzip = self.behaviour.gzip and "gzip" in self.request.headers.get("accept-encoding", "")
        return Responder(self.connection, gzip=gzip)

    def headers(
        self, content_type: str, *, edge: bool = False, finished: bool = True
    ) -> list[tuple[str, str]]:
        """The headers seen on real answers."""
        now = time.time()
        cost = str(int((now - self._arrived) * 1000))
        found = [
            ("Content-Type", content_type),
            ("Vary", "Origin" if content_type == SSE else VARY),
            ("Req-Cost-Time", cost),
            ("Req-Arrive-Time", str(int(self._arrived * 1000))),
            ("Resp-Start-Time", str(int(now * 1000))),
            ("X-Envoy-Upstream-Service-Time", cost),
            ("Server", "istio-envoy"),
        ]
        if not edge:
            found += [("X-Dashscope-Call-Gateway", "true"), ("X-Dashscope-Finished", str(finished).lower())]
            found += [("X-Dashscope-Timeout", "3600")]
        if self.native:
            trace = self.request_id.replace("-", "")
            found += [("X-Request-ID", self.request_id), ("eagleeye-traceid", trace)]
            found += [("Set-Cookie", f"acw_tc={trace};path=/;HttpOnly;Max-Age=1800")]
        return found

    # --- errors ---

    def error_body(self, fault: Fault) -> dict[str, Any]:
        """The error in the dialect of the path."""
        help_url = HELP.get(self._region, HELP_ABROAD)
        make = fault.native if self.native else fault.compat
        return make(self.request_id, help_url, model=self.record.call.model if self.record.call else "")

    async def fail(self, fault: Fault, carrier: str = "json") -> None:
        """Answer with an error body."""
        await self.pause(min(self.behaviour.error_ms, EDGE_MS) if fault.edge else self.behaviour.error_ms)
        status = (fault.native_status if self.native else 0) or fault.status
        headers = [("Retry-After", self.behaviour.retry_after)] if self.behaviour.retry_after else []
        if carrier == "json" or (carrier == "200" and not self._streams()):
            status = 200 if carrier == "200" else status
            self._whole(status, JSON, dumps(self.error_body(fault)).encode(), headers, edge=fault.edge)
            return
        framed = self.framed_error(fault, status)
        if carrier == "sse":
            self._whole(status, JSON, framed, headers)
        else:
            responder = self._start()
            await responder.chunk(framed)
            responder.end()

    def framed_error(self, fault: Fault, status: int) -> bytes:
        """The error as an SSE event."""
        data = self.error_body(fault)
        if not self.native and fault.with_id:
            del data["request_id"]  # recorded so: sample (d)
        self._number += 1
        event = Event(dumps(data), kind="error", status=status)
        return render.frame(event, self._number, self.behaviour, native=self.native)

    async def fail_raw(self, name: str) -> None:
        """Answer with something that is no error body at all."""
        await self.pause(self.behaviour.error_ms)
        headers = [("Retry-After", self.behaviour.retry_after)] if self.behaviour.retry_after else []
        if name == "html_502":
            self._whole(502, HTML, HTML_502.encode(), headers, edge=True)
        elif name == "html_200":
            self._whole(200, HTML, HTML_200.encode(), edge=True)
        elif name in {"empty_502", "empty_200"}:
            self._whole(502 if name == "empty_502" else 200, JSON, b"", headers, edge=True)
        elif name == "bad_json":
            self._whole(200, JSON, b'{"id":"cmpl-1","object":"text_completion","choices":[{"index":0,"te')
        elif name == "bad_stream":
            responder = self._start()
            await responder.chunk(b'data: {"id":"cmpl-1","choices":[{"ind\n\n')
            responder.end()
        elif name == "close":
            self.connection.close()
        else:
            self.connection.reset()

    def _streams(self) -> bool:
        return self.record.call is not None and self.record.call.stream

    # --- answers ---

    def _whole(
        self,
        status: int,
        content_type: str,
        body: bytes,
        more: list[tuple[str, str]] | None = None,
        *,
        edge: bool = False,
    ) -> None:
        self.record.status = status
        self._responder().send(status, [*self.headers(content_type, edge=edge), *(more or [])], body)

    def _start(self) -> Responder:
        responder = self._responder()
        self.record.status = 200
        responder.start(200, self.headers(SSE, finished=False))
        return responder

    def send_json(self, data: Any) -> None:
        """A good JSON body."""
        self._whole(200, JSON, dumps(data).encode())

    async def answer(self, call: Call, outcome: Outcome, *, midstream: Fault | None = None) -> None:
        """A good answer, whole or streamed."""
        if self.behaviour.hold:
            await self._released()
        await self.pause(self.behaviour.ttfb_ms)
        if call.stream:
            await self._stream(call, outcome, midstream)
            return
        await self.pause(self.behaviour.inter_chunk_ms * len(outcome.pieces))
        more = [("x-dashscope-partialresponse", "true")] if self.behaviour.partialresponse else []
        self._whole(200, JSON, dumps(render.body(call, outcome)).encode(), more)

    async def _stream(self, call: Call, outcome: Outcome, midstream: Fault | None) -> None:
        responder = self._start()
        kept: list[bytes] = []
        for event in render.events(call, outcome, self.behaviour):
            if self.record.chunks:
                await self.pause(self.behaviour.inter_chunk_ms)
            self._number += 1
            data = render.frame(event, self._number, self.behaviour, native=self.native)
            if self.behaviour.coalesce:
                kept.append(data)
            else:
                await self._send_pieces(responder, data)
            if event.is_text:
                self.record.chunks += 1
                if await self._broken_off(responder, midstream):
                    return
        if not self.native and not self.behaviour.no_done:
            done = render.frame(Event("[DONE]"), 0, self.behaviour, native=False)
            kept.append(done)
        if kept:
            await self._send_pieces(responder, b"".join(kept))
        responder.end()

    async def _send_pieces(self, responder: Responder, data: bytes) -> None:
        for piece in render.split(data, self.behaviour):
            await responder.chunk(piece)

    async def _broken_off(self, responder: Responder, midstream: Fault | None) -> bool:
        """What happens after a number of text events; True when the stream is over."""
        count, wanted = self.record.chunks, self.behaviour
        if count == wanted.close_midstream:
            self.connection.close()
            return True
        if count == wanted.reset_midstream:
            await asyncio.sleep(0.02)  # let what was sent arrive before the reset discards it
            self.connection.reset()
            return True
        if midstream is not None and count == MIDSTREAM_EVENTS:
            await responder.chunk(self.framed_error(midstream, midstream.status))
            responder.end()
            return True
        if wanted.stall_ms and count == wanted.stall_after:
            await self.pause(wanted.stall_ms)
        if count == wanted.hold_after:
            await self._released()
        return False

    async def pause(self, milliseconds: float) -> None:
        """Wait (the client's leaving cancels it)."""
        if milliseconds > 0:
            await asyncio.sleep(milliseconds / 1000)
