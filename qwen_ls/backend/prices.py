"""What a call costs: prices as rows of data.

Pure. Source: DashScope's model pages (Beijing, 2025-12 to 2026-10), CNY for 1,000 tokens, the first tier (up
to 32,768 tokens in), which a completion's prompt never leaves. Prices change: the cost that is shown is this
table's, not the bill's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from qwen_ls.backend.models import family_of

if TYPE_CHECKING:
    from qwen_ls.backend.plan import Target
    from qwen_ls.core.types import Usage


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceRow:
    """The price of one model in one region, for 1,000 tokens."""

    region: str
    model: str
    """The id without snapshot."""
    read: float
    written: float
    cached_share: float = 1.0
    """The part of `read` that tokens from the context cache cost."""
    currency: str = "CNY"


PRICES: tuple[PriceRow, ...] = (
    PriceRow(region="beijing", model="qwen-coder-turbo", read=0.002, written=0.006),
    PriceRow(region="beijing", model="qwen-coder-plus", read=0.0035, written=0.007),
    PriceRow(region="beijing", model="qwen2.5-coder-32b-instruct", read=0.002, written=0.006),
    PriceRow(region="beijing", model="qwen2.5-coder-14b-instruct", read=0.002, written=0.006),
    PriceRow(region="beijing", model="qwen2.5-coder-7b-instruct", read=0.001, written=0.002),
    PriceRow(region="beijing", model="qwen3-coder-plus", read=0.004, written=0.016, cached_share=0.2),
    PriceRow(region="beijing", model="qwen3-coder-flash", read=0.001, written=0.004, cached_share=0.2),
)
_BY_PLACE = {(row.region, row.model): row for row in PRICES}


def price(target: Target, usage: Usage) -> tuple[float, str] | None:
    """Amount and currency of a call; None where the price is not known."""
    row = _BY_PLACE.get((target.region, family_of(target.model)))
    if row is None:
        return None
    cached = min(usage.cached_tokens, usage.prompt_tokens)
    read = usage.prompt_tokens - cached + cached * row.cached_share
    return (read * row.read + usage.completion_tokens * row.written) / 1000, row.currency
