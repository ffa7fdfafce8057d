"""Lines and columns as LSP counts them. Pure: strings and numbers only.

Only LF, CRLF and CR end a line. A column is counted in the client's units: bytes (utf-8), 16-bit units
(utf-16) or characters (utf-32). Counting goes through slices and the C codecs, never character by character,
so that a line of megabytes costs a copy or two.
"""

from __future__ import annotations

import re

UTF8, UTF16, UTF32 = "utf-8", "utf-16", "utf-32"

_EXOTIC = "\v\f\x1c\x1d\x1e\x85\u2028\u2029"
"""What `str.splitlines` takes for a line end, and LSP does not."""
_LINE = re.compile(r"[^\r\n]*(?:\r\n?|\n)|[^\r\n]+")
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


def split_lines(text: str) -> list[str]:
    """Lines with their ends; the last one has none, and is empty where the text ends with a line end."""
    if any(mark in text for mark in _EXOTIC):
        lines: list[str] = _LINE.findall(text)
    else:
        lines = text.splitlines(keepends=True)
    if not lines or lines[-1].endswith(("\n", "\r")):
        lines.append("")
    return lines


def content_length(line: str) -> int:
    """Characters of a line without its end."""
    if line.endswith("\r\n"):
        return len(line) - 2
    return len(line) - line.endswith(("\n", "\r"))


def locate(line: str, column: int, encoding: str, *, start: tuple[int, int] = (0, 0)) -> tuple[int, int]:
    """The character at a client's column, as `(characters, units)` from the line's beginning.

    A column past the line's content means its end; one inside a character means that character's beginning;
    a negative one means the line's beginning. `units` is the column that was meant.

    Args:
        line: the line, with its end.
        column: in the client's units.
        encoding: what the client counts in.
        start: a place at or before the column whose two counts are known.
    """
    passed, passed_units = start
    column -= passed_units
    # A character has at least one unit, so this many characters hold the place looked for.
    head = line[passed : max(passed, min(passed + column, content_length(line)))]
    if encoding == UTF32 or head.isascii():
        characters = units = len(head)
    elif encoding == UTF8:
        characters, units = _locate_utf8(head, column)
    else:
        characters, units = _locate_utf16(head, column)
    return passed + characters, passed_units + units


def _locate_utf8(head: str, column: int) -> tuple[int, int]:
    raw = head.encode("utf-8", "surrogatepass")
    while column < len(raw) and 0x80 <= raw[column] < 0xC0:
        column -= 1
    raw = raw[:column]
    return len(raw.decode("utf-8", "surrogatepass")), len(raw)


def _locate_utf16(head: str, column: int) -> tuple[int, int]:
    raw = head.encode("utf-16-le", "surrogatepass")
    if len(raw) == 2 * len(head):
        return len(head), len(head)
    end = 2 * column
    if end < len(raw) and raw[end - 1] >> 2 == 0x36 and raw[end + 1] >> 2 == 0x37:
        end -= 2
    raw = raw[:end]
    return len(raw.decode("utf-16-le", "surrogatepass")), len(raw) // 2


def units(text: str, encoding: str) -> int:
    """How many of the client's units a piece of one line has."""
    if encoding == UTF32 or text.isascii():
        return len(text)
    if encoding == UTF8:
        return len(text.encode("utf-8", "surrogatepass"))
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def join(*parts: str) -> str:
    """Concatenate; halves of a surrogate pair that meet at a seam become the character they stand for.

    A client that edits in 16-bit units may send the two halves in two changes.
    """
    whole = ""
    for part in parts:
        if whole and part and "\ud800" <= whole[-1] <= "\udbff" and "\udc00" <= part[0] <= "\udfff":
            pair = (whole[-1] + part[0]).encode("utf-16-le", "surrogatepass").decode("utf-16-le")
            whole = whole[:-1] + pair + part[1:]
        else:
            whole += part
    return whole


def without_lone_surrogates(text: str) -> str:
    """The same text, fit to be encoded: each half of a pair that stands alone becomes U+FFFD.

    Both have the same length in every encoding, so that columns stay what they were.
    """
    if text.isascii():
        return text
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return _LONE_SURROGATE.sub("\ufffd", text)
    return text
