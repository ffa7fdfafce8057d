"""One completion's life as a document for its user."""

from __future__ import annotations

from qwen_ls.core.types import Chunk, Usage
from tests.service.scripted import INVOKED, Stage, ask


async def test_a_completion_s_life(stage: Stage) -> None:
    stage.backend.script = [[Chunk("sum(xs)\nprint(total)", "stop", Usage(40, 8, 16))]]
    await ask(stage, "xs = [1, 2]\ntotal = █\nprint(total)\n")
    told = stage.service.explanation()
    assert "It was shown: the model was asked." in told
    assert "## What the model said\n\n```\nsum(xs)\nprint(total)\n```" in told
    assert "## stop at max lines\n\n```\nsum(xs)\n```" in told
    assert "| prompt tokens | 40 |" in told
    assert "<|fim_" not in told


async def test_the_prompt_is_shown_on_demand_only(stage: Stage) -> None:
    await ask(stage, "total = █")
    assert "## The prompt\n\n```\n<|fim_prefix|>total = " in stage.service.explanation(with_prompt=True)


async def test_in_partial_mode_both_messages_are_the_prompt() -> None:
    stage = Stage(strategy="partial", look_ahead=False)
    await ask(stage, "total = █\nprint(total)", INVOKED)
    told = stage.service.explanation(with_prompt=True)
    user, _, assistant = told.partition("## The prompt")[2].partition("## The message to be continued")
    assert "print(total)" in user
    assert "total = " in assistant
    await stage.service.aclose()


async def test_what_was_not_shown_says_why(stage: Stage) -> None:
    stage.backend.script = ["   "]
    await ask(stage, "total = █")
    assert "Nothing was shown: the model had nothing to say." in stage.service.explanation()
    await ask(stage, "to█tal = 1")
    assert "Nothing was shown: the cursor stands inside a word." in stage.service.explanation()
    assert "What the model said" not in stage.service.explanation()


async def test_fences_in_an_answer_do_not_end_its_own(stage: Stage) -> None:
    stage.backend.script = ['"```"']
    await ask(stage, "total = █", INVOKED)
    assert '````\n"```"\n````' in stage.service.explanation()


async def test_the_story_without_a_document_has_no_text(stage: Stage) -> None:
    stage.backend.script = ["secret_answer\nmore"]
    await ask(stage, "secret_prompt = █")
    assert "secret" not in str(stage.service.explain())
