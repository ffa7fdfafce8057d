"""What single messages do: thin, one job each, and nothing awaited before the snapshot is taken."""

from __future__ import annotations

import logging
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

from lsprotocol import types
from pygls.exceptions import JsonRpcException

from qwen_ls.core.budget import window_chars
from qwen_ls.core.types import Completion, Reason, TriggerKind
from qwen_ls.lsp import convert, popup
from qwen_ls.lsp.acceptance import taken
from qwen_ls.lsp.capabilities import registers_dynamically
from qwen_ls.lsp.completions import INLINE, SUPERSEDED, Kind
from qwen_ls.lsp.convert import InvalidParamsError, field

if TYPE_CHECKING:
    from collections.abc import Callable

    from qwen_ls.core.types import SelectedCompletion, Skip
    from qwen_ls.lsp.acceptance import Offer
    from qwen_ls.lsp.clients import Client
    from qwen_ls.lsp.documents import Change, Snapshot
    from qwen_ls.lsp.session import QwenLanguageServer

logger = logging.getLogger(__name__)


def register(server: QwenLanguageServer) -> None:
    """Connect the messages with what they do."""

    def bound(handler: Callable[[QwenLanguageServer, Any], None]) -> Callable[[Any], None]:
        return lambda params: handler(server, params)

    protocol = server.protocol
    protocol.routes |= {
        types.INITIALIZED: lambda _: server.on_initialized(),
        types.EXIT: lambda _: server.on_exit(),
        types.TEXT_DOCUMENT_DID_OPEN: bound(did_open),
        types.TEXT_DOCUMENT_DID_CHANGE: bound(did_change),
        types.TEXT_DOCUMENT_DID_CLOSE: bound(did_close),
        types.NOTEBOOK_DOCUMENT_DID_OPEN: bound(notebook_did_open),
        types.NOTEBOOK_DOCUMENT_DID_CHANGE: bound(notebook_did_change),
        types.NOTEBOOK_DOCUMENT_DID_CLOSE: bound(notebook_did_close),
        types.WORKSPACE_DID_CHANGE_CONFIGURATION: bound(did_change_configuration),
        types.WORKSPACE_DID_CHANGE_WORKSPACE_FOLDERS: bound(did_change_workspace_folders),
        "textDocument/didShowCompletion": bound(did_show),
        "textDocument/didPartiallyAcceptCompletion": bound(did_partially_accept),
    }
    protocol.request_routes |= {
        types.SHUTDOWN: lambda request_id, _: server.on_shutdown(request_id),
        types.TEXT_DOCUMENT_INLINE_COMPLETION: lambda *request: inline_completion(server, *request),
        types.TEXT_DOCUMENT_COMPLETION: lambda *request: completion(server, *request),
        types.WORKSPACE_EXECUTE_COMMAND: lambda *request: execute_command(server, *request),
    }


async def register_dynamically(server: QwenLanguageServer) -> None:
    """Register what the client wants registered; a refusal is logged."""
    registrations = []
    if registers_dynamically(server.protocol.raw_initialize):
        method = types.TEXT_DOCUMENT_INLINE_COMPLETION
        options = types.InlineCompletionRegistrationOptions(document_selector=None)
        registrations.append(types.Registration(id=method, method=method, register_options=options))
    if server.configuration.can_register:
        method = types.WORKSPACE_DID_CHANGE_CONFIGURATION
        section = types.DidChangeConfigurationRegistrationOptions(section="qwen-ls")
        registrations.append(types.Registration(id=method, method=method, register_options=section))
    for registration in registrations:
        try:
            params = types.RegistrationParams(registrations=[registration])
            await server.protocol.ask(types.CLIENT_REGISTER_CAPABILITY, params)
        except (JsonRpcException, TimeoutError) as error:
            logger.warning("the client did not register %s: %s", registration.method, type(error).__name__)


# Documents


def did_open(server: QwenLanguageServer, params: Any) -> None:
    """Take a document."""
    _open(server, field(params, "textDocument", dict))


def did_change(server: QwenLanguageServer, params: Any) -> None:
    """Change a document."""
    _change(server, field(params, "textDocument", dict), params.get("contentChanges"))


def did_close(server: QwenLanguageServer, params: Any) -> None:
    """Forget a document."""
    _close(server, field(params, "textDocument", dict))


def notebook_did_open(server: QwenLanguageServer, params: Any) -> None:
    """Take a notebook's cells: each is a document."""
    for cell in field(params, "cellTextDocuments", list):
        _open(server, cell)


def notebook_did_change(server: QwenLanguageServer, params: Any) -> None:
    """Take, forget and change cells."""
    cells = field(params, "change", dict).get("cells") or {}
    structure = cells.get("structure") or {}
    for cell in structure.get("didClose") or []:
        _close(server, cell)
    for cell in structure.get("didOpen") or []:
        _open(server, cell)
    for content in cells.get("textContent") or []:
        _change(server, field(content, "document", dict), content.get("changes"))


def notebook_did_close(server: QwenLanguageServer, params: Any) -> None:
    """Forget a notebook's cells."""
    for cell in field(params, "cellTextDocuments", list):
        _close(server, cell)


def _open(server: QwenLanguageServer, raw: Any) -> None:
    document = convert.opened(raw)
    server.documents.open(
        document.uri, language_id=document.language_id, version=document.version, text=document.text
    )
    server.warm_up()


def _change(server: QwenLanguageServer, raw: dict[str, Any], raw_changes: Any) -> None:
    uri, version = convert.identified(raw)
    try:
        changes = convert.changes(raw_changes)
    except InvalidParamsError:
        # Our copy is no longer the editor's: better none than a wrong one.
        _close(server, raw)
        raise
    if not server.documents.change(uri, version=version, changes=changes):
        logger.warning("ignored a change of a document that is not open")
    elif changes and (offer := server.offers.get(uri)):
        _infer_acceptance(server, uri, offer, changes[-1])


def _close(server: QwenLanguageServer, raw: Any) -> None:
    uri, _ = convert.identified(raw)
    server.completions.clear(uri)
    server.offers.pop(uri, None)
    if server.documents.close(uri):
        server.service.forget(uri)


# Completions


def inline_completion(server: QwenLanguageServer, request_id: int | str, params: Any) -> None:
    """Ghost text, for the clients that draw it."""
    ask = convert.ask(params)
    if ask.trigger == 0:
        server.triggers_from_zero = True
    trigger = convert.trigger_kind(ask.trigger, from_zero=server.triggers_from_zero)
    _begin(server, request_id, ask, trigger, INLINE, convert.completion_list)


def completion(server: QwenLanguageServer, request_id: int | str, params: Any) -> None:
    """An item of the completion list, for the clients that have nothing better."""
    # Its trigger kinds do not tell a key from a command: "invoked" is said of both.
    kind = Kind(popup.NOTHING, popup.UNFINISHED, server.client.item_patience_s)
    ask = convert.ask(params)

    def listed(completion: Completion, snapshot: Snapshot, client: Client) -> dict[str, Any]:
        offer = server.offers[ask.uri] = popup.offered(completion, snapshot, client)
        return popup.completion_list(offer, snapshot, client)

    _begin(server, request_id, ask, TriggerKind.AUTOMATIC, kind, listed)


def _begin(
    server: QwenLanguageServer,
    request_id: int | str,
    ask: convert.Ask,
    trigger: TriggerKind,
    kind: Kind,
    shape: Callable[[Completion, Snapshot, Client], dict[str, Any]],
) -> None:
    """Take the snapshot, and start the work."""
    before_chars, after_chars = window_chars(server.configuration.settings.prompt_tokens)
    snapshot = server.documents.snapshot(
        ask.uri, ask.position, before_chars=before_chars, after_chars=after_chars
    )
    if snapshot is None:
        server.protocol.answer(request_id, kind.nothing)
        return
    selected = convert.selected_completion(ask.selected, snapshot)
    waited_s = max(server.client.held_back_s, server.documents.unchanged_for_s(ask.uri))

    async def work() -> dict[str, Any] | None:
        result = await _complete(server, snapshot, trigger, selected, waited_s)
        if isinstance(result, Completion):
            return shape(result, snapshot, server.client)
        return SUPERSEDED if result.reason is Reason.SUPERSEDED else kind.nothing

    server.completions.start(request_id, ask.uri, work, kind)


async def _complete(
    server: QwenLanguageServer,
    snapshot: Snapshot,
    trigger: TriggerKind,
    selected: SelectedCompletion | None,
    waited_s: float,
) -> Completion | Skip:
    """Ask the service, once it has the client's settings."""
    await server.settled()
    return await server.service.complete(
        snapshot.document, snapshot.offset, trigger, selected=selected, waited_s=waited_s
    )


def did_show(server: QwenLanguageServer, params: Any) -> None:
    """Copilot's clients say that a suggestion is shown; nothing is kept about that."""


def did_partially_accept(server: QwenLanguageServer, params: Any) -> None:
    """Copilot's clients say that a part of a suggestion was taken, and which one by the item's command."""
    command = field(params, "item", dict).get("command")
    arguments = command.get("arguments") if isinstance(command, dict) else None
    _accepted(server, arguments if isinstance(arguments, list) else [])


# Commands


def execute_command(server: QwenLanguageServer, request_id: int | str, params: Any) -> None:
    """Run one of our commands."""
    command = COMMANDS.get(field(params, "command", str))
    if command is None:
        raise InvalidParamsError("there is no such command")
    arguments = params.get("arguments")
    result = command(server, arguments if isinstance(arguments, list) else [])
    if isinstance(result, Coroutine):
        server.spawn(_answer_with(server, request_id, result))
    else:
        server.protocol.answer(request_id, result)


async def _answer_with(
    server: QwenLanguageServer, request_id: int | str, work: Coroutine[Any, Any, Any]
) -> None:
    """Answer with what the work comes to; null where it fails, or the session ends before."""
    result = None
    try:
        result = await work
    finally:
        server.protocol.answer(request_id, result)


def _accepted(server: QwenLanguageServer, arguments: list[Any]) -> None:
    if arguments and isinstance(arguments[0], str):
        server.service.accepted(arguments[0])


def _dismissed(server: QwenLanguageServer, arguments: list[Any]) -> None:
    if arguments and isinstance(arguments[0], str):
        server.service.dismissed(arguments[0])


def _infer_acceptance(server: QwenLanguageServer, uri: str, offer: Offer, change: Change) -> None:
    """Of an item in a list; a client that runs its command as well tells the same once more."""
    document = server.documents.get(uri)
    text = taken(offer, document, change, server.documents.encoding) if document else ""
    if text and (text == offer.text or server.client.accepts_parts):
        server.service.accepted(offer.id)


def _explain(server: QwenLanguageServer, arguments: list[Any]) -> Any:
    """The last request's story: plain values without any text, or a document with all of it."""
    how = arguments[0] if arguments and isinstance(arguments[0], dict) else {}
    if how.get("as") == "markdown":
        return server.service.explanation(with_prompt=bool(how.get("prompt")))
    return server.service.explain()


def _status(server: QwenLanguageServer, arguments: list[Any]) -> Any:
    status = server.service.status()
    return {"kind": status.kind, "text": status.text}


def _usage(server: QwenLanguageServer, arguments: list[Any]) -> Coroutine[Any, Any, dict[str, Any]]:
    return server.service.usage()


def _toggle(server: QwenLanguageServer, arguments: list[Any]) -> Any:
    is_on = server.service.toggle()
    server.herald.status(server.service.status())
    return is_on


def _clear_cache(server: QwenLanguageServer, arguments: list[Any]) -> None:
    server.service.clear_cache()


COMMANDS: dict[str, Callable[[QwenLanguageServer, list[Any]], Any]] = {
    convert.ACCEPTED_COMMAND: _accepted,
    convert.DISMISSED_COMMAND: _dismissed,
    "qwen-ls.explain": _explain,
    "qwen-ls.status": _status,
    "qwen-ls.usage": _usage,
    "qwen-ls.toggle": _toggle,
    "qwen-ls.clearCache": _clear_cache,
}


# Settings


def did_change_configuration(server: QwenLanguageServer, params: Any) -> None:
    """Ask for the settings, or take those that came along."""
    if server.configuration.can_ask:
        server.spawn(server.refresh_settings())
        return
    server.configuration.take(params.get("settings") if isinstance(params, dict) else None)
    server.apply_settings()


def did_change_workspace_folders(server: QwenLanguageServer, params: Any) -> None:
    """Folders were opened or closed: images may come from those that are open."""
    event = field(params, "event", dict)

    def uris(name: str) -> list[Any]:
        folders = event.get(name)
        return (
            [one.get("uri") for one in folders if isinstance(one, dict)] if isinstance(folders, list) else []
        )

    server.configuration.change_roots(uris("added"), uris("removed"))
    server.service.look_at(server.documents, server.configuration.roots)
