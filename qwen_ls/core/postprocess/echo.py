"""Answers that begin with what is already there. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from qwen_ls.core.distance import is_near
from qwen_ls.core.openers import opens_block
from qwen_ls.core.postprocess.scope import closes
from qwen_ls.core.text import first_filled, indent_of, lines_of, width_of, with_eol
from qwen_ls.core.trigger import line_above
from qwen_ls.core.types import Reason, Skip

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qwen_ls.core.postprocess.hole import Hole

MAX_LINES, MAX_CHARS = 40, 6000
"""How much above the cursor an echo is looked for in."""
MIN_ECHO_CHARS = 3
MIN_OPENER_CHARS = 6
REWRITTEN = 0.2
"""By how much of its length a line may differ from the one above that it defines anew."""

_WORD = re.compile(r"(?<!\w)[^\W\d]\w{2,}$")
_DEFINES = re.compile(
    r"(?:(?:pub|public|private|protected|static|final|const|let|var|val|export|default|async|mut)\s+)*"
    r"(?:(?:def|class|func|function|fn|import|from|use|struct|enum|interface|type|return|#include)\b"
    r"\s*[\w.<\"']+|[\w.\[\]]+(?:\s*,\s*[\w.]+)*(?:\s+[\w.]+)?\s*(?::\s*[\w\[\], .<>]+)?\s*:?=(?!=))",
)
"""What is said once: a definition, an import, an assignment."""


def drop_repeated_prefix(text: str, hole: Hole) -> str | Skip:
    """Cut off an echo of the current line, or of whole lines above it and the current line.

    Only whole lines count, and the current line only from three visible characters on: `x` at the beginning
    of an answer is no echo of an `x` before the cursor. On a line that is still blank, an echo has two lines
    at least, and more than closers: `end` goes after `end`, and one line of data after its like.
    """
    answer = with_eol(text, "\n")
    for echoed in _echoes(answer, hole):
        if answer.startswith(echoed):
            rest = answer[len(echoed) :]
            return rest if rest.strip() else Skip(Reason.ECHO)
    return text


def may_become_echo(text: str, hole: Hole) -> bool:
    """Whether a stream has so far said nothing but the beginning of an echo."""
    answer = with_eol(text, "\n")
    return any(echoed.startswith(answer) for echoed in _echoes(answer, hole))


def _echoes(answer: str, hole: Hole) -> Iterator[str]:
    """What an answer that begins so would begin with if it were an echo, the longest first."""
    prefix = with_eol(hole.context.prefix[-MAX_CHARS:], "\n")
    lines = lines_of(prefix)[-MAX_LINES:]
    if prefix.endswith("\n"):
        lines.append("")
    head = answer.lstrip(" \t")
    for start, line in enumerate(lines):
        begins = line.lstrip(" \t")
        size = min(len(begins), len(head))
        if begins[:size] != head[:size]:
            continue
        echoed = "".join(lines[start:])
        if len(echoed.strip()) < MIN_ECHO_CHARS:
            break
        if lines[-1].strip() or _is_telling(lines[start:]):
            yield echoed
            yield echoed.lstrip(" \t")
    here = hole.context.line_prefix.strip()
    if len("".join(here.split())) >= MIN_ECHO_CHARS and not hole.is_prose:
        yield _spaced_as(answer, here)
        word = _WORD.search(here)
        if word and word.group() != here:
            yield word.group()


def _spaced_as(answer: str, line: str) -> str:
    """The current line as the answer has it where it spaces it otherwise: `total = su` for `total=su`."""
    wanted, at = "".join(line.split()), 0
    for n, char in enumerate(answer):
        if at == len(wanted):
            return answer[:n]
        if char == wanted[at]:
            at += 1
        elif char not in " \t":
            break
    return line


def _is_telling(lines: list[str]) -> bool:
    """Whether lines that come again are an echo: two of code, or one that begins a block."""
    filled = [line for line in lines if line.strip()]
    if len(filled) == 1:
        return len(filled[0].strip()) >= MIN_OPENER_CHARS and opens_block(filled[0])
    return bool(filled) and not all(map(closes, filled))


def drop_rewritten_line(text: str, hole: Hole) -> str | Skip:
    """Drop a first line that writes the line above the cursor once more.

    Only what is said once counts: a definition, an import, an assignment to the same name that differs by
    little. A call may well come twice, and so may a line of data.
    """
    context = hole.context
    lines = lines_of(text)
    first = next((number for number, line in enumerate(lines) if line.strip()), None)
    if first is None or hole.is_prose:
        return text
    started = bool(context.line_prefix.strip())
    if started and not first:
        return text  # it goes on with the current line
    before = first_filled((context.line_prefix,)) if started else line_above(context)
    made = lines[first] if first else context.line_prefix + lines[0]
    if not _is_rewritten(made, before):
        return text
    rest = "".join(lines[first + 1 :])
    if not rest.strip():
        return Skip(Reason.ECHO)
    return "".join(lines[:first]) + (rest if first else rest.removeprefix(context.line_prefix))


def _is_rewritten(made: str, before: str) -> bool:
    if width_of(indent_of(made)) != width_of(indent_of(before)):
        return False
    one, other = made.strip(), before.strip()
    head = _DEFINES.match(other)
    if not head or not one.startswith(head.group()) or other.endswith(","):
        return False
    # An assignment may be written anew with another value; functions that differ are overloads.
    return is_near(one, other, REWRITTEN if head.group().endswith("=") else 0.0)
