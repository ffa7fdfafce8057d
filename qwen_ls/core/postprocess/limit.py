"""Where an answer ends: its line, its block, its allowance. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from qwen_ls.core.text import has_open_bracket, indent_of, lines_of, width_of
from qwen_ls.core.tokens import cut
from qwen_ls.core.trigger import opens_block

if TYPE_CHECKING:
    from qwen_ls.core.postprocess.hole import Hole

_CLOSER_LINE = re.compile(r"\s*(?:[)\]}].*|(?:end|fi|done|esac)[;,)]*|</[\w-]+>)\s*$", re.DOTALL)
_CONTINUES_BLOCK = re.compile(
    r"\s*(?:else|elif|except|finally|catch|rescue|ensure|when|case|default)\b"
    r"|\s*[)\]}]\s*(?:else|catch|finally)\b"
)
_OPENS_AGAIN = re.compile(r".*[:{(\[]\s*$", re.DOTALL)
_BRACE_OR_ITEM = re.compile(r"\s*(?:\{\s*$|- )")
"""What belongs to the line above although it stands no deeper: Allman's brace, the items of a YAML list."""
_PREPROCESSOR = re.compile(r"#(?:if|ifdef|ifndef|elif|else|endif|pragma)\b")


TELLING_CHARS = 4
"""A shorter line, `}` or `end`, may well come twice."""
CUT = frozenset({"length", "deadline"})
"""The finish reasons of an answer that would go on: the token limit, and our own clock."""


def closes(line: str) -> bool:
    """Whether a line begins with what closes a block: `}`, `});`, `) -> int:`, `end`, `</div>`."""
    return bool(_CLOSER_LINE.match(line))


def drop_broken_line(text: str, hole: Hole) -> str:
    """Drop the last line of an answer that a limit has cut, if it is not the only one."""
    if hole.finish_reason not in CUT:
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
    if not hole.ask.multiline or hole.is_prose:
        return text
    lines = lines_of(text)
    kept = scope(hole.context.line_prefix, hole.context.suffix, lines)
    return "".join(lines[:kept])


def scope(line_prefix: str, suffix: str, lines: list[str]) -> int:
    """How many of the generated lines belong to the block at the cursor.

    The block's indentation is that of the current line with the first generated one (Cody's rule,
    `notes/algorithms.md` B6). A line further out ends it, unless it goes on with it (`else`), and a line that
    closes it is kept where the code below does not have it. After a statement that was complete already, the
    block is that of the next line.

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
    if not lines[0].strip():
        following = next((i for i in range(1, len(lines)) if lines[i].strip()), len(lines))
        if started and following < len(lines) and _is_next_statement(line_prefix, lines[following]):
            started = False
        if not started:
            if following == len(lines):
                return len(lines)
            first, index = lines[following], following + 1
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
        belongs = started and width == base and _BRACE_OR_ITEM.match(line)
        outside = width < base or (started and width == base and not belongs)
        if outside and not _CONTINUES_BLOCK.match(line) and not _PREPROCESSOR.match(line):
            if not closes(line) or not _closer_missing(line, suffix):
                return position
            if not _OPENS_AGAIN.match(line):
                return position + 1
        blanks = 0
    return len(lines)


def _is_next_statement(line_prefix: str, line: str) -> bool:
    """Whether a generated line comes after the current one, and neither goes on with it nor stands in it."""
    if opens_block(line_prefix) or closes(line) or _BRACE_OR_ITEM.match(line):
        return False
    return width_of(indent_of(line)) == width_of(indent_of(line_prefix))


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
    if hole.is_prose:
        return False
    return scope(hole.context.line_prefix, hole.context.suffix, whole) < len(whole)


def is_enough(text: str, hole: Hole, *, read_on: int = 0) -> bool:
    """Whether a stream may be cut: it holds what will be shown, and some lines to show after that.

    Args:
        text: what has come.
        hole: what it must fit.
        read_on: how many lines are wanted beyond what is shown. Where the text below the cursor begins to
            repeat, there is nothing to read on for.
    """
    lines = lines_of(text)
    whole = lines if text.endswith("\n") else lines[:-1]
    if repeats_below(whole, hole):
        return True
    return is_complete("".join(whole[: max(0, len(whole) - read_on)]), hole)


def repeats_below(lines: list[str], hole: Hole) -> bool:
    """Whether the last generated line that says something is the next one below the cursor."""
    last = next((line.strip() for line in reversed(lines[1:]) if line.strip()), "")
    rest = hole.context.suffix[len(hole.context.line_suffix) :]
    below = next((line.strip() for line in lines_of(rest) if line.strip()), "")
    return len(last) >= TELLING_CHARS and last == below


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
