"""Answers that bring the lines below the cursor again, or leave them no place. Pure."""

from __future__ import annotations

import re
from itertools import islice
from typing import TYPE_CHECKING

from qwen_ls.core.distance import is_near
from qwen_ls.core.openers import opens_block
from qwen_ls.core.syntax import without_comment
from qwen_ls.core.text import CLOSERS, each_line, indent_of, lines_of, width_of, with_eol
from qwen_ls.core.trigger import line_below
from qwen_ls.core.types import Reason, Skip

if TYPE_CHECKING:
    from qwen_ls.core.postprocess.hole import Hole

MAX_LINES = 40
"""How many lines below the cursor are compared."""
NEAR = 0.05
"""Lines that differ by a twentieth are the same line, written again..."""
MIN_NEAR_CHARS = 32
"""...if they are so long: short ones that differ by a character are two lines of a list."""
MIN_RUN_CHARS = 16
"""So many characters the lines have that an answer runs through before it goes on by itself."""

_LEAVES = re.compile(r"\s*(?:return|raise|throw|break|continue)\b")
_LEAVE_FOR_GOOD = {
    "python", "javascript", "javascriptreact", "typescript", "typescriptreact", "go", "rust", "ruby", "c",
    "cpp", "objective-c", "csharp", "java", "kotlin", "swift", "php", "dart",
}  # fmt: skip
"""The languages in which nothing is done after such a statement; in others `return` may be a function."""
_UNLESS = re.compile(r"\b(?:if|unless)\b")
_REACHED_ANYHOW = re.compile(
    r"\s*(?:(?:else|elif|elsif|except|finally|rescue|ensure|when|case|default|in)\b|[)\]}])"
)
_LABEL = re.compile(r"\s*(?:\w+:\s*(?://.*)?$|#)")
"""What stands below a statement and is reached though it leaves: another case; a label, the preprocessor."""
_FIGURES = re.compile(r"\d+|(?P<quote>[\"'`])(?:\\.|(?!(?P=quote)).)*(?P=quote)")
_MANNER = str.maketrans({"'": '"', "`": '"', " ": None, "\t": None})


def drop_repeated_lines(text: str, hole: Hole) -> str | Skip:
    """Cut the answer's last lines where they are the next lines below the cursor, or nearly so.

    A comment behind a line of code makes no other line of it.
    """
    rest = each_line(hole.context.suffix[len(hole.context.line_suffix) :])
    below = [_said(line, hole) for line in islice((line for line in rest if line.strip()), MAX_LINES)]
    if not below:
        return text
    lines = lines_of(with_eol(text, "\n"))
    filled = [(index, _said(line, hole)) for index, line in enumerate(lines) if line.strip()]
    first = 0
    if filled and filled[0][0] == 0:
        # The answer's first line goes on with the current one, and is compared with what stands there.
        first = 1 if hole.context.line_prefix.strip() else 0
        filled[0] = (0, hole.context.line_prefix + filled[0][1])
    for start in range(first, len(filled)):
        tail = [line for _, line in filled[start:]]
        if _is_same_run(tail, below) or _runs_through(tail, below):
            head = "".join(lines[: filled[start][0]])
            return head.rstrip("\n") if head.strip() else Skip(Reason.ECHO)
    return text


def _said(line: str, hole: Hole) -> str:
    return without_comment(line, hole.syntax).rstrip() or line.rstrip()


def join_body_below(text: str, hole: Hole) -> str:
    """Stop where the code below is the body of what the answer opens, if it would hang in the air behind it.

    Python only: a line that stands deeper than the one above, which opens nothing, is an error there. What
    stands as deep as the code below is kept before it; else the answer ends with the line that opens the
    nearest block around it.
    """
    below = line_below(hole.context)
    if hole.context.document.language_id != "python" or not below or "\n" not in text:
        return text
    lines = lines_of(text)
    whole = [hole.context.line_prefix + lines[0], *lines[1:]]
    starts = [number for number, line in enumerate(whole) if line.strip()]
    depth = _width(below)
    if not starts or opens_block(whole[starts[-1]], "python") or _width(whole[starts[-1]]) >= depth:
        return text
    beside = [n for n in starts if _width(whole[n]) == depth and _may_stand_before(whole[n])]
    around = [n for n in starts if _width(whole[n]) < depth and opens_block(whole[n], "python")]
    if not beside and not around:
        return text
    last = max(beside) if beside else max(around, key=lambda n: (_width(whole[n]), -n))
    return "".join(lines[: last + 1]).rstrip("\n")


def _may_stand_before(line: str) -> bool:
    return not opens_block(line, "python") and not _LEAVES.match(line)


def _width(line: str) -> int:
    return width_of(indent_of(line))


def drop_dead_end(text: str, hole: Hole) -> str | Skip:
    """Drop a last statement that leaves the block, where the block goes on below and would never be reached.

    A statement that the user has begun to type is the user's. Where all that stands below is another way to
    leave, the answer's own may be the better one, with what leads to it.
    """
    language = hole.context.document.language_id
    below = line_below(hole.context)
    if language not in _LEAVE_FOR_GOOD or not below or _is_reached(below, language):
        return text
    lines = lines_of(text)
    whole = [hole.context.line_prefix + lines[0], *lines[1:]] if lines else []
    last = next((n for n in reversed(range(len(whole))) if _stands_at(whole[n], below)), None)
    if last is None or not _LEAVES.match(whole[last]) or (language == "ruby" and _UNLESS.search(whole[last])):
        return text
    if not last and hole.context.line_prefix.strip():
        return text
    kept = lines[:last]
    while kept and not without_comment(kept[-1], hole.syntax).strip():
        kept.pop()  # a blank line, or what the statement was explained by
    if kept and _LEAVES.match(below):
        return text
    return "".join(kept).rstrip("\r\n") if kept else Skip(Reason.DEAD_END)


def _is_reached(below: str, language: str) -> bool:
    """Whether a line is reached though the one above it leaves the block."""
    is_label = language not in {"python", "ruby"} and _LABEL.match(below)
    return bool(is_label or _REACHED_ANYHOW.match(below))


def _stands_at(line: str, below: str) -> bool:
    """Whether a line begins a statement as deep as the next line below."""
    said = line.strip()
    return bool(said) and _width(line) == _width(below) and said[0] not in CLOSERS


def _is_same_run(tail: list[str], below: list[str]) -> bool:
    """Whether the answer's last lines are the lines below; the very last one may have been cut."""
    if len(tail) > len(below):
        return False
    *whole, last = zip(tail, below, strict=False)
    made, there = last
    begun = bool(whole) and len(made.strip()) >= 3 and there.startswith(made)
    return all(same_line(one, other) for one, other in whole) and (begun or same_line(made, there))


def _runs_through(tail: list[str], below: list[str]) -> bool:
    """Whether the answer goes through two or more telling lines below and then on into inventions."""
    same = 0
    for made, there in zip(tail, below, strict=False):
        if not same_line(made, there):
            break
        same += 1
    return same >= 2 and len("".join(tail[:same]).replace(" ", "")) >= MIN_RUN_CHARS


def same_line(made: str, there: str) -> bool:
    """Whether a line was made again: to the letter, in another manner of quoting and spacing, or nearly.

    Lines whose figures or strings differ are two lines of a list.
    """
    if made == there:
        return True
    one, other = made.strip(), there.strip()
    if len(one) < 3 or _indent(made) != _indent(there):
        return False
    if one.translate(_MANNER).rstrip(";,") == other.translate(_MANNER).rstrip(";,"):
        return len(one) >= 8
    if min(len(one), len(other)) < MIN_NEAR_CHARS or not is_near(one, other, NEAR):
        return False
    return [m.group() for m in _FIGURES.finditer(one)] == [m.group() for m in _FIGURES.finditer(other)]


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" \t"))
