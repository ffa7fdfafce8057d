"""The edit distance within a limit, beside the plain table of the textbook."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from qwen_ls.core.distance import edit_distance, is_near

TEXT = st.text("abc", max_size=9)


def table(one: str, other: str) -> int:
    row = list(range(len(other) + 1))
    for n, char in enumerate(one, start=1):
        diagonal, row[0] = row[0], n
        for column, there in enumerate(other, start=1):
            diagonal, row[column] = (
                row[column],
                min(diagonal + (char != there), row[column] + 1, row[column - 1] + 1),
            )
    return row[-1]


@given(TEXT, TEXT, st.integers(0, 9))
def test_it_is_the_textbook_s_up_to_the_limit(one: str, other: str, limit: int) -> None:
    assert edit_distance(one, other, limit) == min(table(one, other), limit + 1)


def test_near_is_a_share_of_the_longer_text() -> None:
    assert is_near("socket.settimeout(1)", "socket.settimeout(2)", 0.05)
    assert not is_near("b = 2", "c = 2", 0.05)
    assert is_near("", "", 0.0)
