"""A typist: what is pressed next, after how long, and what of a suggestion is accepted.

Pure and seeded. Every draw depends on the seed and the place in the text alone: two servers that are typed
for in the same run meet the same person.
"""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING

from qwen_ls.core.openers import opens_block
from qwen_ls.core.text import common_length, current_line_before, indent_of

if TYPE_CHECKING:
    from qwen_ls.commands.bench.passage import Passage

_NEIGHBOURS = {key: row for row in ("qwertyuiop", "asdfghjkl", "zxcvbnm", "1234567890") for key in row}
_WORD = re.compile(r"\s*(?:\w+|[^\w\s]+)|\s+")
_PUNCTUATION = frozenset(".,;:(){}[]=<>")


@dataclass(frozen=True, slots=True)
class Key:
    """One press: so many characters left of the cursor go, and a text comes."""

    text: str
    n_deleted: int = 0


@dataclass(frozen=True, slots=True)
class Habits:
    """How somebody types. Times are seconds; shares are from 0 to 1."""

    key_s: float = 0.125
    """The usual time between two keys of a burst; most lie between 90 and 180 ms."""
    key_spread: float = 0.25
    """The standard deviation of its logarithm."""
    line_pause_s: float = 0.3
    """The usual pause before a new line's first key."""
    pause_s: float = 0.3
    """The usual pause inside of a line."""
    pause_after_punctuation: float = 0.25
    pause_after_blank: float = 0.12
    think: float = 0.012
    """How often a key is thought about for one to three seconds."""
    slips: float = 0.02
    """How often a letter is mistyped, and put right a little later."""
    accepts_long: float = 0.15
    """How often, at a key, a right suggestion of at least `LONG` characters is accepted."""
    accepts_short: float = 0.04
    reaction_s: tuple[float, float] = (0.3, 0.6)
    """From seeing a suggestion to pressing the key that accepts it."""
    items: float = 0.6
    """The share of accepted suggestions that is accepted whole; the rest is lines and words, in halves."""


LONG, SHORT = 10, 3
"""Characters. A suggestion that is shorter than `SHORT` is typed sooner than accepted."""


class Typist:
    """Types one passage. Ask it for each key: `written` is what of the passage's text stands there."""

    def __init__(self, passage: Passage, *, seed: int = 0, habits: Habits | None = None) -> None:
        self._passage, self._habits, self._seed = passage, habits or Habits(), seed
        self._indent = passage.indent
        self._planned: deque[Key] = deque()
        self._slipped: set[int] = set()

    def next_key(self, written: str) -> Key | None:
        """What is pressed now; None when all is written.

        Args:
            written: what was written, by hand or by accepting; it may end in indentation that the editor
                brought, but else agrees with the passage unless a slip is being made.
        """
        if self._planned:
            return self._planned.popleft()
        text = self._passage.text
        if written.startswith(text):
            return None
        right = common_length(written, text)
        wrong = len(written) - right
        if text[right] == "\n":
            return Key("\n" + self._indent_after(text[:right]), wrong)
        if wrong:  # a line further out than the editor has put it: one press a level
            return Key("", min(wrong, len(self._indent)))
        if self._slips(right):
            return self._planned.popleft()
        return Key(self._pressed(right))

    def _pressed(self, place: int) -> str:
        """What one press brings: a character, the indentation that Tab brings, a word of an input method."""
        text = self._passage.text
        char = text[place]
        if char in " \t" and not current_line_before(text[:place]).strip():
            line = text[place:].partition("\n")[0]
            return line[: len(line) - len(line.lstrip(" \t"))]
        if char >= "\u2e80":
            size = self._draw("word", place).choice((1, 2, 2, 2, 3, 4))
            run = re.match("[\u2e80-\uffff]+", text[place : place + size])
            return run.group() if run else char
        return char

    def _indent_after(self, above: str) -> str:
        """The indentation that an editor puts on the next line: that of the line above, or a level more."""
        lines = [line for line in above.split("\n") if line.strip()]
        line = lines[-1] if lines else (self._passage.before.rstrip("\n").rpartition("\n")[2])
        is_last = bool(current_line_before(above).strip())
        return indent_of(line) + (self._indent if is_last and opens_block(line) else "")

    def _slips(self, place: int) -> bool:
        """Whether a wrong key is hit here, once; then it, what follows it and the corrections are planned."""
        text = self._passage.text
        row = _NEIGHBOURS.get(text[place].lower())
        draw = self._draw("slip", place)
        if row is None or place in self._slipped or draw.random() >= self._habits.slips:
            return False
        self._slipped.add(place)
        at = row.index(text[place].lower())
        wrong = row[at + 1] if at + 1 < len(row) else row[at - 1]
        unnoticed = text[place + 1 : place + 1 + draw.randrange(3)].partition("\n")[0]
        self._planned.extend(Key(char) for char in wrong + unnoticed)
        self._planned.extend(Key("", 1) for _ in wrong + unnoticed)
        return True

    def gap_s(self, written: str) -> float:
        """How long it takes until the next key."""
        habits, place = self._habits, len(written)
        draw = self._draw("gap", place)
        gap_s = _around(draw, habits.key_s, habits.key_spread, (0.06, 0.4))
        if self._planned:  # a slip is typed on until it is seen
            return gap_s
        last, luck = written[-1:], draw.random()
        following = self._passage.text[place : place + 1]
        if following >= "\u2e80":
            gap_s *= 2.5  # the keys of an input method, of which the editor sees the last
        if not current_line_before(written).strip():
            gap_s += _around(draw, habits.line_pause_s, 0.6, (0.1, 3.0))
        elif following == "\n":
            gap_s += _around(draw, habits.pause_s / 2, 0.4, (0.05, 1.0))
        elif (last in _PUNCTUATION and luck < habits.pause_after_punctuation) or (
            last == " " and luck < habits.pause_after_blank
        ):
            gap_s += _around(draw, habits.pause_s, 0.5, (0.1, 2.0))
        if draw.random() < habits.think:
            gap_s += draw.uniform(1.0, 3.0)
        return gap_s

    def takes(self, written: str, suggestion: str) -> int:
        """How many characters of a suggestion that is right are accepted now; 0: it is typed on.

        Args:
            written: what was written.
            suggestion: what is shown right of the cursor.
        """
        habits, size = self._habits, len(suggestion.strip())
        if self._planned or size < SHORT:
            return 0
        draw = self._draw("accept", len(written))
        if draw.random() >= (habits.accepts_long if size >= LONG else habits.accepts_short):
            return 0
        how = draw.random()
        if how < habits.items:
            return len(suggestion)
        if how < (1 + habits.items) / 2:
            blank = len(suggestion) - len(suggestion.lstrip())
            end = suggestion.find("\n", blank)
            return end if end > 0 else len(suggestion)
        word = _WORD.match(suggestion)
        return word.end() if word else len(suggestion)

    def reaction_s(self, written: str) -> float:
        """How long it takes to press the key that accepts."""
        return self._draw("reaction", len(written)).uniform(*self._habits.reaction_s)

    def _draw(self, what: str, place: int) -> Random:
        return Random(f"{self._seed} {self._passage.name} {what} {place}")


def keys_alone(passage: Passage, *, seed: int = 0, habits: Habits | None = None) -> int:
    """How many keys it takes to type the passage without any suggestion."""
    typist, written, n_keys = Typist(passage, seed=seed, habits=habits), "", 0
    while (key := typist.next_key(written)) is not None:
        written = written[: len(written) - key.n_deleted] + key.text
        n_keys += 1
    return n_keys


def _around(draw: Random, median: float, spread: float, bounds: tuple[float, float]) -> float:
    """A log-normal draw, within bounds."""
    low, high = bounds
    return min(max(median * draw.lognormvariate(0.0, spread), low), high)
