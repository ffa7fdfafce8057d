"""A suggestion and the place it belongs to: found again by the text around it, whatever happened since. Pure.

All that a model has said is kept, not only what was shown of it: what stands after the cursor is decided anew
at each place. Texts have LF for line ends; the document's own are put in when an item is made.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from itertools import product
from typing import TYPE_CHECKING

from qwen_ls.core.origin import Origin
from qwen_ls.core.text import CLOSERS, QUOTES, current_line_after, with_eol

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from qwen_ls.core.types import CompletionContext

BEFORE_CHARS, AFTER_CHARS = 4000, 1000
"""How much around a place must be the same for an answer to count as one to the same question."""
ANCHOR_CHARS, SUFFIX_CHARS = 256, 120
"""How much around a place must be the same for it to be the same place."""
SMALL_EDIT_CHARS = 5
"""What a formatter or the correction of a slip changes at most."""

_SIZES = sorted(product(range(SMALL_EDIT_CHARS + 1), repeat=2), key=sum)
_WORD, _WORD_END = re.compile(r"\w+"), re.compile(r"\w+\Z")


@dataclass(frozen=True, slots=True)
class Anchor:
    """A place in a document, known by what stands around it: lines may come and go above."""

    before: str
    """The end of the text before the place."""
    after: str
    """The beginning of the text after it."""
    first_line: int = 0
    offset: int = 0
    """The line that the snapshot began on, and where in it the place was: repetitive text says too little."""

    @classmethod
    def at(cls, context: CompletionContext) -> Anchor:
        """The place at the context's cursor."""
        before, after = context.prefix[-BEFORE_CHARS:], context.suffix[:AFTER_CHARS]
        return cls(before, after, context.document.first_line, len(context.prefix))

    def typed(self, context: CompletionContext, *, said: Iterable[str], more: int = 0) -> Iterator[str]:
        """The texts that may have come between the place and the cursor since, the longest first.

        Near the document's beginning there is too little text to find a place by: nothing may have changed.

        Args:
            context: where the cursor stands now.
            said: what may have been typed, or the beginning of it.
            more: how many characters beyond that may have come.
        """
        if not agree(self.after, context.suffix):
            return
        before, prefix = self.before[-ANCHOR_CHARS:], context.prefix
        at_most = max((len(text) + text.count("\n") for text in said), default=0) + more  # CRLF counts twice
        begins = {"\r"}.union(text[:1] for text in said) if not more and all(said) else None
        found = prefix.find(before, max(0, len(prefix) - at_most - len(before)))
        while found >= 0:
            end = found + len(before)
            is_place = len(before) == ANCHOR_CHARS or found == 0
            # In a text of repetitions there are many such places: most are ruled out by what comes next.
            if is_place and (begins is None or end == len(prefix) or prefix[end] in begins):
                yield with_eol(prefix[end:], "\n")
            found = prefix.find(before, found + 1) if len(before) == ANCHOR_CHARS else -1

    def is_exact(self, context: CompletionContext, typed: str = "") -> bool:
        """Whether all the text around the place is still what it was, but for what was typed at it."""
        end = len(context.prefix) - len(with_eol(typed, context.eol))
        start = max(0, end - BEFORE_CHARS)
        is_same_below = bool(typed) or self.after == context.suffix[:AFTER_CHARS]
        return is_same_below and context.prefix[start:end] == self.before

    def changed_words(self, context: CompletionContext) -> set[str] | None:
        """The words, old and new, that one small edit above the cursor's line has touched.

        None where more has changed. An edit of blanks or punctuation touches no word.
        """
        if self.after != context.suffix[:AFTER_CHARS]:
            return None
        one, two = self.before, context.prefix[-BEFORE_CHARS:]
        below = _common_end(one, two)
        is_cut = max(len(one), len(two)) == BEFORE_CHARS
        edit = _small_edit(one[: len(one) - below], two[: len(two) - below], is_cut=is_cut)
        if edit is None or below <= len(context.line_prefix):
            return None
        kept, old, new = edit
        if not _WORD.search(old + new):
            return set()
        head, tail = kept[-ANCHOR_CHARS:], one[len(one) - below :][:ANCHOR_CHARS]
        start, end = _WORD_END.search(head), _WORD.match(tail)
        first, last = start.group() if start else "", end.group() if end else ""
        return {word for text in (old, new) for word in _WORD.findall(first + text + last)}

    def is_left_of(self, context: CompletionContext) -> bool:
        """Whether the cursor stands left of the place, and all between them has been deleted."""
        if context.document.first_line == self.first_line and len(context.prefix) >= self.offset:
            return False
        tail = context.prefix[-ANCHOR_CHARS // 4 :]
        found = self.before.rfind(tail, max(0, len(self.before) - ANCHOR_CHARS), len(self.before) - 1)
        return bool(tail) and found >= 0 and agree(self.after, context.suffix)

    def stands_in(self, text: str) -> bool:
        """Whether the place is still in a document, wherever the cursor is."""
        return self.before[-ANCHOR_CHARS:] + self.after[:SUFFIX_CHARS] in text


def _common_end(one: str, two: str) -> int:
    """How many characters two texts have in common at their end; by halving, since comparing is fast."""
    same, different = 0, min(len(one), len(two)) + 1
    while different - same > 1:
        middle = (same + different) // 2
        if one[len(one) - middle :] == two[len(two) - middle :]:
            same = middle
        else:
            different = middle
    return same


def _small_edit(one: str, two: str, *, is_cut: bool) -> tuple[str, str, str] | None:
    """The text before one small edit at the end of two texts, and what was replaced by what.

    Args:
        one: the older text.
        two: the newer text.
        is_cut: whether they have only the end of the document: an insertion pushed something out of it.
    """
    for old, new in _SIZES:
        if old > len(one) or new > len(two):
            continue
        rest, other = one[: len(one) - old], two[: len(two) - new]
        if rest == other or (is_cut and (rest.endswith(other) or other.endswith(rest))):
            return min(rest, other, key=len), one[len(rest) :], two[len(other) :]
    return None


def agree(after: str, suffix: str) -> bool:
    """Whether two suffixes are the same but for closers that the editor has typed or the user typed over."""
    one, two = _without_closers(after), _without_closers(suffix)
    size = min(len(one), len(two), SUFFIX_CHARS)
    return one[:size] == two[:size] and (size == SUFFIX_CHARS or len(one) == len(two))


def _without_closers(suffix: str) -> str:
    suffix = suffix[: SUFFIX_CHARS * 2]
    line = current_line_after(suffix)
    return line.lstrip(CLOSERS + QUOTES + ";, ") + suffix[len(line) :]


@dataclass(slots=True)
class Candidate:
    """What a model has said at a place, and how much of it was shown. The text grows while it is said."""

    id: str
    anchor: Anchor
    text: str = ""
    whole: bool = False
    """Whether it goes as far as a block does, or as the model had something to say; else it is a line."""
    shown: str = ""
    """What was shown, one item after the other; its beginning may have been typed since."""
    began: int = 0
    """Where in it the item that was shown last begins."""
    reached: int = 0
    """How far it has been typed, or accepted."""
    is_accepted: bool = False
    """Whether the editor has said that what is shown was accepted."""
    unwanted_until_s: float = 0.0
    """Until when the user does not want to see it."""
    origin: Origin = field(default_factory=Origin, repr=False)
    """The call that has said it."""

    def typed(self, context: CompletionContext) -> str | None:
        """What has come between the place and the cursor, if the candidate says the same; else None."""
        for typed in self.anchor.typed(context, said=(self.text, self.shown or self.text)):
            if self.shown.startswith(typed) or self.text.startswith(typed):
                return typed
        return None

    def rest_shown(self, typed: str) -> str:
        """What is left of what was shown."""
        return self.shown[len(typed) :] if self.shown.startswith(typed) else ""

    def rest(self, typed: str) -> str:
        """What is left of all that was said."""
        return self.text[len(typed) :] if self.text.startswith(typed) else ""

    def show(self, typed: str, text: str) -> None:
        """`text` is shown after `typed`."""
        self.shown = typed + text
        self.began = self.reached = len(typed)
        self.is_accepted = False

    @property
    def taken(self) -> float:
        """How much of the item that was shown last the user has typed or accepted, from 0 to 1."""
        return (self.reached - self.began) / max(1, len(self.shown) - self.began)
