"""Written scenarios: a document, what its programmer does, and whether a suggestion is right then.

One text file a scenario, `cases/EXPECTED/KIND/NAME.txt`, where EXPECTED is `quiet` or `speaks`:

    What happens, in a sentence.

    language: python
    file: shop/greet.py
    settings: {"trigger": "manual"}     (only where they differ from the defaults)
    ==== document
    print(█)
    ==== then
    type x
    backspace 1
    ==== fits
    message

`█` is the cursor. The line end before a heading, and the file's last one, belong to the file. What `then`
may say stands in `tests.bench.quality.scenarios.editor`; `␣` is a blank and `⏎` a line end there. What is
judged is the answer to the last request. Where something must be shown, `fits` has a regular expression a
line; each must be found in the current line, up to the cursor, with the suggestion put to it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.marked import CURSOR

CASES = Path(__file__).with_name("cases")
QUIET, SPEAKS = "quiet", "speaks"


@dataclass(frozen=True, slots=True)
class Scenario:
    """A situation of a programmer's day."""

    expected: str
    """`quiet` or `speaks`."""
    kind: str
    name: str
    title: str
    language: str
    file: str
    """The document's path, as the server is told."""
    text: str
    """The document, without the cursor."""
    offset: int
    """The cursor, in characters."""
    events: tuple[tuple[str, str], ...] = ()
    """What happens then: actions, each with its argument."""
    fits: tuple[str, ...] = ()
    settings: dict[str, Any] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """Its path, without the suffix."""
        return f"{self.expected}/{self.kind}/{self.name}"


def every(folder: Path = CASES) -> list[Scenario]:
    """All scenarios of a folder."""
    return [read(path.relative_to(folder), path.read_text("utf-8")) for path in sorted(folder.rglob("*.txt"))]


def read(path: Path, written: str) -> Scenario:
    """Read a scenario.

    Args:
        path: of the file, below the folder of them all.
        written: what it says.

    Raises:
        ValueError: a part is missing, or is none of those that there are.
    """
    expected, kind = path.parts[:2]
    if expected not in {QUIET, SPEAKS}:
        raise ValueError(f"{path}: {expected} is neither {QUIET} nor {SPEAKS}")
    head, *parts = ("\n" + written.removesuffix("\n")).split("\n==== ")
    title, _, facts = head.strip().partition("\n\n")
    known = dict(_pair(line, ": ") for line in facts.splitlines())
    sections = dict(_pair(part, "\n") for part in parts)
    if unknown := sections.keys() - {"document", "then", "fits"}:
        raise ValueError(f"{path}: there is no section {', '.join(unknown)}")
    if CURSOR not in sections.get("document", ""):
        raise ValueError(f"{path}: there is no cursor in it")
    before, _, after = sections["document"].partition(CURSOR)
    return Scenario(
        expected=expected,
        kind=kind,
        name=path.stem,
        title=title,
        language=known["language"],
        file=known["file"],
        text=before + after,
        offset=len(before),
        events=tuple(_event(line) for line in sections.get("then", "").splitlines()),
        fits=tuple(sections.get("fits", "").splitlines()),
        settings=json.loads(known.get("settings", "{}")),
    )


def _pair(text: str, between: str) -> tuple[str, str]:
    name, _, rest = text.partition(between)
    return name, rest


def _event(line: str) -> tuple[str, str]:
    action, argument = _pair(line, " ")
    return action, argument.replace("␣", " ").replace("⏎", "\n")


def found(fits: Iterable[str], line: str) -> bool:
    """Whether all the expressions are found in a line, which may go on over several."""
    return all(re.search(expression, line) for expression in fits)
