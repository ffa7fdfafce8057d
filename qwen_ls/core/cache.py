"""What is known already: the suggestion that is shown, and what was said at other places of a document.

Pure but for being mutable. Time comes from the timer it is built with.
"""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from qwen_ls.core.candidate import Candidate
    from qwen_ls.core.types import CompletionContext

MAX_CANDIDATES = 48
"""How many candidates a document keeps: with the text around them at most 250 kB."""
TTL_S = 600.0
WALK_BACK_CHARS = 128
"""How far back an answer that was never shown is looked for (llama.vim's distance)."""
UNWANTED_S = 20.0
"""How long a suggestion that was turned down stays away."""

_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class Hit:
    """A candidate that answers a request."""

    candidate: Candidate
    typed: str
    """What has been typed at its place since."""
    source: str
    """`streak`, `cache`, `walk-back` or `fuzzy`."""


class CompletionCache:
    """The candidates of each document, the newest first, and the one that is shown."""

    def __init__(self, timer: Callable[[], float]) -> None:
        """Build an empty cache.

        Args:
            timer: seconds, ever growing.
        """
        self._timer = timer
        self._filed: dict[str, deque[tuple[float, Candidate]]] = {}
        self._shown: dict[str, Candidate] = {}
        self._last_unwanted_s = float("-inf")

    def rest_shown(self, uri: str, typed: str | None) -> Candidate | None:
        """What is shown, if some of it is left to be typed: it must not be replaced while it agrees."""
        shown = self._shown.get(uri)
        is_left = shown and typed is not None and shown.rest_shown(typed)
        return shown if shown and is_left and not self._is_away(shown) else None

    def find(self, context: CompletionContext, *, multiline: bool, typed: str | None) -> Iterator[Hit]:
        """The candidates that answer a request, the best first.

        First what was said beyond what is shown. Then the answer to this very question, one from further left
        that says what was typed since, and one whose question differed by a slip above.

        Args:
            context: where the cursor stands.
            multiline: whether more than a line is asked for.
            typed: what has been typed of what is shown, as `Candidate.typed` says.
        """
        shown = self._shown.get(context.document.uri)
        if shown and typed is not None and not self._is_away(shown) and shown.rest(typed).strip():
            yield Hit(shown, typed, "streak")
        known = [one for one in self._of(context.document.uri) if one.whole or not multiline]
        known = [one for one in known if not self._is_away(one)]
        yield from (Hit(one, "", "cache") for one in known if one.anchor.is_exact(context))
        for one in known:
            typed = one.typed(context)
            if not typed or len(typed) > WALK_BACK_CHARS or not one.rest(typed).strip():
                continue
            if one.anchor.is_exact(context, typed):
                yield Hit(one, typed, "walk-back")
        for one in known:
            # An edit of a word that the answer has may have been made to change the answer.
            words = one.anchor.changed_words(context) if one.text else None
            if words is not None and not words & set(_WORD.findall(one.text)):
                yield Hit(one, "", "fuzzy")

    def file(self, uri: str, candidate: Candidate) -> None:
        """Keep what was said, nothing too: asked again, the model would say the same."""
        filed = self._filed.setdefault(uri, deque(maxlen=MAX_CANDIDATES))
        filed.appendleft((self._timer(), candidate))

    def show(self, uri: str, candidate: Candidate) -> None:
        """Remember what is shown now."""
        self._shown[uri] = candidate

    def shown(self, uri: str) -> Candidate | None:
        """The candidate that was shown last in a document."""
        return self._shown.get(uri)

    def shown_as(self, completion_id: str) -> Candidate | None:
        """The candidate that is shown as the completion of that id."""
        return next((one for one in self._shown.values() if one.id == completion_id), None)

    def turn_down(self, candidate: Candidate) -> bool:
        """The user does not want to see this one for a while; returns whether that is news."""
        is_news = not self._is_away(candidate)
        self._last_unwanted_s = candidate.unwanted_until_s = self._timer() + UNWANTED_S
        return is_news

    def turned_down(self, context: CompletionContext) -> tuple[str, ...]:
        """What the user has turned down at this place a moment ago."""
        if self._timer() > self._last_unwanted_s:
            return ()
        shown = self._shown.get(context.document.uri)
        known = [*self._of(context.document.uri), *([shown] if shown else [])]
        away = [(one, one.typed(context)) for one in known if self._is_away(one)]
        texts = (one.rest_shown(typed) for one, typed in away if typed is not None)
        return tuple(dict.fromkeys(filter(None, texts)))

    def forget(self, uri: str) -> None:
        """Drop what is kept for a document that was closed."""
        self._shown.pop(uri, None)
        self._filed.pop(uri, None)

    def clear(self) -> None:
        """Drop everything."""
        self._shown.clear()
        self._filed.clear()

    def _of(self, uri: str) -> list[Candidate]:
        now_s = self._timer()
        return [one for at_s, one in self._filed.get(uri, ()) if now_s - at_s <= TTL_S]

    def _is_away(self, candidate: Candidate) -> bool:
        return candidate.unwanted_until_s > self._timer()
