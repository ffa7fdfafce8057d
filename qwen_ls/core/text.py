"""Lines, line ends and indentation of plain text. Pure.

Only LF, CRLF and CR end a line (LSP 3.17, "Text Documents"): `str.splitlines` knows more and is not used.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_EOL = re.compile(r"\r\n|\n|\r")
_LINE = re.compile(r"[^\r\n]*(?:\r\n|\n|\r)|[^\r\n]+")

OPENERS, CLOSERS, QUOTES = "([{", ")]}", "\"'`"


def lines_of(text: str) -> list[str]:
    """The text's lines, each with its line end; no empty line after a final line end."""
    return _LINE.findall(text)


def n_lines(text: str) -> int:
    """How many lines `lines_of` has, counted without cutting them out."""
    ends = text.count("\n") + text.count("\r") - text.count("\r\n")
    return ends + (not text.endswith(("\n", "\r")) if text else 0)


def each_line(text: str) -> Iterator[str]:
    """The text's lines, one after the other: for who needs the first few of a long text."""
    return (match.group() for match in _LINE.finditer(text))


def first_filled(lines: Iterable[str]) -> str:
    """The first line that is not blank; empty if there is none."""
    return next((line for line in lines if line.strip()), "")


def detect_eol(text: str) -> str:
    r"""The first line end in the text; "\n" where there is none."""
    match = _EOL.search(text)
    return match.group() if match else "\n"


def with_eol(text: str, eol: str) -> str:
    """The text with every line end turned into `eol`."""
    if eol == "\n" and "\r" not in text:
        return text
    return _EOL.sub(eol, text)


def current_line_before(prefix: str) -> str:
    """What stands left of the end of `prefix` on its last line."""
    return prefix[max(prefix.rfind("\n"), prefix.rfind("\r")) + 1 :]


def current_line_after(suffix: str) -> str:
    """What stands on the first line of `suffix`, without its line end."""
    match = _EOL.search(suffix)
    return suffix[: match.start()] if match else suffix


def indent_of(line: str) -> str:
    """The line's leading blanks and tabs."""
    return line[: len(line) - len(line.lstrip(" \t"))]


def width_of(indent: str, tab_size: int = 4) -> int:
    """The columns that an indentation fills; a tab goes on to the next multiple of `tab_size`."""
    columns = 0
    for char in indent:
        columns += tab_size - columns % tab_size if char == "\t" else 1
    return columns


def common_length(one: str, other: str, limit: int | None = None) -> int:
    """How many characters two texts begin with in common, by halving: no loop over characters.

    Args:
        one: a text.
        other: another one.
        limit: how many are looked at; by default, as many as the shorter text has.
    """
    low, high = 0, min(len(one), len(other)) if limit is None else limit
    while low < high:
        middle = (low + high + 1) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low
