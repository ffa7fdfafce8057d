"""Whether to ask, and for how much. Pure: settings in, `Ask` or `Skip` out."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from qwen_ls.core.images import find_image
from qwen_ls.core.redact import denied
from qwen_ls.core.text import indent_of, lines_of, width_of
from qwen_ls.core.types import Reason, Skip, TriggerKind

if TYPE_CHECKING:
    from qwen_ls.core.types import CompletionContext
    from qwen_ls.settings import Settings

LINE_TOKENS, BLOCK_TOKENS = 64, 256
LINE_LINES, BLOCK_LINES = 1, 24

_TAIL_OF_CLOSERS = re.compile(r"""[\s)\]}>"'`]*[\s:{;,]*""")
_OPENS_BLOCK = re.compile(r"(?:[:{(\[]|=>|->|\b(?:then|do|else|begin))\s*$")


@dataclass(frozen=True, slots=True)
class Ask:
    """What is asked for: at most so many lines and tokens."""

    multiline: bool
    max_lines: int
    max_tokens: int


def decide(context: CompletionContext, settings: Settings, *, enabled: bool = True) -> Ask | Skip:
    """The gate. An explicit request passes it, but never the deny list.

    Args:
        context: where the cursor stands.
        settings: the settings in force.
        enabled: the switch that `qwen-ls.toggle` flips.
    """
    if denied(context.document.uri, settings.exclude):
        return Skip(Reason.DENIED)
    if not context.document.text.strip():
        return Skip(Reason.EMPTY_DOCUMENT)
    if context.trigger is TriggerKind.AUTOMATIC and (skip := _quiet(context, settings, enabled=enabled)):
        return skip
    multiline = context.trigger is TriggerKind.INVOKED or wants_block(context)
    multiline = multiline and not context.line_suffix.strip()
    return Ask(
        multiline=multiline,
        max_lines=settings.max_lines or (BLOCK_LINES if multiline else LINE_LINES),
        max_tokens=settings.max_tokens or (BLOCK_TOKENS if multiline else LINE_TOKENS),
    )


def _quiet(context: CompletionContext, settings: Settings, *, enabled: bool) -> Skip | None:
    """Why an automatic request stays without an answer, if it does."""
    if not enabled or not settings.enabled:
        return Skip(Reason.DISABLED)
    if settings.trigger == "manual":
        return Skip(Reason.MANUAL)
    if not speaks(context.document.language_id, settings.languages):
        return Skip(Reason.LANGUAGE_OFF, context.document.language_id)
    if context.selected is None and context.line_suffix[:1].isidentifier():
        return Skip(Reason.MID_WORD)
    if not _TAIL_OF_CLOSERS.fullmatch(context.line_suffix) and not (settings.images and find_image(context)):
        return Skip(Reason.TAIL)
    return None


def speaks(language_id: str, languages: tuple[str, ...]) -> bool:
    """Whether a language is on: listed, or not listed with a `!` before it."""
    off = {name[1:] for name in languages if name.startswith("!")}
    on = {name for name in languages if not name.startswith("!")}
    return language_id not in off and (not on or language_id in on)


def wants_block(context: CompletionContext) -> bool:
    """Whether the place calls for more than a line: an empty block, or a blank line with none after it."""
    line = context.line_prefix
    if line.strip():
        return opens_block(line) and _block_is_empty(context, line)
    before = next((past for past in reversed(lines_of(context.prefix)) if past.strip()), "")
    return _block_is_empty(context, before)


def opens_block(line: str) -> bool:
    """Whether a line ends with what a block, or a list, begins with."""
    return bool(_OPENS_BLOCK.search(line))


def _block_is_empty(context: CompletionContext, opener: str) -> bool:
    """Whether the next line of code after the cursor stands no deeper than `opener`."""
    rest = context.suffix[len(context.line_suffix) :]
    following = next((line for line in lines_of(rest) if line.strip()), "")
    return not following or width_of(indent_of(following)) <= width_of(indent_of(opener))
