"""What typing, accepting and dismissing do to a ghost. `|` is the cursor, `[…]` what the ghost replaces."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwen_ls.commands.playground import ghost as ghosts
from qwen_ls.commands.playground.ghost import Shown


def place(marked):
    """Read `text|[replaced]text`: the text, the cursor, the end of what is replaced."""
    cursor = marked.index("|")
    text = marked.replace("|", "")
    if "[" not in text:
        return text, cursor, cursor
    end = text.index("]") - 1
    return text.replace("[", "").replace("]", ""), cursor, end


def ghost_at(marked, insert):
    text, cursor, end = place(marked)
    return ghosts.suggest(text, insert, cursor, end, {"command": "accepted"}), text, cursor


@pytest.mark.parametrize(
    ("before", "insert", "after", "expected"),
    [
        pytest.param("f|", "oo()", "fo|", "o()", id="typed along"),
        pytest.param("f|", "oo()", "foo()|", None, id="typed to its end"),
        pytest.param("f|", "oo()", "fx|", None, id="typed something else"),
        pytest.param("f|", "oo()", "|f", None, id="cursor before it"),
        pytest.param("if a:|", "\n    b\n    c", "if a:\n    |", "b\n    c", id="across a line end"),
        pytest.param("f(|[)]", "a)", "f(a|)", None, id="only the replaced tail is left"),
        pytest.param("f(|[)]", "a, b)", "f(a|)", ", b)", id="mid-line"),
        pytest.param("你|", "好 🎉!", "你好 |", "🎉!", id="astral"),
    ],
)
def test_shown_after_typing(before, insert, after, expected):
    ghost, *_ = ghost_at(before, insert)
    text, cursor, _ = place(after)
    view = ghosts.shown(ghost, text, cursor)
    assert (view and view.text) == expected


@pytest.mark.parametrize(
    ("before", "after", "stays"),
    [
        pytest.param("ab|cd", "abx|cd", True, id="typed along"),
        pytest.param("ab|cd", "aby|cd", False, id="typed something else"),
        pytest.param("ab|cd", "ab|cde", False, id="changed behind it"),
        pytest.param("ab|cd", "Xb|cd", False, id="changed before it"),
        pytest.param("ab|cd", "a|cd", False, id="deleted before it"),
        pytest.param("ab|cd", "|", False, id="all deleted"),
    ],
)
def test_survives(before, after, stays):
    ghost, old, _ = ghost_at(before, "xyz")
    new, cursor, _ = place(after)
    assert ghosts.survives(ghost, old, new, cursor) is stays


def test_accept_takes_all_and_replaces_the_tail():
    ghost, text, cursor = ghost_at("f(|[)]\n", "a, b)")
    edit = ghosts.accept(ghost, text, cursor)
    assert (edit.text, edit.cursor, edit.ghost) == ("f(a, b)\n", 7, None)
    assert edit.command == {"command": "accepted"}


def test_words_of_a_ghost_add_up_to_all_of_it():
    ghost, text, cursor = ghost_at("x|[)]", " = foo.bar(1)\n    return x)")
    seen = []
    while True:
        edit = ghosts.accept_word(ghost, text, cursor)
        seen.append(edit.text[cursor : edit.cursor])
        text, cursor = edit.text, edit.cursor
        if edit.ghost is None:
            break
        ghost = edit.ghost
    assert seen == [" =", " foo", ".", "bar", "(", "1", ")", "\n    return", " x)"]
    assert text == "x = foo.bar(1)\n    return x)"
    assert edit.command == {"command": "accepted"}


@given(st.text("ab\n (", max_size=6), st.text("ab\n (", min_size=1, max_size=12), st.text("ab)", max_size=4))
def test_typing_a_ghost_letter_by_letter_ends_where_accepting_does(before, insert, after):
    text, cursor = before + after, len(before)
    ghost = ghosts.suggest(text, insert, cursor, cursor)
    wanted = ghosts.accept(ghost, text, cursor)
    assert wanted is not None
    for letter in insert[:-1]:
        old, text, cursor = text, text[:cursor] + letter + text[cursor:], cursor + 1
        assert ghosts.survives(ghost, old, text, cursor)
        edit = ghosts.accept(ghost, text, cursor)
        assert (edit.text, edit.cursor) == (wanted.text, wanted.cursor)


@given(st.text("ab\n🎉", max_size=12), st.text("ab\n🎉", max_size=12))
def test_change_is_one_edit_that_makes_the_new_text(old, new):
    start, end, text = ghosts.change(old, new)
    assert old[:start] + text + old[end:] == new
    assert 0 <= start <= end <= len(old)
    if old == new:
        assert (start, end, text) == (len(old), len(old), "")


@pytest.mark.parametrize(
    ("marked", "expected"),
    [
        pytest.param("x = 1|", "\n", id="top level"),
        pytest.param("    x = 1|", "\n    ", id="keeps"),
        pytest.param("  if x:|", "\n      ", id="after a colon"),
        pytest.param("f() {|}", "\n    ", id="after a brace"),
        pytest.param("\tif x:|", "\n\t\t", id="tabs"),
        pytest.param("if x:\n    y|", "\n    ", id="second line"),
    ],
)
def test_newline(marked, expected):
    text, cursor, _ = place(marked)
    assert ghosts.newline(text, cursor) == expected


@pytest.mark.parametrize(("marked", "width"), [("|", 4), ("a|", 3), ("abcd|", 4), ("a\nabc|", 1)])
def test_tab_goes_to_the_next_stop(marked, width):
    text, cursor, _ = place(marked)
    assert ghosts.tab(text, cursor) == " " * width


def test_a_ghost_that_changes_nothing_is_not_shown():
    ghost, text, cursor = ghost_at("f(|[)]", ")")
    assert ghosts.shown(ghost, text, cursor) is None
    ghost, text, cursor = ghost_at("f(|[)]", "x)")
    assert ghosts.shown(ghost, text, cursor) == Shown("x)", 1)
