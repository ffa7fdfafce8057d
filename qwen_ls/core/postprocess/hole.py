"""What an answer must fit. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from qwen_ls.core.syntax import Syntax, syntax_of
from qwen_ls.core.types import CompletionContext, Skip, Strategy

if TYPE_CHECKING:
    from qwen_ls.core.trigger import Ask


@dataclass(frozen=True, slots=True)
class Hole:
    """The place in the document, what was asked for, and how the answer ended."""

    context: CompletionContext
    ask: Ask
    strategy: Strategy = Strategy.FIM
    finish_reason: str | None = None
    dismissed: tuple[str, ...] = ()
    """The texts that the user has dismissed at this place a moment ago."""

    @property
    def syntax(self) -> Syntax:
        """What the document's language looks like."""
        return syntax_of(self.context.document.language_id)

    @property
    def is_prose(self) -> bool:
        """Whether indentation says nothing about where a block ends, and a line may end in blanks."""
        return self.syntax.prose


Step = Callable[[str, Hole], str | Skip]
