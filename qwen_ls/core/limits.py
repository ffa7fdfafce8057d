"""What may still be used: requests and tokens a minute, tokens and money a day. Pure.

A call is admitted with what it may cost at most, and settled with what it did cost. A minute is any 60
seconds; the caller brings the time, and says when the day ends.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MINUTE_S = 60.0
_TINY = 1e-9
"""Sums of prices are sums of binary fractions."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What may be used at most; None is no limit."""

    requests_per_minute: float | None = None
    tokens_per_minute: float | None = None
    tokens_per_day: float | None = None
    money_per_day: float | None = None

    @classmethod
    def of(cls, table: Mapping[str, float]) -> Limits:
        """The limits of the settings' table, by snake_case name."""
        return cls(**table)

    def __bool__(self) -> bool:
        return self != Limits()


@dataclass(frozen=True, slots=True)
class Recent:
    """A call of the last minute: when it was made, and its tokens, or what was reserved for it."""

    at_s: float
    tokens: int


@dataclass(frozen=True, slots=True)
class Day:
    """What the day has cost so far, reservations included, and when it ends."""

    tokens: int
    money: float
    ends_s: float


@dataclass(frozen=True, slots=True)
class Want:
    """What a call may cost at most."""

    tokens: int
    money: float = 0.0


@dataclass(frozen=True, slots=True)
class Refusal:
    """A limit that a call would exceed."""

    limit: str
    """Its snake_case name."""
    allowed: float
    until_s: float | None
    """When the same call would fit at the earliest, if no other is made; None where it never will."""


def refusal(limits: Limits, minute: Sequence[Recent], day: Day, want: Want, now_s: float) -> Refusal | None:
    """Why a call may not be made; None where it may. Of several reasons, the one that holds longest.

    Args:
        limits: what may be used.
        minute: the calls since `now_s - MINUTE_S`, in any order.
        day: what the day has cost.
        want: what the call may cost.
        now_s: the time, on the clock of `minute` and `day`.
    """
    found = [
        _by_minute(
            "requests_per_minute", limits.requests_per_minute, [(r.at_s, 1) for r in minute], 1, now_s
        ),
        _by_minute(
            "tokens_per_minute",
            limits.tokens_per_minute,
            [(r.at_s, r.tokens) for r in minute],
            want.tokens,
            now_s,
        ),
        _by_day("tokens_per_day", limits.tokens_per_day, day.tokens, want.tokens, day.ends_s),
        _by_day("money_per_day", limits.money_per_day, day.money, want.money, day.ends_s),
    ]
    reached = [one for one in found if one is not None]
    return max(reached, key=lambda one: float("inf") if one.until_s is None else one.until_s, default=None)


def _by_minute(
    name: str, limit: float | None, used: Sequence[tuple[float, int]], want: int, now_s: float
) -> Refusal | None:
    if limit is None:
        return None
    if want > limit:
        return Refusal(name, limit, None)
    still = [(at_s, amount) for at_s, amount in sorted(used) if now_s - MINUTE_S < at_s <= now_s + MINUTE_S]
    total = want + sum(amount for _, amount in still)
    until_s = now_s
    for at_s, amount in still:
        if total <= limit:
            break
        total -= amount
        until_s = at_s + MINUTE_S
    return Refusal(name, limit, until_s) if until_s > now_s else None


def _by_day(name: str, limit: float | None, used: float, want: float, ends_s: float) -> Refusal | None:
    if limit is None or used + want <= limit + _TINY:
        return None
    return Refusal(name, limit, ends_s if want <= limit + _TINY else None)
