"""The bench runs, and its premises hold: counts are asserted here, times never."""

from __future__ import annotations

import pytest

from qwen_ls.settings import Settings
from tests.bench.__main__ import burst, keystrokes, memory, start_up, uncached
from tests.bench.prefix import WAYS, Way, repeated
from tests.fake_dashscope import FakeDashScope


def test_a_known_answer_costs_no_call(fake: FakeDashScope) -> None:
    rows = keystrokes("1k lines", 5, fake)
    assert {row["variant"] for row in rows} == {"bare loop", "stock pygls", "qwen-ls"}
    assert len(fake.requests) == 1


def test_every_part_runs(fake: FakeDashScope) -> None:
    rows = uncached(2, fake) + start_up(1, fake) + memory(1_000, fake) + burst(100)
    assert all(row["what"] and row["variant"] for row in rows)


@pytest.mark.parametrize("context", [False, True], ids=["alone", "with snippets"])
@pytest.mark.parametrize("way", WAYS, ids=[way.name for way in WAYS])
async def test_three_quarters_of_a_prompt_repeat_the_last_one(way: Way, context: bool) -> None:
    assert await repeated(way, Settings(context=context), lines=5) > 0.75
