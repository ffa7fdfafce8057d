"""Files as documents: read with care, named as LSP names them, places in them as people count."""

from __future__ import annotations

import codecs
import re
import sys
from dataclasses import dataclass
from pathlib import Path

from qwen_ls.commands import STDIN, CommandError

MAX_BYTES = 64 * 1024 * 1024
"""No source file is larger; reading one that is helps nobody."""

_PLACE = re.compile(r"(?P<path>.+):(?P<line>\d+):(?P<column>\d+)", re.DOTALL)
_LINE_END = re.compile(r"\r\n|\r|\n")

_LANGUAGES = {
    "python": "py pyi pyw",
    "javascript": "js mjs cjs",
    "javascriptreact": "jsx",
    "typescript": "ts mts cts",
    "typescriptreact": "tsx",
    "c": "c h",
    "cpp": "cc cpp cxx hpp hh hxx",
    "csharp": "cs",
    "css": "css",
    "dart": "dart",
    "elixir": "ex exs",
    "erlang": "erl hrl",
    "go": "go",
    "haskell": "hs",
    "html": "html htm",
    "java": "java",
    "json": "json",
    "julia": "jl",
    "kotlin": "kt kts",
    "latex": "tex",
    "lua": "lua",
    "markdown": "md markdown",
    "objective-c": "m",
    "perl": "pl pm",
    "php": "php",
    "powershell": "ps1",
    "r": "r",
    "ruby": "rb",
    "rust": "rs",
    "scala": "scala",
    "scss": "scss",
    "shellscript": "sh bash zsh",
    "sql": "sql",
    "svelte": "svelte",
    "swift": "swift",
    "toml": "toml",
    "vue": "vue",
    "xml": "xml",
    "yaml": "yml yaml",
    "zig": "zig",
}
"""Language ids of LSP by the ends of file names."""
_BY_SUFFIX = {suffix: language for language, suffixes in _LANGUAGES.items() for suffix in suffixes.split()}
_BY_NAME = {"makefile": "makefile", "dockerfile": "dockerfile", "cmakelists.txt": "cmake"}


@dataclass(frozen=True, slots=True)
class Place:
    """A cursor in a file. Line and column count from 1; the column counts characters."""

    path: str
    line: int
    column: int

    @classmethod
    def read(cls, word: str) -> Place:
        """Read `FILE:LINE:COL`. The file's own name may hold colons.

        Raises:
            CommandError: it is none.
        """
        found = _PLACE.fullmatch(word)
        if found is None:
            raise CommandError(f"{word!r} is no place in a file; write FILE:LINE:COL, as in app.py:12:5")
        place = cls(found["path"], int(found["line"]), int(found["column"]))
        if place.line < 1 or place.column < 1:
            raise CommandError(f"line and column count from 1, and this is {place.line}:{place.column}")
        return place

    def offset(self, text: str) -> int:
        """The place as an offset into the file's text.

        Raises:
            CommandError: the text has no such line, or the line no such column.
        """
        start = 0
        ends = _LINE_END.finditer(text)
        for number in range(1, self.line):
            end = next(ends, None)
            if end is None:
                raise CommandError(
                    f"{shown(self.path)} has {_count(number, 'line')}, and line {self.line} was asked for"
                )
            start = end.end()
        last = next(ends, None)
        length = (last.start() if last else len(text)) - start
        if self.column > length + 1:
            raise CommandError(
                f"line {self.line} of {shown(self.path)} has {_count(length, 'character')}: "
                f"the last column is {length + 1}, and column {self.column} was asked for"
            )
        return start + self.column - 1


def read(path: str) -> str:
    """Read a file, or stdin, as an editor would: UTF-8, without the byte order mark, line ends as they are.

    Raises:
        CommandError: there is no text to be had.
    """
    return decode(read_bytes(path), path)


def read_bytes(path: str) -> bytes:
    """Read a file, or stdin, as it is.

    Raises:
        CommandError: it cannot be read.
    """
    try:
        if path == STDIN:
            data = sys.stdin.buffer.read(MAX_BYTES + 1)
        else:
            with Path(path).open("rb") as file:
                data = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise CommandError(f"there is no file {path}") from None
    except IsADirectoryError:
        raise CommandError(f"{path} is a folder; name a file in it") from None
    except OSError as error:
        if Path(path).is_dir():  # how Windows says it
            raise CommandError(f"{path} is a folder; name a file in it") from None
        raise CommandError(f"cannot read {path}: {error.strerror or error}") from error
    if len(data) > MAX_BYTES:
        raise CommandError(f"{shown(path)} is larger than {MAX_BYTES // 1024**2} MiB")
    return data


def decode(data: bytes, path: str) -> str:
    """Read a file's bytes as text.

    Raises:
        CommandError: they are no UTF-8 text.
    """
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise CommandError(f"{shown(path)} is UTF-16; save it as UTF-8")
    if b"\0" in data:
        raise CommandError(f"{shown(path)} is no text: it holds zero bytes")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise CommandError(f"{shown(path)} is not UTF-8 (line {line}); save it as UTF-8") from error


def uri(path: str) -> str:
    """The document's URI; stdin is an untitled document."""
    return "untitled:stdin" if path == STDIN else Path(path).resolve().as_uri()


def language_of(path: str) -> str:
    """The language id by the file's name; `plaintext` where it says nothing."""
    name = Path(path).name.lower()
    return _BY_NAME.get(name) or _BY_SUFFIX.get(name.rpartition(".")[2] if "." in name else "", "plaintext")


def shown(path: str) -> str:
    """A path as messages have it."""
    return "stdin" if path == STDIN else path


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
