"""What is particular about single clients, as rows of data. Code reads rows; it does not name clients."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

HELD_S = 8.0
"""As long as it takes, but answered before a client gives up: Eglot does after 10 s, Helix after 20."""


@dataclass(frozen=True, slots=True)
class Client:
    """How one editor behaves, as far as the server has to care."""

    held_back_s: float = 0.0
    """How long the editor itself waits after a change before it tells us about the change and asks."""
    line_feeds_only: bool = False
    """Whether a carriage return in an item is inserted as a character instead of as part of a line end."""
    draws_over: bool = False
    """Whether an item's text is drawn over what its range replaces, and over what follows.

    Closers that the range would take in only to bring them back are then left out of text and range.
    """
    takes_status: bool = True
    """Whether `didChangeStatus`, which is no part of LSP, does no harm."""
    takes_items: bool = True
    """Whether suggestions may be items of its completion list, should it have no inline completion."""
    item_patience_s: float = 0.2
    """How long its completion list may wait for such an item.

    Most show nothing of other servers either before all have answered.
    """
    replaces_symbol: bool = False
    """Whether an item takes the place of the symbol before the cursor, whatever range it names."""
    previews_items: bool = False
    """Whether a selected item's text stands in the document already; said again, it would hide code."""
    accepts_parts: bool = False
    """Whether a part of an item can be accepted, as one change."""
    is_vscode: bool = False
    """Whether the client may be built on vscode-languageclient; see `counts_triggers_from_zero`."""


OTHER = Client()

CLIENTS = {
    # `vim.lsp.inline_completion` restarts a timer of 200 ms at each key and flushes the changes right before
    # it asks; its virtual text and its insertion show a carriage return as ^M, in dos files too. A range that
    # is not empty makes it an overlay as wide as the text.
    # 0.11 has no inline completion of its own, but the plugin's; its list indents several lines anew.
    "Neovim": Client(held_back_s=0.2, line_feeds_only=True, draws_over=True, takes_items=False),
    # Its packages hide what the range replaces; Emacs then moves point out of it. Of an item with a range
    # `completion-preview-mode` draws the label. A key ends its waiting, and it has one server only.
    "Eglot": Client(draws_over=True, replaces_symbol=True, accepts_parts=True, item_patience_s=HELD_S),
    # lsp-mode warns the user about each notification that it does not know. It has inline completion, and
    # says null of it.
    "emacs": Client(takes_status=False, takes_items=False),
    # It shows what the first server says, and adds what comes later; it does not ask again by itself.
    "helix": Client(previews_items=True, item_patience_s=HELD_S),
    "Visual Studio Code": Client(is_vscode=True),
    "Visual Studio Code - Insiders": Client(is_vscode=True),
    "VSCodium": Client(is_vscode=True),
    "code-server": Client(is_vscode=True),
    "Cursor": Client(is_vscode=True),
}


def client_named(name: str | None) -> Client:
    """The row of a client by its `clientInfo.name`."""
    return CLIENTS.get(name or "", OTHER)


def counts_triggers_from_zero(client: Client, capabilities: Mapping[str, Any]) -> bool:
    """Whether the client sends VS Code's own trigger kinds, 0 invoked and 1 automatic, instead of LSP's.

    vscode-languageclient 9 does. It has no name of its own in `initialize`, but unlike 10 and later it does
    not declare `workspace.textDocumentContent`; a client that is not this library at all (a test, an
    imitation) is known by lacking `textDocument.typeHierarchy`, which the library always declares.
    """
    workspace, document = capabilities.get("workspace"), capabilities.get("textDocument")
    if not client.is_vscode or not isinstance(workspace, dict) or not isinstance(document, dict):
        return False
    return "typeHierarchy" in document and "textDocumentContent" not in workspace
