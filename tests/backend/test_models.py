"""The table of models: which row an id finds."""

from __future__ import annotations

import pytest

from qwen_ls.backend.models import HOSTED, LOCAL, OPEN, QWEN_STOPS, Thinking, family_of, find_model
from qwen_ls.core.types import Layout, Strategy

FIM, PARTIAL = Strategy.FIM, Strategy.PARTIAL


@pytest.mark.parametrize(
    ("model", "family"),
    [
        ("qwen-coder-turbo", "qwen-coder-turbo"),
        ("qwen-coder-turbo-latest", "qwen-coder-turbo"),
        ("qwen-coder-turbo-0919", "qwen-coder-turbo"),
        ("qwen-coder-turbo-2024-09-19", "qwen-coder-turbo"),
        ("qwen3-coder-plus-2025-07-22", "qwen3-coder-plus"),
        ("qwen-plus-2025-07-28-us", "qwen-plus"),
        ("qwen-flash-us", "qwen-flash"),
        ("Qwen/Qwen2.5-Coder-7B-Instruct", "qwen2.5-coder-7b-instruct"),
        ("qwen3-235b-a22b-thinking-2507", "qwen3-235b-a22b-thinking"),
        (" QWEN-PLUS ", "qwen-plus"),
        ("qwen2.5-coder-0.5b", "qwen2.5-coder-0.5b"),
    ],
)
def test_a_snapshot_belongs_to_its_family(model: str, family: str) -> None:
    assert family_of(model) == family


@pytest.mark.parametrize(
    ("model", "strategies", "thinking"),
    [
        ("qwen-coder-turbo", (FIM, PARTIAL), Thinking.NEVER),
        ("qwen-coder-turbo-latest", (FIM, PARTIAL), Thinking.NEVER),
        ("qwen-coder-plus", (PARTIAL,), Thinking.NEVER),
        ("qwen2.5-coder-7b-instruct", (PARTIAL, FIM), Thinking.NEVER),
        ("qwen3-coder-flash", (PARTIAL,), Thinking.NEVER),
        ("qwen3-coder-next", (PARTIAL,), Thinking.NEVER),
        ("qwen3-coder-30b-a3b-instruct", (PARTIAL,), Thinking.NEVER),
        ("qwen-plus", (PARTIAL,), Thinking.HYBRID),
        ("qwen-flash-2025-07-28", (PARTIAL,), Thinking.HYBRID),
        ("qwen3.7-plus", (PARTIAL,), Thinking.HYBRID),
        ("qwen3.5-flash", (PARTIAL,), Thinking.HYBRID),
        ("qwen3-max", (PARTIAL,), Thinking.HYBRID),
        ("qwen3-vl-plus", (PARTIAL,), Thinking.HYBRID),
        ("qwen3-8b", (PARTIAL,), Thinking.HYBRID),
        ("qwen3-235b-a22b-instruct-2507", (PARTIAL,), Thinking.NEVER),
        ("qwen3-235b-a22b-thinking-2507", (PARTIAL,), Thinking.ONLY),
        ("qwq-plus", (PARTIAL,), Thinking.ONLY),
        ("qvq-max-latest", (PARTIAL,), Thinking.ONLY),
        ("deepseek-r1", (PARTIAL,), Thinking.ONLY),
        ("kimi-k2-thinking", (PARTIAL,), Thinking.ONLY),
        ("kimi-k2.7-code", (PARTIAL, FIM), Thinking.NEVER),
        ("something-new", (PARTIAL, FIM), Thinking.NEVER),
        ("", (PARTIAL, FIM), Thinking.NEVER),
    ],
)
def test_hosted_models(model: str, strategies: tuple[Strategy, ...], thinking: Thinking) -> None:
    row = find_model(HOSTED, model)
    assert (row.strategies, row.thinking) == (strategies, thinking)


@pytest.mark.parametrize("size", ["0.5b", "1.5b", "3b"])
def test_retired_models_name_their_successor(size: str) -> None:
    row = find_model(HOSTED, f"qwen2.5-coder-{size}-instruct")
    assert (row.retired, row.successor) == ("2026-03-30", "qwen-coder-plus")


@pytest.mark.parametrize("model", ["qwen3-coder-plus", "qwen3-coder-480b-a35b-instruct", "qwen3-max"])
def test_announced_retirements_are_noted_and_not_refused(model: str) -> None:
    row = find_model(HOSTED, model)
    assert row.leaving
    assert row.successor
    assert not row.retired


@pytest.mark.parametrize("rows", [HOSTED, OPEN, LOCAL], ids=["hosted", "open", "local"])
def test_successors_are_not_retired(rows: tuple) -> None:
    for row in rows:
        if row.successor:
            assert not find_model(HOSTED, row.successor).retired


@pytest.mark.parametrize(
    ("model", "layout", "thinking"),
    [
        ("Qwen/Qwen2.5-Coder-7B-Instruct", Layout.PREFIX_SUFFIX_MIDDLE, Thinking.NEVER),
        ("qwen2.5-coder-0.5b-instruct-q4_k_m.gguf", Layout.SUFFIX_FIRST, Thinking.NEVER),
        ("Qwen/Qwen3-Coder-30B-A3B-Instruct", Layout.PREFIX_SUFFIX_MIDDLE, Thinking.NEVER),
        ("Qwen/Qwen3-8B", Layout.PREFIX_SUFFIX_MIDDLE, Thinking.HYBRID),
        ("Qwen/QwQ-32B", Layout.PREFIX_SUFFIX_MIDDLE, Thinking.ONLY),
        ("my-finetune", Layout.PREFIX_SUFFIX_MIDDLE, Thinking.NEVER),
    ],
)
def test_open_models_can_fill_in_the_middle(model: str, layout: Layout, thinking: Thinking) -> None:
    row = find_model(OPEN, model)
    assert (row.layout, row.thinking, row.strategies[0]) == (layout, thinking, FIM)


def test_the_local_model_is_asked_suffix_first_and_briefly() -> None:
    row = find_model(LOCAL, "qwen2.5-coder-0.5b")
    assert (row.layout, row.prompt_cap_tokens) == (Layout.SUFFIX_FIRST, 300)


def test_the_first_stops_are_the_ones_that_end_an_answer() -> None:
    assert QWEN_STOPS[:4] == ("<|endoftext|>", "<|im_end|>", "<|file_sep|>", "<|fim_pad|>")
    assert len(set(QWEN_STOPS)) == 9
