"""Keeps the code that attrs compiles for lsprotocol's classes, as Python keeps that of modules.

lsprotocol defines 554 attrs classes, and attrs compiles source text for each of them at every start: 0.2 s,
the largest single part of what a first completion waits for. Python's own cache of bytecode does not see that
code. Here it is kept in a file of the user's cache folder, under the hash of its source: another version of
attrs, lsprotocol or Python finds nothing and compiles as ever.
"""

from __future__ import annotations

import contextlib
import hashlib
import marshal
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import CodeType

DIGEST_BYTES = 16


def cache_file() -> Path:
    """Where the code is kept: one file for each build of Python."""
    import platformdirs

    build = f"{sys.implementation.cache_tag}-{sys.hexversion:x}"
    return Path(platformdirs.user_cache_dir("qwen-ls", appauthor=False)) / f"attrs-{build}.code"


@contextlib.contextmanager
def compiled_once(path: Path) -> Iterator[None]:
    """Within it, attrs takes its code from the file, and what was not there is added. Never raises.

    It stands in for `compile` in attrs' own module, a private place: where attrs does not look there any
    more, nothing is gained and nothing is lost.
    """
    import attr._make as attrs

    known = read(path)
    used: dict[bytes, CodeType] = {}

    def lookup(source: Any, filename: str, mode: str, *rest: Any) -> Any:
        if not isinstance(source, str) or mode != "exec" or rest:
            return compile(source, filename, mode, *rest)
        digest = _digest(f"{filename}\0{source}".encode())
        code = known.get(digest) or compile(source, filename, mode)
        used[digest] = code
        return code

    attrs.compile = lookup  # type: ignore[attr-defined]
    try:
        yield
    finally:
        del attrs.compile  # type: ignore[attr-defined]
        if used.keys() - known.keys():
            write(path, used)


def read(path: Path) -> dict[bytes, CodeType]:
    """What the file has; nothing where it is missing, damaged, or not the user's own."""
    with contextlib.suppress(OSError, ValueError, EOFError, TypeError):
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            if os.name == "posix" and (status.st_uid != os.getuid() or status.st_mode & 0o022):
                return {}
            data = file.read()
        if _digest(data[DIGEST_BYTES:]) == data[:DIGEST_BYTES]:
            kept = marshal.loads(data[DIGEST_BYTES:])  # noqa: S302 - as safe as Python's own cache files
            return kept if isinstance(kept, dict) else {}
    return {}


def write(path: Path, codes: dict[bytes, CodeType]) -> None:
    """Put the code into the file, whole or not at all."""
    payload = marshal.dumps(codes)
    part = path.with_suffix(f".{os.getpid()}")
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(_digest(payload) + payload)
        part.replace(path)


def _digest(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=DIGEST_BYTES).digest()
