"""How a server and the keeper of the engine find and recognise each other.

The keeper writes its port and a random token to a file that only the user can read. On the connection both
prove that they know the token without sending it: whoever else took the port of a dead keeper learns nothing
and is not believed. Messages are lines of JSON.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from qwen_ls.local.paths import state_dir

if TYPE_CHECKING:
    from pathlib import Path

PROTOCOL = 1
"""The version of this conversation. It is part of the state file's name: two versions never meet."""
HOST = "127.0.0.1"
MAX_LINE = 1 << 16


@dataclass(frozen=True, slots=True)
class State:
    """What the keeper leaves for those who look for it."""

    token: str
    port: int = 0
    pid: int = 0
    error: str = ""
    """Why the keeper could not start."""


@dataclass(frozen=True, slots=True)
class Config:
    """What a keeper is started with, on stdin."""

    token: str
    weights: str
    name: str
    """The model's id, as the engine answers to it."""
    threads: int
    grace_s: float
    """How long the engine waits for the next user when the last one is gone, in seconds."""


def state_path() -> Path:
    """Where the running keeper says where it is."""
    return state_dir() / f"engine-{PROTOCOL}.json"


def read_state() -> State | None:
    """The state as it was written last; None where there is none, or none that can be read."""
    try:
        return State(**json.loads(state_path().read_bytes()))
    except (OSError, ValueError, TypeError):
        return None


def write_state(state: State) -> None:
    """Replace the state file by one that only this user can read."""
    path = state_path()
    fresh = path.with_name(f"{path.name}.{os.getpid()}")
    fresh.unlink(missing_ok=True)
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        json.dump(asdict(state), file)
    fresh.replace(path)


def proof(token: str, role: str, nonce: str) -> str:
    """What only a holder of the token can answer to a nonce; the role keeps an echo from being an answer."""
    return hmac.new(token.encode(), f"{role}:{nonce}".encode(), hashlib.sha256).hexdigest()


def proves(message: dict[str, Any], token: str, role: str, nonce: str) -> bool:
    """Whether the other side's message holds the right proof."""
    return hmac.compare_digest(str(message.get("proof", "")), proof(token, role, nonce))


def encode(message: dict[str, Any]) -> bytes:
    """One message as a line."""
    return json.dumps(message).encode() + b"\n"


def decode(line: bytes) -> dict[str, Any]:
    """One line as a message.

    Raises:
        ValueError: it is none.
    """
    message = json.loads(line)
    if isinstance(message, dict):
        return message
    raise ValueError("not a message")
