"""The bench runs, and its premises hold: counts are asserted here, times never."""

from __future__ import annotations

from tests.bench.__main__ import burst, keystrokes, memory, start_up, uncached
from tests.fake_dashscope import FakeDashScope


def test_a_known_answer_costs_no_call(fake: FakeDashScope) -> None:
    rows = keystrokes("1k lines", 5, fake)
    assert {row["variant"] for row in rows} == {"bare loop", "stock pygls", "qwen-ls"}
    assert len(fake.requests) == 1


def test_every_part_runs(fake: FakeDashScope) -> None:
    rows = uncached(2, fake) + start_up(1, fake) + memory(1_000, fake) + burst(100)
    assert all(row["what"] and row["variant"] for row in rows)
