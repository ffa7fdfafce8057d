"""What an editor does with a suggestion, without a screen: show it, type along it, accept it, drop it.

Pure. Positions are offsets, in characters, into the text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from qwen_ls.core.text import common_length

_WORD = re.compile(r"\s*(?:\w+|[^\w\s]+)|\s+")
_OPENS_BLOCK = re.compile(r"[:{(\[]\s*$")
INDENT = " " * 4


@dataclass(frozen=True, slots=True)
class Ghost:
    """A suggestion: between `start` and the last `after` characters of the text, there shall be `text`."""

    text: str
    start: int
    after: int
    """How many characters of the document stand behind what is replaced; typing does not change it."""
    command: dict[str, Any] | None = None
    """What to tell the server when the suggestion is accepted."""


@dataclass(frozen=True, slots=True)
class Shown:
    """How a ghost is drawn: `text` at the cursor, in place of the `replaced` characters behind it."""

    text: str
    replaced: int


@dataclass(frozen=True, slots=True)
class Edit:
    """The text and the cursor after something was accepted, and what is left of the ghost."""

    text: str
    cursor: int
    ghost: Ghost | None
    command: dict[str, Any] | None = None


def suggest(text: str, insert: str, start: int, end: int, command: dict[str, Any] | None = None) -> Ghost:
    """Make the ghost that turns `text[start:end]` into `insert`."""
    return Ghost(insert, start, len(text) - end, command)


def shown(ghost: Ghost, text: str, cursor: int) -> Shown | None:
    """Say how the ghost looks at this cursor, or None where it does not fit the text (any more)."""
    end = len(text) - ghost.after
    if not ghost.start <= cursor <= end:
        return None
    typed = text[ghost.start : cursor]
    rest = ghost.text.removeprefix(typed)
    if not ghost.text.startswith(typed) or not rest or rest == text[cursor:end]:
        return None
    return Shown(rest, end - cursor)


def survives(ghost: Ghost, old: str, new: str, cursor: int) -> bool:
    """Say whether the ghost still fits after the text changed from `old` to `new`.

    It does while what was typed follows it; deleting what was typed brings it back to its earlier length.
    """
    head = old[: ghost.start]
    tail = old[len(old) - ghost.after :]
    if len(new) < len(head) + len(tail) or not new.startswith(head) or not new.endswith(tail):
        return False
    return shown(ghost, new, cursor) is not None


def accept(ghost: Ghost, text: str, cursor: int) -> Edit | None:
    """Take all of it."""
    view = shown(ghost, text, cursor)
    if view is None:
        return None
    head = text[:cursor] + view.text
    return Edit(head + text[cursor + view.replaced :], len(head), None, ghost.command)


def accept_word(ghost: Ghost, text: str, cursor: int) -> Edit | None:
    """Take its next word, with the space before it; the last word is all of it."""
    view = shown(ghost, text, cursor)
    if view is None:
        return None
    found = _WORD.match(view.text)
    word = found[0] if found else view.text
    if len(word) == len(view.text):
        return accept(ghost, text, cursor)
    new = text[:cursor] + word + text[cursor:]
    if shown(ghost, new, cursor + len(word)) is None:  # what is left stands there already
        return accept(ghost, text, cursor)
    return Edit(new, cursor + len(word), ghost)


def newline(text: str, cursor: int) -> str:
    """What Enter types: a line end and the indentation that fits there."""
    line = text[text.rfind("\n", 0, cursor) + 1 : cursor]
    indent = line[: len(line) - len(line.lstrip(" \t"))]
    if _OPENS_BLOCK.search(line):
        indent += "\t" if "\t" in indent else INDENT
    return "\n" + indent


def tab(text: str, cursor: int) -> str:
    """What Tab types where there is nothing to accept: spaces up to the next stop."""
    column = cursor - (text.rfind("\n", 0, cursor) + 1)
    return " " * (len(INDENT) - column % len(INDENT))


def change(old: str, new: str) -> tuple[int, int, str]:
    """Find the one edit between two texts: (start, end) in `old`, and what stands there in `new`."""
    shorter = min(len(old), len(new))
    start = common_length(old, new, shorter)
    tail = common_length(old[::-1], new[::-1], shorter - start)
    return start, len(old) - tail, new[start : len(new) - tail]
