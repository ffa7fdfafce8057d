"""What an answer costs, by model, region, tier and cache."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwen_ls.backend.models import HOSTED, OPEN, find_model
from qwen_ls.backend.prices import Money, Price, Tier, cost
from qwen_ls.core.types import Usage


@pytest.mark.parametrize(
    ("model", "usage", "amount"),
    [
        pytest.param("qwen-coder-turbo", Usage(1000, 1000), 0.008, id="flat"),
        pytest.param("qwen-coder-turbo-latest", Usage(1500, 0), 0.003, id="a snapshot"),
        pytest.param("qwen-coder-plus", Usage(1000, 100), 0.0042, id="coder plus"),
        pytest.param("qwen2.5-coder-7b-instruct", Usage(1000, 1000), 0.003, id="7b"),
        pytest.param("qwen2.5-coder-32b-instruct", Usage(1000, 1000), 0.008, id="32b"),
        pytest.param("qwen3-coder-plus", Usage(32_768, 0), 0.131072, id="first tier, its last token"),
        pytest.param("qwen3-coder-plus", Usage(32_769, 1000), 0.220614, id="second tier"),
        pytest.param("qwen3-coder-plus", Usage(200_000, 1000), 2.04, id="third tier"),
        pytest.param("qwen3-coder-plus", Usage(900_000, 1000), 18.2, id="fourth tier"),
        pytest.param("qwen3-coder-flash", Usage(2_000_000, 0), 10.0, id="beyond every tier"),
        pytest.param("qwen3-coder-flash", Usage(1000, 0, 1000), 0.0002, id="all cached"),
        pytest.param("qwen3-coder-flash", Usage(1000, 100, 500), 0.001, id="half cached"),
        pytest.param("qwen3-coder-flash", Usage(1000, 0, 5000), 0.0002, id="more cached than there is"),
        pytest.param("qwen-coder-turbo", Usage(1000, 0, 1000), 0.002, id="no discount is documented"),
        pytest.param("qwen-coder-turbo", Usage(), 0.0, id="nothing"),
    ],
)
def test_beijing(model: str, usage: Usage, amount: float) -> None:
    money = cost(usage, find_model(HOSTED, model), "beijing")
    assert money == Money(pytest.approx(amount), "CNY")


@pytest.mark.parametrize(
    ("rows", "model", "region"),
    [
        (HOSTED, "qwen3-coder-plus", "singapore"),
        (HOSTED, "qwen3-coder-next", "beijing"),
        (HOSTED, "something-new", "beijing"),
        (OPEN, "Qwen/Qwen2.5-Coder-7B", ""),
    ],
)
def test_a_price_that_is_not_known_is_none(rows: tuple, model: str, region: str) -> None:
    assert cost(Usage(10, 10), find_model(rows, model), region) is None


tokens = st.integers(0, 2_000_000)


@given(tokens, tokens, tokens, st.sampled_from([row for row in HOSTED if row.prices]))
def test_the_cache_never_makes_it_dearer_and_nothing_is_negative(prompt, completion, cached, row) -> None:
    full = cost(Usage(prompt, completion), row, "beijing")
    less = cost(Usage(prompt, completion, cached), row, "beijing")
    assert full
    assert less
    assert 0 <= less.amount <= full.amount + 1e-9


def test_a_price_without_a_last_tier_costs_what_the_last_one_does() -> None:
    price = Price((Tier(1, 2, 10), Tier(3, 4, 20)))
    assert [price.tier(n).input for n in (0, 10, 11, 20, 21)] == [1, 1, 3, 3, 3]
