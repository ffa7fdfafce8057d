"""Code fences and the words around them, as chat models add them. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from qwen_ls.core.types import Strategy

if TYPE_CHECKING:
    from qwen_ls.core.postprocess.hole import Hole

_MARKUP = {"markdown", "restructuredtext", "asciidoc", "quarto", "rmd"}
_FENCE = re.compile(r"^[ \t]*(```+|~~~+)[ \t]*[\w+#.-]*[ \t]*$", re.MULTILINE)
_THINKING = re.compile(r"\A\s*<think>.*?(?:</think>\s*|\Z)", re.DOTALL)


def unwrap(text: str, hole: Hole) -> str:
    """Take the code out of its fence; drop what stands before and after it, and thinking.

    In a document that itself has fences, only a fence that opens a chat model's answer counts.
    """
    if hole.strategy is Strategy.PARTIAL:
        text = _THINKING.sub("", text)
    elif hole.context.document.language_id in _MARKUP:
        return text
    opening = _FENCE.search(text)
    if not opening:
        return text
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


def _is_closing(text: str, fence: re.Match[str], hole: Hole) -> bool:
    """Whether the first fence ends the code instead of beginning it: bare, code before it, none after."""
    bare = fence.group().strip() == fence.group(1)
    before, after = text[: fence.start()], text[fence.end() :]
    if not bare or not before.strip():
        return False
    return hole.strategy is Strategy.FIM or not _FENCE.search(after)
