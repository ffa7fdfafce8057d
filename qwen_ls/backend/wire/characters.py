r"""Characters that an answer's JSON has in halves: `"\ud83d"` in one event, `"\ude00"` in the next. Pure."""

from __future__ import annotations

import re

_HALF = re.compile("[\ud800-\udfff]")
_FIRST = re.compile("[\ud800-\udbff]")
_SECOND = re.compile("[\udc00-\udfff]")


class Characters:
    """Puts the halves of one stream together; a half that stays alone is U+FFFD."""

    def __init__(self) -> None:
        self._half = ""

    def feed(self, text: str) -> str:
        """Take an event's text; give it whole, without a half at its end: the next event may have the other.

        Where every event holds all the text so far, the next one has both.
        """
        if not text:
            return ""
        if self._half and _SECOND.match(text):
            text = self._half + text
        self._half = text[-1] if _FIRST.match(text[-1]) else ""
        return whole(text.removesuffix(self._half))


def whole(text: str) -> str:
    """The text with the halves of pairs joined, and U+FFFD for those that are alone."""
    if not _HALF.search(text):
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
