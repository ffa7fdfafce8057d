"""What each document shows, what can be shown in it at once, and how often that was what its user wanted."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from qwen_ls.core import postprocess
from qwen_ls.core.ahead import Odds, after_accepting
from qwen_ls.core.cache import CompletionCache
from qwen_ls.core.candidate import Anchor
from qwen_ls.core.postprocess.hole import Hole
from qwen_ls.core.postprocess.suffix import covered
from qwen_ls.core.text import with_eol
from qwen_ls.core.trigger import Moment
from qwen_ls.core.types import Completion, Reason, Skip

if TYPE_CHECKING:
    from collections.abc import Callable

    from qwen_ls.core.candidate import Candidate
    from qwen_ls.core.trigger import Ask
    from qwen_ls.core.types import CompletionContext
    from qwen_ls.report import Report


ACCEPTED_CHARS = 2
"""Who has come to the end of a suggestion by so many characters at once has accepted it."""


class Noticed(NamedTuple):
    """What a request says about what happened before it."""

    typed: str | None
    """What was typed of what is shown, as `Candidate.typed` says."""
    moment: Moment


class Screen:
    """The candidates of all documents, and the one that each document shows."""

    def __init__(self, clock: Callable[[], float], new_id: Callable[[], str]) -> None:
        """Begin with nothing shown.

        Args:
            clock: seconds, ever growing.
            new_id: makes the ids of completions.
        """
        self.cache = CompletionCache(clock)
        self.odds = Odds()
        self._new_id = new_id
        self._places: dict[str, Anchor] = {}
        self._last: dict[str, tuple[Completion, CompletionContext]] = {}

    def notice(self, context: CompletionContext) -> Noticed:
        """Learn from where the cursor is now what became of what is shown, and what has just happened."""
        uri, here = context.document.uri, Anchor.at(context)
        last, self._places[uri] = self._places.get(uri), here
        shown = self.cache.shown(uri)
        typed = shown.typed(context) if shown else None
        is_accepted = False
        if shown and typed is not None:
            is_accepted = typed == shown.shown and (
                shown.is_accepted or len(typed) - shown.reached >= ACCEPTED_CHARS
            )
            shown.reached = max(shown.reached, len(typed))
        elif shown and shown.anchor.is_left_of(context):
            self.cache.turn_down(shown)
        moment = Moment(
            # What is shown and agrees stays, also while it is being deleted back to.
            deleted=typed is None and last is not None and last.is_left_of(context),
            accepted=is_accepted and not context.line_suffix.strip(),
            dismissed=bool(self.cache.turned_down(context)),
        )
        return Noticed(typed, moment)

    def rest(self, context: CompletionContext, typed: str | None, report: Report) -> Completion | Skip | None:
        """What is left of what is shown, if that is being typed; `typed` is what `notice` has said."""
        shown = self.cache.rest_shown(context.document.uri, typed)
        if shown is None or typed is None:
            return None
        report.answered_by(shown.origin)
        return self._fit(shown.rest_shown(typed), context, shown.id, "type-through")

    def known(
        self, context: CompletionContext, ask: Ask, report: Report, typed: str | None
    ) -> Completion | Skip | None:
        """What else can be answered at once, without a call."""
        for hit in self.cache.find(context, multiline=ask.multiline, typed=typed):
            report.answered_by(hit.candidate.origin)
            answer = self.show(hit.candidate, hit.typed, context, ask, hit.source, report)
            # That the model had nothing to say here is an answer; elsewhere it is none.
            if isinstance(answer, Completion) or hit.source == "cache":
                return answer
        report.answered_by(None)
        return None

    def show(
        self,
        candidate: Candidate,
        typed: str,
        context: CompletionContext,
        ask: Ask,
        source: str,
        report: Report,
    ) -> Completion | Skip:
        """Fit what a candidate says after `typed` into the document as it is now, and remember that."""
        uri = context.document.uri
        hole = Hole(context, ask, dismissed=self.cache.turned_down(context))
        text = postprocess.run(postprocess.AFTER_CACHE, candidate.rest(typed), hole, report.steps)
        if isinstance(text, Skip):
            return text
        completion = self._fit(text, context, self._new_id(), source)
        if isinstance(completion, Skip):
            return completion
        text = with_eol(text, "\n")
        if before := self.cache.shown(uri):
            self.odds.add(before)
        candidate.id = completion.id
        candidate.show(typed, text)
        self.cache.show(uri, candidate)
        self._last[uri] = (completion, context)
        return completion

    def _fit(
        self, text: str, context: CompletionContext, completion_id: str, source: str
    ) -> Completion | Skip:
        """The completion for a text at the context's cursor, with the range that it replaces."""
        text = with_eol(text, context.eol)
        start, end = context.offset, len(context.document.text) - len(context.suffix)
        n_covered = covered(text, context)
        if text == context.suffix[:n_covered]:
            return Skip(Reason.ECHO)  # accepting it would change nothing
        end += n_covered
        if context.selected:
            start, text = context.selected.start, context.selected.text + text
        return Completion(completion_id, text, start, end, source)

    def accepted(self, completion_id: str) -> None:
        """The user accepted a completion."""
        if shown := self.cache.shown_as(completion_id):
            shown.reached, shown.is_accepted = len(shown.shown), True

    def dismissed(self, completion_id: str) -> bool:
        """The user dismissed a completion; returns whether that is news of what is shown."""
        shown = self.cache.shown_as(completion_id)
        return shown is not None and self.cache.turn_down(shown)

    def next_place(self, uri: str) -> CompletionContext | None:
        """Where the cursor will be, if what is shown is likely to be accepted and says no more; told once."""
        shown, last = self.cache.shown(uri), self._last.get(uri)
        if shown is None or last is None or shown.rest(shown.shown).strip() or not self.odds.are_good(shown):
            return None
        del self._last[uri]
        return after_accepting(*last)

    def forget(self, uri: str) -> None:
        """Drop what is kept for a document that was closed."""
        self.cache.forget(uri)
        self._places.pop(uri, None)
        self._last.pop(uri, None)

    def clear(self) -> None:
        """Drop everything but what was learnt about the user."""
        self.cache.clear()
        self._places.clear()
        self._last.clear()
