"""Answers that run into what stands after the cursor. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from qwen_ls.core.text import CLOSERS, QUOTES, lines_of, open_quote, unmatched_closers, with_eol
from qwen_ls.core.types import Reason, Skip

if TYPE_CHECKING:
    from qwen_ls.core.postprocess.hole import Hole
    from qwen_ls.core.types import CompletionContext

CLOSING = frozenset(CLOSERS + QUOTES + ";,: \t")
"""What an editor, or the statement around the cursor, closes a line with."""
_ESCAPE_OR_QUOTE = re.compile(r"""\\.|["'`]""", re.DOTALL)
MIN_OVERLAP = 3
"""A shorter overlap with the rest of the line is chance, unless it is all of the rest."""


def drop_repeated_lines(text: str, hole: Hole) -> str | Skip:
    """Cut the answer's last lines where they are the next lines below the cursor."""
    below = [
        line.rstrip()
        for line in lines_of(hole.context.suffix[len(hole.context.line_suffix) :])
        if line.strip()
    ]
    if not below:
        return text
    lines = lines_of(with_eol(text, "\n"))
    filled = [(index, line.rstrip()) for index, line in enumerate(lines) if line.strip()]
    first = 0
    if filled and filled[0][0] == 0:
        # The answer's first line goes on with the current one, and is compared with what stands there.
        first = 1 if hole.context.line_prefix.strip() else 0
        filled[0] = (0, hole.context.line_prefix + filled[0][1])
    for start in range(first, len(filled)):
        tail = [line for _, line in filled[start:]]
        if tail == below[: len(tail)] or _runs_through(tail, below):
            head = "".join(lines[: filled[start][0]])
            return head.rstrip("\n") if head.strip() else Skip(Reason.ECHO)
    return text


def _runs_through(tail: list[str], below: list[str]) -> bool:
    """Whether the answer goes through two or more telling lines below and then on into inventions."""
    same = 0
    for made, there in zip(tail, below, strict=False):
        if made != there:
            break
        same += 1
    return same >= 2 and len("".join(tail[:same]).replace(" ", "")) >= 16


def trim_overlap(text: str, hole: Hole) -> str | Skip:
    """Cut the answer's end where it is the beginning of the rest of the line.

    A rest of closers only is left to `covered`: there the item's range takes the closers in.
    """
    tail = hole.context.line_suffix.rstrip()
    if not set(tail) - CLOSING:
        return text
    first = text.partition("\n")[0]  # a second line would push the rest of this one away from it
    for size in range(min(len(first), len(tail)), 0, -1):
        if first.endswith(tail[:size]) and (size == len(tail) or _is_overlap(tail, size)):
            return _or_skip(first[:-size])
    if tail[0] in ",;" and first.rstrip().endswith(tail[0]):
        return _or_skip(first.rstrip()[:-1])
    return first


def _is_overlap(tail: str, size: int) -> bool:
    """Whether so much of the rest of the line is more than chance: `, b` of `, bar` is not."""
    cuts_word = _is_word(tail[size - 1]) and _is_word(tail[size])
    return size >= MIN_OVERLAP and not cuts_word


def _is_word(char: str) -> bool:
    return char.isalnum() or char == "_"


def _or_skip(text: str) -> str | Skip:
    return text if text.strip() else Skip(Reason.ECHO)


def covered(text: str, context: CompletionContext) -> int:
    """How many characters right of the cursor the item's range must take in.

    An editor closes brackets and quotes as they are opened. Where the answer brings those closers itself, the
    range covers the editor's, so that they are replaced and not doubled.
    """
    tail = context.line_suffix
    if not tail or tail[0] not in CLOSERS + QUOTES:
        return 0
    inside, count = open_quote(context.line_prefix), 0
    if inside and tail[0] in CLOSERS:
        closers = _closers_in_string(text, inside, context.line_prefix)
    else:
        closers = [char for char, _ in unmatched_closers(text, inside=inside)]
    for char in closers:
        if count < len(tail) and tail[count] == char:
            count += 1
        elif char == inside:
            inside = ""  # the string's end was not typed by the editor; the brackets around it were
        else:
            break
    rest = tail[count:].rstrip()
    if count and rest and not set(rest) - set(";,: ") and text.rstrip().endswith(rest):
        return len(tail.rstrip())
    return count


def _closers_in_string(text: str, inside: str, line_prefix: str) -> list[str]:
    """The closers in a text whose openers stand before it, those in the string at the cursor included.

    An editor closes brackets there, too: those of a field (`f"{x`, `${x`), and such as stand in the text.

    Args:
        text: what is inserted.
        inside: the quote that the string began with.
        line_prefix: the current line left of the cursor.
    """
    first = text.partition("\n")[0]
    ends = (found.start() for found in _ESCAPE_OR_QUOTE.finditer(first) if found[0] == inside)
    end = next(ends, len(first))
    in_field = open_quote(line_prefix.rpartition("{")[2]) if "{" in line_prefix else ""
    in_string = unmatched_closers(first[:end], inside="" if in_field == inside else in_field)
    after = unmatched_closers(text[end:], inside=inside)
    return [char for char, _ in in_string if char in CLOSERS] + [char for char, _ in after]
