"""How well a written hole was filled. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from qwen_ls.core import postprocess
from qwen_ls.core.distance import edit_distance
from qwen_ls.core.postprocess.hole import Hole
from qwen_ls.core.postprocess.suffix import covered
from qwen_ls.core.trigger import Ask, line_below
from qwen_ls.core.types import Skip

if TYPE_CHECKING:
    from qwen_ls.commands.calls import Call
    from qwen_ls.commands.layouts.holes import WrittenHole
    from qwen_ls.commands.layouts.ways import Way
    from qwen_ls.core.types import CompletionContext

ANSWER_TOKENS = 32
ONE_LINE = Ask(multiline=False, max_lines=1, max_tokens=ANSWER_TOKENS)


@dataclass(frozen=True, slots=True)
class Answer:
    """One hole as it was filled."""

    is_right: bool
    similarity: float
    """To the nearest right answer, from 0 to 1: one less the edit distance's share of the longer one."""
    repeats_suffix: bool
    """Whether the model wrote what stands after the cursor once more."""
    call: Call

    @property
    def worth(self) -> float:
        """From 0 to 1: half for being right, half for how near it is."""
        return (self.is_right + self.similarity) / 2

    @classmethod
    def of(cls, call: Call, raw: str, written: WrittenHole, context: CompletionContext, way: Way) -> Answer:
        """Judge an answer by what an editor would show of it.

        Args:
            call: as it went.
            raw: what the model said, with the blanks that its prompt held back taken off.
            written: the hole, and what is right.
            context: the hole as it was asked about.
            way: how.
        """
        shown = squeezed(_shown(raw, Hole(context, ONE_LINE, way.target.strategy, call.finish_reason)))
        right = [squeezed(answer) for answer in written.answers]
        similarity = max(_similarity(shown, answer) for answer in right)
        return cls(shown in right, similarity, repeats(raw, context), call)


def squeezed(text: str) -> str:
    """The text without blanks: they are a matter of style."""
    return "".join(text.split())


def _shown(raw: str, hole: Hole) -> str:
    text = postprocess.run((*postprocess.BEFORE_CACHE, *postprocess.AFTER_CACHE), raw, hole)
    if isinstance(text, Skip):
        return ""
    return text.removesuffix(hole.context.suffix[: covered(text, hole.context)])


def _similarity(one: str, other: str) -> float:
    longest = max(len(one), len(other), 1)
    return 1 - edit_distance(one, other, longest) / longest


def repeats(raw: str, context: CompletionContext) -> bool:
    """Whether an answer goes on with what stands right of the cursor, or on the next line below."""
    first, *below = raw.strip().splitlines() or [""]
    tail = context.line_suffix.strip()
    if tail and first.rstrip().endswith(tail):
        return True
    following = line_below(context).strip()
    lines = below if tail else [first, *below]
    return following in [line.strip() for line in lines]
