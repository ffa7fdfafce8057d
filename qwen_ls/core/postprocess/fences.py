"""Code fences and the words around them, as chat models add them. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from qwen_ls.core.types import Reason, Skip, Strategy

if TYPE_CHECKING:
    from qwen_ls.core.postprocess.hole import Hole

_CHATTER = re.compile(
    r"\A\s*(?:Sure|Certainly|Of course|Here(?:'s| is| are)|Below is|Okay|OK,|I(?:'ll| will| have|'ve)|"
    r"The (?:following|completed?|missing|code)|To complete|You can|This (?:code|function|is)|"
    r"当然|好的|以下|这是|下面)[^\r\n]*(?:[:.!,。：！]|\b(?:code|function|snippet))[ \t]*(?:\r?\n|\Z)"
    r"(?:[ \t]*\r?\n)*"
    r"|\A\s*[\u4e00-\u9fff][^\r\n]*[。：！]\s*(?:\r?\n\s*|\Z)"
)
"""A line to greet with, as no code begins."""
_MARKUP = {"markdown", "restructuredtext", "asciidoc", "quarto", "rmd"}
_FENCE = re.compile(r"^[ \t]*(```+|~~~+)[ \t]*[\w+#.-]*[ \t]*$", re.MULTILINE)
_THINKING = re.compile(r"\A\s*<(think|thinking)>.*?(?:</\1>\s*|\Z)", re.DOTALL)
_INLINE = re.compile(r"\A\s*`([^`\r\n]+)`\s*\Z")


def drop_chatter(text: str, hole: Hole) -> str | Skip:
    """Drop the words that a chat model puts before the code; a line that has begun takes none of it."""
    if hole.strategy is not Strategy.PARTIAL or hole.is_prose:
        return text
    rest = text
    for _ in range(3):
        match = _CHATTER.match(rest)
        if not match:
            break
        rest = rest[match.end() :]
    if rest == text or rest.strip():
        return rest
    return Skip(Reason.CHATTER)


def unwrap(text: str, hole: Hole) -> str:
    """Take the code out of its fence; drop what stands before and after it, and thinking.

    In a document that itself has fences, only a fence that opens a chat model's answer counts.
    """
    text = _THINKING.sub("", text)
    if hole.strategy is Strategy.FIM and hole.context.document.language_id in _MARKUP:
        return text
    opening = _FENCE.search(text)
    if not opening:
        inline = _INLINE.match(text)
        return inline.group(1) if inline and "`" not in _quotes(hole) and not hole.is_prose else text
    before = text[: opening.start()]
    if hole.context.document.language_id in _MARKUP and before.strip():
        return text
    rest = text[opening.end() :]
    if _is_closing(text, opening, hole):
        return before
    rest = rest[2:] if rest.startswith("\r\n") else rest[1:]
    closing = re.search(rf"^[ \t]*{re.escape(opening.group(1))}[ \t]*$", rest, re.MULTILINE)
    code = rest[: closing.start()] if closing else rest
    return code.removesuffix("\n") if closing else code


def _quotes(hole: Hole) -> str:
    return hole.syntax.quotes + "".join(hole.syntax.strings)


def _is_closing(text: str, fence: re.Match[str], hole: Hole) -> bool:
    """Whether the first fence ends the code instead of beginning it: bare, code before it, none after.

    A model that fills in the middle does not open fences: it may close one at once, where all is said.
    """
    bare = fence.group().strip() == fence.group(1)
    before, is_last = text[: fence.start()], not _FENCE.search(text[fence.end() :])
    if not bare:
        return False
    if hole.strategy is Strategy.FIM:
        return is_last or bool(before.strip())
    return is_last and bool(before.strip())
