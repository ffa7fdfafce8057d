"""How long a call is waited with."""

from __future__ import annotations

import pytest

from qwen_ls.core.pace import FIRST_GAP_S, LONGEST_WAIT_S, STARVED_S, Pace, boundary
from tests.marked import context


def typing(gap_s: float, keys: int = 30) -> tuple[Pace, float]:
    """The pace of somebody who types so fast and has just been answered, and the time."""
    pace, now_s = Pace(), 100.0
    for _ in range(keys):
        now_s += gap_s
        pace.key(now_s)
    pace.fed(now_s)
    return pace, now_s


@pytest.mark.parametrize(
    ("gap_s", "usual_s"),
    [
        pytest.param(0.15, 0.15, id="steady"),
        pytest.param(0.01, 0.08, id="a-key-that-repeats"),
        pytest.param(0.39, 0.39, id="slow"),
        pytest.param(2.0, FIRST_GAP_S, id="pauses-are-no-rhythm"),
    ],
)
def test_the_rhythm(gap_s: float, usual_s: float) -> None:
    assert typing(gap_s)[0].gap_s == pytest.approx(usual_s)


@pytest.mark.parametrize(
    ("sooner", "later"),
    [
        pytest.param("x = foo(█)\n", "x = foo█\n", id="after-punctuation"),
        pytest.param("x = foo█\ny", "x = foo█ + 1\ny", id="at-the-line-s-end"),
        pytest.param("x = foo█", "x = foo█\ny", id="at-the-document-s-end"),
    ],
)
def test_where_one_stops_to_think_the_wait_is_shorter(sooner: str, later: str) -> None:
    pace, now_s = typing(0.15)
    assert boundary(context(sooner)) > boundary(context(later))
    assert pace.wait_s(context(sooner), now_s) < pace.wait_s(context(later), now_s)


def test_on_a_line_that_has_nothing_yet_there_is_no_wait() -> None:
    pace, now_s = typing(0.15)
    assert pace.wait_s(context("if x:\n    █ + 1\ny"), now_s) == 0


def test_a_slow_typist_waits_longer_and_never_too_long() -> None:
    waits = [pace.wait_s(context("val█ + 1\ny"), now_s) for pace, now_s in map(typing, (0.1, 0.2, 0.39))]
    assert waits == sorted(waits)
    assert max(waits) <= LONGEST_WAIT_S


def test_the_endpoint_s_own_time_is_taken_off() -> None:
    pace, now_s = typing(0.15)
    before_s = pace.wait_s(context("val█\ny"), now_s)
    for seconds in (0.1, 0.1, 9.0):
        pace.first_token(seconds)
    assert pace.first_token_s == pytest.approx(0.1)
    assert pace.wait_s(context("val█\ny"), now_s) == pytest.approx(max(0.0, before_s - 0.05))


def test_who_types_steadily_without_an_answer_is_asked_for_at_once() -> None:
    pace, now_s = typing(0.1)
    waits = []
    while now_s < 103 + STARVED_S + 0.1:
        now_s += 0.1
        pace.key(now_s)
        waits.append(pace.wait_s(context("val█ + 1\ny"), now_s))
    assert waits[0] > 0
    assert waits[-1] == 0
    pace.fed(now_s)
    assert pace.wait_s(context("val█ + 1\ny"), now_s) > 0
