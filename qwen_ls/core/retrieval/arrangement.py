"""The snippets of one document's prompts, in an order that lets a prefix cache keep them.

Pure but for being mutable. A snippet stays where it was first put; new ones go to the end; when there is no
more room, the older half leaves at once, so that one prompt pays for many.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from qwen_ls.core.retrieval.fusion import choose, price

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from qwen_ls.core.types import Snippet

LEAST_GAIN = 0.5
"""Where there is no more room, this share of what is wanted must be missing before anything leaves."""


@dataclass(frozen=True, slots=True)
class Found:
    """What one search has brought."""

    repo: str = ""
    """The workspace's name."""
    path: str = ""
    """The document's own path in it."""
    ranked: tuple[Snippet, ...] = ()
    """The best first."""
    checked: Mapping[Snippet, Snippet | None] = field(default_factory=dict)
    """What earlier prompts have shown, as it stands now; None where it is not so any more."""


@dataclass(slots=True)
class Arrangement:
    """What the prompts for one document keep from one to the next."""

    snippets: tuple[Snippet, ...] = ()
    """In the order in which they were first used."""
    last_suffix: str = ""
    """The suffix as the last prompt had it."""
    _found: Found | None = None
    _tokens: float = 0.0

    def admit(self, found: Found, tokens: float) -> tuple[Snippet, ...]:
        """Take in what a search has found, and return what the next prompt shows.

        Args:
            found: the search's snippets.
            tokens: the budget for all of them.
        """
        if found is self._found and tokens == self._tokens:
            return self.snippets
        now = (found.checked.get(snippet, snippet) for snippet in self.snippets)
        kept = [snippet for snippet in now if snippet is not None]
        if tokens < self._tokens:  # the budget has become smaller: so must this
            kept = _newer(kept, tokens)
        self._found, self._tokens = found, tokens
        wanted = choose(found.ranked, tokens)
        missing = choose(found.ranked, tokens, beside=kept)
        while kept and not _fits([*kept, *missing], tokens) and _gains(missing, wanted):
            kept = kept[(len(kept) + 1) // 2 :]
            missing = choose(found.ranked, tokens, beside=kept)
        for snippet in missing:
            if _fits([*kept, snippet], tokens):
                kept.append(snippet)
        self.snippets = tuple(kept)
        return self.snippets


def _gains(missing: Sequence[Snippet], wanted: Sequence[Snippet]) -> bool:
    """Whether so much of what is wanted is not shown that it is worth a new beginning."""
    return sum(price(one) for one in wanted if one in missing) >= LEAST_GAIN * sum(map(price, wanted))


def _newer(snippets: Sequence[Snippet], tokens: float) -> list[Snippet]:
    """The newer half, as often as it takes to fit."""
    kept = list(snippets)
    while kept and not _fits(kept, tokens):
        kept = kept[(len(kept) + 1) // 2 :]
    return kept


def _fits(snippets: Sequence[Snippet], tokens: float) -> bool:
    return sum(map(price, snippets)) <= tokens
