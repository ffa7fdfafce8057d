"""What a stream's chunks mean: new text, or all the text so far.

Pure. DashScope's Completions API has been seen to send all the text so far in every chunk (continue#4105,
#5927); its chat sends new text. A `TextStream` turns either into new text, and finds out which it is where
nobody has said so. While that is open it gives out what both meanings agree on, and holds back only the
rest.

No rule can be right for every stream: the chunks `a`, `ab` are "aab" or "ab". To be remembered, a finding
needs evidence that text hardly gives by chance; without it, chunks are joined.
"""

from __future__ import annotations

import enum

from qwen_ls.backend.base import AnswerError

# A stream is taken to be cumulative after this many chunks that each begin with the one before and are longer
# (`na`, `na` repeats by chance) …
_GROWTHS = 2
# … with this many characters that are not blank (`\n`, `\n    x` grows by chance) …
_SIGNS = 8
# … of which this many differ (so do rulers).
_DISTINCT = 3
# Longer than any tokenizer's tokens on average.
_CHARS_PER_TOKEN = 8
_MAX_CHARS = 1 << 18
"""The longest text: several times what the longest answer that can be asked for has."""
_CUT_CHARACTER = "\ufffd"
"""What stands for the first bytes of a character that the next chunk of a cumulative stream completes."""


class Semantics(enum.StrEnum):
    """What a chunk's text is."""

    DELTA = "delta"
    """The text since the chunk before."""
    CUMULATIVE = "cumulative"
    """All the text so far."""


class SemanticsMemory:
    """What has been found out, by endpoint and model; the latest finding stands."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], Semantics] = {}

    def recall(self, endpoint: str, model: str) -> Semantics | None:
        """What was found out, if anything."""
        return self._known.get((endpoint, model))

    def learn(self, endpoint: str, model: str, semantics: Semantics) -> None:
        """Remember a finding."""
        self._known[endpoint, model] = semantics


class TextStream:
    """One stream's text, put together.

    Args:
        semantics: what the chunks mean, where that is known; None finds it out.
        certain: whether the settings or the provider's row say so, and it is taken literally. What an earlier
            stream has shown is watched: an endpoint may change.

    Attributes:
        semantics: what the chunks mean, as far as that is known by now.
        conclusive: whether this stream has shown it beyond doubt.
    """

    def __init__(self, semantics: Semantics | None = None, *, certain: bool = False) -> None:
        self.semantics = semantics
        self.conclusive = False
        self._certain = certain and semantics is not None
        self._given = ""
        self._joined = ""
        self._latest = ""
        self._chunks = 0
        self._growths = 0
        self._grows = True

    def feed(self, text: str, *, last: bool = False) -> str:
        """Take a chunk's text; give the text that is now certain to be new.

        Args:
            text: the chunk's text; may be empty.
            last: whether the chunk says that the answer is finished: such a chunk may repeat everything.

        Raises:
            AnswerError: the stream disproves what an earlier one has shown, too late to give the right text;
                or it is longer than any answer.
        """
        if not text or (last and self._repeats_all(text)):
            return ""
        if self._certain:
            self._take_literally(text)
        else:
            self._observe(text)
        if len(self._joined) > _MAX_CHARS or len(self._latest) > _MAX_CHARS:
            raise AnswerError("The endpoint's answer is too long to be one")
        return self._give(self._reading())

    def close(self, completion_tokens: int = 0) -> str:
        """End the stream; give what was held back.

        Args:
            completion_tokens: how long the answer is, as the endpoint counted it; 0 where it did not.
        """
        if self.semantics is None:
            cumulative = self._grows and (
                self._growths >= _GROWTHS or len(self._joined) > _CHARS_PER_TOKEN * completion_tokens > 0
            )
            self.semantics = Semantics.CUMULATIVE if cumulative else Semantics.DELTA
        return self._give(self._latest if self.semantics is Semantics.CUMULATIVE else self._joined)

    def _take_literally(self, text: str) -> None:
        if self.semantics is Semantics.DELTA:
            self._joined += text
        if text.startswith(_whole(self._latest)):
            self._latest = text
        elif not self._latest.startswith(text):
            self._latest += text  # the setting is wrong; this is what the chunk can mean at best

    def _observe(self, text: str) -> None:
        before = self._latest
        if not text.startswith(_whole(before)):
            if self.semantics is Semantics.CUMULATIVE and before.startswith(text):
                return  # the end was cut back, to a stop string for instance
            self._grows = False
        elif before and len(text) > len(before):
            self._growths += 1
        self._chunks += 1
        self._latest = text
        if self.semantics is not Semantics.CUMULATIVE or not self.conclusive:
            self._joined += text  # of a stream that repeats everything this would grow with the square
        if not self._grows:
            self._find(Semantics.DELTA)
        elif self._growths >= _GROWTHS and _is_telling(text):
            self._find(Semantics.CUMULATIVE)

    def _find(self, semantics: Semantics) -> None:
        self.semantics = semantics
        self.conclusive = True

    def _repeats_all(self, text: str) -> bool:
        if self._certain or self.semantics is Semantics.CUMULATIVE or not _is_telling(text):
            return False  # cumulative streams repeat everything anyway
        if self.semantics is None:
            return text in {self._joined, self._latest}
        return text == self._joined and self._chunks > 1

    def _reading(self) -> str:
        if self.semantics is Semantics.DELTA:
            return self._joined
        if self.semantics is Semantics.CUMULATIVE:
            return _whole(self._latest)
        return _common(self._joined, _whole(self._latest))

    def _give(self, text: str) -> str:
        if text.startswith(self._given):
            new = text[len(self._given) :]
            self._given = text
            return new
        if self.semantics is Semantics.CUMULATIVE and self._given.startswith(text):
            return ""
        raise AnswerError(
            "The endpoint's stream has changed its form",
            remedy="Try again; if this comes back, set streaming to off.",
            cause="stream form",
        )


def _whole(text: str) -> str:
    """The text without the replacement of a character that is not complete yet."""
    return text.rstrip(_CUT_CHARACTER)


def _common(one: str, other: str) -> str:
    """What both texts begin with."""
    n = next(
        (i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other))
    )
    return one[:n]


def _is_telling(text: str) -> bool:
    """Whether a text is too special to be repeated by chance."""
    signs = [c for c in text if not c.isspace()]
    return len(signs) >= _SIGNS and len(set(signs)) >= _DISTINCT
