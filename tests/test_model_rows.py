"""The setting `models`: the user's own rows, checked and put before ours."""

from __future__ import annotations

import pytest

from qwen_ls import model_rows
from qwen_ls.backend.base import ConfigurationError
from qwen_ls.backend.models import HOSTED, NativePath, Thinking, find_model, with_users_rows
from qwen_ls.backend.plan import resolve
from qwen_ls.backend.prices import Money, cost
from qwen_ls.core.types import Layout, SnippetFormat, Strategy, Usage
from qwen_ls.settings import Settings
from qwen_ls.validation import check

FULL = {
    "strategies": ["partial", "fim"],
    "layout": "spm",
    "snippetFormat": "repository",
    "thinking": "hybrid",
    "contextTokens": 65536,
    "maxOutputTokens": 4096,
    "promptCapTokens": 512,
    "nativePath": "multimodal",
    "vision": True,
    "price": {"input": 0.001, "output": 2, "currency": "usd", "cachedShare": 0.5},
    "successor": "newer",
    "leaving": "2027-01-01",
}


def settings_of(models: object) -> Settings:
    good, problems = check({"models": models}, source="here")
    assert not problems
    return Settings(**good)


def test_a_row_says_everything() -> None:
    target = resolve(settings_of({"my-model": FULL}))
    assert target.model == "qwen-coder-turbo"  # a row is no choice
    rows = with_users_rows(HOSTED, settings_of({"my-model": FULL}).models)
    row = find_model(rows, "my-model-latest")
    assert row.strategies == (Strategy.PARTIAL, Strategy.FIM)
    assert (row.layout, row.thinking) == (Layout.SUFFIX_FIRST, Thinking.HYBRID)
    assert row.snippet_format is SnippetFormat.REPOSITORY
    assert (row.context_tokens, row.max_output_tokens, row.prompt_cap_tokens) == (65536, 4096, 512)
    assert (row.native_path, row.vision) == (NativePath.MULTIMODAL, True)
    assert (row.successor, row.leaving) == ("newer", "2027-01-01")
    assert cost(Usage(1000, 0, 1000), row, "singapore") == Money(pytest.approx(0.0005), "USD")
    assert find_model(rows, "qwen-coder-turbo") is find_model(HOSTED, "qwen-coder-turbo")


def test_a_row_says_only_what_differs() -> None:
    models = settings_of({"qwen3-coder-flash": {"price": {"tiers": [{"input": 1, "output": 2}]}}}).models
    row = find_model(with_users_rows(HOSTED, models), "qwen3-coder-flash-2025-07-28")
    assert row.context_tokens == 1_000_000
    assert cost(Usage(0, 1000), row, "virginia") == Money(2.0, "CNY")


def test_a_snapshot_can_have_a_row_of_its_own() -> None:
    models = settings_of({"qwen3-coder-flash-2025-07-28": {"maxOutputTokens": 7}}).models
    rows = with_users_rows(HOSTED, models)
    assert find_model(rows, "qwen3-coder-flash-2025-07-28").max_output_tokens == 7
    assert find_model(rows, "qwen3-coder-flash").max_output_tokens == 65_536


def test_who_has_a_row_for_a_retired_model_has_the_model() -> None:
    models = settings_of({"qwen2.5-coder-3b-instruct": {"contextTokens": 32768}}).models
    settings = Settings(model="qwen2.5-coder-3b-instruct", models=models)
    assert resolve(settings).model == "qwen2.5-coder-3b-instruct"


def test_a_snapshots_row_stands_before_its_familys_wherever_it_is_written() -> None:
    table = {"qwen3-max": {"contextTokens": 7}, "qwen3-max-2026-01-23": {"contextTokens": 8}}
    for models in (table, dict(reversed(table.items()))):
        rows = with_users_rows(HOSTED, settings_of(models).models)
        found = [find_model(rows, name).context_tokens for name in (*table, "qwen3-max-latest")]
        assert found == [7, 8, 7]


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"retired": "2026-11-01"}, "to another one"),
        ({"retired": "2026-11-01", "successor": "n"}, "model to n,"),
    ],
)
def test_a_users_row_may_retire_a_model(row: dict[str, str], words: str) -> None:
    settings = Settings(model="m", models=settings_of({"m": row}).models)
    with pytest.raises(ConfigurationError) as caught:
        resolve(settings)
    assert words in str(caught.value)


def test_a_price_without_a_cached_share_has_no_discount() -> None:
    models = settings_of({"m": {"price": {"input": 1, "output": 1}}}).models
    assert find_model(with_users_rows(HOSTED, models), "m").prices[""].cached_share == 1


def test_tiers_may_stand_in_any_order() -> None:
    tiers = [{"input": 3, "output": 3}, {"upToTokens": 10, "input": 1, "output": 1}]
    models = settings_of({"m": {"price": {"tiers": tiers}}}).models
    row = find_model(with_users_rows(HOSTED, models), "m")
    assert [row.prices[""].tier(n).input for n in (10, 11)] == [1, 3]


@pytest.mark.parametrize(
    ("models", "words"),
    [
        pytest.param([], ["table"], id="no table"),
        pytest.param({"m": 3}, ["for m", "table"], id="no row"),
        pytest.param({"": {}}, ["empty"], id="no id"),
        pytest.param({"m": {"thinkin": "never"}}, ["for m", "did you mean thinking"], id="unknown field"),
        pytest.param({"m": {"thinking": "yes"}}, ["for m", "thinking", "hybrid"], id="unknown word"),
        pytest.param({"m": {"strategies": []}}, ["strategies", "fim", "partial"], id="no strategy"),
        pytest.param({"m": {"strategies": ["chat"]}}, ["strategies", "partial"], id="unknown strategy"),
        pytest.param({"m": {"contextTokens": 0}}, ["contextTokens", "from 1"], id="no context"),
        pytest.param({"m": {"contextTokens": True}}, ["contextTokens"], id="context yes"),
        pytest.param({"m": {"vision": "yes"}}, ["vision", "true or false"], id="vision"),
        pytest.param({"m": {"successor": 3}}, ["successor"], id="successor"),
        pytest.param({"m": {"price": 3}}, ["price", "input", "output", "1000"], id="price"),
        pytest.param({"m": {"price": {"input": 1}}}, ["price", "output"], id="half a price"),
        pytest.param({"m": {"price": {"input": -1, "output": 1}}}, ["input", "0 to"], id="negative"),
        pytest.param({"m": {"price": {"input": float("nan"), "output": 1}}}, ["input"], id="not a number"),
        pytest.param(
            {"m": {"price": {"input": 1, "output": 1, "tiers": [{"input": 1, "output": 1}]}}},
            ["tiers", "not both"],
            id="two prices",
        ),
        pytest.param({"m": {"price": {"tiers": []}}}, ["tiers", "upToTokens"], id="no tier"),
        pytest.param({"m": {"price": {"tiers": [{"input": 1}]}}}, ["tiers", "output"], id="half a tier"),
        pytest.param(
            {"m": {"price": {"input": 1, "output": 1, "currency": "¥"}}}, ["currency", "CNY"], id="currency"
        ),
        pytest.param(
            {"m": {"price": {"input": 1, "output": 1, "cachedShare": 2}}},
            ["cachedShare", "0 to 1"],
            id="share",
        ),
    ],
)
def test_what_is_wrong_is_named(models: object, words: list[str]) -> None:
    good, (problem,) = check({"models": models}, source="here")
    assert good == {}
    assert problem.key == "models"
    for word in words:
        assert word in problem.text


def test_the_words_are_those_of_the_types() -> None:
    types = {
        "layout": Layout,
        "snippet_format": SnippetFormat,
        "thinking": Thinking,
        "native_path": NativePath,
    }
    assert {name: tuple(kind) for name, kind in types.items()} == model_rows.WORDS
    assert tuple(Strategy) == model_rows.STRATEGIES
