"""Suggestions as items of the editor's completion list, for clients that have no inline completion. Pure.

Such an item is the second choice: it stands below the language's own, is never selected beforehand, and is
plain text that goes in as it is.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from qwen_ls.lsp.acceptance import Offer
from qwen_ls.lsp.convert import accepted_command, fitted

if TYPE_CHECKING:
    from qwen_ls.core.types import Completion
    from qwen_ls.lsp.clients import Client
    from qwen_ls.lsp.documents import Snapshot

LABEL_CHARS = 60
"""Longer labels make the list as wide as the screen."""
TEXT = 1
"""LSP `CompletionItemKind.Text`."""
LAST = "~"
"""Sorts after what servers give, which is made of digits and letters."""

_WORD = re.compile(r"\w*\Z")
_SYMBOL = re.compile(r"[\w\-+*/<>=!?$%&@:.~^]*\Z")
_LISPS = {"clojure", "common-lisp", "emacs-lisp", "fennel", "hy", "lisp", "lisp-data", "racket", "scheme"}
_DASHED = re.compile(r"[\w\-]*\Z")
_WITH_DASHES = {"css", "less", "sass", "scss"}

NOTHING: dict[str, Any] = {"isIncomplete": False, "items": []}
"""There is no suggestion. After an incomplete list without items, Helix shows that of no other server."""
UNFINISHED: dict[str, Any] = {"isIncomplete": True, "items": []}
"""The suggestion is still on its way: the client should ask again at the next key."""


def offered(completion: Completion, snapshot: Snapshot, client: Client) -> Offer:
    """What an item brings into the document: the text, and the word before the cursor, from its beginning."""
    text, end_offset = fitted(completion, snapshot, client)
    word = word_before(snapshot.document.text[: completion.start], snapshot.document.language_id, client)
    start, end = snapshot.range_for(completion.start - len(word), end_offset)
    return Offer(completion.id, start, end, word + text if text else "")


def completion_list(offer: Offer, snapshot: Snapshot, client: Client) -> dict[str, Any]:
    """A `CompletionList` with one item, as the client needs it; with none where it cannot have one."""
    if not offer.text or (client.replaces_symbol and offer.end > snapshot.position):
        return NOTHING
    label, language = _label(offer.text), snapshot.document.language_id
    item: dict[str, Any] = {
        "label": label,
        "kind": TEXT,
        # Clients compare it with what stands before the cursor.
        "filterText": next(iter(offer.text.lstrip().splitlines()), ""),
        "sortText": LAST,
        "insertText": offer.text,
        "command": accepted_command(offer.id),
    }
    if not client.previews_items:
        item["detail"] = "qwen-ls"
        if label != offer.text:
            item["documentation"] = {"kind": "markdown", "value": fenced(offer.text, language)}
    if not client.replaces_symbol:
        columns = {"start": offer.start._asdict(), "end": offer.end._asdict()}
        item["textEdit"] = {"range": columns, "newText": offer.text}
    # Incomplete: what is typed next may ask for another one.
    return {"isIncomplete": True, "items": [item]}


def word_before(text: str, language_id: str, client: Client) -> str:
    """The word that ends where the text does, as the client takes it for one; may be empty."""
    word = _WORD
    if client.replaces_symbol and language_id in _LISPS:
        word = _SYMBOL
    elif client.replaces_symbol and language_id in _WITH_DASHES:
        word = _DASHED
    found = word.search(text, max(text.rfind("\n"), text.rfind("\r")) + 1)
    return found.group() if found else ""


def fenced(text: str, language_id: str) -> str:
    """A Markdown block of code."""
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language_id}\n{text}\n{fence}"


def _label(text: str) -> str:
    """One line that stands for all of them, and says how many more there are."""
    lines = text.strip().splitlines()
    first = lines[0].strip() if lines else ""
    if len(first) > LABEL_CHARS:
        first = first[: LABEL_CHARS - 1] + "…"
    return first + (f" ⏎ +{len(lines) - 1}" if len(lines) > 1 else "")
