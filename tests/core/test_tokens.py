"""Where a line may be cut: between tokens, as Qwen's tokenizer makes them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwen_ls.core.tokens import LONGEST_HELD_BACK, unfinished


@pytest.mark.parametrize(
    ("line", "end"),
    [
        pytest.param("    for i in r", " r", id="a-word-with-the-blank-before-it"),
        pytest.param("retur", "retur", id="a-word-at-the-beginning"),
        pytest.param("self.to", ".to", id="a-word-with-the-dot-before-it"),
        pytest.param("self.total_co", "_co", id="a-part-of-a-name"),
        pytest.param("x = f(", "(", id="a-bracket"),
        pytest.param("a->", "->", id="an-operator"),
        pytest.param("a->b", "b", id="what-follows-an-operator"),
        pytest.param("return ", " ", id="a-blank"),
        pytest.param("x =  ", "  ", id="two-blanks"),
        pytest.param("x = 12", "", id="digits-are-whole"),
        pytest.param("x1", "", id="a-digit-in-a-name"),
        pytest.param("größe", "größe", id="letters-beyond-ascii"),
        pytest.param("# " + "我们在这里计算总和" * 4, "", id="a-sentence-without-blanks"),
        pytest.param("it'll", "'ll", id="what-english-cuts-off"),
        pytest.param("", "", id="nothing"),
    ],
)
def test_the_end_of_a_line_that_a_token_may_go_on_with(line: str, end: str) -> None:
    assert unfinished(line) == end


@given(st.text(st.characters(exclude_characters="\r\n"), max_size=300))
def test_it_is_an_end_of_the_line_and_short(line: str) -> None:
    end = unfinished(line)
    assert line.endswith(end)
    assert len(end) <= LONGEST_HELD_BACK
