"""Requests that meet each other, settings that change meanwhile: who joins, who is superseded, who wins."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from qwen_ls.backend.base import ConfigurationError, RateLimitError, ServerError
from qwen_ls.core.types import Chunk, Completion, Reason, Skip
from qwen_ls.settings import Settings
from tests.marked import marked
from tests.service.scripted import INVOKED, WAIT, ScriptedBackend, Stage, ask, settle, start, until


async def test_cancelling_closes_the_connection(stage: Stage) -> None:
    stage.backend.script = [["a", WAIT]]
    task = start(stage, "x = █", INVOKED)
    await until(lambda: stage.backend.live)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await settle()
    assert (stage.backend.live, stage.backend.closed_early) == (0, 1)
    assert stage.service.status().kind == "ready"


async def test_a_cancelled_request_leaves_the_same_question_answerable(stage: Stage) -> None:
    stage.backend.script = [[WAIT], "1"]
    task = start(stage, "x = █", INVOKED)
    await until(lambda: stage.backend.live)
    task.cancel()
    await settle()
    assert isinstance(await ask(stage, "x = █"), Completion)


async def test_one_call_a_document_the_newer_one_wins(stage: Stage) -> None:
    stage.backend.script = [[WAIT], "2"]
    older = start(stage, "x = █", INVOKED)
    await until(lambda: stage.backend.live)
    newer = await ask(stage, "x = y█", INVOKED)
    assert isinstance(newer, Completion)
    assert await asyncio.wait_for(older, 5) == Skip(Reason.SUPERSEDED)
    assert stage.backend.live == 0


async def test_the_same_question_joins_the_call_in_flight(stage: Stage) -> None:
    stage.backend.script = [[WAIT, "1"]]
    first = start(stage, "x = █", waited_s=9)
    await until(lambda: stage.backend.live)
    second = start(stage, "x = █", waited_s=9)
    await settle()
    first.cancel()
    await settle()
    assert stage.backend.live == 1
    stage.backend.release.set()
    assert (await asyncio.wait_for(second, 5)).text == "1"
    assert len(stage.backend.requests) == 1


async def test_the_same_question_joins_although_the_request_before_it_was_cancelled_for_it(
    stage: Stage,
) -> None:
    """As the LSP layer supersedes: the older request's task is cancelled, and the newer one's begins."""
    stage.backend.script = [[WAIT, "1"], "2"]
    first = start(stage, "x = █", waited_s=9)
    await until(lambda: stage.backend.live)
    first.cancel()
    second = start(stage, "x = █", waited_s=9)
    await settle()
    stage.backend.release.set()
    assert (await asyncio.wait_for(second, 5)).text == "1"
    assert len(stage.backend.requests) == 1


async def test_a_call_that_is_being_closed_is_not_joined(stage: Stage) -> None:
    closing = asyncio.Event()

    async def slow_to_close(request: Any) -> Any:
        stage.backend.requests.append(request)
        try:
            yield Chunk("")
            await asyncio.Event().wait()
        finally:
            await closing.wait()

    stage.backend.stream, stream = slow_to_close, stage.backend.stream  # type: ignore[method-assign]
    first = start(stage, "x = █", INVOKED)
    await until(lambda: stage.backend.requests)
    first.cancel()
    await settle()
    stage.backend.stream = stream  # type: ignore[method-assign]
    stage.backend.script = ["2"]
    second = await asyncio.wait_for(start(stage, "x = █", waited_s=9), 5)
    closing.set()
    assert second.text == "2"


async def test_two_who_wait_for_one_call_that_fails_count_as_one_failure(stage: Stage) -> None:
    stage.backend.script = [[WAIT, ServerError("500")], "1"]
    first, second = (start(stage, "x = █", waited_s=9) for _ in range(2))
    await until(lambda: stage.backend.live)
    await settle()
    third = start(stage, "x = █", waited_s=9)
    await settle()
    stage.backend.release.set()
    await asyncio.wait({first, second, third})
    assert second.result().reason is third.result().reason is Reason.BACKEND
    await stage.clock.advance(1.1)
    assert isinstance(await ask(stage, "x = █", waited_s=9), Completion)


async def test_an_answer_to_an_earlier_call_does_not_end_a_pause(stage: Stage) -> None:
    stage.backend.script = [[WAIT, "1"], RateLimitError("Too many requests", retry_after_s=30), "2"]
    early = start(stage, "x = █", INVOKED)
    await until(lambda: stage.backend.live)
    document, offset = marked("y = █", uri="file:///p/b.py")
    await stage.service.complete(document, offset, INVOKED)
    stage.backend.release.set()
    assert isinstance(await asyncio.wait_for(early, 5), Completion)
    assert (await ask(stage, "y = █")).reason is Reason.COOLING_DOWN


async def test_new_settings_build_a_new_backend_and_drop_old_answers(stage: Stage) -> None:
    await ask(stage, "x = █")
    stage.service.reconfigure(Settings(max_tokens=7))
    await settle()
    await ask(stage, "x = █")
    assert stage.backend.closed
    assert [request.max_tokens for request in stage.backend.requests] == [256, 7]


@pytest.mark.parametrize("outcome", ["fails", "succeeds"])
async def test_settings_that_change_while_the_backend_is_being_built_win(outcome: str) -> None:
    stage = Stage()
    old = ScriptedBackend(stage.backend.target)
    built = threading.Event()

    def connect(settings: Settings) -> ScriptedBackend:
        if settings.seed == 1:
            return stage.backend
        built.wait(5)
        if outcome == "fails":
            raise ConfigurationError("There is no key")
        return old

    service = stage.serving(connect)
    warming = asyncio.create_task(service.warm())
    asking = asyncio.create_task(service.complete(*marked("x = █"), INVOKED))
    await settle()
    service.reconfigure(Settings(seed=1))
    built.set()
    await warming
    assert isinstance(await asyncio.wait_for(asking, 5), Completion)
    assert stage.backend.requests
    assert not old.requests
    assert not stage.notices
    await service.aclose()
    assert old.closed is (outcome == "succeeds")


@pytest.mark.parametrize("how", ["toggled", "disabled", "excluded"])
async def test_a_change_of_mind_during_the_wait_prevents_the_call(stage: Stage, how: str) -> None:
    task = start(stage, "x = val█")
    await settle()
    if how == "toggled":
        stage.service.toggle()
    else:
        stage.service.reconfigure(Settings(enabled=how != "disabled", exclude=("*.py",)))
    await stage.clock.advance(1)
    await until(task.done)
    assert task.result().reason in {Reason.DISABLED, Reason.DENIED}
    assert not stage.backend.requests


async def test_closing_does_not_wait_for_a_backend_that_is_being_built() -> None:
    stage, built = Stage(), threading.Event()

    def connect(settings: Settings) -> ScriptedBackend:
        built.wait(10)
        return stage.backend

    service = stage.serving(connect)
    warming = asyncio.create_task(service.warm())
    await settle()
    service.reconfigure(Settings(seed=1))
    await settle()
    async with asyncio.timeout(5):
        await service.aclose()
    warming.cancel()
    await asyncio.wait({warming})
    assert all(thread.daemon for thread in threading.enumerate() if thread.name == "qwen-ls-connect")
    built.set()


async def test_nothing_is_connected_while_all_is_off() -> None:
    stage = Stage(enabled=False)
    service = stage.serving(lambda settings: pytest.fail("connected"))
    await service.warm()
    assert not stage.notices
