"""Answers that run into the rest of the line: what is cut, what is covered, what is balanced. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from qwen_ls.core.syntax import (
    LINE_CHARS,
    State,
    knows_all,
    line_before,
    scan,
    state_at,
    state_at_line,
    syntax_of,
    without_comment,
)
from qwen_ls.core.text import CLOSERS, QUOTES, current_line_after, indent_of
from qwen_ls.core.trigger import line_above
from qwen_ls.core.types import Reason, Skip

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qwen_ls.core.postprocess.hole import Hole
    from qwen_ls.core.syntax import Syntax
    from qwen_ls.core.types import CompletionContext

CLOSING = frozenset(CLOSERS + QUOTES + ";,: \t")
"""What an editor, or the statement around the cursor, closes a line with."""
_ESCAPE_OR_QUOTE = re.compile(r"""\\.|["'`]""", re.DOTALL)
_ASSIGNS = re.compile(r"\s*[\w.]+ *(?::[^=]+)?=(?!=)")
MIN_OVERLAP = 3
"""A shorter overlap with the rest of the line is chance, unless it is all of the rest."""


def trim_overlap(text: str, hole: Hole) -> str | Skip:
    """Cut the answer's end where it is the beginning of the rest of the line.

    A rest of closers only is left to `covered`: there the item's range takes the closers in.
    """
    tail = hole.context.line_suffix.rstrip()
    if not set(tail) - CLOSING:
        # Closers are left to `covered`; what ends a statement is there already.
        bare, made = tail.strip(), text.rstrip()
        return (
            _or_skip(made[: -len(bare)])
            if bare and not set(bare) - set(";,:") and made.endswith(bare)
            else text
        )
    first = text.partition("\n")[0]  # a second line would push the rest of this one away from it
    bare = tail.lstrip()
    for rest in (tail, bare) if bare != tail else (tail,):
        for size in range(min(len(first), len(rest)), 0, -1):
            if first.endswith(rest[:size]) and (size == len(rest) or _is_overlap(rest, size)):
                return _or_skip(first[:-size])
    # The whole rest stands inside of the answer's line, and what comes behind it has no place.
    if len(bare) >= MIN_OVERLAP:
        for rest in (tail, bare):
            if (
                (at := first.find(rest)) > 0
                and not _cuts_word(first, at)
                and not _cuts_word(first, at + len(rest))
            ):
                return _or_skip(first[:at])
    if tail[0] in ",;" and first.rstrip().endswith(tail[0]):
        return _or_skip(first.rstrip()[:-1])
    return first


def _is_overlap(tail: str, size: int) -> bool:
    """Whether so much of the rest of the line is more than chance: `, b` of `, bar` is not."""
    return size >= MIN_OVERLAP and not _cuts_word(tail, size)


def _cuts_word(line: str, at: int) -> bool:
    return 0 < at < len(line) and _is_word(line[at - 1]) and _is_word(line[at])


def _is_word(char: str) -> bool:
    return char.isalnum() or char == "_"


def _or_skip(text: str) -> str | Skip:
    return text if text.strip() else Skip(Reason.ECHO)


def balance(text: str, hole: Hole) -> str | Skip:
    """Make the brackets and quotes of the answer agree with those around it.

    A closer that nothing has opened ends the answer. What the answer has opened on a line that goes on with
    closers is closed, for those closers belong to what was opened before. A block that was written between
    the brackets of one line puts the closing one on a line of its own.
    """
    if hole.is_prose or not hole.syntax.brackets:
        return text
    text = _without_surplus(text, hole)
    tail = current_line_after(hole.context.line_suffix)
    if (
        not text.strip()
        or not tail.strip()
        or set(tail) - CLOSING
        or _n_covered(text, hole.context) is not None
    ):
        return text
    state = scan(text, hole.syntax, State(inside=_line_state(hole.context).inside))
    here = _line_state(hole.context)
    own = state.stack if not here.inside else ()
    closed = text.rstrip() + (state.inside if state.inside in QUOTES and not here.inside else "")
    closed += "".join(closer[0] for closer in reversed(own))
    if closed != text and _n_covered(closed, hole.context) is not None:
        return closed
    return text


def break_before_closer(text: str, hole: Hole) -> str:
    """Put the closers right of the cursor on a line of their own where the answer has begun new lines."""
    tail, line = hole.context.line_suffix.strip(), hole.context.line_prefix
    if hole.is_prose or "\n" not in text or tail[:1] not in tuple(CLOSERS) or covered(text, hole.context):
        return text
    if not line.rstrip().endswith(tuple("([{")) or text.partition("\n")[0].strip():
        return text
    return text.rstrip() + "\n" + indent_of(line)


def _without_surplus(text: str, hole: Hole) -> str:
    """The text before its first closing bracket that nothing has opened; all of it where that is unknown."""
    context = hole.context
    if not knows_all(context):
        return text
    before = state_at(context)
    if before.unmatched:
        return text  # the document itself does not agree: nothing can be said
    state = scan(text, hole.syntax, State(inside=before.inside))
    stack = _line_state(context).stack if _begins_statement(context) else before.stack
    due = [closer[0] for closer in stack]
    for closer, offset in state.unmatched:
        if closer not in CLOSERS:
            continue
        if not due or due.pop() != closer:
            return text[:offset]
    return text


def _begins_statement(context: CompletionContext) -> bool:
    """Whether the line is a statement of its own, and what is open above was left open by mistake.

    In Python's brackets `name = ` comes after a comma only, or first.
    """
    above = without_comment(line_above(context), syntax_of("python")).rstrip()
    return (
        context.document.language_id == "python"
        and bool(_ASSIGNS.match(context.line_prefix))
        and above[-1:] not in tuple(",([{\\")
        and not state_at_line(context).inside
    )


def covered(text: str, context: CompletionContext) -> int:
    """How many characters right of the cursor the item's range must take in.

    An editor closes brackets and quotes as they are opened. Where the answer brings those closers itself, the
    range covers the editor's, so that they are replaced and not doubled: as few as make the line's brackets
    and quotes agree.
    """
    count = _n_covered(text, context)
    if count or (count == 0 and _is_code(context, text)):
        return count
    return _n_brought(text, context)


def _is_code(context: CompletionContext, text: str) -> bool:
    """Whether what stands right of the cursor is code, also with the text before it."""
    if context.line_suffix[:1] not in tuple(CLOSERS):
        return True  # there is nothing to ask about
    syntax, start = syntax_of(context.document.language_id), _line_start(context)
    states = (scan(line_before(context) + added, syntax, start) for added in ("", text))
    return all(state.in_code and state.comment is None for state in states)


def _n_covered(text: str, context: CompletionContext) -> int | None:
    """As `covered`; None where the line does not agree however many are covered."""
    tail, line = context.line_suffix[:LINE_CHARS], line_before(context)
    if tail.lstrip(" ")[:1] not in tuple(CLOSERS + QUOTES):
        return 0
    syntax, start = syntax_of(context.document.language_id), _line_start(context)
    as_it_is = _open(scan(line + tail, syntax, start))
    for count in _closer_ends(tail, syntax):
        after = _open(scan(line + text + tail[count:], syntax, start))
        if after == as_it_is or (count and after == _open(start)):
            return _with_rest(text, tail, count)
    return None


def _n_brought(text: str, context: CompletionContext) -> int:
    """As `covered`, where the whole line says nothing: by the closers that the text brings, in their order.

    In a string or a comment brackets mean nothing, but an editor closes them all the same; and a block that
    the answer has opened and not closed never agrees.
    """
    tail, here = context.line_suffix, _line_state(context)
    if here.in_code and here.comment is None:
        state = scan(text, syntax_of(context.document.language_id))
    else:
        first = text.partition("\n")[0]
        state = scan(first.partition(here.inside)[0] if here.inside else first, syntax_of(""))
    count = 0
    for closer, _ in state.unmatched:
        if closer not in CLOSERS or tail[count : count + 1] != closer:
            break
        count += 1
    return count


def _closer_ends(tail: str, syntax: Syntax) -> Iterator[int]:
    """Where the closers that a line goes on with end, from none of them on; three quotes are one closer."""
    yield 0
    at = len(tail) - len(tail.lstrip(" "))
    while True:
        if at:
            yield at
        long = next((quote for quote in syntax.strings if len(quote) == 3 and tail.startswith(quote, at)), "")
        if not long and tail[at : at + 1] not in tuple(CLOSERS + QUOTES):
            return
        at += len(long) or 1


def _with_rest(text: str, tail: str, count: int) -> int:
    """The count with what ends the statement behind the closers, where the answer has that too."""
    rest = tail[count:].rstrip()
    if count and rest and not set(rest) - set(";,:> ") and text.rstrip().endswith(rest):
        return len(tail.rstrip())
    return count


def _open(state: State) -> tuple[object, ...]:
    return state.stack, state.inside, tuple(closer for closer, _ in state.unmatched)


def _line_start(context: CompletionContext) -> State:
    """What the current line begins in: a string over several lines, a comment, code."""
    return State(inside=state_at_line(context).inside)


def _line_state(context: CompletionContext) -> State:
    """What is open at the cursor by its line alone."""
    syntax = syntax_of(context.document.language_id)
    return scan(line_before(context), syntax, _line_start(context))
