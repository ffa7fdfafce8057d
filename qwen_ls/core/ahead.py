"""Whether to look ahead of what is shown, and what the document will be then. Pure."""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING

from qwen_ls.core.context import build_context
from qwen_ls.core.types import TriggerKind

if TYPE_CHECKING:
    from qwen_ls.core.candidate import Candidate
    from qwen_ls.core.types import Completion, CompletionContext

READ_ON_LINES = 5
"""How many lines of a stream are read on, at most, after what is shown is complete."""
READ_ON_TOKENS = 24
"""How many tokens such a line has, at most, for nearly all code (`notes/algorithms.md` 9.11)."""
REMEMBERED = 30
"""How many of the last suggestions say how much this user takes."""
LEAST_KNOWN = 5
"""Of how many of them something must be known: before that, nothing is paid for what may never be wanted."""
LEAST_CHARS = 10
"""A shorter suggestion is accepted too seldom, and typed too fast, to be worth a call."""
LIKED_SHARE = 0.5
"""How much of a suggestion must have been typed or accepted for it to count as taken."""
GOOD, BAD = 0.5, 0.1
"""The shares of suggestions taken from which on the next call is worth its price, or reading on is waste."""


class Odds:
    """How much of what was shown this user has taken, by accepting it or by typing the same."""

    def __init__(self) -> None:
        self._taken: deque[bool] = deque(maxlen=REMEMBERED)

    def add(self, candidate: Candidate) -> None:
        """A suggestion has left the screen."""
        if candidate.shown:
            self._taken.append(candidate.taken >= LIKED_SHARE)

    def are_good(self, candidate: Candidate) -> bool:
        """Whether a suggestion that is shown is likely to be taken."""
        if len(candidate.shown) - candidate.began < LEAST_CHARS:
            return False
        return len(self._taken) >= LEAST_KNOWN and sum(self._taken) >= GOOD * len(self._taken)

    @property
    def are_bad(self) -> bool:
        """Whether next to nothing of what was shown has been taken lately: then reading on is waste."""
        return len(self._taken) >= LEAST_KNOWN and sum(self._taken) < BAD * len(self._taken)


def after_accepting(completion: Completion, context: CompletionContext) -> CompletionContext:
    """What stands around the cursor once a completion has been accepted."""
    text = context.document.text
    accepted = text[: completion.start] + completion.text + text[completion.end :]
    document = replace(context.document, version=None, text=accepted)
    return build_context(document, completion.start + len(completion.text), TriggerKind.AUTOMATIC)
