"""Answers that are not worth showing. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qwen_ls.core.types import Reason, Skip, TriggerKind

if TYPE_CHECKING:
    from qwen_ls.core.postprocess.hole import Hole

MIN_CHARS = 2
"""Fewer visible characters are typed sooner than read."""


def drop_trifle(text: str, hole: Hole) -> str | Skip:
    """Show nothing for less than two visible characters, unless the user has asked."""
    visible = sum(not char.isspace() for char in text)
    if visible < MIN_CHARS and hole.context.trigger is TriggerKind.AUTOMATIC:
        return Skip(Reason.TRIFLE)
    return text


def drop_dismissed(text: str, hole: Hole) -> str | Skip:
    """Show nothing that the user has dismissed here a moment ago, nor what only goes on from there.

    Blanks do not count. An answer that begins otherwise is another one, and so is a shorter one.
    """
    if hole.context.trigger is TriggerKind.AUTOMATIC:
        said = " ".join(text.split())
        for dismissed in hole.dismissed:
            if (before := " ".join(dismissed.split())) and said.startswith(before):
                return Skip(Reason.DISMISSED)
    return text
