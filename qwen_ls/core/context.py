"""From a snapshot and an offset to everything that a completion is decided from. Pure."""

from __future__ import annotations

from qwen_ls.core import text
from qwen_ls.core.types import CompletionContext, Document, SelectedCompletion, TriggerKind


def build_context(
    document: Document,
    offset: int,
    trigger: TriggerKind,
    selected: SelectedCompletion | None = None,
) -> CompletionContext:
    """Slice the document at `offset`, which is clamped into it.

    A row that is selected in the editor's completion list counts as typed: the completion must continue it.
    """
    offset = min(max(offset, 0), len(document.text))
    prefix, suffix = document.text[:offset], document.text[offset:]
    if selected is not None and 0 <= selected.start <= offset:
        prefix = document.text[: selected.start] + selected.text
        suffix = document.text[max(offset, selected.end) :]
    else:
        selected = None
    return CompletionContext(
        document=document,
        offset=offset,
        trigger=trigger,
        selected=selected,
        prefix=prefix,
        suffix=suffix,
        line_prefix=text.current_line_before(prefix),
        line_suffix=text.current_line_after(suffix),
        eol=text.detect_eol(document.text),
    )
