"""One completion's life as a document for its user."""

from __future__ import annotations

import asyncio

import pytest

from qwen_ls.backend.base import ServerError
from qwen_ls.core import origin
from qwen_ls.core.types import Chunk, Completion, Usage
from tests.service.scripted import INVOKED, WAIT, Stage, ask, settle, start, until


async def test_a_completion_s_life(stage: Stage) -> None:
    stage.backend.script = [[Chunk("sum(xs)\nprint(total)", "stop", Usage(40, 8, 16))]]
    await ask(stage, "xs = [1, 2]\ntotal = █\nprint(total)\n")
    told = stage.service.explanation()
    assert "It was shown: the model was asked." in told
    assert "## What the model said\n\n```\nsum(xs)\nprint(total)\n```" in told
    assert "## stop at max lines\n\nBefore:\n\n```\nsum(xs)\n\n```\n\nAfter:\n\n```\nsum(xs)\n```" in told
    assert "| gate | passed |" in told
    assert "| cache | nothing fits |" in told
    assert "| asked for | a line" in told
    assert "| wait | " in told
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
    await ask(stage, "secret_prompt = █")
    assert "secret" not in str(stage.service.explain())


async def test_an_answer_from_the_cache_tells_the_call_that_it_came_from(stage: Stage) -> None:
    stage.backend.script = [[Chunk("```python\nsum(xs)\nprint(total)\n```", "stop", Usage(40, 8, 16))]]
    first = await ask(stage, "xs = [1, 2]\ntotal = █\nprint(total)\n")
    assert isinstance(first, Completion)
    await ask(stage, "count = █")  # the first is not what is shown any more
    await stage.clock.advance(30)
    await ask(stage, "xs = [1, 2]\ntotal = █\nprint(total)\n")
    told = stage.service.explanation(with_prompt=True)
    assert len(stage.backend.requests) == 2
    assert "It was shown: the same question had been answered before." in told
    assert "## What the model said\n\n````\n```python\nsum(xs)" in told
    assert "## unwrap" in told
    assert "## stop at max lines" in told
    assert "| model | qwen-coder-turbo |" in told
    assert "s before this request |" in told
    assert "That call's tokens, as the endpoint counted them" in told
    assert "| prompt tokens | 40 |" in told
    assert "## The prompt\n\n```\n<|fim_prefix|>xs = [1, 2]" in told
    story = stage.service.explain()
    assert story["steps"] == ["stop_at_max_lines"]
    assert story["origin"]["usage"]["prompt_tokens"] == 40
    assert story["origin"]["age_ms"] >= 30_000
    assert "usage" not in story  # this request has used nothing


async def test_what_is_typed_through_tells_the_call_that_it_came_from(stage: Stage) -> None:
    stage.backend.script = ["compute(values)"]
    await ask(stage, "total = █")
    await ask(stage, "total = comp█")
    told = stage.service.explanation()
    assert "the rest of the suggestion that was shown" in told
    assert "## What the model said\n\n```\ncompute(values)\n```" in told


async def test_a_request_that_joined_a_call_tells_that_call(stage: Stage) -> None:
    stage.backend.script = [["compute(", WAIT, Chunk("values)", "stop", Usage(30, 4))]]
    first = start(stage, "total = █")
    await until(lambda: stage.backend.live or not asyncio.ensure_future(stage.clock.advance(1)))
    first.cancel()
    joined = start(stage, "total = comp█")
    await settle()
    stage.backend.release.set()
    assert isinstance(await joined, Completion)
    told = stage.service.explanation()
    assert "It was shown: the model was asked, by a call that was on its way already." in told
    assert "## What the model said\n\n```\ncompute(values)\n```" in told
    assert "| prompt tokens | 30 |" in told
    story = stage.service.explain()
    assert (story["model"], story["joined"], story["usage"]["completion_tokens"]) == (
        "qwen-coder-turbo",
        True,
        4,
    )


async def test_what_a_call_says_that_goes_on_is_told_while_it_does(stage: Stage) -> None:
    stage.backend.script = [["sum(xs)\n", WAIT, "print(total)\n"]]
    stage.backend.script[0].append(Chunk("", "stop"))
    await ask(stage, "total = █")
    assert "## What the model said\n\n```\nsum(xs)\n" in stage.service.explanation()
    stage.backend.release.set()


async def test_tokens_of_a_stream_that_was_closed_early_are_estimated_and_marked(stage: Stage) -> None:
    """The endpoint counts at the end, which nobody waits for."""
    usage_last = [Chunk("sum(xs)\n"), Chunk("a = 1\n"), Chunk("b = 2\n"), Chunk("", "stop", Usage(40, 80))]
    stage.backend.script = [usage_last]
    await ask(stage, "xs = [1, 2]\ntotal = █\nprint(total)\n")
    await settle()
    assert stage.backend.closed_early == 1
    told, usage = stage.service.explanation(), stage.service.explain()["usage"]
    assert usage["estimated"] is True
    assert 0 < usage["completion_tokens"] < 80
    assert "## Tokens, estimated: the answer was not read to its end" in told
    assert f"| prompt tokens | {usage['prompt_tokens']} |" in told


async def test_another_candidate_s_steps_are_not_told(stage: Stage) -> None:
    """A call was joined whose answer was all typed: the next one's story is its own."""
    stage.backend.script = ["one\ntwo", "three"]
    await ask(stage, "total = █")
    await ask(stage, "other = 5 + █")
    assert stage.service.explain()["steps"] == []
    assert "What the model said\n\n```\nthree\n```" in stage.service.explanation()


async def test_a_call_that_failed_has_its_prompt_told() -> None:
    stage = Stage(look_ahead=False)
    stage.backend.script = [ServerError("It fell over")]
    await ask(stage, "total = █")
    told = stage.service.explanation(with_prompt=True)
    assert "Nothing was shown: the endpoint failed" in told
    assert "## The prompt" in told
    await stage.service.aclose()


async def test_texts_are_let_go_of_in_time(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(origin, "KEPT_CHARS", 2000)
    stage.backend.script = [f"value_{n}(" + "x" * 300 + ")" for n in range(30)]
    for n in range(30):
        await ask(stage, f"total_{n} = █", uri=f"file:///p/{n}.py")
    kept = stage.service._caller.origins._kept
    assert sum(one.n_chars for one in kept) < 2000 + 1000  # the last one's own text comes after it is counted
    await ask(stage, "total_0 = val█", uri="file:///p/0.py")
    told = stage.service.explanation(with_prompt=True)
    assert "It was shown" in told
    assert "kept no longer" in told
    assert "## The prompt" not in told
