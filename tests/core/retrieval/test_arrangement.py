"""The order of snippets from prompt to prompt: what stands there stays, and what is new comes last."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwen_ls.core.retrieval.arrangement import Arrangement, Found
from qwen_ls.core.retrieval.fusion import price, repeats
from qwen_ls.core.types import Snippet


def snippet(name: str, start: int = 0, size: int = 10, source: str = "open") -> Snippet:
    text = "".join(f"{name} line {number}\n" for number in range(start, start + size))
    return Snippet(name, text, source, lines=range(start, start + size))


A, B, C, D, E = map(snippet, "abcde")
ROOM = 2.5 * price(A)
"""Room for two."""


def names(*rankings: list[Snippet], room: float = 1000) -> str:
    """What the last of some prompts shows, by name."""
    arrangement, shown = Arrangement(), ()
    for ranking in rankings:
        shown = arrangement.admit(Found(ranked=tuple(ranking)), room)
    return "".join(one.path for one in shown)


@pytest.mark.parametrize(
    ("rankings", "expected"),
    [
        pytest.param([[A, B]], "ab", id="the best first"),
        pytest.param([[A, B], [B, A]], "ab", id="another ranking changes nothing"),
        pytest.param([[A], [B, A]], "ab", id="what is new comes last"),
        pytest.param([[A, B], []], "ab", id="nothing found takes nothing away"),
        pytest.param([[A], [snippet("a", 3)]], "a", id="a window that slides is no new one"),
        pytest.param([[A], [snippet("a", 30)]], "aa", id="another part of the document is"),
        pytest.param([[A], [snippet("a", 8, 4, "edit")]], "aa", id="an edit that is shown in part is new"),
        pytest.param([[A], [snippet("a", 6, 4, "edit")]], "a", id="an edit that is shown is not"),
    ],
)
def test_order(rankings: list[list[Snippet]], expected: str) -> None:
    assert names(*rankings) == expected


@pytest.mark.parametrize(
    ("rankings", "expected"),
    [
        pytest.param([[A, B], [C, D]], "cd", id="all is wanted anew"),
        pytest.param([[A, B], [C, B]], "bc", id="the older half leaves"),
        pytest.param([[A, B], [A, B, C]], "ab", id="the third best waits"),
    ],
)
def test_where_there_is_no_more_room(rankings: list[list[Snippet]], expected: str) -> None:
    assert names(*rankings, room=ROOM) == expected


def test_what_has_changed_leaves_and_comes_back_at_the_end() -> None:
    arrangement = Arrangement()
    arrangement.admit(Found(ranked=(A, B)), 1000)
    changed = Snippet("a", "new text\n" * 5, "open", lines=range(5))
    found = Found(ranked=(changed, B), checked={A: None, B: B})
    assert arrangement.admit(found, 1000) == (B, changed)


def test_what_has_moved_stays_where_it_is() -> None:
    arrangement = Arrangement()
    arrangement.admit(Found(ranked=(A, B)), 1000)
    moved = Snippet(A.path, A.text, A.source, lines=range(20, 30))
    assert arrangement.admit(Found(ranked=(B, moved), checked={A: moved, B: B}), 1000) == (moved, B)


def test_a_smaller_budget_is_kept() -> None:
    arrangement = Arrangement()
    arrangement.admit(Found(ranked=(A, B, C)), 1000)
    shown = arrangement.admit(Found(ranked=(A, B, C)), ROOM)
    assert sum(map(price, shown)) <= ROOM
    assert arrangement.admit(Found(ranked=(A, B, C)), 0) == ()


SNIPPETS = st.builds(snippet, st.sampled_from("abcdef"), st.integers(0, 20), st.integers(1, 12))


@given(st.lists(st.tuples(st.lists(SNIPPETS, max_size=5), st.integers(0, 300)), max_size=8))
def test_whatever_is_found_it_fits_and_keeps_its_order(prompts: list[tuple[list[Snippet], int]]) -> None:
    arrangement, before = Arrangement(), ()
    for ranked, tokens in prompts:
        shown = arrangement.admit(Found(ranked=tuple(ranked)), tokens)
        assert sum(map(price, shown)) <= tokens
        assert not any(repeats(one, two) for n, one in enumerate(shown) for two in shown[:n])
        left = next(n for n in range(len(before) + 1) if shown[: len(before) - n] == before[n:])
        assert left == 0 or 2 * left >= len(before)
        before = shown
