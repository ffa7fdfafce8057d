"""What is booked: counts, tokens and money, of a day and an account. Pure."""

from __future__ import annotations

from dataclasses import astuple, dataclass
from datetime import datetime, timedelta

_SHIFT_S = 1800.0
"""Summer time is a multiple of this."""


@dataclass(frozen=True, slots=True)
class Account:
    """Whom something is booked to."""

    provider: str = ""
    model: str = ""
    metered: bool = True
    """Whether its calls count against the limits; those of the local engine do not."""


@dataclass(frozen=True, slots=True)
class Amounts:
    """What is added to a day; the fields are the columns of `days`."""

    requests: int = 0
    calls: int = 0
    shown: int = 0
    accepted: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    estimated_tokens: int = 0
    """Of the tokens, those that the endpoint did not count."""
    money: float = 0.0
    estimated_money: float = 0.0
    """Of the money, what goes with them."""
    counted_prompt_tokens: int = 0
    """Of the prompts' tokens, those that the endpoint counted: the cached ones are some of these."""
    dismissed: int = 0
    """Of what was shown, what the editor has said to be dismissed."""

    def __add__(self, other: Amounts) -> Amounts:
        return Amounts(*(one + two for one, two in zip(astuple(self), astuple(other), strict=True)))


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing to book: counters, or a call that has ended."""

    at_s: float
    """Seconds since 1970."""
    account: Account
    amounts: Amounts
    currency: str = ""
    reservation: int | None = None
    """What was reserved for the call; it is settled by this."""
    is_shared: bool = False
    """Whether the shared ledger holds that reservation."""


@dataclass(frozen=True, slots=True)
class Row:
    """What one day has brought with one account."""

    day: str
    provider: str
    model: str
    currency: str
    amounts: Amounts
    metered: bool = True


def day_of(at_s: float) -> tuple[str, float]:
    """The local day of a time, as `2026-11-21`, and when it ends; both times in seconds since 1970."""
    day = datetime.fromtimestamp(at_s).astimezone().date()
    next_day = day + timedelta(days=1)
    ends_s = datetime(next_day.year, next_day.month, next_day.day).astimezone().timestamp()
    while (
        datetime.fromtimestamp(ends_s).astimezone().date() == day
    ):  # summer time begins at midnight: there is none
        ends_s += _SHIFT_S
    return day.isoformat(), ends_s
