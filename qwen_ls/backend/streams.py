"""What was found out about endpoints' streams, by `doctor` or a server: a small file in the state folder.

The file holds addresses, model ids and one word for each; no text, no key. A file that cannot be read is an
empty one.
"""

from __future__ import annotations

import contextlib
import json
import os
import threading
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from qwen_ls.backend.address import is_loopback
from qwen_ls.backend.wire.semantics import Semantics, SemanticsMemory
from qwen_ls.local.paths import state_dir

if TYPE_CHECKING:
    from pathlib import Path

_MAX_BYTES = 1 << 16
_MAX_ROWS = 100
_THREAD = "qwen-ls-streams"
_NAMES = ("url", "model", "stream")


def streams_path() -> Path:
    """The file; it may not exist."""
    return state_dir() / "streams.json"


class Streams(SemanticsMemory):
    """A memory that begins with what the file says, and writes down what is new, in a thread.

    What answers at a port of this machine may be another server tomorrow: that is not written down.

    Args:
        path: the file; by default the state folder's.
    """

    def __init__(self, path: Path | None = None) -> None:
        super().__init__()
        self._path = path or streams_path()
        self._writing = threading.Lock()
        for url, model, word in _read(self._path):
            with contextlib.suppress(ValueError):
                super().learn(url, model, Semantics(word))

    def learn(self, endpoint: str, model: str, semantics: Semantics) -> None:
        """Remember a finding. One that cannot be written down is remembered by this process alone."""
        if self.recall(endpoint, model) is semantics:
            return
        super().learn(endpoint, model, semantics)
        if not is_loopback(urlsplit(endpoint).hostname or ""):
            threading.Thread(
                target=self._write, args=(endpoint, model, semantics), name=_THREAD, daemon=True
            ).start()

    def _write(self, endpoint: str, model: str, semantics: Semantics) -> None:
        with self._writing, contextlib.suppress(OSError):
            remember(endpoint, model, semantics, self._path)


def remember(url: str, model: str, semantics: Semantics, path: Path | None = None) -> None:
    """Add a finding to the file, in one step: a server that starts meanwhile reads one that is whole.

    Raises:
        OSError: it cannot be written.
    """
    path = path or streams_path()
    rows = [row for row in _read(path) if row[:2] != (url, model)]
    rows.append((url, model, semantics.value))
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_suffix(f".{os.getpid()}.new")
    kept = [dict(zip(_NAMES, row, strict=True)) for row in rows[-_MAX_ROWS:]]
    new.write_text(json.dumps(kept, indent=1), "utf-8")
    new.replace(path)


def _read(path: Path) -> list[tuple[str, str, str]]:
    try:
        if path.stat().st_size > _MAX_BYTES:
            return []
        rows = json.loads(path.read_text("utf-8"))
        return [tuple(str(row[name]) for name in _NAMES) for row in rows]  # type: ignore[misc]
    except (OSError, ValueError, TypeError, KeyError):
        return []
