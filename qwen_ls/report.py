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
    from collections.abc import Callable

    from qwen_ls.core.origin import Origin
    from qwen_ls.core.postprocess import Change
    from qwen_ls.core.types import Document, Skip, TriggerKind


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
    steps: list[Change] = field(default_factory=list, repr=False)
    """The steps that changed the kept answer for this request. They hold text: `as_dict` has their names."""
    origin: Origin | None = None
    """The call that the answer comes from, or that has failed; its texts are `explanation`'s to show."""
    is_own: bool = False
    """Whether that call was on its way for this request, or made for it."""

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

    def answered_by(self, origin: Origin | None, *, is_own: bool = False) -> None:
        """The answer is taken from what this call has said: the steps begin anew."""
        self.origin, self.is_own, self.steps = origin, is_own, []

    def end(self, outcome: Completion | Skip) -> Completion | Skip:
        """The request is answered with this."""
        self.mark("total")
        if isinstance(outcome, Completion):
            self.facts |= {"outcome": "shown", "source": outcome.source, "characters": len(outcome.text)}
        else:
            self.facts |= {"outcome": "nothing", "reason": str(outcome)}
        return outcome

    @property
    def age_s(self) -> float:
        """How long before this request its answer's call was made, in seconds."""
        return self.started_s - self.origin.started_s if self.origin else 0.0

    def as_dict(self) -> dict[str, Any]:
        """The story as plain values; times are milliseconds since the request came.

        What a call of its own was asked and took stands beside the rest; of an older call it is in `origin`.
        """
        story = dict(self.facts)
        if self.origin and self.is_own:
            story |= self.origin.as_dict()
        elif self.origin:
            story["origin"] = self.origin.as_dict() | {"age_ms": round(self.age_s * 1000)}
        changes = [*(self.origin.steps if self.origin and self.is_own else ()), *self.steps]
        return story | {"steps": [change.step for change in changes], "timings_ms": self._timings()}

    def _timings(self) -> dict[str, float]:
        first_s = self.origin.first_token_s if self.origin and self.is_own else None
        if first_s is None or first_s < self.started_s:
            return dict(self.timings_ms)
        marks = [*self.timings_ms.items(), ("first token", round((first_s - self.started_s) * 1000, 1))]
        return dict(sorted(marks, key=lambda mark: (mark[1], mark[0] == "total")))
