"""How much of an answer is shown: its lines, its allowance; and when a stream holds enough. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qwen_ls.core.openers import opens_block
from qwen_ls.core.postprocess.echo import drop_repeated_prefix, may_become_echo
from qwen_ls.core.postprocess.enclosure import closed_again_at
from qwen_ls.core.postprocess.fences import drop_chatter, unwrap
from qwen_ls.core.postprocess.indent import shift_to_cursor, use_document_indent
from qwen_ls.core.postprocess.repetition import is_loop, loop_at
from qwen_ls.core.postprocess.scope import paragraph, scope, stop_at_dedent
from qwen_ls.core.postprocess.special import cut_special_tokens, cut_stray_tag, has_ended
from qwen_ls.core.postprocess.whitespace import drop_stray_blank, drop_typed_indent
from qwen_ls.core.postprocess.worth import drop_trailing_comment
from qwen_ls.core.syntax import scan
from qwen_ls.core.text import indent_of, lines_of, width_of
from qwen_ls.core.tokens import cut
from qwen_ls.core.trigger import line_below

if TYPE_CHECKING:
    from qwen_ls.core.postprocess.hole import Hole, Step

_UNWRAPPING: tuple[Step, ...] = (cut_special_tokens, unwrap, cut_stray_tag, drop_chatter)
_BEGINNING: tuple[Step, ...] = (
    drop_repeated_prefix,
    drop_trailing_comment,
    drop_typed_indent,
    drop_stray_blank,
    shift_to_cursor,
    use_document_indent,
)
TELLING_CHARS = 4
"""A shorter line, `}` or `end`, may well come twice."""
CUT = frozenset({"length", "deadline"})
"""The finish reasons of an answer that would go on: the token limit, and our own clock."""


def is_block(text: str, hole: Hole) -> bool:
    """Whether an answer may have several lines: as was asked, or since its first line opens a block."""
    if hole.ask.multiline or not hole.ask.block_lines:
        return hole.ask.multiline
    language, line = hole.context.document.language_id, hole.context.line_prefix
    lines = lines_of(text)
    filled = next((number for number, line in enumerate(lines) if line.strip()), len(lines))
    if filled == len(lines):
        return False
    if not hole.context.line_suffix.strip():
        opener = lines[filled] if filled else line + lines[0]
        return opens_block(opener, language) and not _body_follows(opener, hole)
    # Closers to the right: only what the answer itself opens and closes again may take lines of its own.
    opener = line if filled else line + lines[0].rstrip("\r\n")
    return opener.rstrip()[-1:] in tuple("([{") and opens_block(opener, language)


def _body_follows(opener: str, hole: Hole) -> bool:
    """Whether the code below the cursor stands deeper than a generated line: it has its body already."""
    below = line_below(hole.context)
    return bool(below) and width_of(indent_of(below)) > width_of(indent_of(opener))


def max_lines(text: str, hole: Hole) -> int:
    """How many lines an answer may have, blank ones at its beginning not counted."""
    grown = is_block(text, hole) and not hole.ask.multiline
    return hole.ask.block_lines if grown else hole.ask.max_lines


def drop_broken_line(text: str, hole: Hole) -> str:
    """Drop the last line of an answer that a limit has cut, if it is not the only one."""
    if hole.finish_reason not in CUT:
        return text
    head, newline, _ = text.rstrip("\r\n").rpartition("\n")
    return head + newline if head.strip() else text


def stop_at_max_lines(text: str, hole: Hole) -> str:
    """Keep as many lines as were asked for; blank lines at the beginning do not count for a single one."""
    lines = lines_of(text)
    blank = next((number for number, line in enumerate(lines) if line.strip()), len(lines))
    if blank == len(lines):
        return text
    end = blank + max_lines(text, hole)
    if hole.ask.until_blank:
        end = min(end, paragraph(hole.context, lines))
    kept = "".join(lines[:end])
    # One line: the rest of the current one, or, where that is complete, the next.
    return kept if is_block(text, hole) else kept.rstrip("\r\n")


def stop_at_scope(text: str, hole: Hole) -> str:
    """Keep the block that the cursor stands in, if a block may be shown."""
    return stop_at_dedent(text, hole) if is_block(text, hole) else text


def is_complete(text: str, hole: Hole) -> bool:
    """Whether a streamed answer holds all that will be shown, so that the stream can be cut.

    Looks at whole lines only, since the last one may still grow; but a line that repeats itself has no end.
    What an answer is wrapped in, or begins with, is taken off first, as it will be from the whole of it.
    """
    if has_ended(text):
        return True
    for step in _UNWRAPPING:
        text = result if isinstance(result := step(text, hole), str) else ""
    if may_become_echo(text, hole):
        return False
    for step in _BEGINNING:
        text = result if isinstance(result := step(text, hole), str) else ""
    lines = lines_of(text)
    whole = lines if text.endswith(("\n", "\r")) else lines[:-1]
    if is_looping(text) or loop_at("".join(whole)) is not None:
        return True
    filled = next((i for i, line in enumerate(whole) if line.strip()), len(whole))
    said = "".join(whole)
    if len(whole) >= filled + max_lines(said, hole) and filled < len(whole):
        return True
    if closed_again_at(said, hole) is not None:
        return True
    if not is_block(said, hole) or hole.is_prose:
        return False
    if hole.ask.until_blank and paragraph(hole.context, whole) < len(whole):
        return True
    return scope(hole.context, whole) < len(whole)


def is_looping(text: str) -> bool:
    """Whether the line that a stream is at repeats itself: then its end need not be waited for."""
    return is_loop(text[max(text.rfind("\n"), text.rfind("\r")) + 1 :].rstrip())


def is_enough(text: str, hole: Hole, *, read_on: int = 0) -> bool:
    """Whether a stream may be cut: it holds what will be shown, and some lines to show after that.

    Args:
        text: what has come.
        hole: what it must fit.
        read_on: how many lines are wanted beyond what is shown. Where the text below the cursor begins to
            repeat, there is nothing to read on for.
    """
    lines = lines_of(text)
    whole = lines if text.endswith("\n") else lines[:-1]
    if repeats_below(whole, hole) or is_looping(text):
        return True
    return is_complete("".join(whole[: max(0, len(whole) - read_on)]) if read_on else text, hole)


def repeats_below(lines: list[str], hole: Hole) -> bool:
    """Whether the last generated line that says something is the next one below the cursor."""
    last = next((line.strip() for line in reversed(lines[1:]) if line.strip()), "")
    below = line_below(hole.context).strip()
    return len(last) >= TELLING_CHARS and last == below


def is_broken_off(text: str, hole: Hole) -> bool:
    """Whether the token limit has cut an answer of several lines inside a statement that would be shown.

    Between statements it is cut well: outside of brackets, after a line end. What is no text of the document
    any more (a special token and what follows it) is not worth going on with.
    """
    if hole.finish_reason != "length" or not hole.ask.multiline or not text.strip():
        return False
    if cut(text) != text or is_complete(text, hole) or stop_at_dedent(text, hole) != text:
        return False
    return not text.endswith(("\n", "\r")) or bool(scan(text, hole.syntax).stack)
