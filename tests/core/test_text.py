"""Lines, line ends and brackets."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwen_ls.core import text

LINEY = st.text(alphabet=st.sampled_from("ab \t\n\r\f\v\x1c\x85\u2028😀\ud800()\"'`\\"), max_size=60)


@given(LINEY)
def test_lines_join_to_the_text_and_only_lsp_line_ends_end_them(value: str) -> None:
    lines = text.lines_of(value)
    assert "".join(lines) == value
    assert text.n_lines(value) == len(lines)
    for line in lines[:-1]:
        assert line.endswith(("\n", "\r"))
    for line in lines:
        body = line.removesuffix("\n").removesuffix("\r") if line.endswith("\r\n") else line[:-1]
        assert "\n" not in body
        assert "\r" not in body


@pytest.mark.parametrize(
    ("value", "eol"),
    [
        pytest.param("", "\n", id="none"),
        pytest.param("a\r\nb\n", "\r\n", id="crlf-first"),
        pytest.param("a\rb", "\r", id="cr"),
        pytest.param("a\u2028b\nc", "\n", id="u2028-is-no-line-end"),
    ],
)
def test_the_first_line_end_is_the_document_s(value: str, eol: str) -> None:
    assert text.detect_eol(value) == eol


@given(LINEY, st.sampled_from(["\n", "\r\n", "\r"]))
def test_with_eol_leaves_one_kind_of_line_end(value: str, eol: str) -> None:
    changed = text.with_eol(value, eol)
    assert text.with_eol(changed, eol) == changed
    assert [line.rstrip("\r\n") for line in text.lines_of(changed)] == [
        line.rstrip("\r\n") for line in text.lines_of(value)
    ]


@pytest.mark.parametrize(("indent", "width"), [("", 0), ("  ", 2), ("\t", 4), ("  \t", 4), ("\t  ", 6)])
def test_a_tab_goes_on_to_the_next_stop(indent: str, width: int) -> None:
    assert text.width_of(indent) == width
