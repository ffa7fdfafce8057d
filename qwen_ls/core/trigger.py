"""Whether to ask, and for how much. Pure: settings in, `Ask` or `Skip` out."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from qwen_ls.core.images import find_image
from qwen_ls.core.openers import opens_block
from qwen_ls.core.redact import denied
from qwen_ls.core.syntax import statement_indent, syntax_of
from qwen_ls.core.text import each_line, first_filled, indent_of, lines_of, width_of
from qwen_ls.core.types import Reason, Skip, TriggerKind

if TYPE_CHECKING:
    from qwen_ls.core.types import CompletionContext
    from qwen_ls.settings import Settings

LINE_TOKENS, BLOCK_TOKENS = 64, 256
LINE_LINES, BLOCK_LINES = 1, 24
MIN_DOCUMENT_CHARS = 8
"""A document of fewer visible characters says too little about what comes next."""
LOOKED_AT_CHARS = 2000
"""How far above the cursor the line before it is looked for."""

_TAIL_OF_CLOSERS = re.compile(
    r"""(?:[\s)\]}>"'`]|</[\w.:-]*>|/>|\*/|-->|[%?]>|<%=?)*[\s:{;,]*""",
)
"""What an editor types behind the cursor, and what a statement or a block opener ends with."""


@dataclass(frozen=True, slots=True)
class Ask:
    """What is asked for: at most so many lines and tokens."""

    multiline: bool
    max_lines: int
    max_tokens: int
    block_lines: int = 0
    """How many lines a line may grow to whose first generated one opens a block; 0: it stays a line."""
    until_blank: bool = False
    """Whether a block ends at its first blank line that stands in nothing deeper."""

    @property
    def described(self) -> str:
        """The same in words."""
        if self.multiline:
            return f"a block, {self.max_lines} lines at most"
        if self.block_lines:
            return f"a line, or a block of {self.block_lines} lines at most where the first one opens one"
        return "a line" if self.max_lines == 1 else f"{self.max_lines} lines at most"


@dataclass(frozen=True, slots=True)
class Moment:
    """What has just happened at the cursor. The core has no memory: whoever has one fills this in."""

    deleted: bool = False
    """The last change of the document only took text away."""
    accepted: bool = False
    """The last change of the document was that a suggestion was accepted up to a line's end."""
    dismissed: bool = False
    """A suggestion at this very place was dismissed a moment ago."""


NOTHING_HAPPENED = Moment()


def decide(
    context: CompletionContext,
    settings: Settings,
    *,
    moment: Moment = NOTHING_HAPPENED,
    enabled: bool = True,
) -> Ask | Skip:
    """How much to ask for, unless the gate is closed."""
    return gate(context, settings, moment=moment, enabled=enabled) or how_much(context, settings, moment)


def gate(
    context: CompletionContext,
    settings: Settings,
    *,
    moment: Moment = NOTHING_HAPPENED,
    enabled: bool = True,
) -> Skip | None:
    """Why there is to be no suggestion, if so. An explicit request passes all but the deny list.

    Args:
        context: where the cursor stands.
        settings: the settings in force.
        moment: what has just happened there.
        enabled: the switch that `qwen-ls.toggle` flips.
    """
    if denied(context.document.uri, settings.exclude):
        return Skip(Reason.DENIED)
    if not context.document.text.strip():
        return Skip(Reason.EMPTY_DOCUMENT)
    if context.trigger is TriggerKind.INVOKED:
        return None
    return _switched_off(context, settings, enabled=enabled) or _quiet(context, settings, moment)


def how_much(context: CompletionContext, settings: Settings, moment: Moment = NOTHING_HAPPENED) -> Ask:
    """A line, a line that may grow into a block, or a block."""
    why = why_block(context, moment)
    alone = not context.line_suffix.strip()
    multiline = alone and (context.trigger is TriggerKind.INVOKED or why in settings.blocks)
    grows = not multiline and "opened" in settings.blocks and settings.max_lines != 1
    return Ask(
        multiline=multiline,
        max_lines=settings.max_lines or (BLOCK_LINES if multiline else LINE_LINES),
        # The stream of a line that stays a line is closed at its end, so that the allowance costs nothing.
        max_tokens=settings.max_tokens or (BLOCK_TOKENS if multiline or grows else LINE_TOKENS),
        block_lines=(settings.max_lines or BLOCK_LINES) if grows else 0,
        until_blank=multiline
        and context.trigger is TriggerKind.AUTOMATIC
        and _is_one_paragraph(context, why),
    )


def _is_one_paragraph(context: CompletionContext, why: str) -> bool:
    """Whether a block is wanted that ends at a blank line: after a line, and below a comment of its own."""
    comment = syntax_of(context.document.language_id).line_comment
    below_comment = (
        why == "comment" and bool(comment) and bool(re.match(comment, line_above(context).strip()))
    )
    return why == "accepted" or below_comment


def line_above(context: CompletionContext) -> str:
    """The last line above the current one that is not blank."""
    end = len(context.prefix) - len(context.line_prefix)
    return first_filled(reversed(lines_of(context.prefix[max(0, end - LOOKED_AT_CHARS) : end])))


def line_below(context: CompletionContext) -> str:
    """The first line below the current one that is not blank."""
    return first_filled(each_line(context.suffix[len(context.line_suffix) :]))


def _switched_off(context: CompletionContext, settings: Settings, *, enabled: bool) -> Skip | None:
    """Whether the user wants no automatic suggestion at all here."""
    if not enabled or not settings.enabled:
        return Skip(Reason.DISABLED)
    if settings.trigger == "manual":
        return Skip(Reason.MANUAL)
    if not speaks(context.document.language_id, settings.languages):
        return Skip(Reason.LANGUAGE_OFF, context.document.language_id)
    return None


def _quiet(context: CompletionContext, settings: Settings, moment: Moment) -> Skip | None:
    """Why an automatic request stays without an answer, if it does: the rules of the setting `quiet`."""
    rules = settings.quiet
    if "word" in rules and context.selected is None and context.line_suffix[:1].isidentifier():
        return Skip(Reason.MID_WORD)
    if "tail" in rules and not _is_tail_of_closers(context) and not (settings.images and find_image(context)):
        return Skip(Reason.TAIL)
    if "short" in rules and _is_short(context.document.text):
        return Skip(Reason.SHORT_DOCUMENT)
    if "deletion" in rules and moment.deleted:
        return Skip(Reason.DELETED)
    if "dismissed" in rules and moment.dismissed:
        return Skip(Reason.DISMISSED)
    return None


def _is_tail_of_closers(context: CompletionContext) -> bool:
    return bool(_TAIL_OF_CLOSERS.fullmatch(context.line_suffix))


def _is_short(text: str) -> bool:
    return len("".join(text[:1000].split())) < MIN_DOCUMENT_CHARS


def speaks(language_id: str, languages: tuple[str, ...]) -> bool:
    """Whether a language is on: listed, or not listed with a `!` before it."""
    off = {name[1:] for name in languages if name.startswith("!")}
    on = {name for name in languages if not name.startswith("!")}
    return language_id not in off and (not on or language_id in on)


def why_block(context: CompletionContext, moment: Moment = NOTHING_HAPPENED) -> str:
    """Why the place calls for more than a line, in the words of the setting `blocks`; empty if it does not.

    `empty`: a block was just opened, or its body is missing. `comment`: a comment or docstring stands above
    that says what comes. `accepted`: a whole line was just accepted. `blank`: a blank line at a block's end.
    """
    line = context.line_prefix
    if moment.accepted:
        return "accepted"
    if line.strip():
        opens = opens_block(line, context.document.language_id)
        return "empty" if opens and _block_is_empty(context, statement_indent(context)) else ""
    before = line_above(context)
    if not _block_is_empty(context, before):
        return ""
    if _is_comment(before, context.document.language_id):
        return "comment"
    return "empty" if opens_block(before, context.document.language_id) else "blank"


def _is_comment(line: str, language_id: str) -> bool:
    """Whether a line is a comment, or the end of one, or of a docstring."""
    syntax, said = syntax_of(language_id), line.strip()
    if syntax.line_comment and re.match(syntax.line_comment, said):
        return True
    ends = [end for _, end in syntax.comments] + [quote for quote in syntax.strings if len(quote) == 3]
    return any(said.endswith(end) for end in ends) and "=" not in said


def _block_is_empty(context: CompletionContext, opener: str) -> bool:
    """Whether the next line of code after the cursor stands no deeper than `opener`."""
    following = line_below(context)
    return not following or width_of(indent_of(following)) <= width_of(indent_of(opener))
