"""Files that no one wrote: they are no example for anything, and are never shown. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_FOLDERS = frozenset(
    {
        "node_modules", "bower_components", "site-packages", "dist-packages", "__pycache__", "__generated__",
        "generated", ".git", ".hg", ".svn", ".venv", "venv", ".tox", ".nox", ".mypy_cache", ".ruff_cache",
        ".pytest_cache", ".next", ".nuxt", ".gradle", ".terraform", ".cache", "dist", "target", "vendor",
    }
)  # fmt: skip
_NAMES = re.compile(
    r".*\.min\.\w+|.*[.-]bundle\.\w+|.*\.map|.*_pb2(?:_grpc)?\.pyi?|.*\.pb\.(?:go|cc|h|c)|.*_pb\.(?:js|d\.ts)"
    r"|.*\.g\.\w+|.*\.(?:generated|gen|designer)\.\w+|.*_generated\.\w+|zz_generated.*|.*\.lock"
    r"|(?:package-lock|npm-shrinkwrap)\.json|pnpm-lock\.yaml|go\.sum|.*\.snap|.*\.svg",
    re.IGNORECASE,
)
_SAYS_SO = re.compile(
    r"@generated\b|\b(?:auto(?:matically)?[- ]?|code )generated\b|\bfile (?:is|was) generated\b"
    r"|^\W*generated (?:by|from|with)\b"
    r"|\bdo not (?:edit|modify)\b",
    re.IGNORECASE,
)
HEADER_LINES = 10
"""Where a file says that it is generated."""
MEAN_LINE_CHARS = 300
"""Longer lines than this on average are no one's handwriting."""


def is_generated(path: str, lines: Sequence[str]) -> bool:
    """Whether a file was made by a program.

    Args:
        path: relative to the workspace, with forward slashes.
        lines: its beginning, or all of it.
    """
    *folders, name = path.split("/")
    if any(folder.lower() in _FOLDERS for folder in folders) or _NAMES.fullmatch(name):
        return True
    if any(_SAYS_SO.search(line[:MEAN_LINE_CHARS]) for line in lines[:HEADER_LINES]):
        return True
    return bool(lines) and sum(map(len, lines[:200])) > MEAN_LINE_CHARS * len(lines[:200])
