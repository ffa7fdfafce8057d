"""What an answer is worth: the same text, a program that works, how near it came."""

from __future__ import annotations

import difflib
import re
from dataclasses import asdict, dataclass
from typing import Any

from tests.bench.quality import sandbox
from tests.bench.quality.problems import Problem
from tests.bench.quality.sandbox import Verdict


@dataclass(frozen=True, slots=True)
class Answer:
    """What came for a hole."""

    document: str
    """The whole document with it."""
    text: str
    """It alone."""
    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0
    seconds: float = 0.0
    snippets: int = 0
    """How many pieces of other files the prompt showed."""
    note: str = ""
    """Why there is none."""


@dataclass(frozen=True, slots=True)
class Score:
    """One answer's worth."""

    exact: bool
    verdict: Verdict
    similarity: float
    """From 0 to 1: twice the characters in common by the lengths of both, blanks at the ends aside."""


def score(problem: Problem, answer: Answer) -> Score:
    """Compare and run.

    Exact is the document as it was, but for blanks at line ends and empty lines.
    """
    whole = problem.before + problem.wanted + problem.after
    exact = _lines(answer.document) == _lines(whole)
    verdict = Verdict.PASSED if exact else Verdict.FAILED
    if problem.test and not exact:
        verdict = sandbox.run(problem.program(answer.document))
    # Not autojunk: it takes frequent characters out of long texts.
    pair = difflib.SequenceMatcher(None, answer.text.strip(), problem.wanted.strip(), autojunk=False)
    return Score(exact, verdict, pair.ratio())


def _lines(text: str) -> list[str]:
    return [line.rstrip() for line in text.splitlines() if line.strip()]


def record(arm: str, problem: Problem, answer: Answer, worth: Score) -> dict[str, Any]:
    """A line of the results: all of it but the document, which its parts make again."""
    fields = asdict(answer) | asdict(worth)
    del fields["document"]
    return {"arm": arm, "id": problem.id, **fields, "wanted": problem.wanted}


def summed_up(records: list[dict[str, Any]]) -> dict[str, Any]:
    """One arm's figures: shares in percent, tokens and seconds by hole, on average."""
    n = len(records)
    if not n:
        return {"n": 0}

    def mean(name: str) -> float:
        return sum(row.get(name, 0) for row in records) / n  # a file of an older run lacks newer figures

    return {
        "n": n,
        "exact": 100 * mean("exact"),
        "pass@1": 100 * sum(row["verdict"] == Verdict.PASSED for row in records) / n,
        "first word": 100
        * sum(_first_word(row["text"]) == _first_word(row["wanted"]) for row in records)
        / n,
        "similarity": 100 * mean("similarity"),
        "shown": 100 * sum(bool(row["text"].strip()) for row in records) / n,
        "prompt tokens": mean("prompt_tokens"),
        "cached": mean("cached_tokens"),
        "snippets": mean("snippets"),
        "output tokens": mean("completion_tokens"),
        "seconds": mean("seconds"),
    }


def _first_word(text: str) -> str:
    found = re.search(r"\w+", text)
    return found[0] if found else ""


def table(figures: dict[str, dict[str, Any]]) -> str:
    """The figures by arm, as Markdown."""
    names = list(next((row for row in figures.values() if row["n"]), {"n": 0}))
    lines = ["| arm | " + " | ".join(names) + " |", "|---" * (len(names) + 1) + "|"]
    for arm, row in figures.items():
        cells = (
            f"{row.get(name, 0):.0f}" if name != "seconds" else f"{row.get(name, 0):.1f}" for name in names
        )
        lines.append(f"| {arm} | " + " | ".join(cells) + " |")
    return "\n".join(lines)
