"""Answers that go round in circles. Pure.

Small models, and large ones with a large token limit, repeat themselves until the limit (Qwen2.5-Coder#403).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from qwen_ls.core.text import each_line
from qwen_ls.core.types import Reason, Skip

if TYPE_CHECKING:
    from qwen_ls.core.postprocess.hole import Hole

LOOKED_AT_CHARS = 400
"""How much of a line's end is searched for a loop."""
LONGEST_UNIT = 80
LINE_TIMES = 3
"""So often a line of code has to come in a row to be a loop."""
DATA_TIMES = 12
"""So often a line without words, as `0, 0, 0,`."""
LONGEST_BLOCK = 24
"""The longest run of lines that is looked for again, in lines."""
MIN_BLOCK_LINES, MIN_BLOCK_CHARS = 3, 48
"""A shorter run of lines may well come twice; it is a loop when it comes three times."""

_WORD = re.compile(r"[^\W\d_]{2}")
_CLOSERS_ONLY = re.compile(r"\s*(?:[)\]}>;,\s]*|end|fi|done|esac|</[\w-]+>)\s*")


def stop_repetition(text: str, _: Hole) -> str | Skip:
    """Keep what comes before the first loop, and the loop's first round where it is made of lines.

    A line that is a loop in itself, `foo(foo(foo(foo(`, is worth nothing, and goes with all that follows it.
    """
    at = loop_at(text)
    if at is None:
        return text
    return text[:at] if text[:at].strip() else Skip(Reason.REPETITION)


def loop_at(text: str) -> int | None:
    """Where the answer begins to repeat itself, as an offset; None where it does not."""
    said: list[str] = []
    begins: list[int] = []
    offset = 0
    for line in each_line(text):
        if is_loop(line.rstrip()):
            return offset
        if stripped := line.strip():
            said.append(stripped)
            begins.append(offset)
            if (again := _second_round(said)) is not None:
                return begins[again]
        offset += len(line)
    return None


def is_loop(line: str) -> bool:
    """Whether a line ends in a loop: the same few characters over and over again.

    Words count from four rounds on and forty characters; rulers, zeros and the like from 160 characters on,
    for nobody draws a longer ruler.
    """
    tail = line[-LOOKED_AT_CHARS:]
    for size in range(1, min(LONGEST_UNIT, len(tail) // 4) + 1):
        unit = tail[-size:]
        length = size * 4
        if tail[-length:] != unit * 4:
            continue
        while length < len(tail) and tail[-length - 1] == tail[-length - 1 + size]:
            length += 1
        rounds = length / size
        return (
            bool(length >= 40 and rounds >= (4 if size >= 10 else 6)) if _WORD.search(unit) else length >= 160
        )
    return False


def _second_round(said: list[str]) -> int | None:
    """The line on which the second round of a loop begins that the last line completes."""
    if said.count(said[-1]) < 2:
        return None
    for size in range(1, min(LONGEST_BLOCK, len(said) // 2) + 1):
        if said[-size - 1] != said[-1]:
            continue
        unit = said[-size:]
        times = _times(unit)
        if said[-size * times :] == unit * times and not all(map(_CLOSERS_ONLY.fullmatch, unit)):
            return len(said) - size * (times - 1)
    return None


def _times(unit: list[str]) -> int:
    """How many rounds of these lines make a loop."""
    written = "".join(unit)
    if not _WORD.search(written):
        return DATA_TIMES
    long = len(unit) >= MIN_BLOCK_LINES and len(written) >= MIN_BLOCK_CHARS
    return 2 if long else LINE_TIMES
