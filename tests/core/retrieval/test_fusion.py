"""Rankings made one, and what of it fits."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwen_ls.core.retrieval.fusion import choose, fuse, is_known, price, repeats
from qwen_ls.core.types import Snippet


def snippet(path: str, start: int, stop: int, source: str = "open") -> Snippet:
    text = "".join(f"{path} line {number}\n" for number in range(start, stop))
    return Snippet(path, text, source, lines=range(start, stop))


A, B = snippet("a.py", 0, 50), snippet("b.py", 0, 50)
EXTRACT = Snippet("c.py", "def f(x): ...\ndef g(y): ...\n", "import")


def test_what_two_retrievers_found_comes_first() -> None:
    edit = snippet("b.py", 10, 14, "edit")
    assert [one.path for one in fuse([[A, B], [edit, EXTRACT]])][:2] == ["b.py", "b.py"]


def test_the_first_of_a_ranking_has_one_sixty_first() -> None:
    assert [one.score for one in fuse([[A, B]])] == pytest.approx([1 / 61, 1 / 62])


SNIPPETS = st.builds(
    lambda path, start, size: snippet(path, start, start + size),
    st.sampled_from("ab"),
    st.integers(0, 8),
    st.integers(1, 6),
)


@given(st.lists(st.lists(SNIPPETS, max_size=4), max_size=3))
def test_scores_are_those_of_the_definition(rankings: list[list[Snippet]]) -> None:
    def worth(path: str, line: int) -> float:
        """The sum over rankings of 1 / (60 + the best rank that shows the line)."""
        total = 0.0
        for ranking in rankings:
            ranks = [rank for rank, one in enumerate(ranking, 1) if one.path == path and line in one.lines]
            total += 1 / (60 + min(ranks)) if ranks else 0.0
        return total

    fused = fuse(rankings)
    assert [one.score for one in fused] == sorted((one.score for one in fused), reverse=True)
    assert len(fused) == sum(map(len, rankings))
    for one in fused:
        assert one.score == pytest.approx(max(worth(one.path, line) for line in one.lines))


WHOLE = Snippet("c.py", "def f(x):\n    return x\n", "open", lines=range(2))


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        pytest.param(snippet("a", 2, 6), snippet("a", 4, 9), True, id="half of the lines"),
        pytest.param(snippet("a", 0, 5), snippet("a", 4, 9), False, id="a line in common"),
        pytest.param(snippet("a", 0, 5), snippet("b", 0, 5), False, id="other files"),
        pytest.param(snippet("a", 2, 6, "edit"), snippet("a", 3, 9), False, id="an edit, in part"),
        pytest.param(snippet("a", 2, 6, "edit"), snippet("a", 2, 9), True, id="an edit, wholly"),
        pytest.param(EXTRACT, EXTRACT, True, id="the same extract"),
        pytest.param(EXTRACT, WHOLE, True, id="half of an extract, in full"),
        pytest.param(EXTRACT, replace(WHOLE, text="def h(z):\n    return z\n"), False, id="elsewhere in it"),
    ],
)
def test_repeats(one: Snippet, other: Snippet, expected: bool) -> None:
    assert repeats(one, other) is expected


@given(st.lists(SNIPPETS, max_size=8), st.integers(0, 200))
def test_what_is_chosen_fits_and_is_distinct(ranked: list[Snippet], tokens: int) -> None:
    chosen = choose(ranked, tokens)
    assert sum(map(price, chosen)) <= tokens
    assert not any(repeats(one, two) for n, one in enumerate(chosen) for two in chosen[:n])
    for one in chosen:
        assert any(one.text and whole.text.startswith(one.text) for whole in ranked)
        assert price(one) <= tokens / 2


def test_a_long_snippet_is_cut_to_half_of_the_budget() -> None:
    (short,) = choose([A], 100)
    assert A.text.startswith(short.text)
    assert short.lines == range(short.text.count("\n"))
    assert 25 < price(short) <= 50


def test_next_to_nothing_is_not_shown() -> None:
    assert choose([A], 30) == []


@pytest.mark.parametrize(
    ("window", "known"),
    [
        pytest.param(EXTRACT.text, True, id="all of it"),
        pytest.param("def f(x): ...", False, id="half of it"),
        pytest.param("", False, id="nothing of it"),
    ],
)
def test_what_the_window_shows_is_known(window: str, known: bool) -> None:
    assert is_known(EXTRACT, Counter(window.splitlines())) is known
    assert is_known(replace(EXTRACT, text="\n"), Counter()) is False
