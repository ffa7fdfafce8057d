"""The holes: HumanEval-Infilling, and places in the middle of its single lines.

The files are those of `openai/human-eval-infilling`, gzipped JSON lines.
"""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

DATA = Path(__file__).resolve().parents[4] / "shared" / "data" / "human-eval-infilling"
SAMPLE = Path(__file__).with_name("sample.jsonl")
"""A few holes of our own in the same form, for where the files are not."""

FILES = {
    "single-line": "HumanEval-SingleLineInfilling.jsonl.gz",
    "multi-line": "HumanEval-MultiLineInfilling.jsonl.gz",
    "random-span": "HumanEval-RandomSpanInfillingLight.jsonl.gz",
}
PLACES = {
    "in-word": re.compile(r"\w(?=\w)"),
    "after-word": re.compile(r"\w\w(?=\W)"),
    "after-space": re.compile(r"\S (?=\S)"),
    "in-brackets": re.compile(r"[(\[{](?=[^)\]}\s])"),
}
"""Where in a line a mid-line hole may begin: at the end of a match."""
MID_LINE = "mid-line"
"""The places in turn, a hole a line."""
SETS = (*FILES, MID_LINE, *(f"{MID_LINE}-{place}" for place in PLACES))


@dataclass(frozen=True, slots=True)
class Problem:
    """A program with a hole."""

    id: str
    before: str
    after: str
    """What follows the hole. A hole of whole lines takes its last line end in."""
    wanted: str
    """What stood in the hole."""
    test: str = ""
    """Defines `check(candidate)`; empty where nothing can be run."""
    entry_point: str = ""
    path: str = "program.py"
    """The document's, in the workspace."""
    beside: tuple[str, ...] = ()
    """The paths of the files that are open beside it."""

    @property
    def is_whole_lines(self) -> bool:
        """Whether the hole is an editor's empty line rather than a place within one."""
        return self.before.endswith("\n") and self.wanted.endswith("\n")

    def program(self, document: str) -> str:
        """What has to run without an error where `document` is the program, filled in."""
        return f"{document}\n{self.test}\ncheck({self.entry_point})\n"


def load(name: str, folder: Path = DATA) -> list[Problem]:
    """All holes of a set, in the order of the file.

    Args:
        name: one of `SETS`.
        folder: where the files are.

    Raises:
        OSError: they are not there.
    """
    if name in FILES:
        with gzip.open(folder / FILES[name], "rt", encoding="utf-8") as lines:
            return list(read(lines))
    lines = load("single-line", folder)
    if name == MID_LINE:
        return [
            hole for n, line in enumerate(lines) for hole in mid_line([line], list(PLACES)[n % len(PLACES)])
        ]
    return list(mid_line(lines, name.removeprefix(f"{MID_LINE}-")))


def read(lines: Iterable[str]) -> Iterator[Problem]:
    """Holes from JSON lines."""
    for line in lines:
        row = json.loads(line)
        yield Problem(
            id=row["task_id"],
            before=row["prompt"],
            after=row["suffix"],
            wanted=row["canonical_solution"],
            test=row["test"],
            entry_point=row["entry_point"],
        )


def mid_line(problems: Iterable[Problem], place: str) -> Iterator[Problem]:
    """The same lines with the cursor further right: the middlemost place of its kind in each line.

    What is left to write reaches to the line's end; inside brackets, to before the closers at its end, which
    an editor has typed already.
    """
    for problem in problems:
        line = problem.wanted.rstrip()
        ends = [match.end() for match in PLACES[place].finditer(line)]
        if not ends:
            continue
        at = min(ends, key=lambda end: abs(end - len(line) / 2))
        rest = line[at:]
        if place == "in-brackets":
            rest = rest[: len(rest) - len(_closers(line, at))]
        if len(rest.strip()) < 2:
            continue
        yield Problem(
            id=f"{problem.id}:{at}",
            before=problem.before + line[:at],
            after=problem.wanted[at + len(rest) :] + problem.after,
            wanted=rest,
            test=problem.test,
            entry_point=problem.entry_point,
        )


def _closers(line: str, at: int) -> str:
    """The end of a line that closes what is open at a place in it: `)` or `):`, as an editor had it."""
    pairs, still_open, end = {"(": ")", "[": "]", "{": "}"}, [], len(line)
    for char in line[:at]:
        if char in pairs:
            still_open.append(pairs[char])
        elif still_open and char == still_open[-1]:
            still_open.pop()
    tail = line[at:].rstrip(":")
    colon = len(line) - at - len(tail)
    closers = 0
    while still_open[closers:] and tail[: len(tail) - closers].endswith(still_open[closers]):
        closers += 1
    return line[end - colon - closers :] if closers else ""


def spread(problems: list[Problem], limit: int | None) -> list[Problem]:
    """At most so many of them, evenly over the whole set: neighbours are holes of the same function."""
    if limit is None or limit >= len(problems):
        return problems
    return [problems[index * len(problems) // limit] for index in range(limit)]
