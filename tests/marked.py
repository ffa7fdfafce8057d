"""Documents with the cursor drawn into them: `█` stands where the cursor is."""

from __future__ import annotations

from qwen_ls.core.context import build_context
from qwen_ls.core.types import CompletionContext, Document, TriggerKind

CURSOR = "█"


def marked(picture: str, *, language: str = "python", uri: str = "file:///p/a.py") -> tuple[Document, int]:
    """The document without the mark, and the mark's offset."""
    offset = picture.index(CURSOR)
    return Document(uri, 1, language, picture.replace(CURSOR, "", 1)), offset


def context(
    picture: str,
    *,
    trigger: TriggerKind = TriggerKind.AUTOMATIC,
    language: str = "python",
    uri: str = "file:///p/a.py",
) -> CompletionContext:
    """The context at the mark."""
    return build_context(*marked(picture, language=language, uri=uri), trigger)
