"""Lines, line ends, indentation and brackets of plain text. Pure.

Only LF, CRLF and CR end a line (LSP 3.17, "Text Documents"): `str.splitlines` knows more and is not used.
"""

from __future__ import annotations

import re

_EOL = re.compile(r"\r\n|\n|\r")
_LINE = re.compile(r"[^\r\n]*(?:\r\n|\n|\r)|[^\r\n]+")

_TOKEN = re.compile(r"""(\\.|(?<=\w\w)'(?=\w))|[\r\n()\[\]{}"'`]""", re.DOTALL)
"""What the bracket scanner looks at. The group is what means nothing: escapes, the apostrophe in a word."""

OPENERS = "([{"
CLOSERS = ")]}"
PAIRS = {")": "(", "]": "[", "}": "{"}
QUOTES = "\"'`"


def lines_of(text: str) -> list[str]:
    """The text's lines, each with its line end; no empty line after a final line end."""
    return _LINE.findall(text)


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


def unmatched_closers(text: str, *, inside: str = "") -> list[tuple[str, int]]:
    """The closing brackets and quotes of `text` whose openers stand before it, with their offsets.

    Args:
        text: what is scanned.
        inside: the quote that is open where the text begins, if one is.
    """
    return _scan(text, inside)[0]


def open_quote(line: str) -> str:
    """The quote that is open at the end of a line that begins outside of any; empty where none is."""
    return _scan(line, "")[1]


def has_open_bracket(text: str) -> bool:
    """Whether a bracket that the text opens is still open at its end."""
    return bool(_scan(text, "")[2])


def _scan(text: str, inside: str) -> tuple[list[tuple[str, int]], str, list[str]]:
    """Unmatched closers, and the quote and the brackets that are open at the end, for any language.

    Quotes toggle, a backslash escapes, a string ends with its line unless it stands in backticks.
    """
    found: list[tuple[str, int]] = []
    stack: list[str] = []
    quote, outer = inside, bool(inside)
    for match in _TOKEN.finditer(text):
        char = match.group()
        if match.group(1):
            continue
        if quote:
            if char == quote and outer:
                found.append((char, match.start()))
            if char == quote or (char in "\r\n" and quote != "`"):
                quote, outer = "", False
        elif char in QUOTES:
            quote = char
        elif char in OPENERS:
            stack.append(char)
        elif char in CLOSERS and stack and stack[-1] == PAIRS[char]:
            stack.pop()
        elif char in CLOSERS and not stack:
            found.append((char, match.start()))
    return found, quote, stack


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
