"""Streams that are closed because nothing new comes."""

from __future__ import annotations

from qwen_ls.core.types import Completion, Reason, Skip
from tests.service.scripted import INVOKED, Stage, ask, until


async def test_a_line_that_repeats_itself_closes_the_stream_before_it_ends(stage: Stage) -> None:
    stage.backend.script = [["names = [", *["foo, bar, "] * 200]]
    assert await ask(stage, "x = █") == Skip(Reason.EMPTY)
    assert stage.service.explain()["steps"][:1] == ["stop_repetition"]
    await until(lambda: stage.backend.closed_early == 1)


async def test_lines_that_come_again_close_the_stream_and_are_shown_once(stage: Stage) -> None:
    stage.backend.script = [["call(one)\n", *["    call(one)\n"] * 50]]
    shown = await ask(stage, "def f():\n    █", INVOKED)
    assert isinstance(shown, Completion)
    assert shown.text == "call(one)"
    await until(lambda: stage.backend.closed_early == 1)


async def test_a_fenced_answer_is_read_beyond_its_fence(stage: Stage) -> None:
    stage = Stage(strategy="partial", look_ahead=False)
    stage.backend.script = [["```python\n", "sum(xs)\n", "```\n", "That was easy."]]
    shown = await ask(stage, "total = █")
    assert isinstance(shown, Completion)
    assert shown.text == "sum(xs)"
    await until(lambda: stage.backend.closed_early == 1)
    await stage.service.aclose()


async def test_a_line_that_opens_a_block_is_read_on(stage: Stage) -> None:
    stage.backend.script = [["r x in xs:\n", "    print(x)\n", "print(xs)\n", "more\n"]]
    shown = await ask(stage, "xs = load()\nfo█\n")
    assert isinstance(shown, Completion)
    assert shown.text == "r x in xs:\n    print(x)"
    await until(lambda: stage.backend.closed_early == 1)


async def test_the_report_names_the_steps_and_holds_no_text(stage: Stage) -> None:
    stage.backend.script = ["<|fim_middle|>secret_text(xs)  "]
    await ask(stage, "total = █")
    story = stage.service.explain()
    assert story["steps"] == ["cut_special_tokens", "trim_end"]
    assert "secret" not in str(story)
