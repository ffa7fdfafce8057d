"""A bad day at the endpoint: while somebody types it throttles, fails, stalls, breaks off, talks nonsense.

Seeded, and judged by counts: every request is answered once, no answer is wrong, no call is made while the
breaker is open, nothing is left behind. First the server process with half a minute of typing, seen from
outside; then the service with a clock that runs faster, and the breaker looked at with every call.
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import random
import sys
import time
from collections.abc import AsyncGenerator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from qwen_ls.backend.http import HttpBackend
from qwen_ls.backend.keys import Key
from qwen_ls.backend.plan import Target, resolve
from qwen_ls.core.types import Chunk, Completion, CompletionRequest, Document, Reason, TriggerKind
from qwen_ls.entries import Amounts
from qwen_ls.ledger import Ledger
from qwen_ls.service import CompletionService
from qwen_ls.settings import Settings
from tests.e2e.conftest import KEY, environment
from tests.fake_dashscope import Behaviour, FakeDashScope, Reply
from tests.lsp.wire import TIMEOUT_S, Wire, ask, did_change, did_open, edit

FUNCTION = """\
def step_{n}(value_{n}):
    total_{n} = value_{n} * {n} + {sum}
    return total_{n} - {rest}


"""
TRUTH = "".join(FUNCTION.format(n=n, sum=n * 7, rest=n % 5) for n in range(40))
START = TRUTH.index("step_1")
"""What stands there when the typing begins."""
SOON = Behaviour(retry_after="0.05")
FAULTS = [
    *(Reply(fault=fault, behaviour=SOON) for fault in ("429", "quota", "burst", "500", "503", "429@200")),
    Reply(fault="429", behaviour=Behaviour(retry_after="1.5")),
    Reply(fault="500@midstream"),
    Reply(behaviour=Behaviour(stall_ms=3000, stall_after=1, tokens_per_chunk=1)),
    Reply(behaviour=Behaviour(stall_ms=3000, stall_after=0)),
    Reply(behaviour=Behaviour(close_midstream=1, tokens_per_chunk=1)),
    Reply(behaviour=Behaviour(reset_midstream=1, tokens_per_chunk=1)),
    Reply(behaviour=Behaviour(no_done=True)),
    *(Reply(fault=fault) for fault in ("bad_json", "bad_stream", "html_502", "html_200", "empty_200")),
    *(Reply(fault=fault) for fault in ("empty_502", "reset", "close")),
]


def bad_day(chance: random.Random, n: int) -> list[Reply]:
    """Half of the replies are good."""
    return [chance.choice(FAULTS) if chance.random() < 0.5 else Reply() for _ in range(n)]


def keys(n_keys: int) -> Iterator[tuple[int, str]]:
    """The typing: where the cursor stood and what was typed there; an editor indents in one go."""
    at = START
    for _ in range(n_keys):
        blanks = len(TRUTH[at:]) - len(TRUTH[at:].lstrip(" "))
        text = TRUTH[at : at + max(blanks, 1)]
        yield at, text
        at += len(text)


def pause_after_s(text: str, chance: random.Random) -> float:
    """How long somebody takes for the next key: seven a second, slower between words, thinking at times."""
    if text == "\n" and chance.random() < 0.3:
        return chance.uniform(0.8, 2.0)
    return min(chance.lognormvariate(-2.1 if text.isalnum() else -1.5, 0.4), 1.0)


def place(offset: int) -> tuple[int, int]:
    """Line and character."""
    return TRUTH.count("\n", 0, offset), offset - TRUTH.rfind("\n", 0, offset) - 1


@dataclass
class Typist:
    """Somebody who types in an editor and asks at every key, and what the server says meanwhile."""

    wire: Wire
    uri: str = "file:///project/chaos.py"
    ends: list[int] = field(default_factory=list)
    """Where the cursor stood when it was asked, by the request's number."""
    answers: list[dict[str, Any]] = field(default_factory=list)
    statuses: list[tuple[float, dict[str, Any]]] = field(default_factory=list)
    """When they came, and what they said."""

    def press(self, at: int, text: str, chance: random.Random) -> None:
        """One key, and the request that follows it."""
        n, end = len(self.ends), at + len(text)
        self.ends.append(end)
        self.wire.send(did_change(self.uri, n + 2, edit(place(at), place(at), text)))
        self.wire.send(ask(n, self.uri, *place(end), trigger=chance.choice([1, 2])))

    def listen(self, seconds: float) -> None:
        """Hear what the server says for so long."""
        until_s = time.monotonic() + seconds
        while (left_s := until_s - time.monotonic()) > 0:
            self.wire.timeout_s = left_s
            with contextlib.suppress(queue.Empty):
                self.hear(self.wire.receive())

    def hear(self, message: dict[str, Any]) -> None:
        """Sort a message."""
        if message.get("method") == "didChangeStatus":
            self.statuses.append((time.monotonic(), message["params"]))
        elif "method" not in message:
            self.answers.append(message)

    @property
    def is_paused(self) -> bool:
        """Whether the last status says so."""
        return bool(self.statuses) and self.statuses[-1][1]["kind"] == "Warning"

    def pauses(self) -> list[tuple[float, float]]:
        """When it has said that no calls are made: from when that was heard to just before the end was."""
        ends_s = [at_s for at_s, _ in self.statuses[1:]]
        spans = [
            (at_s, end_s - HEARD_LATE_S)
            for (at_s, params), end_s in zip(self.statuses, ends_s, strict=False)
            if params["kind"] == "Warning"
        ]
        return [(at_s, end_s) for at_s, end_s in spans if end_s > at_s]


TYPING_S = 30.0
HEARD_LATE_S = 0.3
"""How late the end of a pause may be heard here, on a busy machine, after it has ended there."""


def test_half_a_minute_of_typing_is_answered_and_leaves_nothing(fake: FakeDashScope) -> None:
    chance = random.Random(20)
    fake.truth = TRUTH
    fake.script.extend(bad_day(chance, 1000))
    options = {"baseUrl": fake.compat_url, "debounceMs": 0, "timeoutMs": 500}
    with Wire(sys.executable, "-m", "qwen_ls", "--stdio", env=environment()) as wire:
        wire.initialize(initializationOptions=options)
        typist = Typist(wire)
        wire.send(did_open(typist.uri, TRUTH[:START]))
        process = psutil.Process(wire.process.pid)
        began_s, before_mib = time.monotonic(), 0.0
        for at, text in keys(1000):
            typist.press(at, text, chance)
            typist.listen(pause_after_s(text, chance))
            typed_s = time.monotonic() - began_s
            if not before_mib and typed_s > TYPING_S / 3:
                before_mib = process.memory_info().rss / 2**20
            if typed_s > TYPING_S:
                break
        while len(typist.answers) < len(typist.ends):
            typist.hear(wire.receive())
        grown_mib = process.memory_info().rss / 2**20 - before_mib
        n_calls, n_keys = len(fake.requests), len(typist.ends)
        fake.script.clear()
        wire.timeout_s = TIMEOUT_S
        while typist.is_paused:  # a status that returns by itself: nobody asks any more
            typist.hear(wire.receive())
        wire.send(ask("last", typist.uri, *place(typist.ends[-1]), trigger=1))
        assert check(typist.ends[-1], wire.answer())
    assert sorted(answer["id"] for answer in typist.answers) == list(range(n_keys))
    shown = [check(typist.ends[answer["id"]], answer) for answer in typist.answers]
    pauses = typist.pauses()
    calls_s = [request.arrived for request in fake.requests]
    while_paused = [at_s for at_s in calls_s if any(since <= at_s <= until for since, until in pauses)]
    assert while_paused == []
    assert grown_mib < 3
    # It was a bad day, and not so bad that nothing was seen.
    assert (n_keys > 100, n_calls > 20, sum(shown) > 20, len(pauses) > 3) == (True,) * 4


def check(end: int, answer: dict[str, Any]) -> bool:
    """Whether a suggestion was shown; it is what the document goes on with."""
    assert "error" not in answer, answer
    if not (answer["result"] or {}).get("items"):
        return False
    [item] = answer["result"]["items"]
    typed = TRUTH[:end]
    line = typed[typed.rfind("\n") + 1 :]
    begin, end = (item["range"][side]["character"] for side in ("start", "end"))
    assert end == len(line), "there is nothing to the right of the cursor"
    left = typed[: len(typed) - len(line) + begin] + item["insertText"]
    assert TRUTH.startswith(left), (typed[-40:], item["insertText"])
    return True


class Watched:
    """The real backend; notes every call that is made while none may be."""

    def __init__(self, backend: HttpBackend, service: list[CompletionService]) -> None:
        self._backend, self._service = backend, service
        self.n_calls = 0
        self.while_open: list[float] = []

    @property
    def target(self) -> Target:
        return self._backend.target

    @property
    def partial(self) -> Target | None:
        return self._backend.partial

    def forgo_fim(self) -> None:
        self._backend.forgo_fim()

    async def stream(self, request: CompletionRequest) -> AsyncGenerator[Chunk, None]:
        self.n_calls += 1
        if remaining_s := self._service[0]._endpoint.pause_s():
            self.while_open.append(remaining_s)
        async with contextlib.aclosing(self._backend.stream(request)) as chunks:
            async for chunk in chunks:
                yield chunk

    async def warm(self) -> None:
        await self._backend.warm()

    async def aclose(self) -> None:
        await self._backend.aclose()


SPEED = 40.0
"""How much faster the service's clock runs: its pauses are too long for a test."""


async def test_no_call_is_made_while_the_breaker_is_open(fake: FakeDashScope, tmp_path: Path) -> None:
    n_keys, file = 400, tmp_path / "ledger.sqlite3"
    chance = random.Random(21)
    fake.truth = TRUTH
    fake.script.extend(bad_day(chance, 1000))
    limits = {"tokens_per_day": 10**9}  # none is reached, and every call has to be admitted
    settings = Settings(base_url=fake.compat_url, debounce_ms=0, timeout_ms=500, limits=limits)
    services: list[CompletionService] = []
    backend = Watched(
        HttpBackend(resolve(settings), Key(KEY, "environment variable DASHSCOPE_API_KEY"), settings), services
    )

    async def sleep(seconds: float) -> None:
        await asyncio.sleep(seconds / SPEED)

    service = CompletionService(
        settings,
        connect=lambda _: backend,
        clock=lambda: time.monotonic() * SPEED,
        sleep=sleep,
        random=chance.random,
        ledger=lambda: file,
    )
    services.append(service)
    asked = []
    for n, (at, text) in enumerate(keys(n_keys)):
        # Two documents, so that calls are on their way while others fail.
        uri, length = f"file:///project/{n % 2}.py", at + len(text)
        document = Document(uri, n, "python", TRUTH[:length])
        trigger = TriggerKind(1 + n % 3 // 2)
        asked.append((length, asyncio.create_task(service.complete(document, length, trigger))))
        await asyncio.sleep(0.02)
    results = [(length, await asyncio.wait_for(task, 30)) for length, task in asked]
    counts = service.explain()["counts"]
    await service.aclose()
    shown = [(length, result) for length, result in results if isinstance(result, Completion)]
    for length, result in shown:
        assert TRUTH.startswith(TRUTH[: result.start] + result.text)
        assert result.start <= length
    assert backend.while_open == []
    assert backend.n_calls >= 30
    assert any(getattr(result, "reason", None) is Reason.COOLING_DOWN for _, result in results)
    assert len(shown) >= 20
    ledger = Ledger(file)
    booked = sum((row.amounts for row in ledger.rows()), Amounts())
    ledger.close()
    assert (booked.requests, booked.calls, booked.shown) == (n_keys, backend.n_calls, counts["shown"])
