"""The comparison as its user reads it: a table, and what to do about it. Pure."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from qwen_ls.commands.findings import Finding, Mark, failure
from qwen_ls.commands.layouts.comparison import MOST_BY_CHANCE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qwen_ls.commands.layouts.comparison import Comparison, Row
    from qwen_ls.settings import Settings

HEADS = ("way", "right", "similarity", "repeats suffix", "first token", "tokens in", "out", "cost")


def as_text(comparison: Comparison) -> str:
    """The table; `*` marks the way that is in force, `~` tokens that the endpoint did not count."""
    cells = [HEADS, *(_cells(row, is_in_force=row is comparison.in_force) for row in comparison.rows)]
    widths = [max(map(len, column)) for column in zip(*(row for row in cells if len(row) > 2), strict=True)]
    widths[0] = max(len(row[0]) for row in cells)
    return "\n".join(_line(row, widths) for row in cells)


def _line(cells: tuple[str, ...], widths: list[int]) -> str:
    """A row's cells in columns; what is said of a row that was refused stands where its figures would."""
    name, *figures = cells
    if len(figures) > 1:
        figures = [f"{cell:>{width}}" for cell, width in zip(figures, widths[1:], strict=True)]
    return "  ".join([f"{name:{widths[0]}}", *figures])


def _cells(row: Row, *, is_in_force: bool) -> tuple[str, ...]:
    facts, name = row.as_dict(), row.way.name + " *" * is_in_force
    if row.fault or not row.answers:
        return name, row.fault or "not asked"
    first, cost, about = facts["first_token_ms"], facts["cost"], "~" * facts["estimated"]
    return (
        name,
        f"{facts['right']} of {facts['asked']}",
        f"{facts['similarity']:.2f}",
        str(facts["repeats_suffix"]),
        f"{first:.0f} ms" if first is not None else "-",
        f"{about}{facts['prompt_tokens']:,}",
        f"{about}{facts['completion_tokens']:,}",
        f"{cost['amount']:.4f} {cost['currency']}" if cost else "-",
    )


def verdict(comparison: Comparison, settings: Settings) -> Iterator[Finding]:
    """What to do about it."""
    if comparison.ended is not None:
        yield failure("layouts", comparison.ended)
    best, now = comparison.best(), comparison.in_force
    if best is None:
        return
    p = comparison.chance_of(best)
    yield Finding(*_closing(best, now, p), _remedy(best, settings) if comparison.is_better(best) else "")
    if any(not row.way.is_documented for row in comparison.rows):
        yield Finding(
            Mark.GOOD, "note", "DashScope documents the layout psm; the other layouts may stop working there"
        )


def _closing(best: Row, now: Row | None, p: float | None) -> tuple[Mark, str, str]:
    if best is now:
        return Mark.GOOD, "layouts", f"{best.told} right is in force, and none does better"
    if now is None or p is None:
        return Mark.DOUBTFUL, "layouts", f"{best.told} right does best; what is in force brought nothing"
    pair = f"{best.told} right, against {now.told}, which is in force"
    if p <= MOST_BY_CHANCE:
        return Mark.DOUBTFUL, "layouts", f"{pair}: more than chance (p = {p:.2g})"
    n_holes = len(best.answers.keys() & now.answers.keys())
    return Mark.GOOD, "layouts", f"{pair}: on {n_holes} holes that may be chance (p = {p:.2g})"


def _remedy(best: Row, settings: Settings) -> str:
    """The row that chooses a way."""
    target, row = best.way.target, best.way.row or {}
    text = f"To have it, set models to {json.dumps({target.model: row})}"
    if target.model in settings.models:
        text = f"To have it, add to the row of {target.model} in models: {json.dumps(row)}"
    is_fixed = "strategies" in row and settings.strategy != "auto"
    return f"{text}{', and strategy to auto' if is_fixed else ''}."
