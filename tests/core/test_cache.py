"""What is answered without a call: the rest of what is shown, and nothing that does not fit."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwen_ls.core.cache import ANCHOR_CHARS, Candidate
from tests.marked import context

LONG = "# " + "0123456789" * 30 + "\n"
BELOW = "\n" + "".join(f"line_{number} = {number}\n" for number in range(20))


def rest(shown: str, text: str, now: str) -> str | None:
    """What is left of `text`, shown at the first picture's cursor, at the second's."""
    return Candidate.shown("c1", text, context(shown)).rest(context(now))


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
