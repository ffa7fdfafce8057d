"""How a prompt's budget is shared: the suffix that keeps its cut, the room for snippets."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwen_ls.core import budget

BELOW = "".join(f"line {number} below the cursor\n" for number in range(400))
ABOVE = "".join(f"line {number} above the cursor\n" for number in range(400))


def suffixes(prefixes: list[str], suffix: str = BELOW, tokens: int = 1000) -> list[str]:
    """The suffix of one prompt after the other."""
    found, last = [], ""
    for prefix in prefixes:
        last = budget.fit(prefix, suffix, tokens, last_suffix=last)[1]
        found.append(last)
    return found


def test_typing_in_a_short_file_moves_the_suffix_s_end_in_steps() -> None:
    """The prefix takes more and more of the suffix's room."""
    typed = [ABOVE[:length] for length in range(0, 2400, 10)]
    assert len(set(suffixes(typed))) <= budget.STEPS
    alone = {budget.fit(prefix, BELOW, 1000)[1] for prefix in typed}
    assert len(alone) > 3 * budget.STEPS


def test_typing_in_a_long_file_does_not_move_it() -> None:
    assert len(set(suffixes([ABOVE + "x" * typed for typed in range(100)]))) == 1


def test_another_text_after_the_cursor_is_cut_anew() -> None:
    (first,) = suffixes([ABOVE])
    moved = BELOW[400:]
    assert budget.fit(ABOVE, moved, 1000, last_suffix=first)[1] == budget.fit(ABOVE, moved, 1000)[1] != first


def test_a_cut_that_has_become_far_too_short_is_not_kept() -> None:
    short = BELOW[:62]
    assert len(budget.fit("", BELOW, 1000, last_suffix=short)[1]) > 1000


@given(st.integers(0, 9000), st.integers(0, 9000), st.integers(0, 4000), st.integers(64, 3000))
def test_with_any_last_suffix_both_fit(n_before: int, n_after: int, n_last: int, tokens: int) -> None:
    prefix, suffix = budget.fit(ABOVE[:n_before], BELOW[:n_after], tokens, last_suffix=BELOW[:n_last])
    assert ABOVE[:n_before].endswith(prefix)
    assert BELOW[:n_after].startswith(suffix)
    assert budget.cost(prefix) + budget.cost(suffix) <= tokens * 1.2 + 2 * budget.CURRENT_LINE_CHARS / 3


@pytest.mark.parametrize(
    ("prefix", "suffix", "share", "room"),
    [
        pytest.param(ABOVE, BELOW, 0.25, 250, id="its share, where code needs the rest"),
        pytest.param("x = 1\n", "", 0.25, 600, id="what the code leaves, but for the code's least"),
        pytest.param(ABOVE[:1600], "", 0.25, 375, id="what the code leaves, in steps"),
        pytest.param("x = 1\n", "", 0, 0, id="switched off"),
    ],
)
def test_the_room_for_snippets(prefix: str, suffix: str, share: float, room: float) -> None:
    assert budget.room_for_snippets(prefix, suffix, 1000, share) == room


def test_a_key_rarely_changes_the_room_for_snippets() -> None:
    rooms = {budget.room_for_snippets(ABOVE[:length], "", 1000, 0.25) for length in range(3000)}
    assert len(rooms) <= budget.STEPS
