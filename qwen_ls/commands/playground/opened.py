"""What the playground opens: the bundled sample, or a file of the user's."""

from __future__ import annotations

import codecs
from dataclasses import dataclass
from pathlib import Path

from qwen_ls.commands import CommandError, documents

CURSOR = "<|>"
"""Marks the places in the sample where something is missing."""
SAMPLE_NAME = "sample.py"


@dataclass(frozen=True, slots=True)
class Opened:
    """What the playground shows."""

    text: str
    """With LF as the only line end."""
    cursors: tuple[int, ...]
    """Where to ask, in `text`; the first one is where the playground opens."""
    name: str
    uri: str
    language_id: str
    path: Path | None = None
    """Where Ctrl-S saves; None for the sample."""
    eol: str = "\n"
    bom: bool = False
    notice: str = ""


def open_sample() -> Opened:
    """The bundled sample, with the places where something is missing."""
    marked = (Path(__file__).parent / "sample.py.txt").read_text("utf-8")
    pieces = marked.split(CURSOR)
    cursors = tuple(sum(map(len, pieces[:count])) for count in range(1, len(pieces)))
    return Opened("".join(pieces), cursors, SAMPLE_NAME, f"untitled:{SAMPLE_NAME}", "python")


def open_file(name: str) -> Opened:
    """A file of the user's; one that is not there yet is empty. The cursor is at its end.

    Raises:
        CommandError: it is no text, or cannot be read.
    """
    path = Path(name)
    data = b""
    if path.exists():
        data = documents.read_bytes(name)
    elif not path.absolute().parent.is_dir():
        raise CommandError(f"there is no folder {path.parent}")
    raw = documents.decode(data, name)
    text = raw.replace("\r\n", "\n").replace("\r", "\n")
    return Opened(
        text=text,
        cursors=(len(text.rstrip("\n")),) if text.strip() else (len(text),),
        name=path.name,
        uri=documents.uri(name),
        language_id=documents.language_of(name),
        path=path.absolute(),
        eol="\r\n" if "\r\n" in raw else "\n",
        bom=data.startswith(codecs.BOM_UTF8),
    )
