"""From a model's raw answer to text that fits the hole.

Pure. Each step is a function of the text and the `Hole` that returns the text, changed or not, or `Skip`.
The steps of `BEFORE_CACHE` depend on the model and on the place that it was asked about. Those of
`AFTER_CACHE` depend on the document as it is now and run on every hit as well. Line ends aside, they only cut
an answer's end: what is left of an answer while its beginning is being typed is the end of the same answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from qwen_ls.core.postprocess import (
    below,
    echo,
    enclosure,
    fences,
    indent,
    limit,
    repetition,
    special,
    suffix,
    whitespace,
    worth,
)
from qwen_ls.core.types import Skip

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qwen_ls.core.postprocess.hole import Hole, Step

BEFORE_CACHE: tuple[Step, ...] = (
    special.cut_special_tokens,
    fences.unwrap,
    special.cut_stray_tag,
    fences.drop_chatter,
    echo.drop_repeated_prefix,
    worth.drop_trailing_comment,
    limit.drop_broken_line,
    whitespace.drop_typed_indent,
    whitespace.drop_stray_blank,
    whitespace.drop_typed_blank,
    indent.shift_to_cursor,
    indent.use_document_indent,
    echo.drop_rewritten_line,
    repetition.stop_repetition,
)
CONTINUATION: tuple[Step, ...] = BEFORE_CACHE[:5]
"""For what goes on with an answer, before it is put to its beginning: chat models greet again."""
AFTER_CACHE: tuple[Step, ...] = (
    enclosure.close_once,
    limit.stop_at_scope,
    limit.stop_at_max_lines,
    below.drop_repeated_lines,
    below.join_body_below,
    below.drop_dead_end,
    suffix.trim_overlap,
    suffix.balance,
    whitespace.trim_end,
    suffix.break_before_closer,
    whitespace.use_document_eol,
    worth.drop_lone_comment,
    worth.drop_trifle,
    worth.drop_dismissed,
)


@dataclass(frozen=True, slots=True)
class Change:
    """What one step made of an answer."""

    step: str
    before: str
    after: str | Skip


def run(steps: Sequence[Step], text: str, hole: Hole, trace: list[Change] | None = None) -> str | Skip:
    """Apply the steps in order; the first `Skip` ends it.

    Args:
        steps: `BEFORE_CACHE` or `AFTER_CACHE`.
        text: the answer so far.
        hole: what it must fit.
        trace: receives the steps that changed something, with the text before and after.
    """
    for step in steps:
        result = step(text, hole)
        if trace is not None and result != text:
            trace.append(Change(step.__name__, text, result))
        if isinstance(result, Skip):
            return result
        text = result
    return text
