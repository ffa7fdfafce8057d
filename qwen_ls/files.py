"""Which files of the workspace may be shown to a model beside the one that is being written, and their text.

Only files below the workspace's folders, wherever links lead; none that the deny list, `exclude` or
`.gitignore` names; none that a program made. Blocks: it asks the disk.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from qwen_ls.core.redact import denied, path_of
from qwen_ls.core.retrieval.generated import HEADER_LINES, is_generated
from qwen_ls.core.text import lines_of
from qwen_ls.ignored import IgnoreRules

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qwen_ls.core.retrieval.imports import Import

MAX_BYTES = 256 * 1024
"""The largest file that is read."""
MOST_FILES = 256
"""How many texts are kept."""
SCHEMES = ("file", "vscode-notebook-cell")
"""Documents of other kinds are views of something: a file's older version, a setting, an untitled note."""
FOLDER_FILES = 3
"""Of a package that is a folder, so many files are read."""
_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)


def file_of(uri: str) -> Path | None:
    """The file that a document is, or is a cell of; None where it is none."""
    try:
        scheme = urlsplit(uri).scheme
    except ValueError:
        return None
    if scheme not in SCHEMES:
        return None
    path = path_of(uri)
    return Path(path.lstrip("/") if os.name == "nt" else path)


class WorkspaceFiles:
    """The files below some folders.

    Args:
        roots: the workspace's folders.
        exclude: the user's globs of files that are never sent.
    """

    def __init__(self, roots: Sequence[Path], exclude: tuple[str, ...] = ()) -> None:
        self.roots = [real for root in roots if (real := _real(root))]
        self._exclude = exclude
        self._rules = IgnoreRules()
        self._texts: dict[Path, tuple[tuple[int, int], str | None]] = {}

    def root_of(self, path: Path) -> Path | None:
        """The folder of the workspace that a file is below, wherever links lead."""
        real = _real(path)
        return next((root for root in self.roots if real and real.is_relative_to(root)), None)

    def name_of(self, path: Path, lines: Sequence[str] = ()) -> str | None:
        """The file's path in the workspace, with forward slashes; None where it may not be shown.

        Args:
            path: the file.
            lines: its beginning, as far as it is known.
        """
        real, root = _real(path), self.root_of(path)
        if real is None or root is None or real == root:
            return None
        if any(denied(one.as_uri(), self._exclude) for one in {real, path.absolute()}):
            return None
        name = real.relative_to(root).as_posix()
        if (
            not name.isprintable()
            or is_generated(name, lines[:HEADER_LINES])
            or self._rules.ignores(real, root)
        ):
            return None
        return name if len(self.roots) == 1 else f"{root.name}/{name}"

    def read(self, path: Path) -> str | None:
        """A file's text; None where it may not be shown, is too large, or is no text."""
        if self.name_of(path) is None or (real := _real(path)) is None:
            return None
        try:
            status = real.stat()
            stamp = status.st_mtime_ns, status.st_size
            if (known := self._texts.get(real)) and known[0] == stamp:
                return known[1]
            text = _read(real)
        except OSError:
            return None
        if text is not None and is_generated(real.name, lines_of(text[:20_000])):
            text = None
        if len(self._texts) >= MOST_FILES:
            self._texts.clear()
        self._texts[real] = stamp, text
        return text


def imported_files(one: Import, top: Path) -> list[Path]:
    """The first candidate of an import that is there: a file, or some files of a folder."""
    for candidate in one.candidates:
        path = top / candidate
        try:
            if candidate.endswith("/") and path.is_dir():
                inside = sorted(entry.name for entry in os.scandir(path) if entry.name.endswith(".go"))
                return [path / name for name in inside if not name.endswith("_test.go")][:FOLDER_FILES]
            if path.is_file():
                return [path]
        except (OSError, ValueError):
            continue
    return []


def _real(path: Path) -> Path | None:
    """The path without links, if it exists."""
    try:
        return path.resolve(strict=True)
    except (OSError, RuntimeError, ValueError):
        return None


def _read(path: Path) -> str | None:
    """The text of a plain file of a reasonable size."""
    descriptor = os.open(path, _FLAGS | getattr(os, "O_NOFOLLOW", 0))
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_size > MAX_BYTES:
            return None
        data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES or b"\0" in data:
        return None
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return None
