"""What the server says of itself at `initialize`. Pure, and without lsprotocol, which is imported later."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qwen_ls import __version__
from qwen_ls.lsp.clients import client_named

if TYPE_CHECKING:
    from collections.abc import Mapping

COMMANDS = (
    "qwen-ls.accepted",
    "qwen-ls.dismissed",
    "qwen-ls.explain",
    "qwen-ls.status",
    "qwen-ls.usage",
    "qwen-ls.toggle",
    "qwen-ls.clearCache",
)
TRIGGER_CHARACTERS = (" ", "\n", "(", "[", "{", ".", ",", ":", "=")
"""After these a client's completion list asks as it does after the letters of a word."""
ENCODINGS = ("utf-8", "utf-16", "utf-32")
INCREMENTAL = 2
"""LSP `TextDocumentSyncKind.Incremental`."""


def initialize_result(params: Mapping[str, Any]) -> dict[str, Any]:
    """The answer to `initialize`, for its raw parameters."""
    capabilities: dict[str, Any] = {
        "positionEncoding": position_encoding(params),
        "textDocumentSync": {"openClose": True, "change": INCREMENTAL, "save": False},
        "executeCommandProvider": {"commands": list(COMMANDS)},
        "workspace": {"workspaceFolders": {"supported": True, "changeNotifications": True}},
    }
    if isinstance(_client(params, "notebookDocument"), dict):
        capabilities["notebookDocumentSync"] = {"notebookSelector": [{"notebook": "*"}]}
    if not registers_dynamically(params):
        # An object: some clients take an empty one for null.
        capabilities["inlineCompletionProvider"] = {"workDoneProgress": False}
    if takes_items(params):
        capabilities["completionProvider"] = {"triggerCharacters": list(TRIGGER_CHARACTERS)}
    return {"capabilities": capabilities, "serverInfo": {"name": "qwen-ls", "version": __version__}}


def position_encoding(params: Mapping[str, Any]) -> str:
    """The first encoding on the client's list that we know; utf-16 where it has none (LSP 3.17)."""
    wanted = _client(params, "general", "positionEncodings")
    known = (name for name in wanted if name in ENCODINGS) if isinstance(wanted, list) else iter(())
    return next(known, "utf-16")


def registers_dynamically(params: Mapping[str, Any]) -> bool:
    """Whether inline completion is registered after `initialized`, as the client prefers it."""
    return _client(params, "textDocument", "inlineCompletion", "dynamicRegistration") is True


def takes_items(params: Mapping[str, Any]) -> bool:
    """Whether suggestions are items of the completion list: the client has no inline completion beside it."""
    info = params.get("clientInfo")
    name = info.get("name") if isinstance(info, dict) else None
    return (
        client_named(name if isinstance(name, str) else None).takes_items
        and isinstance(_client(params, "textDocument", "completion"), dict)
        and not isinstance(_client(params, "textDocument", "inlineCompletion"), dict)
    )


def _client(params: Mapping[str, Any], *path: str) -> Any:
    """One of the client's capabilities; None where it has none, or nonsense."""
    value: Any = params.get("capabilities")
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value
