"""Whether a suggestion was accepted, by the changes: few clients run the command of a list's item. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from qwen_ls.lsp.documents import Change, OpenDocument, Position


class Offer(NamedTuple):
    """A suggestion that stands in the client's list."""

    id: str
    start: Position
    """Where its text begins, the word before the cursor included, as the client counts it."""
    end: Position
    """To where it replaces."""
    text: str


def taken(offer: Offer, document: OpenDocument, change: Change, encoding: str) -> str:
    """As much of the offer as a change has brought into the document, with what stood before it, or "".

    A key brings one character, an indentation blanks: typing is no accepting.

    Args:
        offer: the suggestion.
        document: as it is after the change.
        change: the last one.
        encoding: of the positions.
    """
    if change.range is None or len(change.text) < 2 or not change.text.strip():
        return ""
    first, start, _ = document.place(offer.start, encoding)
    last, end, _ = document.place(min(change.range), encoding)
    before = sum(map(len, document.lines[first:last])) + end - start
    n_chars = before + len(change.text)
    if before < 0 or n_chars > len(offer.text) or not offer.text.startswith(change.text, before):
        return ""
    part = offer.text[:n_chars]
    there = "".join(document.lines[first : first + part.count("\n") + part.count("\r") + 1])
    return part if there.startswith(part, start) else ""
