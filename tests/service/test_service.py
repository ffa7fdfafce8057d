"""The order of work of one request, with a fake clock and a scripted backend."""

from __future__ import annotations

import asyncio

import pytest

from qwen_ls.backend.base import (
    AuthenticationError,
    ContentError,
    DeadlineError,
    NotReadyError,
    RateLimitError,
    ServerError,
)
from qwen_ls.core.types import Chunk, Completion, Reason, Skip, Usage
from qwen_ls.settings import Settings
from tests.marked import marked
from tests.service.scripted import INVOKED, WAIT, Stage, ask, settle, start, until


async def test_an_answer_is_trimmed_and_shown(stage: Stage) -> None:
    stage.backend.script = [["sum", "(xs)\nprint(total)"]]
    shown = await ask(stage, "total = █")
    assert isinstance(shown, Completion)
    assert (shown.text, shown.start, shown.end, shown.source) == ("sum(xs)", 8, 8, "network")


async def test_a_gated_request_makes_no_call(stage: Stage) -> None:
    assert await ask(stage, "pr█int") == Skip(Reason.MID_WORD)
    assert not stage.backend.requests


async def test_the_wait_comes_before_the_call_and_a_cancelled_wait_makes_none(stage: Stage) -> None:
    task = start(stage, "x = val█")
    await settle()
    assert stage.clock.sleepers == 1
    assert not stage.backend.requests
    task.cancel()
    await asyncio.wait({task})
    await stage.clock.advance(1)
    assert not stage.backend.requests


@pytest.mark.parametrize("typed", ["s", "sum", "sum(", "sum(xs"])
async def test_typing_along_costs_no_call_and_no_wait(stage: Stage, typed: str) -> None:
    stage.backend.script = ["sum(xs)"]
    first = await ask(stage, "total = █")
    task = start(stage, f"total = {typed}█")
    await settle()
    rest = task.result()
    assert (rest.text, rest.source, rest.id) == ("sum(xs)"[len(typed) :], "type-through", first.id)
    assert len(stage.backend.requests) == 1


@pytest.mark.parametrize("eol", ["\n", "\r\n"])
async def test_typing_along_works_across_line_ends(stage: Stage, eol: str) -> None:
    stage.backend.script = ["\n    y = x\n    return y"]
    await ask(stage, f"def f(x):█{eol}{eol}f(1)")
    for typed in (f"{eol}    ", f"{eol}    y = x{eol}    ret"):
        rest = await ask(stage, f"def f(x):{typed}█{eol}{eol}f(1)")
        assert isinstance(rest, Completion)
        assert rest.text == f"{eol}    y = x{eol}    return y"[len(typed) :]
    assert len(stage.backend.requests) == 1


async def test_typing_along_survives_a_bracket_that_the_editor_closes(stage: Stage) -> None:
    stage.backend.script = ["sum(xs)"]
    await ask(stage, "total = █\n")
    rest = await ask(stage, "total = sum(█)\n")
    assert isinstance(rest, Completion)
    assert (rest.text, rest.start, rest.end) == ("xs)", 12, 13)
    assert len(stage.backend.requests) == 1


async def test_typing_along_survives_changes_above(stage: Stage) -> None:
    stage.backend.script = ["sum(xs)"]
    await ask(stage, "# " + "x" * 300 + "\ntotal = █")
    rest = await ask(stage, "import os\n\n# " + "x" * 300 + "\ntotal = s█")
    assert isinstance(rest, Completion)
    assert rest.source == "type-through"


async def test_typing_something_else_asks_again(stage: Stage) -> None:
    stage.backend.script = ["sum(xs)", "max(xs)"]
    await ask(stage, "total = █")
    other = await ask(stage, "total = m█")
    assert isinstance(other, Completion)
    assert len(stage.backend.requests) == 2


async def test_text_typed_after_the_cursor_s_line_asks_again(stage: Stage) -> None:
    stage.backend.script = ["sum(xs)", "1"]
    await ask(stage, "total = █\nprint(total)\n")
    await ask(stage, "total = s█\nreturn total\n")
    assert len(stage.backend.requests) == 2


async def test_the_same_question_is_answered_from_the_cache_without_a_wait(stage: Stage) -> None:
    stage.backend.script = ["1", "2"]
    await ask(stage, "x = █")
    await ask(stage, "y = █")
    task = start(stage, "x = █")
    await settle()
    assert (task.result().text, task.result().source) == ("1", "cache")
    assert len(stage.backend.requests) == 2


async def test_an_empty_answer_is_cached_too(stage: Stage) -> None:
    stage.backend.script = ["  "]
    assert await ask(stage, "x = █") == Skip(Reason.EMPTY)
    assert await ask(stage, "x = █") == Skip(Reason.EMPTY)
    assert len(stage.backend.requests) == 1


async def test_an_explicit_request_skips_gate_wait_and_cache(stage: Stage) -> None:
    stage.backend.script = ["1", "2"]
    await ask(stage, "x = █")
    again = await ask(stage, "x = █", INVOKED)
    assert isinstance(again, Completion)
    assert again.text == "2"
    assert isinstance(await ask(stage, "pr█int", INVOKED), Completion)


@pytest.mark.parametrize(("picture", "answer"), [("foo(a█)", ")"), ("foo('a█');", "');"), ("x = [█]", "]\n")])
async def test_a_suggestion_that_would_change_nothing_is_none(
    stage: Stage, picture: str, answer: str
) -> None:
    stage.backend.script = [answer]
    assert await ask(stage, picture) == Skip(Reason.ECHO)


async def test_typing_along_up_to_the_closers_that_are_there_ends_the_suggestion(stage: Stage) -> None:
    stage.backend.script = ["'x')"]
    assert isinstance(await ask(stage, "print(█)"), Completion)
    assert await ask(stage, "print('x'█)") == Skip(Reason.ECHO)


async def test_documents_do_not_disturb_each_other(stage: Stage) -> None:
    stage.backend.script = [[WAIT, "1"], "2"]
    first = start(stage, "x = █", INVOKED)
    await until(lambda: stage.backend.live)
    document, offset = marked("y = █", uri="file:///p/b.py")
    assert (await stage.service.complete(document, offset, INVOKED)).text == "2"
    stage.backend.release.set()
    assert (await asyncio.wait_for(first, 5)).text == "1"


async def test_the_stream_is_cut_as_soon_as_it_holds_the_line(stage: Stage) -> None:
    stage.backend.script = [["1", "\n", "y = 2", WAIT]]
    shown = await ask(stage, "x = █")
    assert isinstance(shown, Completion)
    assert shown.text == "1"
    assert stage.backend.closed_early == 1


async def test_a_stop_error_ends_all_calls_until_the_settings_change(stage: Stage) -> None:
    stage.backend.script = [AuthenticationError("The key was refused", remedy="Set another.")]
    assert await ask(stage, "x = █") == Skip(Reason.BACKEND, "The key was refused. Set another.")
    assert (await ask(stage, "y = █")).reason is Reason.NOT_CONFIGURED
    assert len(stage.backend.requests) == 1
    assert [notice.text for notice in stage.notices] == ["The key was refused. Set another."]
    assert stage.service.status().kind == "error"
    stage.service.reconfigure(Settings(seed=1))
    assert isinstance(await ask(stage, "x = █"), Completion)
    assert stage.service.status().kind == "ready"


async def test_a_rate_limit_pauses_for_as_long_as_the_endpoint_asks(stage: Stage) -> None:
    stage.backend.script = [RateLimitError("Too many requests", retry_after_s=30)]
    await ask(stage, "x = █")
    limited = await ask(stage, "y = █")
    assert isinstance(limited, Skip)
    assert limited.reason is Reason.COOLING_DOWN
    assert stage.service.status().kind == "limited"
    await stage.clock.advance(31)
    assert isinstance(await ask(stage, "y = █"), Completion)


async def test_trouble_is_told_again_only_after_it_was_mended(stage: Stage) -> None:
    stage.backend.script = [ServerError("500"), ServerError("500"), "1", ServerError("500"), "2"]
    for number in range(2):
        await ask(stage, f"x{number} = █")
        await stage.clock.advance(3600)
    assert len(stage.notices) == 1
    assert isinstance(await ask(stage, "y = █"), Completion)
    await ask(stage, "z = █")
    assert len(stage.notices) == 2


async def test_pauses_grow_and_an_answer_ends_them(stage: Stage) -> None:
    stage.backend.script = [ServerError("500")] * 3 + ["1", ServerError("500"), "2"]
    for pause_s in (1, 2, 4):
        await ask(stage, f"x{pause_s} = █", waited_s=9)
        await stage.clock.advance(pause_s - 0.5)
        assert (await ask(stage, "y = █", waited_s=9)).reason is Reason.COOLING_DOWN
        await stage.clock.advance(0.6)
    assert isinstance(await ask(stage, "y = █", waited_s=9), Completion)
    await ask(stage, "z = █", waited_s=9)
    await stage.clock.advance(1.1)
    assert isinstance(await ask(stage, "z = █", waited_s=9), Completion)
    assert len(stage.notices) == 1


@pytest.mark.parametrize("error", [ContentError("filtered"), NotReadyError("37 %")])
async def test_errors_of_one_request_stop_nothing(stage: Stage, error: Exception) -> None:
    stage.backend.script = [error, error, "1"]
    assert (await ask(stage, "x = █")).reason is Reason.BACKEND
    assert (await ask(stage, "x = █")).reason is Reason.BACKEND
    assert isinstance(await ask(stage, "x = █"), Completion)
    assert len(stage.notices) == 1


async def test_settings_that_cannot_work_are_refused_before_any_call(stage: Stage) -> None:
    stage.service.reconfigure(Settings(strategy="fim", region="singapore"))
    refused = await ask(stage, "x = █")
    assert isinstance(refused, Skip)
    assert refused.reason is Reason.NOT_CONFIGURED
    assert "region" in refused.detail
    await ask(stage, "y = █")
    assert not stage.backend.requests
    assert len(stage.notices) == 1


async def test_a_time_out_after_whole_lines_is_a_short_answer(stage: Stage) -> None:
    stage.backend.script = [["a = 1\n    b = 2\n    c", DeadlineError("slow")]]
    shown = await ask(stage, "def f():\n    █\n", INVOKED)
    assert isinstance(shown, Completion)
    assert shown.text == "a = 1\n    b = 2"
    stage.backend.script = [["a = 1", DeadlineError("slow")]]
    assert (await ask(stage, "def g():\n    █\n", INVOKED)).reason is Reason.BACKEND


async def test_toggle_and_forget(stage: Stage) -> None:
    stage.backend.script = [[WAIT], "1"]
    assert stage.service.toggle() is False
    assert await ask(stage, "x = █") == Skip(Reason.DISABLED)
    assert stage.service.toggle() is True
    task = start(stage, "x = █", INVOKED)
    await until(lambda: stage.backend.live)
    stage.service.forget("file:///p/a.py")
    assert await asyncio.wait_for(task, 5) == Skip(Reason.ABANDONED)


async def test_explain_tells_the_story_without_any_text(stage: Stage) -> None:
    stage.backend.script = [[Chunk("secret_answer"), Chunk("", "stop", Usage(9, 3, 2))]]
    await ask(stage, "secret_prompt = █")
    story = stage.service.explain()
    assert story["outcome"] == "shown"
    assert (story["strategy"], story["model"]) == ("fim", "qwen-coder-turbo")
    assert story["usage"]["prompt_tokens"] == 9
    assert set(story["timings_ms"]) == {"wait", "first token", "total"}
    assert "secret" not in repr(story)


async def test_the_status_follows_the_work(stage: Stage) -> None:
    await ask(stage, "x = █")
    assert [status.kind for status in stage.statuses] == ["thinking", "ready"]


async def test_a_selected_row_of_the_editor_s_list_is_continued(stage: Stage) -> None:
    from qwen_ls.core.types import SelectedCompletion

    stage.backend.script = ["(xs)"]
    document, offset = marked("total = su█")
    shown = await stage.service.complete(document, offset, INVOKED, selected=SelectedCompletion(8, 10, "sum"))
    assert isinstance(shown, Completion)
    assert (shown.text, shown.start, shown.end) == ("sum(xs)", 8, 10)
    assert stage.backend.requests[0].prompt.prefix.endswith("total = sum")


async def test_all_of_the_user_s_stop_strings_count_also_where_the_endpoint_takes_few(stage: Stage) -> None:
    stage.service.reconfigure(Settings(stop=("A", "B", "C", "D", "E")))
    stage.backend.script = ["1 + E + 2"]
    shown = await ask(stage, "x = █")
    assert isinstance(shown, Completion)
    assert shown.text == "1 +"
