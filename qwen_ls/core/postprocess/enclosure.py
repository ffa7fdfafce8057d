"""Strings, comments and code fences that the cursor stands in, and that are closed below already. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from qwen_ls.core.syntax import state_at, syntax_of

if TYPE_CHECKING:
    from qwen_ls.core.postprocess.hole import Hole
    from qwen_ls.core.types import CompletionContext

_FENCE = re.compile(r"^[ \t]*(```+|~~~+)", re.MULTILINE)


def close_once(text: str, hole: Hole) -> str:
    """Stop where the answer closes a string, comment or fence that is closed below already."""
    at = closed_again_at(text, hole)
    if at is None:
        return text
    line_start = max(text.rfind("\n", 0, at), text.rfind("\r", 0, at)) + 1
    kept = text[:at] if text[line_start:at].strip(" \t*") else text[:line_start]
    return kept.rstrip("\r\n") if kept.strip() else kept


def closed_again_at(text: str, hole: Hole) -> int | None:
    """The offset in the answer of the closer of what the cursor stands in, if the document has it below."""
    context = hole.context
    inside = _fence_around(context) if hole.is_prose else inside_of(context)
    if not inside or inside in hole.syntax.quotes or context.line_suffix.strip():
        return None
    if not _closed_below(inside, context):
        return None
    if hole.is_prose:
        match = re.search(rf"^[ \t]*{re.escape(inside)}[ \t]*$", text, re.MULTILINE)
        return match.start() if match and (match.start() or not context.line_prefix.strip()) else None
    # The whole text is scanned as the string's rest: its first end is the one that counts.
    at = text.find(inside.removeprefix("<<"))
    return at if at >= 0 else None


def inside_of(context: CompletionContext) -> str:
    """What ends the string over several lines, or the comment, that the cursor stands in."""
    return state_at(context).inside


def _fence_around(context: CompletionContext) -> str:
    """The fence of the code block in which the cursor stands, in prose."""
    fence = ""
    for match in _FENCE.finditer(context.prefix):
        fence = "" if fence and match.group(1).startswith(fence) else fence or match.group(1)
    return fence


def _closed_below(inside: str, context: CompletionContext) -> bool:
    """Whether what is open at the cursor ends below, before another one like it begins."""
    rest = context.suffix[len(context.line_suffix) :]
    if _FENCE.match(inside):
        fence = re.search(rf"^[ \t]*({re.escape(inside)})[^\r\n]*", rest, re.MULTILINE)
        return bool(fence) and fence.group().strip() == fence.group(1)  # type: ignore[union-attr]
    syntax = syntax_of(context.document.language_id)
    opener = next((begin for begin, end in syntax.comments if end == inside), "")
    end = rest.find(inside.removeprefix("<<"))
    if end < 0:
        return False
    if opener:
        return opener not in rest[:end]
    # A quote looks the same at both ends. That of a string's end has no text behind it, or none before it.
    line_start = rest.rfind("\n", 0, end) + 1
    line = rest[line_start : (rest + "\n").index("\n", end)].strip()
    if inside.startswith("<<") or len(inside) == 1:
        return not rest[:line_start].strip() or line == inside or inside.startswith("<<")
    return line.count(inside) == 1 and line.endswith(inside) and "=" not in line
