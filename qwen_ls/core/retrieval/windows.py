"""Windows of 50 lines that are like what is being written, by Jaccard similarity of their words. Pure.

The similarity of two bags is Σ min / Σ max, counted with repetitions. A document is indexed once a revision;
a query then visits only the places of its own words.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING

from qwen_ls.core.retrieval.words import words

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Mapping, Sequence

WINDOW_LINES = 50
QUERY_LINES = 50
MAX_LINES = 10_000
"""A longer document is not indexed; its recent edits are still found."""
MOST_WINDOWS = 4
"""How many windows of one document are looked at."""
LEAST_COMMON = 0.1
"""With less than this share of the query's words, a window has nothing in common with it but the language."""


@dataclass(frozen=True, slots=True)
class Index:
    """Where a document's words stand."""

    lines: tuple[str, ...]
    """With their ends."""
    places: Mapping[str, Sequence[int]]
    """By word, the lines that have it, ascending, as often as they have it."""
    totals: Sequence[int]
    """How many words stand before each line."""

    @classmethod
    def of(cls, lines: tuple[str, ...]) -> Index:
        """Index a document."""
        places: dict[str, list[int]] = {}
        totals = [0]
        for number, line in enumerate(lines):
            found = words(line)
            for word in found:
                places.setdefault(word, []).append(number)
            totals.append(totals[-1] + len(found))
        return cls(lines, places, totals)

    def n_words(self, start: int, stop: int) -> int:
        """How many words stand on the lines from `start` to before `stop`."""
        return self.totals[min(stop, len(self.lines))] - self.totals[start]


@dataclass(frozen=True, slots=True)
class Window:
    """Some lines of a document, and how much they are like the query."""

    lines: range
    similarity: float


def common_words(index: Index, query: Counter[str], size: int = WINDOW_LINES) -> list[int]:
    """How many words the window that begins on each line, up to the last whole one, shares with the query.

    An occurrence counts for the windows that hold it and fewer than `n` later ones, `n` being how often the
    query has the word: so each window counts the lesser of the two numbers.
    """
    n_windows = max(1, len(index.lines) - size + 1)
    change = [0] * (n_windows + 1)
    for word, n in query.items():
        places = index.places.get(word, ())
        for k, place in enumerate(places):
            first = max(0, place - size + 1)
            last = min(place, n_windows - 1)
            if k + n < len(places):
                last = min(last, places[k + n] - size)
            if first <= last:
                change[first] += 1
                change[last + 1] -= 1
    return list(accumulate(change[:-1]))


def best_windows(
    index: Index, query: Counter[str], *, most: int = MOST_WINDOWS, size: int = WINDOW_LINES
) -> list[Window]:
    """The windows most like the query, the best first: none overlaps another, and none begins blank."""
    common, n_query = common_words(index, query, size), query.total()
    scores = {
        start: n / (n_query + index.n_words(start, start + size) - n)
        for start, n in enumerate(common)
        if n and n >= LEAST_COMMON * n_query and index.lines[start].strip()
    }
    chosen: list[Window] = []
    for start in sorted(scores, key=scores.__getitem__, reverse=True):
        if len(chosen) == most:
            break
        lines = range(start, min(start + size, len(index.lines)))
        if all(lines.stop <= other.lines.start or other.lines.stop <= start for other in chosen):
            chosen.append(Window(lines, scores[start]))
    return chosen
