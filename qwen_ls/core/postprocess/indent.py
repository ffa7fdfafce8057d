"""The answer's indentation, in the document's way: tabs or blanks, and how many. Pure."""

from __future__ import annotations

from collections import Counter
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING

from qwen_ls.core.openers import opens_block
from qwen_ls.core.syntax import scan, syntax_of
from qwen_ls.core.text import indent_of, lines_of, width_of

if TYPE_CHECKING:
    from qwen_ls.core.postprocess.hole import Hole
    from qwen_ls.core.types import CompletionContext

LOOKED_AT_CHARS = 4000
MIN_EVIDENCE = 2
"""So many lines must agree before a document's indentation counts as known."""
TAB_COLUMNS = 4
UNITS = (2, 4, 8, 3)


def shift_to_cursor(text: str, hole: Hole) -> str:
    """Move the lines after the first one to the cursor's column, where they were written from column 0 on.

    Chat models write the block alone: its first line opens a block, and the next one does not stand in it.
    """
    base = indent_of(hole.context.line_prefix)
    lines = lines_of(text)
    if not base or hole.is_prose or len(lines) < 2 or hole.context.line_prefix.strip():
        return text
    first, rest = lines[0], lines[1:]
    following = next((line for line in rest if line.strip()), "")
    deep = width_of(indent_of(following))
    if not opens_block(first, hole.context.document.language_id) or not 0 < deep <= width_of(base):
        return text
    if deep >= 2 * min(width_of(base), TAB_COLUMNS) and not _goes_to_margin(rest):
        return text
    return "".join([first, *(base + line if line.strip() else line for line in rest)])


def _goes_to_margin(lines: list[str]) -> bool:
    return any(line.strip() and not indent_of(line) for line in lines)


def use_document_indent(text: str, hole: Hole) -> str:
    """Turn the answer's indentation into the document's where it is of another kind throughout.

    Tabs become blanks and blanks become tabs; two blanks a level become four where each line agrees. An
    odd indentation stays as it is: to guess makes it worse. Lines inside of strings are data and stay.
    """
    lines = lines_of(text)
    places = _places(lines, hole) if len(lines) > 1 else []
    if not places or hole.is_prose or hole.context.document.language_id == "makefile":
        return text
    unit = unit_of_document(hole.context)
    if not unit:
        return text
    levels = _levels([indent_of(lines[place]) for place in places], unit, hole.context, lines)
    if levels is None:
        return text
    for place, level in zip(places, levels, strict=True):
        lines[place] = unit * level + lines[place].lstrip(" \t")
    return "".join(lines)


def unit_of_document(context: CompletionContext) -> str:
    """One level of indentation as the document has it; empty where that is not known."""
    end = len(context.prefix) - len(context.line_prefix)
    above = context.prefix[max(0, end - LOOKED_AT_CHARS) : end]
    below = context.suffix[len(context.line_suffix) : len(context.line_suffix) + LOOKED_AT_CHARS]
    opener = context.line_prefix if context.line_prefix.strip() else ""
    return _unit_of(above, below, indent_of(opener) + "x" if opener else "")


@lru_cache(maxsize=8)
def _unit_of(above: str, below: str, opener: str) -> str:
    near = [*lines_of(above), opener, *lines_of(below)]
    indents = [indent_of(line) for line in near if line.strip()]
    n_tabs = sum(indent.startswith("\t") for indent in indents)
    n_blanks = sum(indent.startswith("  ") for indent in indents)
    if n_tabs > n_blanks:
        return "\t"
    widths = [width_of(indent) for indent in indents]
    steps = Counter(later - now for now, later in pairwise(widths) if later > now)
    steps = Counter({step: n for step, n in steps.items() if step in UNITS})
    if not steps or n_blanks < MIN_EVIDENCE or n_tabs:
        return ""
    step, _ = min(steps.items(), key=lambda item: (-item[1], item[0]))
    return " " * step


def _places(lines: list[str], hole: Hole) -> list[int]:
    """The lines whose indentation is the answer's own: not the first, not blank, not inside of a string."""
    syntax, state = syntax_of(hole.context.document.language_id), None
    places = []
    for number, line in enumerate(lines):
        if number and line.strip() and (state is None or state.in_code):
            places.append(number)
        state = scan(line, syntax, state)
    return places


def _levels(indents: list[str], unit: str, context: CompletionContext, lines: list[str]) -> list[int] | None:
    """How deep each line stands, in levels; None where it is indented as the document is, or oddly."""
    tabs = [indent.startswith("\t") for indent in indents]
    if unit == "\t":
        if any(tabs) or not any(indents):
            return None
        widths = [len(indent) for indent in indents]
        size = _foreign_unit(widths, context, lines, default=TAB_COLUMNS)
        return [width // size for width in widths] if size else None
    if any(tabs):
        if any(" " in indent for indent in indents):
            return None
        return [len(indent) for indent in indents]
    if context.document.language_id == "yaml":
        return None  # a list may stand as deep as its key, and text in it as deep as it likes
    widths = [len(indent) for indent in indents]
    native, base = len(unit), width_of(indent_of(context.line_prefix + lines[0]))
    if all(width % native == 0 for width in widths) and not _steps(widths, base, lines, context) - {native}:
        return None
    steps = _steps(widths, base, lines, context)
    if len(steps) != 1 or base % native:
        return None
    (step,) = steps
    if step == native or step not in UNITS or any((width - base) % step for width in widths):
        return None
    # What stands further out closes blocks whose own steps are the document's: it is cut off later.
    return [max(0, base // native + (width - base) // step) for width in widths]


def _foreign_unit(widths: list[int], context: CompletionContext, lines: list[str], *, default: int) -> int:
    """How many blanks of the answer are one tab; 0 where that cannot be told."""
    depth = indent_of(context.line_prefix).count("\t")
    opened = opens_block(context.line_prefix + lines[0], context.document.language_id)
    expected = depth + opened
    if expected and widths[0] % expected == 0 and widths[0] // expected in UNITS:
        size = widths[0] // expected
        if all(width % size == 0 for width in widths):
            return size
    return next((size for size in (default, 2, 8) if all(width % size == 0 for width in widths)), 0)


def _steps(widths: list[int], base: int, lines: list[str], context: CompletionContext) -> set[int]:
    """By how much the answer goes deeper where a line opens a block."""
    language = context.document.language_id
    filled = [line for line in lines[1:] if line.strip()]
    pairs = zip([context.line_prefix + lines[0], *filled], [base, *widths], widths, strict=False)
    return {later - now for line, now, later in pairs if later > now and opens_block(line, language)}
