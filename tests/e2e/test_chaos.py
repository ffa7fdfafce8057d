"""A bad day at the endpoint: while somebody types it throttles, fails, stalls, breaks off, talks nonsense.

Seeded, bounded, and judged by counts: every request is answered, no answer is wrong, no call is made while
the breaker is open, nothing is left behind.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import sys
import time
from collections.abc import AsyncGenerator, Iterator
from pathlib import Path
from typing import Any

import psutil

from qwen_ls.backend.http import HttpBackend
from qwen_ls.backend.keys import Key
from qwen_ls.backend.plan import Target, resolve
from qwen_ls.core.types import Chunk, Completion, CompletionRequest, Document, Reason, TriggerKind
from qwen_ls.ledger import Amounts, Ledger
from qwen_ls.service import CompletionService
from qwen_ls.settings import Settings
from tests.e2e.conftest import KEY, environment
from tests.fake_dashscope import Behaviour, FakeDashScope, Reply
from tests.lsp.wire import Wire, ask, did_change, did_open, edit, notification

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


def place(offset: int) -> tuple[int, int]:
    """Line and character."""
    return TRUTH.count("\n", 0, offset), offset - TRUTH.rfind("\n", 0, offset) - 1


def test_the_server_process_answers_everything_and_keeps_nothing(fake: FakeDashScope) -> None:
    n_keys, pause_s, uri = 240, 0.04, "file:///project/chaos.py"
    chance = random.Random(20)
    fake.truth = TRUTH
    fake.script.extend(bad_day(chance, 1000))
    options = {"baseUrl": fake.compat_url, "debounceMs": 0, "timeoutMs": 500}
    with Wire(sys.executable, "-m", "qwen_ls", "--stdio", env=environment()) as wire:
        wire.initialize(initializationOptions=options)
        wire.send(did_open(uri, TRUTH[:START]))
        process = psutil.Process(wire.process.pid)
        before_mib, ends = 0.0, []
        for n, (at, text) in enumerate(keys(n_keys)):
            ends.append(at + len(text))
            wire.send(did_change(uri, n + 2, edit(place(at), place(at), text)))
            wire.send(ask(n, uri, *place(ends[-1]), trigger=1 + n % 2))
            time.sleep(pause_s)
            if n == n_keys // 3:
                before_mib = process.memory_info().rss / 2**20
        answers = {answer["id"]: answer for answer in wire.answers(n_keys)}
        grown_mib = process.memory_info().rss / 2**20 - before_mib
        assert set(answers) == set(range(n_keys))
        shown = [check(ends[n], answer) for n, answer in answers.items()]
        assert sum(shown) >= 10, "half of the endpoint's answers are good"
        assert grown_mib < 8
        fake.script.clear()
        settings = {"settings": {"qwen-ls": {"seed": 7}}}
        wire.send(notification("workspace/didChangeConfiguration", settings))
        wire.send(ask("last", uri, *place(ends[-1]), trigger=1))
        assert check(ends[-1], wire.answer())
    assert len(fake.requests) >= 10


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
    settings = Settings(base_url=fake.compat_url, debounce_ms=0, timeout_ms=500)
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
