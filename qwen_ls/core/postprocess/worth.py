"""Answers, and parts of them, that are not worth showing. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qwen_ls.core.syntax import line_before, scan, state_at, without_comment
from qwen_ls.core.text import lines_of
from qwen_ls.core.types import Reason, Skip, TriggerKind

if TYPE_CHECKING:
    from qwen_ls.core.postprocess.hole import Hole

MIN_CHARS = 2
"""Fewer visible characters are typed sooner than read."""
LOOKED_AT_CHARS = 4000
"""How far above the cursor a habit of the document is looked for."""


def drop_trailing_comment(text: str, hole: Hole) -> str | Skip:
    """Take off the comment that an answer puts behind a line of code, in a document that has none such.

    Small models explain each line; the code that comes after is what was asked for.
    """
    context, line = hole.context, line_before(hole.context)
    first, newline, rest = text.partition("\n")
    if hole.is_prose or not context.line_prefix.strip() or not state_at(context).in_code:
        return text
    begins = scan(line + first, hole.syntax).comment
    if begins is None or begins < len(line) or first[: begins - len(line)].strip():
        return text
    if any(_is_commented(above, hole) for above in lines_of(context.prefix[-LOOKED_AT_CHARS:])):
        return text
    return newline + rest if rest.strip() else Skip(Reason.CHATTER)


def drop_lone_comment(text: str, hole: Hole) -> str | Skip:
    """Show nothing for comments alone below a finished line of code, unless the user has asked.

    On an empty line a comment may be what is wanted; behind a statement it explains what stands below.
    """
    context = hole.context
    if context.trigger is not TriggerKind.AUTOMATIC or hole.is_prose or not context.line_prefix.strip():
        return text
    first, _, rest = text.partition("\n")
    lines = [line for line in lines_of(rest) if line.strip()]
    if first.strip() or not lines or any(without_comment(line, hole.syntax).strip() for line in lines):
        return text
    before = scan(line_before(context), hole.syntax)
    return text if before.comment is not None or not state_at(context).in_code else Skip(Reason.CHATTER)


def _is_commented(line: str, hole: Hole) -> bool:
    """Whether a line has code, and a comment behind it."""
    code = without_comment(line, hole.syntax)
    return bool(code.strip()) and code != line.rstrip("\r\n")


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
        said = "".join(text.split())
        for dismissed in hole.dismissed:
            if (before := "".join(dismissed.split())) and said.startswith(before):
                return Skip(Reason.DISMISSED)
    return text
