"""Where an answer ends: its line, its block, its allowance. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from qwen_ls.core.text import has_open_bracket, indent_of, lines_of, width_of
from qwen_ls.core.tokens import cut

if TYPE_CHECKING:
    from qwen_ls.core.postprocess.hole import Hole

_CLOSER_LINE = re.compile(r"""\s*(?:[)\]}]+[;,)\]}]*|end|fi|done|esac|</[\w-]+>)\s*$""")
_CONTINUES_BLOCK = re.compile(
    r"\s*(?:else|elif|except|finally|catch|rescue|ensure|when|case)\b|\s*[)\]}]\s*(?:else|catch|finally)\b"
)


CUT = frozenset({"length", "deadline"})
"""The finish reasons of an answer that would go on: the token limit, and our own clock."""
_PROSE = {"markdown", "plaintext", "restructuredtext", "latex", "asciidoc", "git-commit", "text", "tex"}


def _is_prose(hole: Hole) -> bool:
    """Whether indentation says nothing about where a block ends."""
    return hole.context.document.language_id in _PROSE


def drop_broken_line(text: str, hole: Hole) -> str:
    """Drop the last line of an answer that a limit has cut, if it is not the only one."""
    if hole.finish_reason not in CUT or not hole.ask.multiline:
        return text
    head, newline, _ = text.rstrip("\r\n").rpartition("\n")
    return head + newline if head.strip() else text


def stop_at_max_lines(text: str, hole: Hole) -> str:
    """Keep as many lines as were asked for; blank lines at the beginning do not count for a single one."""
    if not hole.ask.multiline and not hole.context.line_prefix.strip() and not text.strip():
        return text
    lines = lines_of(text)
    blank = 0
    while blank < len(lines) and not lines[blank].strip():
        blank += 1
    if not hole.ask.multiline:
        # One line: the rest of the current one, or, where that is complete, the next.
        return "".join(lines[: blank + hole.ask.max_lines]).rstrip("\r\n")
    return "".join(lines[: hole.ask.max_lines + blank])


def stop_at_dedent(text: str, hole: Hole) -> str:
    """Keep the block that the cursor stands in, and its closer exactly where it is missing below."""
    if not hole.ask.multiline or _is_prose(hole):
        return text
    lines = lines_of(text)
    kept = scope(hole.context.line_prefix, hole.context.suffix, lines)
    return "".join(lines[:kept])


def scope(line_prefix: str, suffix: str, lines: list[str]) -> int:
    """How many of the generated lines belong to the block at the cursor.

    The block's indentation is that of the current line with the first generated one (Cody's rule,
    `notes/algorithms.md` B6). A line further out ends it, unless it goes on with it (`else`), and a line that
    only closes it is kept where the code below does not have it.

    Args:
        line_prefix: the current line left of the cursor.
        suffix: the text right of the cursor.
        lines: the generated lines, the first one continuing `line_prefix`.
    """
    if not lines:
        return 0
    first = line_prefix + lines[0]
    started = bool(line_prefix.strip())
    index = 1
    if not first.strip():
        while index < len(lines) and not lines[index].strip():
            index += 1
        if index == len(lines):
            return len(lines)
        first, index = lines[index], index + 1
    base = width_of(indent_of(first))
    blanks = 0
    for position in range(index, len(lines)):
        line = lines[position]
        if not line.strip():
            blanks += 1
            if blanks >= 2 and not started:
                return position - 1
            continue
        width = width_of(indent_of(line))
        outside = width < base or (started and width == base)
        if outside and not _CONTINUES_BLOCK.match(line):
            closes = _CLOSER_LINE.match(line) and _closer_missing(line, suffix)
            return position + 1 if closes else position
        blanks = 0
    return len(lines)


def _closer_missing(line: str, suffix: str) -> bool:
    """Whether the code below the cursor lacks this closing line."""
    below = next((after for after in lines_of(suffix) if after.strip()), "")
    if below.strip()[:1] != line.strip()[:1]:
        return True
    return width_of(indent_of(below)) != width_of(indent_of(line))


def is_complete(text: str, hole: Hole) -> bool:
    """Whether a streamed answer holds all that will be shown, so that the stream can be cut.

    Looks at whole lines only, since the last one may still grow.
    """
    lines = lines_of(text)
    whole = lines if text.endswith("\n") else lines[:-1]
    if not hole.ask.multiline:
        return sum(bool(line.strip()) for line in whole) >= hole.ask.max_lines
    filled = next((i for i, line in enumerate(whole) if line.strip()), len(whole))
    if len(whole) >= filled + hole.ask.max_lines:
        return True
    if _is_prose(hole):
        return False
    return scope(hole.context.line_prefix, hole.context.suffix, whole) < len(whole)


def is_broken_off(text: str, hole: Hole) -> bool:
    """Whether the token limit has cut an answer of several lines inside a statement that would be shown.

    Between statements it is cut well: outside of brackets, after a line end. What is no text of the document
    any more (a special token and what follows it) is not worth going on with.
    """
    if hole.finish_reason != "length" or not hole.ask.multiline or not text.strip():
        return False
    if cut(text) != text or is_complete(text, hole) or stop_at_dedent(text, hole) != text:
        return False
    return not text.endswith(("\n", "\r")) or has_open_bracket(text)
