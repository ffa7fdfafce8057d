"""The arithmetic of limits: tables, and a whole history against a naive oracle."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwen_ls.core.limits import MINUTE_S, Day, Limits, Recent, Refusal, Want, refusal

NOW_S = 10_000.0
ENDS_S = 50_000.0


@pytest.mark.parametrize(
    ("limits", "minute", "day", "want", "expected"),
    [
        pytest.param({}, [(NOW_S, 10**9)], (10**9, 1e9), (10**9, 1e9), None, id="no limits"),
        pytest.param(
            {"requests_per_minute": 2}, [(NOW_S - 1, 0)], (0, 0), (5, 0), None, id="room for one more request"
        ),
        pytest.param(
            {"requests_per_minute": 2},
            [(NOW_S - 1, 0), (NOW_S - 40, 0)],
            (0, 0),
            (5, 0),
            ("requests_per_minute", 2, NOW_S + 20),
            id="until the oldest request is a minute old",
        ),
        pytest.param(
            {"requests_per_minute": 1}, [(NOW_S - 60, 0)], (0, 0), (5, 0), None, id="a minute old is over"
        ),
        pytest.param(
            {"tokens_per_minute": 100},
            [(NOW_S - 50, 10), (NOW_S - 30, 60), (NOW_S - 10, 20)],
            (0, 0),
            (50, 0),
            ("tokens_per_minute", 100, NOW_S + 30),
            id="until enough tokens are a minute old",
        ),
        pytest.param(
            {"tokens_per_minute": 100},
            [],
            (0, 0),
            (101, 0),
            ("tokens_per_minute", 100, None),
            id="never fits",
        ),
        pytest.param({"tokens_per_day": 100}, [], (60, 0), (40, 0), None, id="the day is full to the brim"),
        pytest.param(
            {"tokens_per_day": 100},
            [],
            (61, 0),
            (40, 0),
            ("tokens_per_day", 100, ENDS_S),
            id="tokens of the day",
        ),
        pytest.param(
            {"tokens_per_day": 100}, [], (0, 0), (101, 0), ("tokens_per_day", 100, None), id="no day has room"
        ),
        pytest.param({"money_per_day": 0.3}, [], (0, 0.1 + 0.1), (0, 0.1), None, id="binary fractions"),
        pytest.param(
            {"money_per_day": 0.3},
            [],
            (0, 0.2),
            (0, 0.11),
            ("money_per_day", 0.3, ENDS_S),
            id="money of the day",
        ),
        pytest.param(
            {"requests_per_minute": 1, "tokens_per_day": 5},
            [(NOW_S, 9)],
            (9, 0),
            (1, 0),
            ("tokens_per_day", 5, ENDS_S),
            id="the one that holds longest",
        ),
        pytest.param(
            {"requests_per_minute": 1}, [(NOW_S + 1e6, 9)], (0, 0), (1, 0), None, id="the clock was set back"
        ),
    ],
)
def test_refusal(limits: dict[str, float], minute: Any, day: Any, want: Any, expected: Any) -> None:
    calls = [Recent(*call) for call in minute]
    found = refusal(Limits.of(limits), calls, Day(*day, ENDS_S), Want(*want), NOW_S)
    assert found == (Refusal(*expected) if expected else None)


def test_no_limits_are_false() -> None:
    assert not Limits.of({})
    assert Limits.of({"money_per_day": 1})


CALLS = st.lists(st.tuples(st.integers(0, 30), st.integers(1, 120), st.integers(0, 120)), max_size=40)


@given(CALLS, st.integers(1, 5), st.integers(1, 300), st.integers(1, 900))
def test_no_minute_and_no_day_is_overspent(
    calls: list[tuple[int, int, int]], requests: int, per_minute: int, per_day: int
) -> None:
    """Time passes, calls are reserved and settled with no more than that: an oracle that adds up agrees."""
    limits = Limits(requests, per_minute, per_day)
    now_s, spent = NOW_S, []
    for wait_s, wanted, used in calls:
        now_s += wait_s
        minute = [call for call in spent if call.at_s > now_s - MINUTE_S]
        so_far = sum(call.tokens for call in spent)
        fits = (
            len(minute) < requests
            and sum(call.tokens for call in minute) + wanted <= per_minute
            and so_far + wanted <= per_day
        )
        why = refusal(limits, spent, Day(so_far, 0, ENDS_S), Want(wanted), now_s)
        assert (why is None) == fits
        if why is None:
            spent.append(Recent(now_s, min(wanted, used)))
        elif why.until_s is not None and why.until_s < ENDS_S:
            later = refusal(limits, spent, Day(so_far, 0, ENDS_S), Want(wanted), why.until_s)
            assert later is None, "what was promised holds"
            before = refusal(limits, spent, Day(so_far, 0, ENDS_S), Want(wanted), why.until_s - 0.001)
            assert before is not None, "and could not have been promised earlier"
