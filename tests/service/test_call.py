"""Asking otherwise: where FIM is refused, and where the token limit has cut an answer."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from qwen_ls.backend.base import AccessError, ModelError, RateLimitError, ServerError
from qwen_ls.backend.connect import connect
from qwen_ls.backend.memory import Memory
from qwen_ls.core.types import Chunk, Completion, Reason, Skip, Strategy, TriggerKind, Usage
from qwen_ls.report import Level
from qwen_ls.service import CompletionService
from qwen_ls.settings import Settings
from tests.fake_dashscope import Behaviour, FakeDashScope, Reply
from tests.marked import marked
from tests.service.scripted import WAIT, Stage
from tests.service.test_service import ask, start, until

FIM, PARTIAL = Strategy.FIM, Strategy.PARTIAL
BLOCK = "def total(xs):\n    █"


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    stage = Stage(debounce_ms=0, look_ahead=False)
    yield stage
    await stage.service.aclose()
    assert stage.backend.live == 0


def strategies(stage: Stage) -> list[Strategy]:
    return [request.prompt.strategy for request in stage.backend.requests]


@pytest.mark.parametrize(
    "refusal", [AccessError("No access"), ModelError("No such model")], ids=["access", "model"]
)
async def test_where_fim_is_refused_partial_mode_is_asked_and_told_once(stage: Stage, refusal) -> None:
    stage.backend.script = [refusal, "sum(xs)", "len(xs)"]
    shown = await ask(stage, "total = █")
    assert isinstance(shown, Completion)
    assert shown.text == "sum(xs)"
    assert isinstance(await ask(stage, "count = █"), Completion)
    assert strategies(stage) == [FIM, PARTIAL, PARTIAL]
    (notice,) = stage.notices
    assert notice.level is Level.INFO
    assert refusal.message in notice.text
    assert "strategy" in notice.text
    assert stage.service.explain()["strategy"] == "partial"
    assert stage.service.status().kind == "ready"


async def test_where_both_are_refused_the_first_refusal_is_told_and_calls_stop(stage: Stage) -> None:
    stage.backend.script = [ModelError("No such model"), AccessError("No access")]
    assert isinstance(await ask(stage, "total = █"), Skip)
    assert isinstance(await ask(stage, "count = █"), Skip)
    assert strategies(stage) == [FIM, PARTIAL]
    (notice,) = stage.notices
    assert "No such model" in notice.text
    assert stage.backend.target.strategy is FIM


async def test_what_goes_wrong_in_partial_mode_is_told_as_it_is(stage: Stage) -> None:
    stage.backend.script = [ModelError("No such model"), RateLimitError("Too many")]
    assert isinstance(await ask(stage, "total = █"), Skip)
    assert "Too many" in stage.notices[0].text
    assert stage.service.status().kind == "limited"


@pytest.mark.parametrize(
    ("settings", "error"),
    [
        pytest.param({"strategy": "fim"}, ModelError("no"), id="FIM by name"),
        pytest.param({"region": "singapore"}, ModelError("no"), id="partial mode already"),
        pytest.param({}, ServerError("no"), id="another error"),
    ],
)
async def test_when_nothing_else_is_asked(settings: dict[str, Any], error: Exception) -> None:
    stage = Stage(debounce_ms=0, **settings)
    stage.backend.script = [error]
    assert isinstance(await ask(stage, "total = █"), Skip)
    assert len(stage.backend.requests) == 1
    await stage.service.aclose()


CUT = Chunk("", "length", Usage(10, 5, 2))


async def test_an_answer_cut_inside_a_statement_is_continued(stage: Stage) -> None:
    stage.backend.script = [["n = 0\n    return sum(", CUT], ["xs)", Chunk("", "stop", Usage(20, 2, 8))]]
    shown = await ask(stage, BLOCK, TriggerKind.INVOKED)
    assert isinstance(shown, Completion)
    assert shown.text == "n = 0\n    return sum(xs)"
    assert strategies(stage) == [FIM, PARTIAL]
    assert stage.backend.requests[1].prompt.prefix == "def total(xs):\n    n = 0\n    return sum("
    facts = stage.service.explain()
    assert facts["continued"] == 1
    assert facts["usage"] == {"prompt_tokens": 30, "completion_tokens": 7, "cached_tokens": 10}


async def test_it_is_continued_twice_and_then_loses_its_broken_line(stage: Stage) -> None:
    stage.backend.script = [
        ["a = f(\n        1,", CUT],
        ["\n        2)\n    b = ", CUT],
        ["g(", CUT],
        "never",
    ]
    shown = await ask(stage, BLOCK, TriggerKind.INVOKED)
    assert isinstance(shown, Completion)
    assert shown.text == "a = f(\n        1,\n        2)"
    assert len(stage.backend.requests) == 3


@pytest.mark.parametrize(
    ("error", "status"),
    [
        pytest.param(RateLimitError("Too many", retry_after_s=30), "limited", id="rate"),
        pytest.param(ServerError("It failed"), "limited", id="server"),
        pytest.param(ModelError("No partial mode"), "ready", id="refused: FIM goes on"),
    ],
)
async def test_a_continuation_that_fails_leaves_what_there_was(stage: Stage, error, status: str) -> None:
    stage.backend.script = [["n = 0\n    return sum(", CUT], error]
    shown = await ask(stage, BLOCK, TriggerKind.INVOKED)
    assert isinstance(shown, Completion)
    assert shown.text == "n = 0"
    assert not stage.notices
    assert stage.service.status().kind == status
    again = await ask(stage, "x = █", TriggerKind.INVOKED)
    assert isinstance(again, Completion) == (status == "ready")


async def test_while_calls_have_to_wait_no_second_one_is_made(stage: Stage) -> None:
    """Another document's call has met a limit meanwhile."""
    stage.backend.script = [["n = 0\n    return sum(", WAIT, CUT], RateLimitError("Too many")]
    task = start(stage, BLOCK, TriggerKind.INVOKED)
    await until(lambda: stage.backend.live)
    await stage.service.complete(*marked("x = █", uri="file:///p/b.py"), TriggerKind.INVOKED)
    assert stage.service.status().kind == "limited"
    stage.backend.release.set()
    shown = await task
    assert isinstance(shown, Completion)
    assert shown.text == "n = 0"
    assert len(stage.backend.requests) == 2


async def test_a_pause_is_no_reason_to_give_partial_mode_up(stage: Stage) -> None:
    """FIM is refused while another document's call has begun a pause: the settings are not to blame."""
    stage.backend.script = [
        [WAIT, ModelError("No FIM")],
        RateLimitError("Too many", retry_after_s=5),
        ModelError("No FIM"),
        "1",
    ]
    task = start(stage, "a = █", TriggerKind.INVOKED)
    await until(lambda: stage.backend.live)
    await stage.service.complete(*marked("b = █", uri="file:///p/b.py"), TriggerKind.INVOKED)
    stage.backend.release.set()
    assert (await task).reason is Reason.COOLING_DOWN
    assert stage.service.status().kind == "limited"
    await stage.clock.advance(5.1)
    assert isinstance(await ask(stage, "a = █", TriggerKind.INVOKED), Completion)
    assert strategies(stage) == [FIM, FIM, FIM, PARTIAL]


async def test_a_continuation_that_greets_again_is_unwrapped(stage: Stage) -> None:
    stage.backend.script = [["n = 0\n    return sum(", CUT], "```python\nxs)\n```"]
    shown = await ask(stage, BLOCK, TriggerKind.INVOKED)
    assert isinstance(shown, Completion)
    assert shown.text == "n = 0\n    return sum(xs)"


@pytest.mark.parametrize(
    ("picture", "trigger", "answer"),
    [
        pytest.param("total = █", TriggerKind.AUTOMATIC, ["sum(", CUT], id="one line was asked for"),
        pytest.param(BLOCK, TriggerKind.INVOKED, ["n = 0\n    m = 1\n", CUT], id="between statements"),
        pytest.param(BLOCK, TriggerKind.INVOKED, ["n = 0\nprint(", CUT], id="beyond the block"),
        pytest.param(BLOCK, TriggerKind.INVOKED, ["n = 0<|file_sep|>other(", CUT], id="another file"),
        pytest.param(BLOCK, TriggerKind.INVOKED, [" ", CUT], id="nothing"),
        pytest.param(BLOCK, TriggerKind.INVOKED, ["n = sum(", Chunk("", "stop")], id="it ended by itself"),
    ],
)
async def test_what_is_not_continued(stage: Stage, picture, trigger, answer) -> None:
    stage.backend.script = [answer]
    await ask(stage, picture, trigger)
    assert len(stage.backend.requests) == 1


async def test_where_partial_mode_is_a_guess_nothing_is_continued() -> None:
    stage = Stage(provider="openai", base_url="http://h.example/v1", model="m")
    stage.backend.script = [["n = 0\n    return sum(", CUT]]
    shown = await ask(stage, BLOCK, TriggerKind.INVOKED)
    assert isinstance(shown, Completion)
    assert shown.text == "n = 0"
    await stage.service.aclose()


# --- over HTTP ---------------------------------------------------------------------------------------------

TRUTH = "def total(xs):\n    n = 0\n    for x in xs:\n        n = n + weight(x, xs)\n    return n\n"


def service_of(fake: FakeDashScope, memory: Memory, notices: list[Any], **settings: Any) -> CompletionService:
    environ = {"DASHSCOPE_API_KEY": "sk-test"}
    return CompletionService(
        Settings(**{"base_url": fake.compat_url, "debounce_ms": 0} | settings),
        connect=lambda settings: connect(settings, environ=environ, memory=memory),
        notify=notices.append,
    )


async def complete(service: CompletionService, picture: str = BLOCK) -> Completion | Skip:
    try:
        return await service.complete(*marked(picture), TriggerKind.INVOKED)
    finally:
        await service.aclose()


@pytest.mark.parametrize("fault", ["access_denied", "model_not_supported", "not_found"])
async def test_a_refusal_is_remembered_for_the_target(fake: FakeDashScope, fault: str) -> None:
    fake.truth = TRUTH
    memory, notices = Memory(), []
    for _ in range(2):  # the second service stands for the same server with other settings
        fake.script.append(Reply(fault=fault, route="v1/completions"))
        assert isinstance(await complete(service_of(fake, memory, notices)), Completion)
    assert [request.path.rpartition("/v1")[2] for request in fake.requests] == [
        "/completions",
        "/chat/completions",
        "/chat/completions",
    ]
    assert len(notices) == 1


@pytest.mark.parametrize(
    "settings",
    [{}, {"strategy": "partial"}, {"protocol": "dashscope"}],
    ids=["fim", "partial", "native"],
)
async def test_a_cut_answer_is_continued_in_every_protocol(fake: FakeDashScope, settings) -> None:
    fake.truth = TRUTH
    service = service_of(fake, Memory(), [], max_tokens=20, **settings)
    shown = await complete(service)
    assert isinstance(shown, Completion)
    assert len(fake.requests) == 2
    assert shown.text == TRUTH.removeprefix("def total(xs):\n    ").rstrip()


async def test_an_answer_cut_by_the_servers_clock_is_continued(fake: FakeDashScope) -> None:
    fake.truth = TRUTH
    fake.script.append(Reply(behaviour=Behaviour(partialresponse=True)))
    shown = await complete(service_of(fake, Memory(), [], streaming="off"))
    assert isinstance(shown, Completion)
    assert len(fake.requests) == 2
    assert shown.text == TRUTH.removeprefix("def total(xs):\n    ").rstrip()
