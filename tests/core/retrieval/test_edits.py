"""Recent edits: ranges that merge when near and move with the text around them."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwen_ls.core.retrieval.edits import MOST_EDITS, NEAR_LINES, SHOWN_LINES, Edit, with_edit

Change = tuple[int, int, int]


def after(*changes: Change) -> list[tuple[int, int]]:
    """The ranges after changes of `(start, removed, added)`, the newest first."""
    edits: tuple[Edit, ...] = ()
    for at, change in enumerate(changes):
        edits = with_edit(edits, *change, at)
    return [(edit.start, edit.stop) for edit in edits]


@pytest.mark.parametrize(
    ("changes", "ranges"),
    [
        pytest.param([(10, 1, 1)], [(10, 11)], id="one"),
        pytest.param([(10, 1, 1), (10, 1, 1)], [(10, 11)], id="typing on"),
        pytest.param([(10, 1, 1), (12, 1, 1)], [(10, 13)], id="near"),
        pytest.param([(10, 1, 1), (50, 1, 1)], [(50, 51), (10, 11)], id="far below"),
        pytest.param([(50, 1, 1), (10, 1, 1)], [(10, 11), (50, 51)], id="far above"),
        pytest.param([(50, 1, 1), (10, 1, 4)], [(10, 14), (53, 54)], id="lines inserted above"),
        pytest.param([(50, 1, 1), (10, 4, 1)], [(10, 11), (47, 48)], id="lines removed above"),
        pytest.param([(10, 1, 20), (12, 5, 1)], [(10, 26)], id="removed inside"),
        pytest.param([(10, 1, 3), (5, 20, 1)], [(5, 6)], id="removed with what is around"),
        pytest.param([(10, 1, 1), (50, 1, 1), (11, 1, 1)], [(10, 12), (50, 51)], id="touched again"),
        pytest.param([(10, 1, 1), (22, 1, 1), (16, 1, 1)], [(10, 23)], id="joins two"),
    ],
)
def test_ranges(changes: list[Change], ranges: list[tuple[int, int]]) -> None:
    assert after(*changes) == ranges


@given(st.lists(st.tuples(st.integers(0, 120), st.integers(0, 6), st.integers(0, 6)), max_size=25))
def test_every_changed_line_is_in_a_range_and_ranges_are_distinct(changes: list[Change]) -> None:
    """Beside a document whose lines carry a mark when they are changed."""
    document = [False] * 200
    edits: tuple[Edit, ...] = ()
    for at, (start, removed, added) in enumerate(changes):
        document[start : start + removed] = [True] * added
        edits = with_edit(edits, start, removed, added, at)
    ordered = sorted(edits, key=lambda edit: edit.start)
    assert all(one.stop + NEAR_LINES < two.start for one, two in pairwise(ordered))
    assert len(edits) <= MOST_EDITS
    assert [edit.at for edit in edits] == sorted((edit.at for edit in edits), reverse=True)
    if len(edits) < MOST_EDITS:  # none was dropped
        marked = {line for line, changed in enumerate(document) if changed}
        assert marked <= {line for edit in edits for line in range(edit.start, edit.stop)}


def test_an_edit_is_shown_with_the_lines_around_it() -> None:
    assert Edit(10, 12, 0).shown(100) == range(7, 15)
    assert Edit(1, 2, 0).shown(3) == range(3)


def test_of_a_long_edit_the_end_is_shown() -> None:
    assert len(Edit(0, 5000, 0).shown(9000)) == SHOWN_LINES
    assert Edit(0, 5000, 0).shown(9000).stop == 5003
