"""Which candidate answers a request, and which does not."""

from __future__ import annotations

import pytest

from qwen_ls.core.cache import TTL_S, UNWANTED_S, CompletionCache
from qwen_ls.core.candidate import Anchor, Candidate
from tests.marked import context

URI = "file:///p/a.py"
ABOVE = "import os\n\ndef first(a, b):\n    return a+b\n\n"


class Clock:
    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def said(picture: str, text: str, *, shown: str = "", whole: bool = False) -> Candidate:
    return Candidate(text, Anchor.at(context(picture)), text, whole, shown)


def found(cache: CompletionCache, picture: str, *, multiline: bool = False) -> list[tuple[str, str]]:
    """The sources and the rests of what answers, the best first."""
    now = context(picture)
    shown = cache.shown(URI)
    hits = cache.find(now, multiline=multiline, typed=shown.typed(now) if shown else None)
    return [(hit.source, hit.candidate.rest(hit.typed)) for hit in hits]


@pytest.mark.parametrize(
    ("filed", "text", "now", "hit"),
    [
        pytest.param("x = █", "sum(xs)", "x = █", ("cache", "sum(xs)"), id="the-same-question"),
        pytest.param("x = █", "sum(xs)", "x = su█", ("walk-back", "m(xs)"), id="from-further-left"),
        pytest.param("x = █", "a\nb", "x = a\n█", ("walk-back", "b"), id="from-the-line-above"),
        pytest.param("x = █", "sum(xs)", "x = m█", None, id="something-else-was-typed"),
        pytest.param("x = █", "sum(xs)", "x = sum(xs)█", None, id="all-of-it-was-typed"),
        pytest.param("x = █", "a" * 200, "x = " + "a" * 150 + "█", None, id="too-far-left"),
        pytest.param("x = █", "1", "y = █", None, id="another-line"),
        pytest.param("x = █\ny", "1", "x = █\nz", None, id="another-line-below"),
        pytest.param(
            ABOVE + "x = █", "1", ABOVE.replace("a+b", "a + b") + "x = █", ("fuzzy", "1"), id="a-slip-above"
        ),
        pytest.param(
            ABOVE + "x = █", "first(1, 2)", ABOVE.replace("first", "firsts") + "x = █", None, id="a-renaming"
        ),
        pytest.param(ABOVE + "x = █", "1", "import re\n" + ABOVE + "x = █", None, id="a-line-more-above"),
    ],
)
def test_what_was_said_and_never_shown(filed: str, text: str, now: str, hit: tuple[str, str] | None) -> None:
    cache = CompletionCache(Clock())
    cache.file(URI, said(filed, text))
    assert found(cache, now) == ([hit] if hit else [])


def test_what_is_shown_comes_first_and_what_it_says_beyond_that_next() -> None:
    cache = CompletionCache(Clock())
    shown = said("x = █", "sum(xs)\ny = 2\n", shown="sum(xs)")
    cache.show(URI, shown)
    cache.file(URI, said("x = s█", "ort(xs)"))
    assert cache.rest_shown(URI, "s") is shown
    assert cache.rest_shown(URI, "sum(xs)") is None
    assert [source for source, _ in found(cache, "x = s█")] == ["streak", "cache"]
    assert found(cache, "x = sum(xs)█") == [("streak", "\ny = 2\n")]
    assert found(cache, "x = sum(xs)\ny█") == [("streak", " = 2\n")]


def test_an_answer_of_one_line_is_none_to_a_question_for_a_block() -> None:
    cache = CompletionCache(Clock())
    cache.file(URI, said("if x:█", "\n    y"))
    assert not found(cache, "if x:█", multiline=True)
    cache.file(URI, said("if x:█", "\n    y\n    z", whole=True))
    assert found(cache, "if x:█", multiline=True) == [("cache", "\n    y\n    z")]
    assert len(found(cache, "if x:█")) == 2


def test_an_answer_is_forgotten_after_its_time_and_with_its_document() -> None:
    clock = Clock()
    cache = CompletionCache(clock)
    cache.file(URI, said("x = █", "1"))
    clock.now_s = TTL_S + 1
    assert not found(cache, "x = █")
    cache.file(URI, said("x = █", "1"))
    cache.forget(URI)
    assert not found(cache, "x = █")


def test_what_was_turned_down_stays_away_for_a_while() -> None:
    clock = Clock()
    cache = CompletionCache(clock)
    shown = said("f(█", "a)", shown="a)")
    cache.file(URI, shown)
    cache.show(URI, shown)
    cache.turn_down(shown)
    assert not found(cache, "f(█")
    assert cache.rest_shown(URI, "") is None
    assert cache.turned_down(context("f(█")) == ("a)",)
    assert not cache.turned_down(context("g(█"))
    clock.now_s = UNWANTED_S + 1
    assert found(cache, "f(█")
    assert not cache.turned_down(context("f(█"))
