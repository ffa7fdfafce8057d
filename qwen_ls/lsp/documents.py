"""The server's copy of every open document, equal to the editor's.

A document is a list of lines with their ends, and the last line has none. An edit splices that list, and a
snapshot walks out from the cursor until its window is full: neither costs more in a larger document.
"""

from __future__ import annotations

import itertools
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from qwen_ls.core import types as core
from qwen_ls.core.budget import LINE_STEP_CHARS
from qwen_ls.core.retrieval.edits import Edit, with_edit
from qwen_ls.lsp import text as lines_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


BLOCKS_LINES = (128, 16, 4, 1)
"""How many lines a window grows by at once, while there is room for so many."""
LONG_LINE_CHARS = 4096
"""Beyond this a line's columns are counted from a place near the last one that was asked for."""
BACK_CHARS = 256
"""How far before that place: a little backspacing must not count from the line's beginning."""


class Position(NamedTuple):
    """A place as the client counts it; nothing is promised about its being inside the document."""

    line: int
    character: int


class Range(NamedTuple):
    """Two places as the client counts them, possibly in the wrong order."""

    start: Position
    end: Position


class Change(NamedTuple):
    """One change of a document. Without a range, `text` is the whole new document."""

    range: Range | None
    text: str


class Anchor(NamedTuple):
    """A place in a long line of which both counts are known."""

    line: str
    characters: int
    units: int


@dataclass(slots=True)
class OpenDocument:
    """One open document."""

    uri: str
    language_id: str
    version: int | None
    lines: list[str]
    changed_at_s: float
    revision: int = 0
    """Another one after every change, in all documents: a greater one is newer."""
    edits: tuple[Edit, ...] = ()
    """Where it was changed since it was opened, the newest first."""
    anchor: Anchor | None = None

    @property
    def text(self) -> str:
        """The whole text. Costs a copy: for tests and tools, not for a keystroke."""
        return "".join(self.lines)

    def place(self, position: Position, encoding: str) -> tuple[int, int, int]:
        """The nearest real place, as `(line, characters from its beginning, units from its beginning)`."""
        if position.line < 0:
            return 0, 0, 0
        if position.line >= len(self.lines):
            last = self.lines[-1]
            return len(self.lines) - 1, len(last), lines_of.units(last, encoding)
        return (position.line, *self._locate(self.lines[position.line], position.character, encoding))

    def _locate(self, line: str, column: int, encoding: str) -> tuple[int, int]:
        """As `text.locate`, but in a long line the counting begins at the anchor."""
        if len(line) < LONG_LINE_CHARS:
            return lines_of.locate(line, column, encoding)
        start = (0, 0)
        if self.anchor is not None and self.anchor.line is line and self.anchor.units <= column:
            start = self.anchor[1:]
        characters, units = lines_of.locate(line, column, encoding, start=start)
        back = max(0, characters - BACK_CHARS)
        self.anchor = Anchor(line, back, units - lines_of.units(line[back:characters], encoding))
        return characters, units

    def apply(self, change: Change, encoding: str) -> None:
        """Make one change."""
        if change.range is None:
            self.lines = lines_of.split_lines(change.text)
            self.anchor, self.edits = None, ()
            return
        low, high = sorted(change.range)
        first, start, _ = self.place(low, encoding)
        anchor = self.anchor
        last, end, _ = (first, start, 0) if low == high else self.place(high, encoding)
        merged = lines_of.join(self.lines[first][:start], change.text, self.lines[last][end:])
        if first == last and "\n" not in change.text and "\r" not in change.text and merged[:1] != "\n":
            # What stands before the change stays, and with it the anchor.
            is_here = anchor is not None and anchor.line is self.lines[first]
            self.anchor = anchor._replace(line=merged) if anchor is not None and is_here else None
            self.lines[first] = merged
            self.edits = with_edit(self.edits, first, 1, 1, self.revision)
            return
        self.anchor = None
        self._splice(first, last, merged)

    def _splice(self, first: int, last: int, merged: str) -> None:
        """Replace the lines from `first` to `last` by those of `merged`."""
        if first and merged.startswith("\n") and self.lines[first - 1].endswith("\r"):
            # A carriage return that ended its line and a line feed that now follows it are one line end.
            first -= 1
            merged = self.lines[first] + merged
        fresh = lines_of.split_lines(merged)
        if last < len(self.lines) - 1:
            fresh.pop()  # `merged` ends with the line end of `last`: what stands after it is the next line.
        self.lines[first : last + 1] = fresh
        self.edits = with_edit(self.edits, first, last + 1 - first, len(fresh), self.revision)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What one request sees: a window of a document, and the way back to the client's positions."""

    document: core.Document
    offset: int
    """The cursor, in characters from the beginning of `document.text`."""
    position: Position
    """The cursor as the client counts it, clamped into the document."""
    encoding: str

    def offset_at(self, character: int) -> int:
        """The offset of a client's column of the cursor's line, clamped into the window's part of it."""
        start, end = self._line()
        text = self.document.text
        if character <= self.position.character:
            back = self.position.character - character
            head = text[max(start, self.offset - back) : self.offset]
            skipped = lines_of.units(head, self.encoding) - back
            return self.offset - len(head) + lines_of.locate(head, max(0, skipped), self.encoding)[0]
        tail = text[self.offset : end]
        return self.offset + lines_of.locate(tail, character - self.position.character, self.encoding)[0]

    def range_for(self, start: int, end: int) -> Range:
        """The client's range of `document.text[start:end]`: around the cursor, clamped to its line."""
        low, high = self._line()
        text = self.document.text
        line, column = self.position
        before = text[min(max(start, low), self.offset) : self.offset]
        after = text[self.offset : max(min(end, high), self.offset)]
        return Range(
            Position(line, column - lines_of.units(before, self.encoding)),
            Position(line, column + lines_of.units(after, self.encoding)),
        )

    def _line(self) -> tuple[int, int]:
        """Where the content of the cursor's line begins and ends in the window."""
        text = self.document.text
        start = max(text.rfind("\n", 0, self.offset), text.rfind("\r", 0, self.offset)) + 1
        ends = (text.find("\n", self.offset), text.find("\r", self.offset))
        return start, min((end for end in ends if end >= 0), default=len(text))


class DocumentStore:
    """The open documents by the URI that the client gave them. Notebook cells are documents like others.

    Args:
        clock: seconds; only differences are used.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.encoding = lines_of.UTF16
        self._clock = clock
        self._documents: dict[str, OpenDocument] = {}
        self._revisions = itertools.count(1)

    def __contains__(self, uri: str) -> bool:
        return uri in self._documents

    def __len__(self) -> int:
        return len(self._documents)

    def get(self, uri: str) -> OpenDocument | None:
        """The open document of that name, if there is one."""
        return self._documents.get(uri)

    def open_documents(self) -> Iterable[OpenDocument]:
        """All open documents, as they are now."""
        return self._documents.values()

    def open(self, uri: str, *, language_id: str, version: int | None, text: str) -> None:
        """Take a document, or take it anew."""
        self._documents[uri] = OpenDocument(
            uri, language_id, version, lines_of.split_lines(text), self._clock(), next(self._revisions)
        )

    def change(self, uri: str, *, version: int | None, changes: list[Change]) -> bool:
        """Make changes in their order; says whether the document is open."""
        document = self._documents.get(uri)
        if document is None:
            return False
        document.revision = next(self._revisions)
        for change in changes:
            document.apply(change, self.encoding)
        document.version = version
        document.changed_at_s = self._clock()
        return True

    def close(self, uri: str) -> bool:
        """Forget a document; says whether it was open."""
        return self._documents.pop(uri, None) is not None

    def unchanged_for_s(self, uri: str) -> float:
        """Seconds since the last change; 0 for a document that is not open."""
        document = self._documents.get(uri)
        return max(0.0, self._clock() - document.changed_at_s) if document else 0.0

    def snapshot(
        self, uri: str, position: Position, *, before_chars: int, after_chars: int
    ) -> Snapshot | None:
        """A window around a position, or None where the document is not open.

        Its edges are line ends, except inside a line that is longer than the window.

        Args:
            uri: the document.
            position: the cursor; a place outside the document is clamped into it.
            before_chars: how much may stand before the cursor.
            after_chars: how much may stand after it.
        """
        document = self._documents.get(uri)
        if document is None:
            return None
        line, column, units = document.place(position, self.encoding)
        before, first, at_top = _before(document.lines, line, column, before_chars)
        after, at_end = _after(document.lines, line, column, after_chars)
        text = lines_of.without_lone_surrogates(before + after)
        window = core.Document(
            uri=uri,
            version=document.version,
            language_id=document.language_id,
            text=text,
            starts_at_top=at_top,
            reaches_end=at_end,
            first_line=first,
        )
        return Snapshot(window, len(before), Position(line, units), self.encoding)


def _before(lines: list[str], line: int, column: int, room: int) -> tuple[str, int, bool]:
    """Text before a place, the line it begins on, and whether that is the document's very beginning."""
    if column > room:
        step = min(LINE_STEP_CHARS, max(1, room // 4))
        start = -(-(column - room) // step) * step
        return lines[line][start:column], line, False
    room -= column
    first = line
    for block in BLOCKS_LINES:
        while first and (size := sum(map(len, lines[max(0, first - block) : first]))) <= room:
            first = max(0, first - block)
            room -= size
    return "".join(lines[first:line]) + lines[line][:column], first, first == 0


def _after(lines: list[str], line: int, column: int, room: int) -> tuple[str, bool]:
    """Text after a place, and whether it reaches the document's end."""
    rest = len(lines[line]) - column
    if rest > room:
        end = min(column + room, lines_of.content_length(lines[line]))
        return lines[line][column:end], False
    room -= rest
    last = line + 1
    for block in BLOCKS_LINES:
        while last < len(lines) and (size := sum(map(len, lines[last : last + block]))) <= room:
            last = min(last + block, len(lines))
            room -= size
    return lines[line][column:] + "".join(lines[line + 1 : last]), last == len(lines)
