"""A server's side of the conversation with the keeper."""

from __future__ import annotations

import contextlib
import secrets
import socket
import time
from typing import TYPE_CHECKING, Any

from qwen_ls.backend.base import NotReadyError
from qwen_ls.local import handshake
from qwen_ls.local.handshake import HOST

if TYPE_CHECKING:
    import threading

    from qwen_ls.local.handshake import State

_TIMEOUT_S = 5.0
_POLL_S = 0.25


class Connection:
    """To a keeper that has proved to be the one of the state file.

    While it is open after a claim, the keeper counts it.
    """

    def __init__(self, link: socket.socket, proof: str) -> None:
        self._link = link
        self._proof = proof

    def ask(self, message: dict[str, Any], *, wait_s: float, stop: threading.Event) -> dict[str, Any]:
        """Send the one message that a keeper takes, and wait for its answer.

        Raises:
            TimeoutError: there is none in time.
            OSError: the keeper is gone.
            ValueError: what came is no message.
            NotReadyError: `stop` was set.
        """
        self._link.sendall(handshake.encode(message | {"proof": self._proof}))
        return handshake.decode(_read_line(self._link, time.monotonic() + wait_s, stop))

    def close(self) -> None:
        """Give up what was claimed."""
        self._link.close()


def connect(state: State | None, stop: threading.Event) -> Connection | None:
    """Connect to the keeper that wrote the state; None where that is gone, or what is there is not it."""
    if state is None or not state.port:
        return None
    try:
        link = socket.create_connection((HOST, state.port), timeout=_TIMEOUT_S)
    except OSError:
        return None
    with contextlib.ExitStack() as stack:
        stack.callback(link.close)
        with contextlib.suppress(OSError, ValueError, KeyError):
            nonce = secrets.token_hex(16)
            link.sendall(handshake.encode({"nonce": nonce}))
            answer = handshake.decode(_read_line(link, time.monotonic() + _TIMEOUT_S, stop))
            if handshake.proves(answer, state.token, "keeper", nonce):
                proof = handshake.proof(state.token, "client", str(answer["nonce"]))
                stack.pop_all()
                return Connection(link, proof)
    return None


def check_stop(stop: threading.Event) -> None:
    """Raise where nobody waits any more."""
    if stop.is_set():
        raise NotReadyError("The local engine is not needed any more")


def _read_line(link: socket.socket, deadline: float, stop: threading.Event) -> bytes:
    """One line, waited for until the deadline, or until `stop` is set."""
    link.settimeout(_POLL_S)
    line = b""
    while not line.endswith(b"\n"):
        check_stop(stop)
        if time.monotonic() > deadline:
            raise TimeoutError
        try:
            block = link.recv(4096)
        except TimeoutError:
            continue
        if not block:
            raise ConnectionResetError
        line += block
        if len(line) > handshake.MAX_LINE:
            raise ValueError("not a message")
    return line
