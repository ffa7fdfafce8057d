"""What was answered, way by way, and whether a difference is more than chance. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import product
from statistics import fmean
from typing import TYPE_CHECKING, Any

from qwen_ls.backend.base import AccessError, BackendError, ModelError, RequestError
from qwen_ls.commands.layouts.holes import HOLES

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from qwen_ls.backend.plan import Target
    from qwen_ls.commands.layouts.answer import Answer
    from qwen_ls.commands.layouts.ways import Way

REFUSALS = (AccessError, ModelError, RequestError)
"""What an endpoint answers that does not do what it is asked."""
MOST_BY_CHANCE = 0.05
"""How likely a difference may be among equals and still be called one."""


@dataclass(slots=True)
class Row:
    """One way, and what came of it."""

    way: Way
    answers: dict[int, Answer] = field(default_factory=dict)
    """By the hole's number."""
    given_up: BackendError | None = None
    """Why the endpoint is not asked so any more."""
    n_failures: int = 0
    """How many calls have failed one after the other."""

    def failed(self, error: BackendError) -> None:
        """A call has brought no answer. A refusal says that no other will; what else fails may be chance."""
        self.n_failures += 1
        if self.n_failures > 1 or isinstance(error, REFUSALS):
            self.given_up = error

    def answered(self, n_hole: int, answer: Answer) -> None:
        """A hole was filled."""
        self.n_failures = 0
        self.answers[n_hole] = answer

    @property
    def fault(self) -> str:
        """Why it is not asked any more, in a line; empty where it is."""
        if self.given_up is None:
            return ""
        return f"{'refused' if isinstance(self.given_up, REFUSALS) else 'failed'}: {self.given_up.message}"

    @property
    def n_right(self) -> int:
        """How many holes were filled with what belongs there."""
        return sum(answer.is_right for answer in self.answers.values())

    @property
    def told(self) -> str:
        """The way and how often it was right."""
        return f"{self.way.name} with {self.n_right} of {len(self.answers)}"

    def as_dict(self) -> dict[str, Any]:
        """The row as plain values; means are of the answers that came, None where there are none."""
        answers = list(self.answers.values())
        firsts = [a.call.first_token_ms for a in answers if a.call.first_token_ms is not None]
        return {
            "way": self.way.name,
            "documented": self.way.is_documented,
            "asked": len(answers),
            "right": self.n_right,
            "similarity": round(fmean(a.similarity for a in answers), 3) if answers else None,
            "repeats_suffix": sum(answer.repeats_suffix for answer in answers),
            "first_token_ms": round(fmean(firsts), 1) if firsts else None,
            **self._spent(),
            "fault": self.fault or None,
        }

    def _spent(self) -> dict[str, Any]:
        spent = [answer.call.spent for answer in self.answers.values() if answer.call.spent]
        money, currency = sum(one.money for one in spent), next((s.currency for s in spent if s.currency), "")
        return {
            "prompt_tokens": sum(one.usage.prompt_tokens for one in spent),
            "completion_tokens": sum(one.usage.completion_tokens for one in spent),
            "estimated": any(one.is_estimated for one in spent),
            "cost": {"amount": round(money, 6), "currency": currency} if currency else None,
        }


@dataclass(slots=True)
class Comparison:
    """All ways, on the same holes; it grows while they are asked."""

    rows: list[Row]
    in_force: Row | None
    """The one that the settings choose."""
    ended: BackendError | None = None
    """Why the endpoint was not asked any further."""
    interrupted: bool = False
    """Whether the user has stopped it."""

    @classmethod
    def of(cls, found: Iterable[Way], target: Target) -> Comparison:
        """These ways, none of them asked yet; the target is asked by the one that is in force."""
        rows = [Row(way) for way in found]
        return cls(rows, next((row for row in rows if row.way.is_that_of(target)), None))

    def as_dict(self) -> dict[str, Any]:
        """The comparison as plain values."""
        best = self.best()
        p = self.chance_of(best) if best else None
        return {
            "holes": len(HOLES),
            "rows": [row.as_dict() for row in self.rows],
            "in_force": self.in_force.way.name if self.in_force else None,
            "best": best.way.name if best else None,
            "p": round(p, 4) if p is not None else None,
            "better": best.way.row if best and self.is_better(best) else None,
            "interrupted": self.interrupted,
        }

    def best(self) -> Row | None:
        """The row that fills best, the one in force among equals; None where nothing has been answered."""
        answered = [row for row in self.rows if row.answers and not row.given_up]
        holes = set.intersection(*(set(row.answers) for row in answered)) if answered else set()

        def worth(row: Row) -> tuple[float, bool]:
            return sum(row.answers[n].worth for n in holes), row is self.in_force

        return max((row for row in answered if self._may_be_chosen(row)), key=worth, default=None)

    def _may_be_chosen(self, row: Row) -> bool:
        return row is self.in_force or row.way.row is not None

    def is_better(self, best: Row) -> bool:
        """Whether to take it in place of the one in force: by more than chance, or for want of that one."""
        p = self.chance_of(best)
        return best is not self.in_force and (p is None or p <= MOST_BY_CHANCE)

    def chance_of(self, best: Row) -> float | None:
        """How likely so large a difference to the row in force is among equals; None without its answers.

        An exact paired randomisation test (Fisher) of what the answers are worth. The best of several is the
        largest of several differences: the probability is multiplied by their number (Bonferroni).
        """
        if self.in_force is None or self.in_force.given_up or not self.in_force.answers:
            return None
        before, after = self.in_force.answers, best.answers
        n_others = sum(bool(row.answers) and not row.given_up for row in self.rows) - 1
        differences = [after[n].worth - before[n].worth for n in before.keys() & after.keys()]
        return min(1.0, chance(differences) * max(1, n_others))


def chance(differences: Sequence[float]) -> float:
    """The share of all ways to toss the differences' signs that leave a sum as far from 0 as theirs."""
    kept = [abs(one) for one in differences if one]
    seen = abs(sum(differences)) - 1e-9
    tosses = product((1, -1), repeat=len(kept))
    sums = (abs(sum(sign * one for sign, one in zip(toss, kept, strict=True))) for toss in tosses)
    n_as_far: int = sum(one >= seen for one in sums)
    return n_as_far / 2.0 ** len(kept)
