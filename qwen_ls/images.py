"""Images for models that see: from an address in a document to what a request can carry.

A file is sent only from the document's own folder tree or the workspace's, wherever links lead, and only when
its bytes are those of an image; nothing that the deny list names is opened. Blocks: it reads files.
"""

from __future__ import annotations

import base64
import os
import re
import stat
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from qwen_ls.core.redact import denied, path_of

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_BYTES = 5 << 20
"""The largest file that is sent."""
MAX_URL_CHARS = 2048
_ENDINGS = ("", ".png", ".jpg", ".jpeg")
"""LaTeX documents name images without their ending."""
_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)


def load_image(
    address: str, document_uri: str, roots: tuple[Path, ...] = (), exclude: tuple[str, ...] = ()
) -> str | None:
    """What a request carries for an image: its https URL, or a data URL of the file; None where it may not.

    Args:
        address: as the document has it.
        document_uri: where the document is; addresses are relative to it.
        roots: the workspace's folders.
        exclude: the user's globs of files that are never sent.
    """
    try:
        parts = urlsplit(address)
    except ValueError:
        return None
    if parts.scheme == "https":
        is_plain = bool(parts.hostname) and "@" not in parts.netloc and address.isprintable()
        return address if is_plain and " " not in address and len(address) <= MAX_URL_CHARS else None
    if len(parts.scheme) > 1 and parts.scheme != "file":
        return None
    if address.startswith(("//", "\\\\", "/\\", "\\/")) or parts.netloc not in {"", "localhost"}:
        return None  # another machine's share: looking at it would sign on there
    folder = _folder_of(document_uri)
    allowed = tuple(root for root in map(_real, (*roots, *([folder] if folder else []))) if root)
    name = path_of(address) if parts.scheme == "file" else address
    for path in _candidates(name, folder, roots):
        if (real := _real(path)) and any(real.is_relative_to(root) for root in allowed):
            if any(denied(one.as_uri(), exclude) for one in (path, real)):
                return None
            if data := _read(real):
                return data
    return None


def _folder_of(uri: str) -> Path | None:
    if not uri.startswith(("file:", "vscode-notebook-cell:")):
        return None
    path = path_of(uri)
    return Path(path.lstrip("/") if os.name == "nt" else path).parent


def _candidates(name: str, folder: Path | None, roots: tuple[Path, ...]) -> Iterator[Path]:
    """Where an address may point to: beside the document, or at the top of the workspace.

    `a.png?raw=true#left` is `a.png`, unless there is a file of the whole name.
    """
    plain = re.split(r"[?#]", name, maxsplit=1)[0] or name
    for text in dict.fromkeys((name, unquote(name), plain, unquote(plain))):
        for ending in _ENDINGS:
            if folder is not None:
                yield folder / (text + ending)
            for root in roots:
                yield root / (text.lstrip("/\\") + ending)


def _real(path: Path) -> Path | None:
    """The path without links, if it exists."""
    try:
        return path.resolve(strict=True)
    except (OSError, RuntimeError, ValueError):
        return None


def _read(path: Path) -> str | None:
    """A file's data URL; None when it is no image, too large, or no plain file."""
    try:
        descriptor = os.open(path, _FLAGS | getattr(os, "O_NOFOLLOW", 0))
        with os.fdopen(descriptor, "rb") as file:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode) or status.st_size > MAX_BYTES:
                return None
            data = file.read(MAX_BYTES + 1)
    except OSError:
        return None
    kind = image_type(data)
    if kind is None or len(data) > MAX_BYTES:
        return None
    return f"data:{kind};base64,{base64.b64encode(data).decode('ascii')}"


def image_type(data: bytes) -> str | None:
    """The media type that the first bytes say; None when they are no image's that models read."""
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if data.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if data.startswith((b"GIF87a", b"GIF89a")):
        return "image/gif"
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return "image/webp"
    return None
