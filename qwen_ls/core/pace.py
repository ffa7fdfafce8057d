"""How long to wait before a call: the typist's rhythm, the place, and how fast the endpoint is. Pure.

A wait that is too short pays for calls whose answer the next key makes wrong; one that is too long is felt.
The measure is the typist's own gap between keys (Tabby's rule, `notes/algorithms.md` B1 and 9.4).
"""

from __future__ import annotations

from collections import deque
from statistics import median
from typing import TYPE_CHECKING

from qwen_ls.core.text import CLOSERS, QUOTES

if TYPE_CHECKING:
    from qwen_ls.core.types import CompletionContext

GAPS = 20
"""How many of the last gaps between keys make the rhythm, and how many calls the endpoint's speed."""
FIRST_GAP_S = 0.2
LEAST_GAP_S, LONGEST_GAP_S = 0.08, 0.4
"""A gap that is longer is a pause, not typing."""
LONGEST_WAIT_S = 0.4
STARVED_S = 0.25
"""After so much steady typing without a call, one is made."""
FIRST_TOKEN_SHARE = 0.5
"""How much of the endpoint's own time is taken off the wait: the user waits for that anyway."""


class Pace:
    """The rhythm of the keys, and of the endpoint's answers.

    Times are seconds of one clock, ever growing.
    """

    def __init__(self) -> None:
        self._gaps: deque[float] = deque(maxlen=GAPS)
        self._first_tokens: deque[float] = deque(maxlen=GAPS)
        self._last_key_s = float("-inf")
        self._hungry_since_s = 0.0

    def key(self, now_s: float) -> None:
        """A key was typed."""
        gap_s = now_s - self._last_key_s
        self._last_key_s = now_s
        if gap_s <= LONGEST_GAP_S:
            self._gaps.append(gap_s)
        else:
            self._hungry_since_s = now_s

    def fed(self, now_s: float) -> None:
        """A call was made, or an answer was there: the typist does not starve."""
        self._hungry_since_s = now_s

    def first_token(self, seconds: float) -> None:
        """A call took so long until its first token."""
        self._first_tokens.append(seconds)

    @property
    def gap_s(self) -> float:
        """The usual time between two keys."""
        if not self._gaps:
            return FIRST_GAP_S
        return min(max(sum(self._gaps) / len(self._gaps), LEAST_GAP_S), LONGEST_GAP_S)

    @property
    def first_token_s(self) -> float:
        """The usual time until a call's first token; 0 while it is not known."""
        return median(self._first_tokens) if self._first_tokens else 0.0

    def wait_s(self, context: CompletionContext, now_s: float) -> float:
        """How long a request at this place is worth waiting with, from the last change of the document."""
        if not context.line_prefix.strip() or self._is_starved(now_s):
            return 0.0
        wait_s = self.gap_s * (1.5 - boundary(context)) - FIRST_TOKEN_SHARE * self.first_token_s
        return min(max(wait_s, 0.0), LONGEST_WAIT_S)

    def _is_starved(self, now_s: float) -> bool:
        return now_s - self._hungry_since_s >= STARVED_S and now_s - self._last_key_s <= LONGEST_GAP_S


def boundary(context: CompletionContext) -> float:
    """How likely one stops here, from 0 to 1: after punctuation, at a line's or the document's end."""
    last = context.prefix[-1:]
    after_word = last.isalnum() or last == "_"
    at_line_end = not context.line_suffix.strip(CLOSERS + QUOTES + ";,: \t")
    at_end = not context.suffix.strip()
    return 0.5 * (not after_word) + 0.4 * at_line_end + 0.1 * at_end
