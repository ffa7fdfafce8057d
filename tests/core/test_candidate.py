"""A suggestion is found again by the text around its place, and says nothing that does not fit."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwen_ls.core.candidate import ANCHOR_CHARS, Anchor, Candidate
from tests.marked import context

LONG = "# " + "0123456789" * 30 + "\n"
BELOW = "\n" + "".join(f"line_{number} = {number}\n" for number in range(20))


def rest(shown: str, text: str, now: str) -> str | None:
    """What is left of `text`, shown at the first picture's cursor, at the second's."""
    candidate = Candidate("c1", Anchor.at(context(shown)), text, shown=text)
    typed = candidate.typed(context(now))
    return None if typed is None else candidate.rest_shown(typed) or None


@pytest.mark.parametrize(
    ("shown", "text", "now", "left"),
    [
        pytest.param("x = █", "12", "x = 1█", "2", id="typed-along"),
        pytest.param("x = █", "12", "x = █", "12", id="as-shown"),
        pytest.param("x = █", "12", "x = 12█", None, id="all-typed"),
        pytest.param("x = █", "12", "x = 2█", None, id="another-key"),
        pytest.param("x = █", "12", "x █", None, id="deleted"),
        pytest.param("█\nx = 1", "import os", "imp█\nx = 1", "ort os", id="at-the-document-s-beginning"),
        pytest.param("█\nx = 1", "import os", "z█\nx = 1", None, id="another-key-at-the-beginning"),
        pytest.param("x = █", "1", "x = y\nx = █", None, id="the-same-few-words-elsewhere"),
        pytest.param(LONG + "x = █", "12", "import os\n" + LONG + "x = 1█", "2", id="lines-came-above"),
        pytest.param("x = █" + BELOW, "12", "x = 1█" + BELOW, "2", id="code-below"),
        pytest.param("x = █" + BELOW, "12", "x = 1█", None, id="code-below-deleted"),
        pytest.param("x = █" + BELOW, "12", "x = 1█" + BELOW[1:], None, id="line-end-deleted"),
        pytest.param("f(█", "a, b)", "f(a█)", ", b)", id="the-editor-closed-a-bracket"),
    ],
)
def test_the_rest_of_what_is_shown(shown: str, text: str, now: str, left: str | None) -> None:
    assert rest(shown, text, now) == left


SOURCE = st.text(alphabet="ab\n", max_size=12)


@given(SOURCE, SOURCE, st.text(alphabet="ab\n", min_size=1, max_size=6), SOURCE, SOURCE)
def test_what_is_shown_always_goes_on_with_what_was_typed(
    before: str, after: str, text: str, now_before: str, now_after: str
) -> None:
    left = rest(f"{before}█{after}", text, f"{now_before}█{now_after}")
    assert len(before) < ANCHOR_CHARS
    if left is None:
        assert not (now_after == after and (before + text).startswith(now_before) and now_before == before)
    else:
        assert (now_before + left, now_after) == (before + text, after)


@pytest.mark.parametrize(
    ("shown", "now", "is_left"),
    [
        pytest.param("x = foo(█", "x = foo█", True, id="one-character"),
        pytest.param("x = foo(█", "x =█", True, id="a-few"),
        pytest.param("x = foo(█)", "x = foo█", True, id="with-the-bracket-that-the-editor-closed"),
        pytest.param("x = foo(█", "x = foo(█", False, id="none"),
        pytest.param("x = foo(█", "x = foo(a█", False, id="typed-on"),
        pytest.param("x = foo(█\ny", "x = foo█\nz", False, id="other-text-below"),
        pytest.param("x = foo(█", "y = bar█", False, id="elsewhere"),
    ],
)
def test_what_is_deleted_left_of_the_place(shown: str, now: str, is_left: bool) -> None:
    assert Anchor.at(context(shown)).is_left_of(context(now)) is is_left


ABOVE = "import os\n\ndef first(a, b):\n    return a+b\n\n"


@pytest.mark.parametrize(
    ("above", "words"),
    [
        pytest.param(ABOVE.replace("a+b", "a + b"), set(), id="a-formatter-s-blanks"),
        pytest.param(ABOVE.replace("\n\ndef", "\n\n\ndef"), set(), id="a-blank-line"),
        pytest.param(ABOVE.replace("first", "frist"), {"first", "frist"}, id="a-slip-in-a-word"),
        pytest.param(ABOVE.replace("first", "firsts"), {"first", "firsts"}, id="a-letter-more"),
        pytest.param(ABOVE.replace("import os\n", ""), None, id="a-line-less"),
        pytest.param(ABOVE.replace("a", "z"), None, id="changes-in-several-places"),
        pytest.param(ABOVE.replace("import os", "import os, subprocess"), None, id="a-longer-edit"),
    ],
)
def test_small_edits_above(above: str, words: set[str] | None) -> None:
    anchor = Anchor.at(context(ABOVE + "x = █\ny\n"))
    assert anchor.changed_words(context(above + "x = █\ny\n")) == words


def test_the_edits_above_count_in_a_text_that_is_longer_than_what_is_kept() -> None:
    above = "".join(f"line_{number} = {number}\n" for number in range(900))
    anchor = Anchor.at(context(above + "x = █"))
    assert anchor.changed_words(context(above.replace("line_800 =", "line_800  =") + "x = █")) == set()
    assert anchor.changed_words(context(above.replace("line_8", "row_8") + "x = █")) is None


@given(
    st.text("ab \n", min_size=10, max_size=60),
    st.integers(0, 60),
    st.text("xy", max_size=5),
    st.integers(0, 5),
)
def test_any_one_small_edit_above_is_found(above: str, place: int, new: str, size: int) -> None:
    place = min(place, len(above))
    edited = above[:place] + new + above[place + size :]
    anchor = Anchor.at(context(above + "\nx = █"))
    assert anchor.changed_words(context(edited + "\nx = █")) is not None or edited == above


def test_an_edit_on_the_cursor_s_line_is_none_above() -> None:
    assert Anchor.at(context("a\nx = █")).changed_words(context("a\ny = █")) is None
