"""The fake DashScope: a real HTTP server on loopback that answers, misbehaves and remembers as it is told."""

from __future__ import annotations

import asyncio
import itertools
import json
import threading
import time
from collections import deque
from typing import TYPE_CHECKING

from . import admin
from .answers import Outcome, cut, default_answer, pieces_of, true_answer, untidy
from .behaviour import Behaviour, Reply
from .call import IMAGE_TOKENS, ROUTES, Call, read_call
from .errors import FAULTS, RAW_FAULTS, bad_request, parse_fault
from .host import HttpHost
from .limiter import RateLimiter
from .models import MODELS, RETIRED, Model, Region, lookup
from .record import Recorded, Signal
from .respond import Exchange
from .tokens import PromptCache, count_tokens
from .validate import NO_ASYNC, check_key, check_model, check_parameters, is_thinking

if TYPE_CHECKING:
    from collections.abc import Callable

    from .http import Connection, HttpRequest

    Answer = str | Callable[[Recorded], str] | None

BEHAVIOUR_HEADER = "x-fake-behaviour"
MODELS_PATH = "/compatible-mode/v1/models"
MODELS_CREATED = 1786717551
THOUGHT = "The user wants the code to be completed."


def counting_ids() -> Callable[[], str]:
    """Request ids that look like the real ones and count up from 1."""
    numbers = itertools.count(1)
    return lambda: f"{next(numbers):08x}-3a4b-9c5d-8e6f-7a8b9c0d1e2f"


class FakeDashScope(HttpHost):
    """The server.  ``async with FakeDashScope() as fake`` or ``with FakeDashScope.in_thread() as fake``."""

    def __init__(
        self,
        *,
        answer: Answer = None,
        truth: str = "",
        behaviour: Behaviour | None = None,
        region: Region = "beijing",
        keys: set[str] | None = None,
        rate_limits: bool = False,
        host: str = "127.0.0.1",
        port: int = 0,
        ids: Callable[[], str] | None = None,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(host, port)
        self._first = (answer, truth, behaviour or Behaviour(), region, rate_limits)
        self.keys = keys if keys is not None else {"sk-test"}
        """Accepted API keys."""
        self.models: dict[str, Model] = dict(MODELS)
        self.retired: set[str] = set(RETIRED)
        self.requests: list[Recorded] = []
        self.script: deque[Reply] = deque()
        """Replies for the next requests that pass the validation, first in, first out."""
        self._ids = ids or counting_ids()
        self._now = now
        self._limiter = RateLimiter(clock)
        self._cache = PromptCache()
        self._release = Signal()
        self._arrivals = threading.Condition()
        self._apply_first()

    def _apply_first(self) -> None:
        self.answer: Answer
        self.answer, self.truth, self.behaviour, self.region, self.rate_limits = self._first

    # --- for tests ---

    @property
    def compat_url(self) -> str:
        """The base URL of the OpenAI-compatible protocol."""
        return f"{self.base_url}/compatible-mode/v1"

    @property
    def native_url(self) -> str:
        """The base URL of the native protocol."""
        return f"{self.base_url}/api/v1"

    def release(self) -> None:
        """Let every request go on that ``hold`` or ``hold_after`` stopped; later ones stop again."""
        signal, self._release = self._release, Signal()
        signal.set()

    def reset(self) -> None:
        """Back to how it was made: no records, no script, first settings."""
        self._apply_first()
        self.requests.clear()
        self.script.clear()
        self._limiter.clear()
        self._cache.clear()
        self.release()

    def wait_for_requests_sync(self, count: int, timeout: float = 30) -> list[Recorded]:
        """Wait in a thread until ``count`` requests have arrived."""
        with self._arrivals:
            if not self._arrivals.wait_for(lambda: len(self.requests) >= count, timeout):
                raise TimeoutError(f"{len(self.requests)} of {count} requests arrived")
        return self.requests

    async def wait_for_requests(self, count: int, timeout: float = 30) -> list[Recorded]:
        """Wait in a coroutine until ``count`` requests have arrived."""
        async with asyncio.timeout(timeout):
            while len(self.requests) < count:
                await asyncio.sleep(0.002)
        return self.requests

    # --- one request ---

    async def _handle(self, connection: Connection, request: HttpRequest) -> None:
        if request.path.startswith("/_fake/"):
            await admin.handle(self, connection, request)
            return
        try:
            body = json.loads(request.body) if request.body else None
        except ValueError:
            body = None
        with self._arrivals:
            record = Recorded.of(len(self.requests), request, body)
            self.requests.append(record)
            self._arrivals.notify_all()
        try:
            await self._exchange(connection, request, record)
        except asyncio.CancelledError:
            if not connection.ended_here:
                record.close_early()
            raise
        except Exception as exc:  # an answer that raises, or a fault of the fake
            self.crashes.append(exc)
            connection.reset()
        finally:
            record.finished.set()

    async def _exchange(self, connection: Connection, request: HttpRequest, record: Recorded) -> None:
        async def released() -> None:
            await self._release.wait(timeout=600)

        exchange = Exchange(connection, request, record, self.behaviour, self._ids(), self.region, released)
        try:
            exchange.behaviour = self.behaviour.with_text(request.headers.get(BEHAVIOUR_HEADER, ""))
        except ValueError as exc:
            await exchange.fail(bad_request(f"{BEHAVIOUR_HEADER}: {exc}"))
            return
        fault = check_key(request.headers.get("authorization", ""), self.keys)
        if fault is not None:
            await exchange.fail(fault)
        elif request.method == "GET" and request.path == MODELS_PATH:
            await self._list_models(exchange)
        elif request.method == "POST" and request.path in ROUTES:
            await self._generate(exchange)
        else:
            await exchange.fail(FAULTS["not_found"])

    def _next_reply(self, path: str) -> Reply:
        for reply in self.script:
            if reply.fits(path):
                self.script.remove(reply)
                return reply
        return Reply()

    async def _failed(self, exchange: Exchange, text: str) -> bool:
        """Answer with the fault, unless it is one that comes in the middle of a stream."""
        name, carrier = parse_fault(text)
        if name == "refuse":
            exchange.connection.reset()
            self._refuse()
        elif name in RAW_FAULTS:
            await exchange.fail_raw(name)
        elif carrier != "midstream":
            await exchange.fail(FAULTS[name], carrier)
        else:
            return False
        return True

    async def _list_models(self, exchange: Exchange) -> None:
        reply = self._next_reply(MODELS_PATH)
        exchange.behaviour = reply.behaviour or exchange.behaviour
        if reply.fault and await self._failed(exchange, reply.fault):
            return
        names = [
            name
            for name in self.models
            if name not in self.retired and lookup(self.models, name, self.region)
        ]
        data = [
            {"id": name, "object": "model", "created": MODELS_CREATED, "owned_by": "system"} for name in names
        ]
        last = f"model-id-{len(names) - 1}"
        exchange.send_json(
            {"object": "list", "data": data, "first_id": "model-id-0", "last_id": last, "has_more": False}
        )

    async def _generate(self, exchange: Exchange) -> None:
        record, headers = exchange.record, exchange.request.headers
        call = record.call = read_call(exchange.request.path, headers, record.body)
        if call.protocol == "native" and "x-dashscope-async" in headers:
            await exchange.fail(NO_ASYNC)
            return
        model, fault = check_model(call, record.body, self.models, self.retired, self.region)
        if model is not None and fault is None:
            fault = check_parameters(call, model)
        if model is None or fault is not None:
            await exchange.fail(fault or FAULTS["model_not_found"])
            return
        if self.rate_limits and (limited := self._limiter.check(model, call.text_tokens)):
            await exchange.fail(FAULTS[limited])
            return
        reply = self._next_reply(record.path)
        exchange.behaviour = reply.behaviour or exchange.behaviour
        trouble = reply.fault or exchange.behaviour.fault
        if trouble and await self._failed(exchange, trouble):
            return
        midstream = FAULTS[parse_fault(trouble)[0]] if trouble else None
        outcome = self._outcome(exchange, call, model, reply)
        await exchange.answer(call, outcome, midstream=midstream)

    def _outcome(self, exchange: Exchange, call: Call, model: Model, reply: Reply) -> Outcome:
        behaviour = exchange.behaviour
        if reply.pieces is not None:
            pieces, finish = list(reply.pieces), "stop"
        else:
            text = self._text(exchange.record, call) if reply.text is None else reply.text
            text, finish = cut(untidy(text, call, behaviour), call, behaviour)
            if behaviour.partialresponse:
                text = text[: (len(text) + 1) // 2]
            pieces = pieces_of(text, behaviour.tokens_per_chunk)
        thinking = is_thinking(call, model)
        images = call.images * IMAGE_TOKENS
        return Outcome(
            pieces=pieces,
            finish_reason=reply.finish_reason or finish,
            input_tokens=call.text_tokens + images,
            output_tokens=count_tokens("".join(pieces)),
            cached_tokens=self._cache.lookup(model.name, call.prompt) if model.cached else None,
            image_tokens=images,
            request_id=exchange.request_id,
            created=int(self._now()),
            reasoning=THOUGHT if thinking else "" if model.thinking != "never" else None,
        )

    def _text(self, record: Recorded, call: Call) -> str:
        """What the model says: a continuation, so a prefix that it was given to say is taken off."""
        said = self.answer(record) if callable(self.answer) else self.answer
        if said is None and self.truth:
            said = true_answer(self.truth, call)
        if said is None:
            return default_answer(call)
        return said.removeprefix(call.prefix) if call.kind in {"fim", "partial"} else said
