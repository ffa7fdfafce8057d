"""What is typed: a stretch of a real file, with the rest of the file around it."""

from __future__ import annotations

import importlib.util
import re
from dataclasses import dataclass
from pathlib import Path
from random import Random

from qwen_ls.commands import CommandError, documents
from qwen_ls.core.syntax import PAIRS
from qwen_ls.core.text import CLOSERS, OPENERS, QUOTES, indent_of, lines_of, with_eol

BUILT_IN = "textwrap"
"""The module of the standard library that is typed where no file is named."""
_BRACKET_OR_QUOTE = re.compile(r"""\\.|[()\[\]{}"'`]""")
_INDENTED = re.compile(r"^([ \t]+)\S", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Passage:
    """A file as it will be, cut in three: what stands above, what is typed, what stands below."""

    name: str
    language: str
    before: str
    text: str
    after: str

    @property
    def whole(self) -> str:
        """The file once all is typed."""
        return self.before + self.text + self.after

    @property
    def uri(self) -> str:
        """The document's name for the server."""
        return f"file:///replay/{self.name}"

    @property
    def indent(self) -> str:
        """One level of indentation: a tab, or the least number of blanks that lines begin with."""
        indents = [blanks for blanks in _INDENTED.findall(self.whole) if len(blanks) > 1 or blanks == "\t"]
        if any("\t" in blanks for blanks in indents):
            return "\t"
        return min(indents, key=len, default="    ")

    def closers(self, place: int, *, opened_before: int | None = None) -> str:
        """The closing brackets that an editor has put right of the cursor, once all up to `place` is typed.

        Those of brackets that the text closes on the same line. An editor would close the others, too, but
        few people type a block that way.

        Args:
            place: how many characters of the text are typed.
            opened_before: only closers of brackets that stand before this place; what was accepted, no editor
                closes.
        """
        start = self.text.rfind("\n", 0, place) + 1
        line = self.text[start:].partition("\n")[0]
        limit = place if opened_before is None else min(place, opened_before)
        return "".join(
            line[end]
            for end, begin in sorted(_pairs(line).items())
            if start + begin < limit and place <= start + end
        )


def _pairs(line: str) -> dict[int, int]:
    """The closing brackets of a line whose opening ones stand on it, and where those are.

    Both stand in the same string, or outside of any.
    """
    pairs, quote, string = {}, "", -1
    open_in: dict[int, list[int]] = {-1: []}
    for found in _BRACKET_OR_QUOTE.finditer(line):
        char, place = found[0], found.start()
        if char in QUOTES and quote in {"", char}:
            quote, string = ("", -1) if quote else (char, place)
            open_in.setdefault(string, [])
        elif char in OPENERS:
            open_in[string].append(place)
        elif char in CLOSERS and open_in[string] and PAIRS[line[open_in[string][-1]]] == char:
            pairs[place] = open_in[string].pop()
        elif char in CLOSERS:
            open_in[string].clear()
    return pairs


def cut(name: str, language: str, text: str, *, n_characters: int, seed: int = 0) -> Passage:
    """Cut a stretch of about so many characters, in whole lines, out of the middle of a text.

    It begins where a block begins, as people write them: at a line of code with less code left of it than
    below. Line ends become LF.

    Raises:
        ValueError: there is no code in it.
    """
    lines = lines_of(with_eol(text, "\n"))
    first = _beginning(lines, n_characters, seed)
    if first is None:
        raise ValueError("there is nothing to type in it")
    last, size = first, len(lines[first])
    while last + 1 < len(lines) and size < n_characters:
        last += 1
        size += len(lines[last])
    while last > first and not lines[last].strip():
        last -= 1
    typed = "".join(lines[first : last + 1]).removesuffix("\n")
    before = "".join(lines[:first])
    return Passage(name, language, before, typed, with_eol(text, "\n")[len(before) + len(typed) :])


def _beginning(lines: list[str], n_characters: int, seed: int) -> int | None:
    """A line that opens a block, near a third of the way, with enough lines after it where there are."""
    opening = [index for index in range(len(lines) - 1) if _opens(lines[index], lines[index + 1])]
    filled = opening or [index for index, line in enumerate(lines) if line.strip()]
    room, left = [], 0
    for index in range(len(lines) - 1, -1, -1):
        left += len(lines[index])
        if index in filled and left >= n_characters:
            room.append(index)
    candidates = sorted(room or filled[:1])
    if not candidates:
        return None
    middle = [index for index in candidates if index >= len(lines) // 4] or candidates
    return Random(f"{seed} begin").choice(middle[: max(1, len(middle) // 2)])


def _opens(line: str, following: str) -> bool:
    """Whether the next line stands deeper: a block begins here."""
    return bool(line.strip() and following.strip()) and len(indent_of(following)) > len(indent_of(line))


def module(name: str) -> tuple[str, str]:
    """The file name and the source of a module of the standard library.

    Raises:
        CommandError: this Python comes without its sources.
    """
    found = importlib.util.find_spec(name)
    if found is None or not found.origin or not found.origin.endswith(".py"):
        raise CommandError(f"this Python comes without the source of {name}; name a file to type")
    return f"{name}.py", documents.read(found.origin)


def of_module(name: str, *, n_characters: int, seed: int = 0) -> Passage:
    """A passage of the standard library.

    Raises:
        CommandError: this Python comes without its sources.
    """
    file_name, text = module(name)
    return cut(file_name, "python", text, n_characters=n_characters, seed=seed)


def of_file(path: str, *, n_characters: int, seed: int = 0) -> Passage:
    """A passage of a file.

    Raises:
        CommandError: there is no text to be had.
    """
    text = documents.read(path)
    try:
        return cut(Path(path).name, documents.language_of(path), text, n_characters=n_characters, seed=seed)
    except ValueError as error:
        raise CommandError(f"{path} cannot be typed: {error}") from error
