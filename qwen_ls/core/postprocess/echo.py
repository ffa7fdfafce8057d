"""Answers that begin with what is already there. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qwen_ls.core.postprocess.limit import closes
from qwen_ls.core.text import lines_of, with_eol
from qwen_ls.core.types import Reason, Skip

if TYPE_CHECKING:
    from qwen_ls.core.postprocess.hole import Hole

MAX_LINES = 40
"""How many lines above the cursor an echo is looked for in."""


def drop_repeated_prefix(text: str, hole: Hole) -> str | Skip:
    """Cut off an echo of the current line, or of whole lines above it and the current line.

    Only whole lines count, and the current line only from three visible characters on: `x` at the beginning
    of an answer is no echo of an `x` before the cursor. On a line that is still blank, an echo has two lines
    at least, and more than closers: `end` goes after `end`, and one line of data after its like.
    """
    prefix = with_eol(hole.context.prefix, "\n")
    answer = with_eol(text, "\n")
    lines = lines_of(prefix)
    if not lines:
        return text
    if prefix.endswith("\n"):
        lines.append("")
    for start in range(max(0, len(lines) - MAX_LINES), len(lines)):
        echoed = "".join(lines[start:])
        if len(echoed.strip()) < 3:
            break
        if not lines[-1].strip() and not _is_telling(lines[start:]):
            continue
        for candidate in (echoed, echoed.lstrip(" \t")):
            if answer.startswith(candidate):
                rest = answer[len(candidate) :]
                return rest if rest.strip() else Skip(Reason.ECHO)
    return text


def _is_telling(lines: list[str]) -> bool:
    filled = [line for line in lines if line.strip()]
    return len(filled) >= 2 and not all(map(closes, filled))
