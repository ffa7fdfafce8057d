"""What the service tells: notices for the user, a status for the status bar, and one request's story.

Pure. What leaves it, `Report.as_dict`, holds no document text, prompts, completions or credentials.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from qwen_ls.core.types import Completion

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from qwen_ls.backend.plan import Target
    from qwen_ls.books import Spent
    from qwen_ls.core.postprocess import Change
    from qwen_ls.core.types import Document, Prompt, Skip, Snippet, TriggerKind, Usage


class Level(enum.StrEnum):
    """How loud a notice is."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


def clock_time(at_s: float, now_s: float) -> str:
    """A time as a clock on the wall shows it, with seconds where it is near.

    Args:
        at_s: seconds since 1970.
        now_s: the same, for now.
    """
    return datetime.fromtimestamp(at_s).astimezone().strftime("%H:%M" if at_s - now_s >= 60 else "%H:%M:%S")


@dataclass(frozen=True, slots=True)
class Notice:
    """Something the user should read once: one per cause of trouble."""

    level: Level
    cause: str
    text: str


@dataclass(frozen=True, slots=True)
class Status:
    """What the server is doing. `kind` is one of ready, thinking, limited, off, error."""

    kind: str
    text: str = ""


@dataclass(slots=True)
class Report:
    """The story of one request: what happened at each stage, and when."""

    clock: Callable[[], float] = lambda: 0.0
    started_s: float = 0.0
    facts: dict[str, Any] = field(default_factory=dict)
    timings_ms: dict[str, float] = field(default_factory=dict)
    steps: list[Change] = field(default_factory=list)
    """The post-processing steps that changed the answer. They hold text: `as_dict` has their names only."""
    said: str = field(default="", repr=False)
    """What the model said, as it came. Only `explanation` shows this, the steps' texts, and the prompt."""
    prompt: Prompt | None = field(default=None, repr=False)

    @classmethod
    def begin(cls, clock: Callable[[], float], document: Document, trigger: TriggerKind) -> Report:
        """Start the story of a request."""
        facts = {
            "uri": document.uri,
            "version": document.version,
            "language": document.language_id,
            "trigger": trigger.name.lower(),
        }
        return cls(clock, clock(), facts)

    def mark(self, stage: str) -> None:
        """The request has reached the end of a stage now."""
        self.timings_ms[stage] = round((self.clock() - self.started_s) * 1000, 1)

    def target(self, target: Target) -> None:
        """The call goes to this endpoint."""
        self.facts |= {
            "provider": target.provider.name,
            "model": target.model,
            "strategy": target.strategy.value,
        }

    def snippets(self, snippets: Iterable[Snippet]) -> None:
        """The prompt shows these: where they are from, not what they say."""
        self.facts["snippets"] = [
            {
                "path": one.path,
                "source": one.source,
                "score": round(one.score, 4),
                "lines": one.text.count("\n"),
            }
            for one in snippets
        ]

    def usage(self, usage: Usage | None) -> None:
        """The endpoint counted these tokens."""
        if usage:
            self.facts["usage"] = {
                "prompt_tokens": usage.prompt_tokens,
                "completion_tokens": usage.completion_tokens,
                "cached_tokens": usage.cached_tokens,
            }

    def spent(self, spent: Spent) -> None:
        """A call of this request has used and cost so much."""
        before = self.facts.get("cost", {})
        if spent.currency:
            self.facts["cost"] = {
                "amount": round(spent.money + before.get("amount", 0.0), 6),
                "currency": spent.currency,
                "estimated": spent.is_estimated or before.get("estimated", False),
            }

    def end(self, outcome: Completion | Skip) -> Completion | Skip:
        """The request is answered with this."""
        self.mark("total")
        if isinstance(outcome, Completion):
            self.facts |= {"outcome": "shown", "source": outcome.source, "characters": len(outcome.text)}
        else:
            self.facts |= {"outcome": "nothing", "reason": str(outcome)}
        return outcome

    def as_dict(self) -> dict[str, Any]:
        """The story as plain values; times are milliseconds since the request came."""
        return self.facts | {
            "steps": [change.step for change in self.steps],
            "timings_ms": dict(self.timings_ms),
        }
