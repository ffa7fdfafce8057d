"""The scanner: brackets, strings and comments of each language, and what is open at a place."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwen_ls.core.openers import opens_block
from qwen_ls.core.syntax import State, scan, state_at, statement_indent, syntax_of, without_comment
from tests.marked import context


@pytest.mark.parametrize(
    ("language", "text", "stack", "inside"),
    [
        pytest.param("python", "f([1, {", ")]}", "", id="three-open"),
        pytest.param("python", "f(')', [1])", "", "", id="a-bracket-in-a-string"),
        pytest.param("python", "x = 1  # (", "", "", id="a-bracket-in-a-comment"),
        pytest.param("python", 'def f():\n    """Doc (', "", '"""', id="docstring"),
        pytest.param("python", 'x = "a\ny = (', ")", "", id="a-string-ends-with-its-line"),
        pytest.param("python", r"x = 'it\'s ('", "", "", id="escaped-quote"),
        pytest.param("javascript", "a = `x ${f(", None, "", id="a-field-of-a-template"),
        pytest.param("javascript", "a = `x ${b} (", "", "`", id="after-the-field"),
        pytest.param("javascript", "s.replace(/[({]/g, '') / 2", "", "", id="regular-expression"),
        pytest.param("javascript", "a = b / (c) / (d", ")", "", id="division"),
        pytest.param("go", "s := `(\n", "", "`", id="raw-string"),
        pytest.param("rust", "fn f<'a>(x: &'a str) { ('('", "})", "", id="lifetimes-and-characters"),
        pytest.param("rust", 'r#"("{"#; [', "]", "", id="raw-string-of-rust"),
        pytest.param("c", "/* ( */ [ // {", "]", "", id="both-comments"),
        pytest.param("c", "/* don't", "", "*/", id="in-a-comment"),
        pytest.param("ruby", 'puts "a #{f(1)} (', "", '"', id="interpolation"),
        pytest.param("shellscript", "cat <<EOF\n( don't\n", "", "<<EOF", id="here-document"),
        pytest.param("shellscript", "cat <<EOF\n(\nEOF\n{", "}", "", id="after-the-here-document"),
        pytest.param("shellscript", "n=${#list[@]} # (", "", "", id="a-hash-in-a-parameter"),
        pytest.param("sql", "-- don't\nSELECT (", ")", "", id="comment-of-sql"),
        pytest.param("lua", "--[[ ( \n", "", "]]", id="long-comment-of-lua"),
        pytest.param("markdown", "It doesn't (", ")", "", id="prose"),
        pytest.param("unheard-of", "f('(', [", ")]", "", id="any-other-language"),
    ],
)
def test_what_is_open_at_the_end(language: str, text: str, stack: str | None, inside: str) -> None:
    state = scan(text, syntax_of(language))
    assert state.inside == inside
    if stack is not None:
        assert "".join(state.stack) == stack


@pytest.mark.parametrize(
    ("text", "inside", "closers"),
    [
        pytest.param("a, b)", "", ")", id="argument-list"),
        pytest.param("f(a)[0]", "", "", id="all-matched"),
        pytest.param("')')", "", ")", id="bracket-in-a-string"),
        pytest.param("x')", "'", "')", id="string-open-before"),
        pytest.param("don't)", "", ")", id="apostrophe"),
        pytest.param(r"\')", "'", "", id="escaped-quote"),
        pytest.param("})]", "", "})]", id="three"),
        pytest.param("(]", "", "]", id="mismatch"),
    ],
)
def test_what_is_closed_that_was_opened_before(text: str, inside: str, closers: str) -> None:
    state = scan(text, syntax_of("python"), State(inside=inside))
    assert "".join(closer for closer, _ in state.unmatched) == closers


@given(
    st.text("ab (){}[]'\"`#/*\n\\$-", max_size=60),
    st.sampled_from(["python", "javascript", "rust", "ruby", "shellscript", "sql", "markdown", "lua"]),
)
def test_line_by_line_is_as_all_at_once(text: str, language: str) -> None:
    """But for what a line end cuts in two: an escaped line end, a comment's marks."""
    syntax = syntax_of(language)
    if "\\\n" in text or syntax.literals:
        return
    state = State()
    for line in text.splitlines(keepends=True):
        state = scan(line, syntax, state)
    whole = scan(text, syntax)
    assert (state.stack, state.inside) == (whole.stack, whole.inside)


@given(st.text(max_size=80), st.text(max_size=20))
def test_no_text_can_break_the_scanner(text: str, language: str) -> None:
    for name in ("python", "javascript", "rust", "shellscript", "ruby", "html", language):
        state = scan(text, syntax_of(name))
        assert all(0 <= offset < len(text) for _, offset in state.unmatched)


def test_a_long_document_is_scanned_from_a_line_of_code() -> None:
    """The part that is scanned begins inside of a docstring."""
    long = '"""' + "words and words\n" * 900 + '"""\ndef f():\n    g(█'
    assert "".join(state_at(context(long)).stack) == ")"
    assert not state_at(context(long)).inside


@pytest.mark.parametrize(
    ("picture", "indent"),
    [
        pytest.param("    def f(a,\n          b):█", "    ", id="hanging-indent"),
        pytest.param("    f(\n        a,\n    )█", "    ", id="closing-line"),
        pytest.param("  x = 1█", "  ", id="one-line"),
        pytest.param("f(█", "", id="open"),
    ],
)
def test_a_statement_stands_where_it_began(picture: str, indent: str) -> None:
    assert statement_indent(context(picture)) == indent


@pytest.mark.parametrize(
    ("language", "line", "code"),
    [
        ("python", "if x:  # why", "if x:  "),
        ("python", 'x = "#"', 'x = "#"'),
        ("javascript", 'get("http://a") // b', 'get("http://a") '),
        ("json", '{ "a": "//" }', '{ "a": "//" }'),
    ],
)
def test_a_comment_ends_with_its_line(language: str, line: str, code: str) -> None:
    assert without_comment(line, syntax_of(language)) == code


@pytest.mark.parametrize(
    ("language", "line", "opens"),
    [
        ("python", "if x:  # why", True),
        ("python", "# first:", False),
        ("python", "x = 'a:", False),
        ("typescript", "  name:", False),
        ("typescript", "case 1:", True),
        ("ruby", "def push(item)", True),
        ("ruby", "return nil if x", False),
        ("ruby", "xs.each do |x|", True),
        ("ruby", "def one = 1; end", False),
        ("shellscript", "case $1 in", True),
        ("shellscript", "done", False),
        ("yaml", "run: |", True),
        ("yaml", "image: nginx", False),
        ("html", '<div class="a">', True),
        ("html", "<br>", False),
        ("html", "<p>a</p>", False),
        ("sql", "CREATE TABLE t (", True),
        ("markdown", "Steps:", False),
        ("markdown", "```python", True),
        ("lua", "local function f(a)", True),
    ],
)
def test_what_opens_a_block(language: str, line: str, opens: bool) -> None:
    assert opens_block(line, language) is opens
