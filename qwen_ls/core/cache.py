"""What is known already: answers by their context, and the suggestion that is being typed through.

Pure but for being mutable. Time comes from the timer it is built with.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cachetools import TTLCache

from qwen_ls.core.text import CLOSERS, QUOTES, current_line_after

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator

    from qwen_ls.core.types import CompletionContext, RawCompletion

MAX_ENTRIES = 256
TTL_S = 600.0
KEY_PREFIX_CHARS, KEY_SUFFIX_CHARS = 4000, 1000
ANCHOR_CHARS = 256
SUFFIX_CHARS = 120


@dataclass(frozen=True, slots=True)
class Candidate:
    """A suggestion that was shown, and what stood around it then."""

    id: str
    before: str
    """The end of the text before the cursor."""
    after: str
    """The beginning of the text after the cursor."""
    text: str

    @classmethod
    def shown(cls, completion_id: str, text: str, context: CompletionContext) -> Candidate:
        """The candidate for a text that is shown at the context's cursor."""
        return cls(completion_id, context.prefix[-ANCHOR_CHARS:], context.suffix[: SUFFIX_CHARS * 2], text)

    def rest(self, context: CompletionContext) -> str | None:
        """What is left of the text if its beginning has been typed since; None where anything else happened.

        The candidate is found again by the text around it, not by its place: lines may have come or gone
        above. Near the document's beginning there is too little text for that, and nothing may have.
        """
        for place in self._places(context.prefix):
            typed = context.prefix[place:]
            if self.text.startswith(typed) and len(typed) < len(self.text):
                return self.text[len(typed) :] if _agree(self.after, context.suffix) else None
        return None

    def _places(self, prefix: str) -> Iterator[int]:
        """Where in the prefix the suggestion may begin, the farthest first."""
        if len(self.before) < ANCHOR_CHARS:
            if prefix.startswith(self.before):
                yield len(self.before)
            return
        found = prefix.find(self.before, max(0, len(prefix) - len(self.text) - len(self.before)))
        while found >= 0:
            yield found + len(self.before)
            found = prefix.find(self.before, found + 1)


def _agree(after: str, suffix: str) -> bool:
    """Whether two suffixes are the same but for closers that the editor has typed or the user typed over."""
    one, two = _without_closers(after), _without_closers(suffix)
    size = min(len(one), len(two), SUFFIX_CHARS)
    return one[:size] == two[:size] and (size == SUFFIX_CHARS or len(one) == len(two))


def _without_closers(suffix: str) -> str:
    line = current_line_after(suffix)
    return line.lstrip(CLOSERS + QUOTES + ";, ") + suffix[len(line) :]


class CompletionCache:
    """Answers by context, and one candidate a document."""

    def __init__(self, timer: Callable[[], float]) -> None:
        """Build an empty cache.

        Args:
            timer: seconds, ever growing.
        """
        self._answers: TTLCache[Hashable, RawCompletion] = TTLCache(MAX_ENTRIES, TTL_S, timer)
        self._candidates: dict[str, Candidate] = {}

    @staticmethod
    def key(context: CompletionContext, *, multiline: bool) -> Hashable:
        """What an answer is filed under: what was asked for, and the text around the cursor."""
        return (
            multiline,
            context.document.language_id,
            context.prefix[-KEY_PREFIX_CHARS:],
            context.suffix[:KEY_SUFFIX_CHARS],
        )

    def answer(self, key: Hashable) -> RawCompletion | None:
        """The answer filed under `key`, if it is not too old."""
        return self._answers.get(key)

    def file(self, key: Hashable, answer: RawCompletion) -> None:
        """Keep an answer, an empty one too."""
        self._answers[key] = answer

    def candidate(self, uri: str) -> Candidate | None:
        """The suggestion that was shown last in a document."""
        return self._candidates.get(uri)

    def show(self, uri: str, candidate: Candidate) -> None:
        """Remember what is shown now."""
        self._candidates[uri] = candidate

    def forget(self, uri: str) -> None:
        """Drop what is kept for a document that was closed."""
        self._candidates.pop(uri, None)

    def clear(self) -> None:
        """Drop everything."""
        self._answers.clear()
        self._candidates.clear()
