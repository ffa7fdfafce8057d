"""The documents equal the editor's, whatever is typed, in every encoding; checked against a naive oracle."""

from __future__ import annotations

import re
import sys
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qwen_ls.lsp.documents import Change, DocumentStore, Position, Range
from qwen_ls.lsp.text import join, locate, split_lines, units, without_lone_surrogates

URI = "untitled:Untitled-1"
ENCODINGS = ("utf-8", "utf-16", "utf-32")
WIDTHS = {
    "utf-8": lambda char: len(char.encode("utf-8", "surrogatepass")),
    "utf-16": lambda char: 1 + (ord(char) > 0xFFFF),
    "utf-32": lambda char: 1,
}


def naive_offset(text: str, line: int, character: int, encoding: str) -> int:
    """LSP's position, read from the specification and counted character by character."""
    if line < 0:
        return 0
    starts = [0, *(end.end() for end in re.finditer("\r\n|\r|\n", text))]
    if line >= len(starts):
        return len(text)
    offset = starts[line]
    while character > 0 and offset < len(text) and text[offset] not in "\r\n":
        character -= WIDTHS[encoding](text[offset])
        if character < 0:
            break
        offset += 1
    return offset


def store(text: str, encoding: str = "utf-16", **options) -> DocumentStore:
    documents = DocumentStore(**options)
    documents.encoding = encoding
    documents.open(URI, language_id="python", version=1, text=text)
    return documents


def text_of(documents: DocumentStore) -> str:
    document = documents.get(URI)
    assert document is not None
    assert document.lines == split_lines(document.text)
    return document.text


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        pytest.param("", [""], id="empty"),
        pytest.param("a", ["a"], id="one line"),
        pytest.param("a\n", ["a\n", ""], id="LF at the end"),
        pytest.param("a\r\nb\rc\nd", ["a\r\n", "b\r", "c\n", "d"], id="all three"),
        pytest.param("\n\r\n\r", ["\n", "\r\n", "\r", ""], id="only line ends"),
        pytest.param(
            "a\fb\vc\x1cd\x85e\u2028f\u2029g\n", ["a\fb\vc\x1cd\x85e\u2028f\u2029g\n", ""], id="others"
        ),
        pytest.param("\f\r\r\n\f", ["\f\r", "\r\n", "\f"], id="others among line ends"),
    ],
)
def test_only_three_marks_end_a_line(text: str, lines: list[str]) -> None:
    assert split_lines(text) == lines


@pytest.mark.parametrize(
    ("line", "column", "encoding", "expected"),
    [
        pytest.param("abc\r\n", 2, "utf-16", (2, 2), id="ASCII"),
        pytest.param("abc\r\n", 4, "utf-16", (3, 3), id="before CRLF, never inside"),
        pytest.param("abc", 9, "utf-8", (3, 3), id="past the end"),
        pytest.param("abc\n", -1, "utf-16", (0, 0), id="negative"),
        pytest.param("é中", 5, "utf-8", (2, 5), id="utf-8"),
        pytest.param("é中x", 3, "utf-8", (1, 2), id="inside a utf-8 sequence"),
        pytest.param("中文x", 2, "utf-16", (2, 2), id="BMP"),
        pytest.param("😀x", 2, "utf-16", (1, 2), id="astral"),
        pytest.param("😀x", 1, "utf-16", (0, 0), id="inside a pair"),
        pytest.param("😀x", 1, "utf-32", (1, 1), id="utf-32"),
        pytest.param("\ud83dx", 1, "utf-16", (1, 1), id="lone surrogate"),
    ],
)
def test_locate(line: str, column: int, encoding: str, expected: tuple[int, int]) -> None:
    assert locate(line, column, encoding) == expected


def test_halves_of_a_pair_that_meet_become_one_character() -> None:
    assert join("a\ud83d", "", "\ude00b") == "a😀b"
    documents = store("ab")
    documents.change(URI, version=2, changes=[Change(Range(Position(0, 1), Position(0, 1)), "\ud83d")])
    documents.change(URI, version=3, changes=[Change(Range(Position(0, 2), Position(0, 2)), "\ude00")])
    assert text_of(documents) == "a😀b"


def test_lone_surrogates_leave_no_snapshot() -> None:
    """They could not be sent anywhere; the replacement is as long in every encoding."""
    snapshot = store("a\ud83db").snapshot(URI, Position(0, 2), before_chars=10, after_chars=10)
    assert snapshot is not None
    assert snapshot.document.text == "a\ufffdb"
    assert snapshot.offset == 2
    for encoding in ENCODINGS:
        assert units("\ufffd", encoding) == units("\ud83d", encoding)
    assert without_lone_surrogates("é😀") == "é😀"


@pytest.mark.parametrize(
    ("before", "change", "after"),
    [
        pytest.param("a\rb", ((1, 0), (1, 0), "\n"), "a\r\nb", id="LF after CR joins to CRLF"),
        pytest.param("a\rb\nc", ((1, 0), (1, 1), ""), "a\r\nc", id="deletion joins CR and LF"),
        pytest.param("a\nb", ((0, 1), (0, 1), "\r"), "a\r\nb", id="CR before LF joins to CRLF"),
        pytest.param("a\r\nb", ((0, 1), (0, 1), "\n\r"), "a\n\r\r\nb", id="between"),
        pytest.param("a\r\nb", ((0, 1), (1, 0), ""), "ab", id="line end removed"),
        pytest.param("abc", ((0, 2), (0, 1), "X"), "aXc", id="reversed range"),
        pytest.param("a\nb", ((5, 5), (9, 9), "X"), "a\nbX", id="beyond the end"),
        pytest.param("a\nb", ((-3, 2), (0, 0), "X"), "Xa\nb", id="before the beginning"),
        pytest.param("abc", ((0, 9), (0, 9), "X"), "abcX", id="past the last line's end"),
        pytest.param("ab\ncd", ((0, 3), (0, 3), "X"), "abX\ncd", id="past a middle line's end"),
        pytest.param("a\fb\nc", ((1, 0), (1, 0), "X"), "a\fb\nXc", id="form feed ends no line"),
    ],
)
def test_edits(before: str, change: tuple, after: str) -> None:
    documents = store(before)
    start, end, text = change
    documents.change(URI, version=2, changes=[Change(Range(Position(*start), Position(*end)), text)])
    assert text_of(documents) == after


SMALL = {"LONG_LINE_CHARS": 2, "BACK_CHARS": 1, "BLOCKS_LINES": (2, 1)}
"""Sizes with which short texts go the ways of long ones."""
small_sizes = patch.multiple("qwen_ls.lsp.documents", **SMALL)

ENDS = ["\n", "\r", "\r\n", "\f", "\v", "\x1c", "\x1e", "\x85", "\u2028", "\u2029"]
LETTERS = ["a", "bc", " ", "é", "中", "😀", "𝒳y", "\ufeff", "\u0301", "\ufffd"]
PIECES = st.sampled_from(ENDS + LETTERS)
TEXTS = st.lists(PIECES, max_size=12).map("".join)
PLACES = st.tuples(st.integers(-1, 8), st.integers(-1, 14))
EDITS = st.lists(st.one_of(st.tuples(PLACES, PLACES, TEXTS), TEXTS), max_size=8)


@given(text=TEXTS, edits=EDITS, encoding=st.sampled_from(ENCODINGS))
@settings(max_examples=400, deadline=None)
def test_documents_follow_the_editor(text: str, edits: list, encoding: str) -> None:
    follow(text, edits, encoding)
    with small_sizes:
        follow(text, edits, encoding)


def follow(text: str, edits: list, encoding: str) -> None:
    documents, expected = store(text, encoding), text
    for version, one in enumerate(edits):
        if isinstance(one, str):
            documents.change(URI, version=version, changes=[Change(None, one)])
            expected = one
        else:
            start, end, new = one
            documents.change(
                URI, version=version, changes=[Change(Range(Position(*start), Position(*end)), new)]
            )
            first, last = sorted(naive_offset(expected, *place, encoding) for place in (start, end))
            expected = expected[:first] + new + expected[last:]
        assert text_of(documents) == expected


@given(text=TEXTS, place=PLACES, encoding=st.sampled_from(ENCODINGS), room=st.integers(0, 30))
@settings(max_examples=400, deadline=None)
def test_snapshots_are_windows_of_the_document(
    text: str, place: tuple[int, int], encoding: str, room: int
) -> None:
    check_window(text, place, encoding, room)
    with small_sizes:
        check_window(text, place, encoding, room)


def check_window(text: str, place: tuple[int, int], encoding: str, room: int) -> None:
    documents = store(text, encoding)
    snapshot = documents.snapshot(URI, Position(*place), before_chars=room, after_chars=room)
    assert snapshot is not None
    window, offset = snapshot.document, snapshot.offset
    cursor = naive_offset(text, *place, encoding)
    start = cursor - offset
    assert text[start : start + len(window.text)] == window.text
    assert offset <= room
    assert len(window.text) - offset <= room
    assert len(re.findall("\r\n|\r|\n", text[:start])) == window.first_line
    if window.starts_at_top:
        assert start == 0
    if window.reaches_end:
        assert start + len(window.text) == len(text)
    # The way back: the clamped cursor, as the client would count it.
    line, character = snapshot.position
    assert naive_offset(text, line, character, encoding) == cursor


@given(text=TEXTS, place=PLACES, ends=st.tuples(st.integers(-3, 30), st.integers(-3, 30)), data=st.data())
@settings(max_examples=300, deadline=None)
def test_ranges_go_back_to_the_same_characters(
    text: str, place: tuple[int, int], ends: tuple[int, int], data: st.DataObject
) -> None:
    encoding = data.draw(st.sampled_from(ENCODINGS))
    snapshot = store(text, encoding).snapshot(URI, Position(*place), before_chars=99, after_chars=99)
    assert snapshot is not None
    (line, first), (end_line, last) = snapshot.range_for(*ends)
    assert line == end_line == snapshot.position.line
    assert first <= snapshot.position.character <= last
    line_start = naive_offset(text, line, 0, encoding)
    line_end = naive_offset(text, line, sys.maxsize, encoding)
    start = naive_offset(text, line, first, encoding)
    end = naive_offset(text, line, last, encoding)
    assert (snapshot.offset_at(first), snapshot.offset_at(last)) == (start, end)
    assert start == min(max(ends[0], line_start), snapshot.offset)
    assert end == max(min(ends[1], line_end), snapshot.offset)


@given(
    text=st.text(st.sampled_from("a中😀é\ud83d"), min_size=3, max_size=20),
    moves=st.lists(
        st.tuples(st.integers(-3, 3), st.sampled_from(["", "x", "😀", "中é", "\ude00"])), max_size=12
    ),
    encoding=st.sampled_from(ENCODINGS),
)
@settings(max_examples=300, deadline=None)
def test_typing_along_a_long_line(text: str, moves: list[tuple[int, str]], encoding: str) -> None:
    """Columns that are counted from the last place are the columns counted from the line's beginning."""
    with small_sizes:
        documents, column = store(join(*text), encoding), 0
        for move, typed in moves:
            start, end = sorted((max(0, column), max(0, column + move)))
            places = Range(Position(0, start), Position(0, end))
            documents.change(URI, version=2, changes=[Change(places, typed)])
            column = start + units(typed, encoding)
            document = documents.get(URI)
            assert document is not None
            for asked in (column, column - 1, column + 1):
                _, *place = document.place(Position(0, asked), encoding)
                assert tuple(place) == locate(document.lines[0], asked, encoding)


def test_a_snapshot_does_not_change_with_the_document() -> None:
    documents = store("one\n")
    snapshot = documents.snapshot(URI, Position(0, 3), before_chars=9, after_chars=9)
    documents.change(URI, version=2, changes=[Change(None, "two\n")])
    assert snapshot is not None
    assert snapshot.document.text == "one\n"
    assert snapshot.document.version == 1


def test_a_window_is_cut_at_line_ends() -> None:
    text = "".join(f"line {number}\n" for number in range(1000))
    snapshot = store(text).snapshot(URI, Position(500, 3), before_chars=50, after_chars=50)
    assert snapshot is not None
    assert snapshot.document.text.startswith("line 4")
    assert snapshot.document.text.endswith("\n")
    assert not snapshot.document.starts_at_top
    assert not snapshot.document.reaches_end


def test_a_huge_line_is_cut_around_the_cursor() -> None:
    snapshot = store("x" * 100_000 + "\n").snapshot(URI, Position(0, 70_000), before_chars=80, after_chars=40)
    assert snapshot is not None
    assert (len(snapshot.document.text), snapshot.offset) == (120, 80)
    assert snapshot.range_for(80, 85) == ((0, 70_000), (0, 70_005))


def test_time_since_the_last_change() -> None:
    now = 10.0
    documents = store("a", clock=lambda: now)
    now = 12.0
    assert documents.unchanged_for_s(URI) == 2.0
    documents.change(URI, version=2, changes=[])
    assert documents.unchanged_for_s(URI) == 0.0
    assert documents.unchanged_for_s("file:///unknown") == 0.0


def test_a_change_of_an_unopened_document_is_refused() -> None:
    documents = DocumentStore()
    assert not documents.change(URI, version=1, changes=[Change(None, "x")])
    assert documents.snapshot(URI, Position(0, 0), before_chars=1, after_chars=1) is None
    assert len(documents) == 0


def test_typing_in_a_huge_line_does_not_move_the_window_s_beginning() -> None:
    documents = store("".join(f"{number}," for number in range(20_000)))
    texts = [
        documents.snapshot(URI, Position(0, 50_000 + n), before_chars=12_000, after_chars=10)
        for n in range(50)
    ]
    assert len({snapshot.document.text[:20] for snapshot in texts if snapshot}) == 1


def edited(text: str, *changes: Change) -> list[tuple[int, int]]:
    """The ranges of lines that the document remembers as edited."""
    documents = store(text)
    for version, change in enumerate(changes):
        documents.change(URI, version=version, changes=[change])
    document = documents.get(URI)
    assert document is not None
    return [(edit.start, edit.stop) for edit in document.edits]


def at(line: int, column: int, text: str, *, until: tuple[int, int] | None = None) -> Change:
    return Change(Range(Position(line, column), Position(*(until or (line, column)))), text)


LINES = "word\n" * 60


@pytest.mark.parametrize(
    ("changes", "ranges"),
    [
        pytest.param([], [], id="none"),
        pytest.param([at(9, 4, "s")], [(9, 10)], id="typed"),
        pytest.param([at(9, 4, "s"), at(9, 5, "!")], [(9, 10)], id="typed on"),
        pytest.param([at(9, 4, "\n")], [(9, 11)], id="a new line"),
        pytest.param([at(9, 0, "", until=(12, 0))], [(9, 10)], id="lines deleted"),
        pytest.param([at(40, 0, "x"), at(9, 0, "\n\n")], [(9, 12), (42, 43)], id="far apart, moved"),
        pytest.param([at(9, 0, "x"), Change(None, LINES)], [], id="all replaced"),
    ],
)
def test_edits_are_remembered(changes: list[Change], ranges: list[tuple[int, int]]) -> None:
    assert edited(LINES, *changes) == ranges


def test_a_change_makes_a_document_the_newest() -> None:
    documents = DocumentStore()
    for uri in ("file:///a", "file:///b"):
        documents.open(uri, language_id="", version=None, text="x")
    newest = []
    for uri in ("file:///a", "file:///b", "file:///a"):
        documents.change(uri, version=None, changes=[Change(None, "y")])
        newest.append(max(documents.open_documents(), key=lambda document: document.revision).uri)
    assert newest == ["file:///a", "file:///b", "file:///a"]
