"""JSON to our words and back: positions, changes, requests, items.

The messages that come with every key are read here by hand: faster than structuring them, and kinder. A
negative number, a line beyond the document, an unknown trigger kind are no reason to refuse a message.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from qwen_ls.core.types import SelectedCompletion, TriggerKind
from qwen_ls.lsp.documents import Change, Position, Range

if TYPE_CHECKING:
    from qwen_ls.core.types import Completion
    from qwen_ls.lsp.clients import Client
    from qwen_ls.lsp.documents import Snapshot

ACCEPTED_COMMAND = "qwen-ls.accepted"
DISMISSED_COMMAND = "qwen-ls.dismissed"
"""What a client may send when the user has dismissed an item, with the arguments of the item's command."""


class InvalidParamsError(ValueError):
    """A message whose parameters are not what LSP says; the text names the field, never its value."""


class Opened(NamedTuple):
    """A document as the client opens it."""

    uri: str
    language_id: str
    version: int | None
    text: str


class Ask(NamedTuple):
    """One request for a completion, as it came."""

    uri: str
    position: Position
    trigger: Any
    selected: tuple[Range, str] | None


def field(raw: Any, name: str, kind: type) -> Any:
    """A required field.

    Raises:
        InvalidParamsError: it is missing or of another type.
    """
    value = raw.get(name) if isinstance(raw, dict) else None
    if not isinstance(value, kind) or (kind is not bool and isinstance(value, bool)):
        raise InvalidParamsError(f"{name} must be given as {kind.__name__}")
    return value


def _version(raw: dict[str, Any]) -> int | None:
    version = raw.get("version")
    return version if isinstance(version, int) else None


def _number(raw: Any, name: str) -> int:
    value = raw.get(name) if isinstance(raw, dict) else None
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value:
        raise InvalidParamsError(f"{name} must be a number")
    return int(max(min(value, 2**31), -(2**31)))


def position(raw: Any) -> Position:
    """A position; whole numbers of any sign are taken."""
    return Position(_number(raw, "line"), _number(raw, "character"))


def text_range(raw: Any) -> Range:
    """A range, in whatever order its ends are."""
    if not isinstance(raw, dict):
        raise InvalidParamsError("range must be an object")
    return Range(position(raw.get("start")), position(raw.get("end")))


def opened(raw: Any) -> Opened:
    """A `TextDocumentItem`."""
    language = raw.get("languageId") if isinstance(raw, dict) else None
    return Opened(
        field(raw, "uri", str),
        language if isinstance(language, str) else "",
        _version(raw),
        field(raw, "text", str),
    )


def identified(raw: Any) -> tuple[str, int | None]:
    """The URI and version of a (versioned) text document identifier."""
    return field(raw, "uri", str), _version(raw)


def changes(raw: Any) -> list[Change]:
    """`TextDocumentContentChangeEvent`s."""
    if not isinstance(raw, list):
        raise InvalidParamsError("contentChanges must be an array")
    return [
        Change(
            None if not isinstance(one, dict) or one.get("range") is None else text_range(one["range"]),
            field(one, "text", str),
        )
        for one in raw
    ]


def ask(raw: Any) -> Ask:
    """`InlineCompletionParams`.

    Raises:
        InvalidParamsError: there is no document or no position in it.
    """
    uri, _ = identified(raw.get("textDocument") if isinstance(raw, dict) else None)
    context = raw.get("context")
    context = context if isinstance(context, dict) else {}
    return Ask(uri, position(raw.get("position")), context.get("triggerKind"), _selected(context))


def _selected(context: dict[str, Any]) -> tuple[Range, str] | None:
    """The row selected in the client's list; one that cannot be read is none."""
    info = context.get("selectedCompletionInfo")
    if not isinstance(info, dict):
        return None
    try:
        return text_range(info.get("range")), field(info, "text", str)
    except InvalidParamsError:
        return None


def trigger_kind(raw: Any, *, from_zero: bool) -> TriggerKind:
    """Who asked. Unknown kinds count as automatic: those go through every gate.

    Args:
        raw: as the client sent it.
        from_zero: whether the client counts as VS Code does (see `clients.counts_triggers_from_zero`).
    """
    if raw == 0 or (raw == 1 and not from_zero):
        return TriggerKind.INVOKED
    return TriggerKind.AUTOMATIC


def selected_completion(selected: tuple[Range, str] | None, snapshot: Snapshot) -> SelectedCompletion | None:
    """The selected row in the snapshot's offsets; None unless it lies on the cursor's line."""
    if selected is None:
        return None
    (start, end), text = selected
    if start.line != snapshot.position.line or end.line != snapshot.position.line:
        return None
    first, last = sorted((snapshot.offset_at(start.character), snapshot.offset_at(end.character)))
    return SelectedCompletion(first, last, text)


def completion_list(completion: Completion, snapshot: Snapshot, client: Client) -> dict[str, Any]:
    """An `InlineCompletionList` with one item, as the client needs it; with none where nothing is left."""
    text, end_offset = fitted(completion, snapshot, client)
    if not text:
        return {"items": []}
    start, end = snapshot.range_for(completion.start, end_offset)
    item = {
        "insertText": text,
        "filterText": text,
        "range": {"start": start._asdict(), "end": end._asdict()},
        "command": accepted_command(completion.id),
    }
    return {"items": [item]}


def fitted(completion: Completion, snapshot: Snapshot, client: Client) -> tuple[str, int]:
    """A completion's text as the client must have it, and the offset to which it replaces."""
    text, end_offset = completion.text, completion.end
    covered = snapshot.document.text[snapshot.offset : end_offset]
    if client.draws_over and covered and text.endswith(covered):
        text, end_offset = text.removesuffix(covered), snapshot.offset
    if client.line_feeds_only:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    return text, end_offset


def accepted_command(completion_id: str) -> dict[str, Any]:
    """What an item tells the client to send when the user has accepted it."""
    return {"title": "Suggestion accepted", "command": ACCEPTED_COMMAND, "arguments": [completion_id]}
