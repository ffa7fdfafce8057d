"""What the ledger's rows come to: counts, tokens, and money by currency. Pure."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from qwen_ls.entries import Amounts

if TYPE_CHECKING:
    from collections.abc import Iterable

    from qwen_ls.entries import Row


@dataclass(slots=True)
class Sums:
    """What a model, or all of them, has brought in a span of days."""

    amounts: Amounts = field(default_factory=Amounts)
    money: dict[str, tuple[float, float]] = field(default_factory=dict)
    """By currency: the amount, and the part of it that is estimated."""

    @classmethod
    def of(cls, rows: Iterable[Row]) -> Sums:
        """The sums of these rows."""
        sums = cls()
        for row in rows:
            sums.add(row)
        return sums

    def add(self, row: Row) -> None:
        """Add a day's row."""
        self.amounts += row.amounts
        if row.currency:
            money, estimated = self.money.get(row.currency, (0.0, 0.0))
            self.money[row.currency] = (money + row.amounts.money, estimated + row.amounts.estimated_money)

    def as_dict(self) -> dict[str, Any]:
        """The sums as plain values."""
        counts = {key: value for key, value in asdict(self.amounts).items() if "money" not in key}
        return counts | {
            "cached_share": round(self.cached_share, 4),
            "cost": [
                {"currency": currency, "amount": round(money, 6), "estimated": round(estimated, 6)}
                for currency, (money, estimated) in sorted(self.money.items())
            ],
        }

    @property
    def cached_share(self) -> float:
        """The part of the prompts' tokens that came from the context cache, where the endpoint counted."""
        return self.amounts.cached_tokens / max(self.amounts.counted_prompt_tokens, 1)
