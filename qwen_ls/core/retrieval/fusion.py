"""Several rankings of snippets made one, by reciprocal rank. Pure.

Each ranking gives every line that it shows 1 / (60 + rank), once; a snippet is worth what its best line has
from all rankings together: a line that two retrievers found rises. Source: Cormack et al., "Reciprocal Rank
Fusion", SIGIR 2009, which has the 60.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING

from qwen_ls.core.budget import cost
from qwen_ls.core.retrieval.signatures import NO_BODY
from qwen_ls.core.text import lines_of

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Sequence

    from qwen_ls.core.types import Snippet

K = 60
MOST_KNOWN = 0.5
"""A snippet of which more than this share is shown already says nothing new."""
MOST_OF_BUDGET = 0.5
"""No snippet has more of the budget than this share; a longer one is cut at a line's end."""
KEPT = 128
"""Of so many snippets what was found out is kept: the same ones come with every key."""
LEAST_LINES = 3
"""What is cut shorter than this says nothing."""


def fuse(rankings: Iterable[Sequence[Snippet]]) -> list[Snippet]:
    """All snippets with their fused scores, the best first; where two are equal, the earlier ranking's."""
    rankings = list(rankings)
    scores: dict[Hashable, float] = {}
    for ranking in rankings:
        seen: set[Hashable] = set()
        for rank, snippet in enumerate(ranking, start=1):
            for line in _lines(snippet):
                if line not in seen:
                    seen.add(line)
                    scores[line] = scores.get(line, 0.0) + 1 / (K + rank)
    fused = [
        replace(snippet, score=max(scores[line] for line in _lines(snippet)))
        for ranking in rankings
        for snippet in ranking
    ]
    return sorted(fused, key=lambda snippet: -snippet.score)


def _lines(snippet: Snippet) -> list[Hashable]:
    """What identifies the lines of a snippet; an extract stands for itself."""
    return [(snippet.path, line) for line in snippet.lines] or [(snippet.path, snippet.text)]


def repeats(snippet: Snippet, other: Snippet) -> bool:
    """Whether a snippet says little that another one does not: half of it; of an edit, all of it."""
    if snippet.path != other.path:
        return False
    if snippet.lines and other.lines:
        common = range(max(snippet.lines.start, other.lines.start), min(snippet.lines.stop, other.lines.stop))
        return len(common) >= len(snippet.lines) * (1 if snippet.source == "edit" else MOST_KNOWN)
    said = _said(snippet)
    return len(said & _said(other)) >= MOST_KNOWN * len(said)


@lru_cache(maxsize=KEPT)
def _said(snippet: Snippet) -> frozenset[str]:
    """The snippet's lines without indentation and without the marks of left out bodies."""
    lines = (line.strip().removesuffix(NO_BODY).rstrip() for line in lines_of(snippet.text))
    return frozenset(line for line in lines if line)


def is_known(snippet: Snippet, window: Counter[str]) -> bool:
    """Whether most of the snippet stands in the window already.

    Args:
        snippet: what is looked at.
        window: how often each line, stripped, stands there.
    """
    lines = Counter(line.strip() for line in lines_of(snippet.text) if line.strip())
    common = sum((lines & window).values())
    return common > MOST_KNOWN * lines.total()


def choose(ranked: Iterable[Snippet], tokens: float, *, beside: Sequence[Snippet] = ()) -> list[Snippet]:
    """The best snippets that fit into the budget, each at most half of it.

    None repeats another one, nor one of those `beside`.
    """
    chosen: list[Snippet] = []
    most = tokens * MOST_OF_BUDGET
    for snippet in ranked:
        if any(repeats(snippet, other) for other in (*beside, *chosen)):
            continue
        short = shortened(snippet, tokens if snippet.source == "type" else most)
        if short is None or price(short) > tokens:
            continue
        if not any(repeats(short, other) for other in (*beside, *chosen)):
            chosen.append(short)
            tokens -= price(short)
    return chosen


@lru_cache(maxsize=KEPT)
def price(snippet: Snippet) -> float:
    """About how many tokens a snippet adds to a prompt, its path included."""
    return cost(snippet.text) + cost(snippet.path) + 4


def shortened(snippet: Snippet, tokens: float) -> Snippet | None:
    """The snippet's beginning, in whole lines, that fits; None where that is next to nothing."""
    if price(snippet) <= tokens:
        return snippet
    used, kept = price(replace(snippet, text="")), 0
    lines = lines_of(snippet.text)
    for line in lines:
        used += cost(line)
        if used > tokens:
            break
        kept += 1
    if kept < LEAST_LINES:
        return None
    shown = snippet.lines[:kept] if snippet.lines else snippet.lines
    return replace(snippet, text="".join(lines[:kept]), lines=shown)
