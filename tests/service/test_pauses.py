"""Pauses after failures as the service keeps them: by endpoint, until when, and their end."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from qwen_ls.backend.base import AuthenticationError, RateLimitError, ServerError
from qwen_ls.core.types import Completion, Reason
from qwen_ls.settings import Settings
from tests.service.scripted import WAIT, Stage, ask, settle, start, until

OTHER = "file:///p/other.py"


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    made = Stage()
    yield made
    await made.service.aclose()


def kinds(stage: Stage) -> list[str]:
    return [status.kind for status in stage.statuses]


async def test_the_status_is_ready_when_the_pause_ends_and_not_before(stage: Stage) -> None:
    stage.backend.script = [RateLimitError("Too many", retry_after_s=17)]
    await ask(stage, "a = █", waited_s=9)
    await stage.clock.advance(16.9)
    assert kinds(stage)[-1] == "limited"
    await stage.clock.advance(0.2)
    assert kinds(stage)[-1] == "ready"
    assert stage.clock.timers == 0


async def test_a_long_pause_keeps_one_timer_and_ends(stage: Stage) -> None:
    stage.backend.script = [RateLimitError("Too many", retry_after_s=300)]
    await ask(stage, "a = █", waited_s=9)
    for _ in range(29):
        await stage.clock.advance(10)
        await ask(stage, "b = █", waited_s=9)
        assert stage.clock.timers == 1
    await stage.clock.advance(11)
    assert [kind for kind in kinds(stage) if kind != "thinking"] == ["limited", "ready"]


async def test_of_two_pauses_the_one_that_is_left_is_shown() -> None:
    stage = Stage(limits={"requests_per_minute": 1})
    stage.backend.script = [[WAIT, RateLimitError("Too many", retry_after_s=17)]]
    first = start(stage, "a = █", waited_s=9)
    await until(lambda: stage.backend.live)
    assert (await ask(stage, "b = █", waited_s=9, uri=OTHER)).reason is Reason.LIMITED
    stage.backend.release.set()
    await first
    await stage.clock.advance(16.9)
    assert "Too many" in stage.statuses[-1].text
    await stage.clock.advance(0.2)
    assert "limits.requestsPerMinute" in stage.statuses[-1].text
    await stage.clock.advance(43)
    assert kinds(stage)[-1] == "ready"
    await stage.service.aclose()


async def test_closing_leaves_no_timer(stage: Stage) -> None:
    stage.backend.script = [RateLimitError("Too many", retry_after_s=300)]
    await ask(stage, "a = █", waited_s=9)
    await stage.service.aclose()
    assert stage.clock.timers == 0


async def test_what_only_settings_mend_is_waited_for_without_a_timer(stage: Stage) -> None:
    stage.backend.script = [AuthenticationError("The key was refused")]
    await ask(stage, "a = █", waited_s=9)
    assert kinds(stage)[-1] == "error"
    assert stage.clock.timers == 0


async def test_a_machine_that_slept_is_ready_soon_after() -> None:
    """The clock on the wall goes on while it sleeps; the event loop's does not."""
    stage = Stage(limits={"requests_per_minute": 1, "tokens_per_day": 600})
    await ask(stage, "a = █")
    assert (await ask(stage, "b = █")).reason is Reason.LIMITED
    assert stage.clock.timers == 1
    before_s = stage.clock.now_s
    stage.clock.now_s += 86_400
    await stage.clock.advance(0)
    await settle()
    assert kinds(stage)[-1] == "ready"
    assert stage.clock.now_s - before_s < 86_461
    await stage.service.aclose()


async def test_a_failure_after_the_key_was_refused_is_a_failure(stage: Stage) -> None:
    stage.backend.script = [AuthenticationError("The key was refused"), [WAIT, RateLimitError("Too many")]]
    second = start(stage, "b = █", waited_s=9, uri=OTHER)
    stage.backend.script.reverse()
    await until(lambda: stage.backend.live)
    await ask(stage, "a = █", waited_s=9)
    stage.backend.release.set()
    assert (await second).reason is Reason.BACKEND
    assert stage.service.status().kind == "error"


async def test_documents_that_fail_together_make_one_pause(stage: Stage) -> None:
    stage.backend.script = [[WAIT, ServerError("It failed")] for _ in range(6)]
    tasks = [start(stage, "a = █", waited_s=9, uri=f"file:///p/{n}.py") for n in range(6)]
    await until(lambda: stage.backend.live == 6)
    stage.backend.release.set()
    for task in tasks:
        await task
    await stage.clock.advance(1.1)
    assert isinstance(await ask(stage, "a = █", waited_s=9), Completion)


async def test_a_pause_is_its_endpoint_s_own_and_waits_for_it(stage: Stage) -> None:
    """A switch to another endpoint is not paused; on the way back the pause is still there."""
    here, there = stage.settings, Settings(base_url="http://127.0.0.1:1/v1")
    stage.backend.script = [RateLimitError("Too many", retry_after_s=120)]
    await ask(stage, "a = █", waited_s=9)
    text = stage.service.status().text
    stage.service.reconfigure(there)
    assert stage.service.status().kind == "ready"
    assert isinstance(await ask(stage, "a = █", waited_s=9), Completion)
    stage.service.reconfigure(here)
    assert (stage.service.status().kind, stage.service.status().text) == ("limited", text)
    assert (await ask(stage, "b = █", waited_s=9)).reason is Reason.COOLING_DOWN
    assert len(stage.backend.requests) == 2
    await stage.clock.advance(121)
    assert isinstance(await ask(stage, "b = █", waited_s=9), Completion)


async def test_other_settings_do_not_end_a_pause_and_do_end_a_stop(stage: Stage) -> None:
    stage.backend.script = [RateLimitError("Too many", retry_after_s=120)]
    await ask(stage, "a = █", waited_s=9)
    stage.service.reconfigure(Settings(max_lines=3))
    assert (await ask(stage, "a = █", waited_s=9)).reason is Reason.COOLING_DOWN
    await stage.clock.advance(121)
    stage.backend.script = [AuthenticationError("The key was refused")]
    await ask(stage, "b = █", waited_s=9)
    assert stage.service.status().kind == "error"
    stage.service.reconfigure(Settings(max_lines=4))
    assert isinstance(await ask(stage, "b = █", waited_s=9), Completion)


async def test_nothing_is_warmed_up_while_no_call_may_leave(stage: Stage) -> None:
    stage.backend.script = [RateLimitError("Too many", retry_after_s=120)]
    await ask(stage, "a = █", waited_s=9)
    stage.service.reconfigure(Settings(seed=1))
    await stage.service.warm()
    assert stage.backend.n_warmed == 0
    await stage.clock.advance(121)
    await stage.service.warm()
    assert stage.backend.n_warmed == 1
