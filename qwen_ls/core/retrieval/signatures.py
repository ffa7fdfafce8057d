"""What a file offers to those who import it: its declarations, without their bodies. Pure.

By the shape of lines and their indentation, not by a parser: what is missed costs a hint, no more.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from qwen_ls.core.text import indent_of, lines_of, width_of

MOST_LINES = 40
"""The longest extract."""
NO_BODY = " ..."
"""Stands for a body that is left out."""
BODY_LINES = 16
"""Of a type whose body says what it is (a struct, an interface), so many lines are kept."""
HEAD_LINES = 20
"""The longest head of one declaration: a parameter a line."""


@dataclass(frozen=True, slots=True)
class _Shape:
    """How a family of languages declares things."""

    head: re.Pattern[str]
    """A line that declares something; its group `name` has the name."""
    data: re.Pattern[str]
    """A declaration whose body is what it declares."""
    opens: str
    """What a head ends with where a body follows."""
    hidden: re.Pattern[str]
    """A declaration that is nobody else's business."""


_NONE = re.compile(r"(?!)")
_PYTHON = _Shape(
    re.compile(
        r"\s*(?:(?:async\s+)?def|class)\s+(?P<name>\w+)|(?P<constant>[A-Za-z]\w*)\s*(?::[^=]+)?=(?!=)"
        r"|\s+(?P<member>[A-Z][A-Z0-9_]*)\s*=(?!=)"
        r"|\s+(?P<field>[a-z]\w*)\s*:\s*[\w\[\]., |\"]+(?:=.*)?$"
    ),
    _NONE,
    ":",
    re.compile(r"\s*(?:async\s+)?(?:def|class)\s+_(?!_init__)"),
)
_ATTRIBUTE = re.compile(r"\s+self\.([a-z]\w*)\s*(?::[^=]+)?=(?!=)")
_SCRIPT = _Shape(
    re.compile(
        r"\s*(?:export\s+)?(?:default\s+)?(?:declare\s+)?(?:abstract\s+)?(?:async\s+)?"
        r"(?:(?:function\*?|class|interface|enum|namespace|type|const|let|var)\s+(?P<name>\w+)"
        r"|(?:(?:public|protected|static|readonly|get|set)\s+)*(?P<method>(?!if\b|for\b|while\b|switch\b|catch\b|return\b)\w+)"
        r"\s*(?:<[^>]*>)?\([^;]*\{\s*$)"
    ),
    re.compile(r"\s*(?:export\s+)?(?:default\s+)?(?:declare\s+)?(?:(?:const\s+)?enum|interface|type)\b"),
    "{",
    re.compile(r"\s*(?:private\b|#)"),
)
_GO = _Shape(
    re.compile(r"(?:func\s+(?:\([^)]*\)\s*)?(?P<name>\w+)|(?:type|const|var)\s+(?P<type>\w+))"),
    re.compile(r"(?:type|const|var)\b"),
    "{",
    re.compile(r"(?:func\s+(?:\([^)]*\)\s*)?|type\s+|const\s+|var\s+)[a-z_]"),
)
_RUST = _Shape(
    re.compile(
        r"\s*(?:pub(?:\([^)]*\))?\s+)(?:async\s+|unsafe\s+|const\s+)*"
        r"(?:fn|struct|enum|trait|type|static|const)\s+(?P<name>\w+)|impl\b[^{]*?(?P<type>\w+)[^{\w]*\{"
    ),
    re.compile(r"\s*pub(?:\([^)]*\))?\s+(?:struct|enum|trait|type)\b"),
    "{",
    re.compile(r"(?!)"),
)
_C = _Shape(
    re.compile(
        r"(?:typedef\b.*|(?:struct|enum|union|class|namespace)\s+(?P<name>\w+)|#\s*define\s+(?P<macro>\w+)"
        r"|(?!return\b|else\b|using\b|if\b)[A-Za-z_][\w\s*&:<>,~]*?\b(?P<function>\w+)\s*\([^;{]*\)?[^;{]*[;{,]?\s*$)"
    ),
    re.compile(r"(?:typedef\s+)?(?:struct|enum|union|class)\b"),
    "{",
    re.compile(r"static\b(?!\s+inline)"),
)
_JAVA = _Shape(
    re.compile(
        r"\s*(?:(?:public|protected|static|abstract|final|open|data|sealed|override|default|suspend)\s+)+"
        r"[\w<>\[\], ?.]*?(?P<name>\w+)\s*(?:\(|\{|extends|implements|:|=)"
        r"|\s*(?:fun|class|interface|object)\s+(?P<kotlin>\w+)"
    ),
    re.compile(r"[\w\s]*\b(?:interface|enum|record|data\s+class)\b"),
    "{",
    re.compile(r"\s*private\b"),
)
_SHAPES = {
    "py": _PYTHON, "pyi": _PYTHON, "go": _GO, "rs": _RUST, "java": _JAVA, "kt": _JAVA,
    **dict.fromkeys(("ts", "tsx", "js", "jsx", "mjs", "cjs", "mts", "cts", "vue", "svelte"), _SCRIPT),
    **dict.fromkeys(("h", "hh", "hpp", "hxx", "c", "cc", "cpp", "cu", "cuh", "m", "mm"), _C),
}  # fmt: skip


def signatures(text: str, path: str, names: frozenset[str] = frozenset()) -> str:
    """The declarations of a file that others can use, at most `MOST_LINES` lines; empty where none is known.

    Args:
        text: the file's.
        path: its path; the ending says the language.
        names: what is imported; other declarations are left out, unless none of these is found.
    """
    shape = _SHAPES.get(path.rpartition(".")[2].lower())
    if shape is None:
        return ""
    lines = lines_of(text)
    blocks = _blocks(_without_docstrings(lines) if shape is _PYTHON else lines, shape)
    shown = [block for block in blocks if block[0].name in names] or blocks
    return "".join([line for block in shown for head in block for line in head.lines][:MOST_LINES])


@dataclass(frozen=True, slots=True)
class Head:
    """How a declaration begins."""

    name: str
    lines: tuple[str, ...]
    """With their ends; none where it is an attribute that a method sets."""


def declarations(text: str, path: str) -> list[list[Head]]:
    """Each declaration at a file's top, followed by those inside of it; none where the language is not known.

    Args:
        text: the file's.
        path: its path; the ending says the language.
    """
    shape = _SHAPES.get(path.rpartition(".")[2].lower())
    if shape is None:
        return []
    lines = lines_of(text)
    return _blocks(_without_docstrings(lines) if shape is _PYTHON else lines, shape)


def _without_docstrings(lines: list[str]) -> list[str]:
    """Python without the strings that stand alone: their text looks like declarations now and then."""
    kept, quote = [], ""
    for line in lines:
        if quote:
            quote = "" if quote in line else quote
            continue
        match = re.match(r"\s*[rRuU]?(\"{3}|'{3})", line)
        if match is None:
            kept.append(line)
        elif match[1] not in line[match.end() :]:
            quote = match[1]
    return kept


def _blocks(lines: list[str], shape: _Shape) -> list[list[Head]]:
    """Each declaration at the top, followed by those inside of it."""
    blocks: list[list[Head]] = []
    number = 0
    body_of = -1  # the indentation of a declaration that is not shown, or whose body is not
    while number < len(lines):
        line = lines[number]
        width = width_of(indent_of(line))
        if body_of >= 0 and line.strip() and width <= body_of:
            body_of = -1
        match = shape.head.match(line) if body_of < 0 and line.strip() else None
        if match is None:
            if blocks and body_of > 0 and shape is _PYTHON and (attribute := _ATTRIBUTE.match(line)):
                blocks[-1].append(Head(attribute[1], ()))
            number += 1
            continue
        head = _head(lines, number, shape)
        number += len(head)
        opens = head[-1].split("#" if shape is _PYTHON else "//")[0].rstrip().endswith(shape.opens)
        if shape.hidden.match(line):
            body_of = width if opens else -1
            continue
        name = next((group for group in match.groups() if group), "")
        if opens and shape.data.match(line):
            body = _body(lines, number, width)
            head += body
            number += len(body)
        elif opens and not re.match(r"\s*(?:\w+\s+)*(?:class|impl|object|namespace)\b", line):
            head[-1] = _closed(head[-1])
            body_of = width
        if width == 0 or not blocks:
            blocks.append([])
        blocks[-1].append(Head(name, tuple(head)))
    return blocks


def _head(lines: list[str], start: int, shape: _Shape) -> list[str]:
    """The lines of a declaration up to where its body begins: parameters may stand on lines of their own."""
    depth = 0
    for number in range(start, min(start + HEAD_LINES, len(lines))):
        depth += sum((char in "([") - (char in ")]") for char in lines[number])
        if depth <= 0:
            return lines[start : number + 1]
    return lines[start : start + HEAD_LINES]


def _body(lines: list[str], start: int, width: int) -> list[str]:
    """The lines that stand deeper, and the closer."""
    for number in range(start, min(start + BODY_LINES, len(lines))):
        if lines[number].strip() and width_of(indent_of(lines[number])) <= width:
            return lines[start : number + 1]
    return lines[start : start + BODY_LINES]


def _closed(line: str) -> str:
    """A head with its body left out."""
    bare = line.rstrip("\r\n")
    return bare + NO_BODY + line[len(bare) :]
