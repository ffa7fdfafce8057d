"""What answers cost: prices as rows of data, and the one sum that is made with them.

Pure. Prices change and discounts are not known here: an amount is an estimate for budgets and statistics, not
a bill. Amounts are floats for the same reason.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from qwen_ls.backend.models import Model
    from qwen_ls.backend.plan import Target
    from qwen_ls.core.types import Usage

_TOKENS_PER_PRICE = 1000


@dataclass(frozen=True, slots=True)
class Money:
    """An amount, in units of a currency (yuan, not fen)."""

    amount: float
    currency: str


@dataclass(frozen=True, slots=True)
class Tier:
    """The prices of 1,000 tokens for calls whose prompt is no longer than `up_to_tokens`."""

    input: float
    output: float
    up_to_tokens: int | None = None
    """None: any length."""


@dataclass(frozen=True, slots=True)
class Price:
    """What one model costs in one region."""

    tiers: tuple[Tier, ...]
    """By length of the prompt, the shortest first; a prompt longer than all costs what the last one does."""
    currency: str = "CNY"
    cached_share: float = 0.2
    """What a cached prompt token costs, as a share of one that is not (DashScope, "Context cache")."""

    def tier(self, prompt_tokens: int) -> Tier:
        """The tier of a call; the whole call is billed by it."""
        fitting = (t for t in self.tiers if t.up_to_tokens is None or prompt_tokens <= t.up_to_tokens)
        return next(fitting, self.tiers[-1])


def cost(usage: Usage, row: Model, region: str) -> Money | None:
    """What an answer costs; None where the price is not known.

    Args:
        usage: the tokens, as the endpoint counted them.
        row: what is known of the model.
        region: DashScope's region; empty elsewhere.
    """
    price = row.prices.get(region) or row.prices.get("")
    if price is None:
        return None
    tier = price.tier(usage.prompt_tokens)
    cached = min(usage.cached_tokens, usage.prompt_tokens)
    billed = usage.prompt_tokens - cached * (1 - price.cached_share)
    amount = (billed * tier.input + usage.completion_tokens * tier.output) / _TOKENS_PER_PRICE
    return Money(amount, price.currency)


def price(target: Target, usage: Usage) -> tuple[float, str] | None:
    """Amount and currency of a call; None where the price is not known."""
    money = cost(usage, target.row, target.region)
    return (money.amount, money.currency) if money else None
