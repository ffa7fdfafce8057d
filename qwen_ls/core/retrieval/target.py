"""What the expression at the cursor is about: the object before its last dot, or the function called. Pure.

By the shape of the text, for most languages at once: what is guessed wrong costs a hint, no more.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice

from qwen_ls.core.retrieval.words import words

LOOKED_AT_CHARS = 8000
"""How much text before the cursor is searched for what a name stands for."""
CALL_CHARS = 600
"""How far above the cursor a call may have been opened."""
MOST_HINTS = 12
MOST_LINES = 12
"""So many of the last lines that have a name are searched for what it stands for."""
LINE_CHARS = 300
_OWN = frozenset({"self", "cls", "this", "super", "Self", "@"})
_NAME = re.compile(r"[A-Za-z_]\w*")
_CLASS = re.compile(
    r"^([ \t]*)(?:[\w ]*\s)?(?:class|struct|interface|trait|impl|object)\s+(\w+)(.*)", re.MULTILINE
)
_DOT = re.compile(r"(?:\?\.|\.|::|->)\s*$")


@dataclass(frozen=True, slots=True)
class Target:
    """What is being written on."""

    chain: tuple[str, ...]
    """The names up to the last dot, the outermost first: `self`, `console` of `self.console.pri`."""
    called: str = ""
    """What is being called, where the cursor stands among its arguments."""


def target_at(before: str) -> Target | None:
    """What the text before the cursor asks for; None where it ends in nothing of that kind.

    Args:
        before: the text before the cursor; a word that it ends in is still being typed.
    """
    bare = before[-LOOKED_AT_CHARS:]
    bare = bare[: len(bare) - len(re.search(r"\w*$", bare)[0])]  # type: ignore[index]
    if chain := _chain(bare):
        return Target(chain)
    if (opened := _open_call(bare)) is None:
        return None
    *chain_, called = (*(_chain(bare[: opened - len(_last_name(bare[:opened]))])), _last_name(bare[:opened]))
    return Target(tuple(chain_), called) if called else None


def _chain(text: str) -> tuple[str, ...]:
    """The names of `a.b(c).d.` at the text's end, which is a dot; empty where it is none."""
    names: list[str] = []
    while dot := _DOT.search(text[-8:]):
        text = text[: len(text) - len(dot[0])].rstrip()
        while text.endswith((")", "]")):
            text = text[: _opener(text)]
        name = _last_name(text)
        if not name:
            break
        names.append(name)
        text = text[: len(text) - len(name)]
    return tuple(reversed(names))


def _last_name(text: str) -> str:
    found = re.search(r"[A-Za-z_]\w*$", text)
    return found[0] if found else ""


def _opener(text: str) -> int:
    """Where the bracket is opened that the text ends with."""
    depth = 0
    for at in range(len(text) - 1, max(-1, len(text) - CALL_CHARS), -1):
        depth += (text[at] in ")]}") - (text[at] in "([{")
        if depth == 0:
            return at
    return 0


def _open_call(text: str) -> int | None:
    """Where the innermost bracket stands that the text has not closed; None where it calls nothing."""
    depth = 0
    for at in range(len(text) - 1, max(-1, len(text) - CALL_CHARS), -1):
        depth += (text[at] in ")]}") - (text[at] in "([{")
        if depth < 0:
            return at if text[at] == "(" and _last_name(text[:at]) else None
    return None


def hints(target: Target, before: str) -> list[str]:
    """Names that may say what the target is: of its type, of the function that made it; the likeliest first.

    Args:
        target: found in this text.
        before: the text before the cursor.
    """
    before = before[-LOOKED_AT_CHARS:]
    if target.chain and target.chain[-1] in _OWN:
        return bases(before)
    found = [target.called] if target.called and not target.chain else [target.chain[-1]]
    for hint in found:  # grows: what a name is bound to may itself be bound
        if len(found) >= MOST_HINTS:
            break
        found += [other for other in bound_to(hint, before) if other not in found]
    if target.called and target.called not in found:
        found.append(target.called)
    return found[:MOST_HINTS]


def bases(before: str) -> list[str]:
    """What the class that the cursor stands in is made from."""
    line = before[before.rfind("\n") + 1 :]
    indent = len(line) - len(line.lstrip())
    for match in reversed(list(_CLASS.finditer(before))):
        if len(match[1]) < indent:
            return [name for name in _NAME.findall(match[3]) if name not in _OWN][:MOST_HINTS]
    return []


def bound_to(name: str, before: str) -> list[str]:
    """The names in what a name was last declared as or bound to, in their order."""
    patterns = _binding(name)
    lines = (line for line in reversed(before.splitlines()) if name in line)
    for line in islice(lines, MOST_LINES):
        found = [match for pattern in patterns for match in pattern.finditer(line[:LINE_CHARS])]
        latest = sorted(found, key=lambda match: -match.start())
        names = [one for match in latest for one in reversed(_NAME.findall(match[1]))]
        if kept := [one for one in dict.fromkeys(names) if one not in _OWN and one != name]:
            return kept[:MOST_HINTS]
    return []


@lru_cache(maxsize=256)
def _binding(name: str) -> tuple[re.Pattern[str], ...]:
    """How a line may say what a name stands for; the first group has it."""
    word = re.escape(name)
    return tuple(
        re.compile(pattern)
        for pattern in (
            rf"\b{word}\s*:\s*([\"']?[A-Za-z_][^=,)]*)",
            rf"\b{word}\s*:?=(?!=)\s*(?:await\s+|new\s+|&)?([A-Za-z_][\w.:]*)",
            rf"\b([\w.]+)(?:\(.*?\))?\s+as\s+{word}\b",
            rf"\b([A-Z]\w*)(?:<[^>]*>)?[\s*&]+{word}\b",
            rf"\b{word}\s+\*?([A-Z]\w*)",
        )
    )


def is_like(hint: str, declared: str) -> int:
    """How surely a declaration is what a hint names: 3 the same, 2 but for case and `_`, 1 its last word."""
    if hint == declared:
        return 3
    ours, theirs = hint.replace("_", "").lower(), declared.replace("_", "").lower()
    if ours == theirs:
        return 2
    is_type = declared.lstrip("_")[:1].isupper()
    return int(is_type and bool(last := _last_word(hint)) and last == _last_word(declared))


@lru_cache(maxsize=4096)
def _last_word(name: str) -> str:
    return (words(name) or [""])[-1]
