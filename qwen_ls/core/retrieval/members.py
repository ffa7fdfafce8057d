"""What a file declares, by name, and a short extract of one declaration that names its members. Pure."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from qwen_ls.core.retrieval.signatures import NO_BODY, declarations
from qwen_ls.core.retrieval.words import words

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

SIGNED = 6
"""So many members are shown with what they take, of the others only the names."""
NAMED = 48
LINE_NAMES = 8
PARAMETERS_CHARS = 80
"""What a function takes beyond that is left out."""
DEFAULT_CHARS = 24
"""A longer default is left out."""
_PYTHON_FUNCTION = re.compile(r"(\s*(?:async\s+)?def\s+\w+)\s*\(")


@dataclass(frozen=True, slots=True)
class Member:
    """Something that belongs to a declaration."""

    name: str
    text: str
    """Its head on one line, indented, without a line end; empty where only the name is known."""


@dataclass(frozen=True, slots=True)
class Declaration:
    """Something that a file declares at its top."""

    name: str
    head: str
    """On one line, without a line end."""
    members: tuple[Member, ...] = ()

    @property
    def made_from(self) -> list[str]:
        """The names of what a type inherits, and of what a function returns."""
        _, arrow, returned = self.head.partition("->")
        said = returned if arrow else self.head.partition(self.name)[2] if self.members else ""
        return re.findall(r"[A-Za-z_]\w*", said)


def declared(text: str, path: str) -> dict[str, Declaration]:
    """What a file declares, by name.

    Args:
        text: the file's.
        path: its path; the ending says the language.
    """
    found: dict[str, Declaration] = {}
    for head, *inside in declarations(text, path):
        if not head.name or head.name in found:
            continue
        members: dict[str, Member] = {}
        for one in inside:
            text = _short("".join(one.lines))
            if text.endswith(",") or (one.name.startswith("_") and one.name != "__init__"):
                continue  # a parameter of a very long head; nobody else's business
            if one.name:
                members.setdefault(one.name, Member(one.name, text))
        found[head.name] = Declaration(head.name, _one_line("".join(head.lines)), tuple(members.values()))
    return found


def extract(one: Declaration, near: Counter[str], inherited: Iterable[Member] = ()) -> str:
    """The declaration on a few lines, its likeliest members first, by the words near the cursor.

    Args:
        one: the declaration.
        near: how often each word stands near the cursor.
        inherited: what it has from others.
    """
    members = {member.name: member for member in (*inherited, *one.members)}
    often = Counter(word for member in members.values() for word in set(words(member.name)))
    ranked = sorted(members.values(), key=lambda member: -_likelihood(member, near, often))
    signed = [member for member in ranked if member.text][:SIGNED]
    named = [member.name for member in ranked if member not in signed and member.name != "__init__"][:NAMED]
    lines = [one.head, *(member.text for member in signed)]
    # On several lines: a budget cuts between them.
    lines += [f"    # {', '.join(named[n : n + LINE_NAMES])}" for n in range(0, len(named), LINE_NAMES)]
    return "".join(line + "\n" for line in lines)


def is_extract(text: str, one: Declaration) -> bool:
    """Whether a text that was once an extract of a declaration still says nothing else than it does."""
    lines = [line for line in text.splitlines() if not line.startswith("    # ")]
    known = {one.head, *(member.text for member in one.members)}
    return lines[:1] == [one.head] and set(lines) <= known


def _likelihood(member: Member, near: Mapping[str, int], often: Mapping[str, int]) -> float:
    """How much a member's name has in common with what stands near, by words that few members have."""
    return sum(min(near.get(word, 0), 3) / often[word] for word in set(words(member.name)))


def _one_line(head: str) -> str:
    text = re.sub(r"\s*\n\s*", " ", head.rstrip().removesuffix(NO_BODY).rstrip())
    return re.sub(r"([(\[]) | (?=[)\]])|,(?= ?[)\]])", lambda match: match[1] or "", text)


def _short(head: str) -> str:
    """A member's head: of Python's functions without types and long defaults."""
    line = _one_line(head)
    match = _PYTHON_FUNCTION.match(line)
    if match is None:
        return line
    parameters, depth, start = [], 0, match.end()
    for at in range(start, len(line)):
        depth += (line[at] in "([{") - (line[at] in ")]}")
        if (line[at] == "," and depth == 0) or depth < 0:
            parameters.append(_untyped(line[start:at].strip()))
            start = at + 1
        if depth < 0:
            break
    taken = [one for one in parameters if one not in {"", "self", "cls"}]
    few = [one for n, one in enumerate(taken) if len(", ".join(taken[: n + 1])) <= PARAMETERS_CHARS]
    return f"{match[1]}({', '.join(few)}{', ...' if len(few) < len(taken) else ''})"


def _untyped(parameter: str) -> str:
    """A parameter's name, and its default where that is short."""
    named, equals, default = parameter.partition("=")
    name = named.partition(":")[0].strip()
    if not equals:
        return name
    return f"{name}={default.strip() if len(default) <= DEFAULT_CHARS else '...'}"
