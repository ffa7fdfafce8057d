"""The breaker: how long it stays open, for which cause, and when one call may find out."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwen_ls.core.breaker import LONGEST_PAUSE_S, LONGEST_WISH_S, Breaker


@pytest.mark.parametrize(
    ("chance", "wishes", "pauses"),
    [
        pytest.param(1.0, [None] * 8, [1, 2, 4, 8, 16, 32, 60, 60], id="doubled up to a minute"),
        pytest.param(0.0, [None] * 3, [0.5, 1, 2], id="by chance up to half as long"),
        pytest.param(1.0, [30.0, None, 0.25], [30, 2, 0.25], id="the endpoint's wish wins"),
        pytest.param(1.0, [1e6], [LONGEST_WISH_S], id="within reason"),
        pytest.param(1.0, [-5.0, 0.0], [1, 2], id="to wait no time is no wish"),
    ],
)
def test_pauses(chance: float, wishes: list[float | None], pauses: list[float]) -> None:
    breaker, now_s = Breaker(lambda: chance), 100.0
    for wish_s, pause_s in zip(wishes, pauses, strict=True):
        assert breaker.cool_down("server", "It failed.", now_s, wish_s) == pause_s
        assert breaker.remaining_s(now_s) == pytest.approx(pause_s)
        now_s += pause_s
        assert breaker.remaining_s(now_s) == 0
        assert breaker.is_half_open(now_s)


def test_each_cause_has_its_own_count() -> None:
    breaker = Breaker()
    assert [breaker.cool_down("server", "S", now_s) for now_s in (0, 1, 3)] == [1, 2, 4]
    assert breaker.cool_down("rate limit", "R", 3) == 1
    assert breaker.text == "S"
    assert breaker.cool_down("rate limit", "R", 3, 9) == 9
    assert breaker.text == "R"
    assert breaker.remaining_s(3) == 9


def test_calls_that_fail_together_are_one_failure() -> None:
    breaker = Breaker()
    pauses = [breaker.cool_down("server", "S", now_s) for now_s in (0, 0.25, 0.5)]
    assert pauses == [1, 0.75, 0.5]
    assert breaker.remaining_s(0.5) == 0.5
    assert breaker.cool_down("server", "S", 1) == 2
    assert breaker.cool_down("server", "S", 1.5, 30) == 30, "a longer wish is heard"
    assert breaker.remaining_s(1.5) == 30


def test_what_only_new_settings_mend_stays() -> None:
    breaker = Breaker()
    breaker.stop("key", "The key was refused.")
    breaker.cool_down("server", "S", 0)
    assert breaker.remaining_s(1e9) == float("inf")
    assert not breaker.is_half_open(1e9)
    assert breaker.text == "The key was refused."
    breaker.resume()
    assert breaker.remaining_s(0) == 1, "what time mends takes its time"
    assert breaker.text == "S"
    breaker.reset()
    assert breaker.remaining_s(0) == 0
    assert not breaker.is_half_open(0)
    assert breaker.text == ""


@given(
    st.lists(
        st.tuples(st.floats(0, 100), st.sampled_from("abc"), st.none() | st.floats(0, 1e4)), max_size=30
    ),
    st.floats(0, 1),
)
def test_it_is_never_open_for_longer_than_the_longest_pause(
    failures: list[tuple[float, str, float | None]], chance: float
) -> None:
    breaker, now_s = Breaker(lambda: chance), 0.0
    for wait_s, cause, wish_s in failures:
        now_s += wait_s
        breaker.cool_down(cause, cause, now_s, wish_s)
        assert 0 <= breaker.remaining_s(now_s) <= max(LONGEST_WISH_S, LONGEST_PAUSE_S) + 1e-6
        assert breaker.is_half_open(now_s) == (breaker.remaining_s(now_s) == 0)
