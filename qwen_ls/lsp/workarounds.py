"""Faults of pygls 2.1.1 and lsprotocol 2025.0.0 that this package works around, one row each.

`tests/lsp/test_workarounds.py` shows for every row that the fault is still there and that ours is right: when
a new version mends one, its test fails and says which workaround can go.
"""

from __future__ import annotations

import enum
import logging
from typing import TYPE_CHECKING, Any

import cattrs
from lsprotocol import types
from pygls.protocol import default_converter

if TYPE_CHECKING:
    from collections.abc import Mapping

logger = logging.getLogger(__name__)

WORKAROUNDS: dict[str, str] = {
    "line ends": "pygls takes form feeds, U+2028 and others for line ends: `text.split_lines`",
    "end of last line": "a column past the end of the last line lands one short: `text.locate`",
    "mutated position": "converting a position changes the parameters: `text.locate`",
    "linear edits": "each edit and look-up splits the whole document again: `documents.OpenDocument`",
    "unopened change": "a change of an unopened document raises KeyError: `session.on_change`",
    "leaked futures": "one future stays behind for every notification: `protocol._execute_handler`",
    "unanswered params": "a request whose params do not fit is never answered: `protocol._take_request`",
    "nested jsonrpc": "a nested object with a key `jsonrpc` breaks its message: `protocol.receive`",
    "unknown enums": "an unknown enum value breaks its message: `make_converter`, `structure_initialize`",
    "header case": "headers are matched by case: `framing.Framer`",
    "parse error": "invalid JSON is not answered: `protocol.receive`",
    "not initialized": "a request before initialize gets -32603: `protocol._out_of_order`",
    "after shutdown": "a request after shutdown is not answered: `protocol._out_of_order`",
    "exit code": "`exit` without `shutdown` ends with 0: `session.on_exit`",
    "shutdown in flight": "shutdown fails when a command is running: `session.on_shutdown`",
    "traceback": "internal errors carry the traceback and local paths: `protocol._send_handler_result`",
    "late answer": "a client's answer to a cancelled question raises: `protocol._take_response`",
    "stale questions": "unanswered questions to the client are kept for ever: `protocol.ask`",
    "logged bodies": "bodies and `initialize` params, keys included, are logged at INFO: `quiet_loggers`",
    "popups": "every error of a notification pops up a message: `session.report_server_error`",
    "silent capability": "a feature without options is not advertised: `session.on_initialize`",
    "stolen writer": "a second TCP client takes the first one's answers: `network.Door`",
    "custom params": "params of custom methods become namedtuples: `protocol._structure`",
    "command arguments": "defaults of a command's arguments are not honoured: `session.on_command`",
}


def quiet_loggers() -> None:
    """Keep other packages' logs from holding bodies, addresses and keys, at any level of ours.

    pygls logs whole messages at INFO, httpx addresses, httpcore headers: not even our `debug` needs them.
    """
    for name in ("pygls", "httpx", "httpcore", "websockets", "asyncio"):
        logging.getLogger(name).setLevel(logging.WARNING)


def make_converter() -> cattrs.Converter:
    """The converter of pygls; an enum value that it does not know stays as it came.

    Real clients send them: `trace: "compact"`, symbol kinds of a later LSP, trigger kind 0.
    """
    converter: cattrs.Converter = default_converter()  # type: ignore[no-untyped-call]
    for kind in vars(types).values():
        if isinstance(kind, type) and issubclass(kind, enum.Enum):
            converter.register_structure_hook(kind, _member_or_value)
    return converter


def _member_or_value(value: Any, kind: type[enum.Enum]) -> Any:
    try:
        return kind(value)
    except ValueError:
        return value


def describe_misfit(error: BaseException) -> str:
    """What did not fit, as one line without values."""
    try:
        reasons = cattrs.transform_error(error)
    except Exception:  # a message about an error must not be another one
        reasons = []
    return "; ".join(reason.replace("\n", " ") for reason in reasons[:3]) or type(error).__name__


def structure_initialize(converter: cattrs.Converter, raw: Mapping[str, Any]) -> types.InitializeParams:
    """The parameters of `initialize`; what cannot be read is dropped piece by piece. Never raises.

    A server that refuses `initialize` is invisible to its user.
    """
    given = dict(raw)
    if not isinstance(given.get("capabilities"), dict):
        given["capabilities"] = {}
    try:
        return converter.structure(given, types.InitializeParams)
    except Exception as error:  # cattrs raises what the hooks raise
        logger.info("parts of initialize cannot be read: %s", describe_misfit(error))
    given["capabilities"] = _readable_capabilities(converter, given["capabilities"])
    kept: dict[str, Any] = {"capabilities": given.pop("capabilities")}
    for key, value in given.items():
        if _fits(converter, kept | {key: value}, types.InitializeParams):
            kept[key] = value
    return converter.structure(kept, types.InitializeParams)


def _readable_capabilities(converter: cattrs.Converter, raw: dict[str, Any]) -> dict[str, Any]:
    """The capabilities that fit, feature by feature."""
    kept: dict[str, Any] = {}
    for group, features in raw.items():
        if _fits(converter, {group: features}, types.ClientCapabilities):
            kept[group] = features
        elif isinstance(features, dict):
            kept[group] = {
                name: value
                for name, value in features.items()
                if _fits(converter, {group: {name: value}}, types.ClientCapabilities)
            }
            if not _fits(converter, {group: kept[group]}, types.ClientCapabilities):
                del kept[group]
    return kept


def _fits(converter: cattrs.Converter, raw: dict[str, Any], kind: type) -> bool:
    try:
        converter.structure(raw, kind)
    except Exception:  # cattrs raises what the hooks raise
        return False
    return True


def unmixed(text: str) -> str:
    """The same text with neighbouring halves of surrogate pairs joined.

    Raises:
        ValueError: never for text that was decoded with `surrogatepass`.
    """
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")
