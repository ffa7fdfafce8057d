"""What the server tells the user: a status for the status bar, and messages, each of them once."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from lsprotocol import types

if TYPE_CHECKING:
    from collections.abc import Callable

    from qwen_ls.report import Notice, Status

logger = logging.getLogger(__name__)

STATUS_METHOD = "didChangeStatus"
"""Copilot's notification, which status bars understand."""

_KINDS = {"ready": "Normal", "thinking": "Normal", "limited": "Warning", "off": "Inactive", "error": "Error"}
_MESSAGE_TYPES = {
    "error": types.MessageType.Error,
    "warning": types.MessageType.Warning,
    "info": types.MessageType.Info,
}


def status_params(status: Status) -> dict[str, Any]:
    """A status in Copilot's shape."""
    kind = _KINDS.get(status.kind, "Normal")
    return {"busy": status.kind == "thinking", "kind": kind, "message": status.text}


class Herald:
    """Sends status and messages; holds them back until the client is ready for them.

    Args:
        send: sends a notification.
    """

    def __init__(self, send: Callable[[str, Any], None]) -> None:
        self._send = send
        self._last: dict[str, Any] | None = None
        self._told: set[str] = set()
        self._held: list[tuple[str, Any]] | None = []
        self.sends_status = True

    def begin(self) -> None:
        """The client has said `initialized`: send what was held back."""
        held, self._held = self._held or [], None
        for method, params in held:
            self._send(method, params)

    def status(self, status: Status) -> None:
        """Send a status that differs from the last one."""
        params = status_params(status)
        if self.sends_status and params != self._last:
            self._last = params
            self._emit(STATUS_METHOD, params)

    def notice(self, notice: Notice) -> None:
        """Show what the service wants the user to read; the service says it once per cause."""
        kind = _MESSAGE_TYPES.get(notice.level.value, types.MessageType.Warning)
        self._emit(types.WINDOW_SHOW_MESSAGE, types.ShowMessageParams(type=kind, message=notice.text))

    def problems(self, texts: list[str]) -> None:
        """Show what is wrong with the settings: each once, and again only after it was mended."""
        for text in texts:
            if text not in self._told:
                params = types.ShowMessageParams(type=types.MessageType.Warning, message=text)
                self._emit(types.WINDOW_SHOW_MESSAGE, params)
        self._told = set(texts)

    def _emit(self, method: str, params: Any) -> None:
        if self._held is None:
            self._send(method, params)
        else:
            self._held.append((method, params))
