"""`qwen-ls stats`: what was asked, shown, accepted, dismissed, spent, today and this week, by model."""

from __future__ import annotations

import html
import json
import sys
import time
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qwen_ls.books import ledger_path
from qwen_ls.commands import EXIT_DONE, EXIT_USAGE, CommandError
from qwen_ls.entries import day_of
from qwen_ls.ledger import Ledger, LedgerError
from qwen_ls.sums import Sums

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Sequence

    from qwen_ls.entries import Row

HEADS = ("model", "requests", "calls", "shown", "accepted", "dismissed", "tokens in", "out", "cached", "cost")
NOTHING = "nothing yet"
ESTIMATED = "~: with a part that is estimated, of answers that were cut or not counted by the endpoint"


@dataclass(frozen=True, slots=True)
class Span:
    """A span of days that is reported on."""

    name: str
    first_day: str
    last_day: str
    models: dict[tuple[str, str], Sums]
    """By provider and model."""

    @property
    def total(self) -> Sums:
        """All models together."""
        total = Sums()
        for sums in self.models.values():
            total.amounts += sums.amounts
            for currency, (money, estimated) in sums.money.items():
                before = total.money.get(currency, (0.0, 0.0))
                total.money[currency] = (before[0] + money, before[1] + estimated)
        return total

    def as_dict(self) -> dict[str, Any]:
        """The span as plain values."""
        models = [
            {"provider": provider, "model": model, **sums.as_dict()}
            for (provider, model), sums in self.models.items()
        ]
        return {
            "first_day": self.first_day,
            "last_day": self.last_day,
            "models": models,
            "total": self.total.as_dict(),
        }


def run(arguments: argparse.Namespace) -> int:
    """Run the command.

    Raises:
        CommandError: the ledger or the page cannot be used.
    """
    today = date.fromisoformat(day_of(time.time())[0])
    spans = spans_of(read(ledger_path(), _monday(today)), today)
    if arguments.html:
        try:
            Path(arguments.html).write_text(page(spans), "utf-8")
        except OSError as error:
            raise CommandError(f"cannot write {arguments.html}: {error.strerror or error}") from error
    if arguments.json:
        print(json.dumps({span.name: span.as_dict() for span in spans}, indent=2))
    elif not arguments.html:
        text = "\n\n".join(as_text(span) for span in spans)
        encoding = sys.stdout.encoding or "ascii"
        print(text.encode(encoding, "replace").decode(encoding))  # a model's name may be in any script
        print(f"\nThis stays on this machine: {ledger_path()}")
    return EXIT_DONE


def read(file: Path, since: date) -> list[Row]:
    """What was booked from a day on; nothing where no ledger was made yet.

    Raises:
        CommandError: the file cannot be used.
    """
    try:
        return Ledger.read(file, since.isoformat())
    except LedgerError as error:
        raise CommandError(f"the ledger {file} cannot be read: {error}", EXIT_USAGE) from error


def spans_of(rows: Iterable[Row], today: date) -> tuple[Span, Span]:
    """Today, and the week since Monday."""
    rows = sorted(rows, key=lambda row: (row.provider, row.model))
    return _span("today", rows, today, today), _span("this week", rows, _monday(today), today)


def _monday(day: date) -> date:
    """The first day of a day's week."""
    return day - timedelta(days=day.weekday())


def _span(name: str, rows: Sequence[Row], first: date, last: date) -> Span:
    models: dict[tuple[str, str], Sums] = {}
    for row in rows:
        if first.isoformat() <= row.day <= last.isoformat():
            models.setdefault((row.provider, row.model), Sums()).add(row)
    return Span(name, first.isoformat(), last.isoformat(), models)


def as_text(span: Span) -> str:
    """A span as a table for the terminal."""
    days = span.first_day if span.first_day == span.last_day else f"{span.first_day} to {span.last_day}"
    title = f"{span.name} ({days})"
    rows = table(span)
    if not rows:
        return f"{title}\n  {NOTHING}"
    widths = [max(map(len, column)) for column in zip(HEADS, *rows, strict=True)]
    lines = [
        "  "
        + "  ".join(
            [f"{row[0]:{widths[0]}}", *(f"{c:>{w}}" for c, w in zip(row[1:], widths[1:], strict=True))]
        )
        for row in (HEADS, *rows)
    ]
    note = [f"  {ESTIMATED}"] if any(cell.startswith("~") for row in rows for cell in row) else []
    return "\n".join([title, *lines, *note])


def table(span: Span) -> list[tuple[str, ...]]:
    """The rows of a span's table, with a sum where there are several models."""
    rows = [_cells(_name(*key), sums) for key, sums in span.models.items()]
    return [*rows, _cells("all", span.total)] if len(rows) > 1 else rows


def _name(provider: str, model: str) -> str:
    name = "".join(char if char.isprintable() else "?" for char in f"{provider} {model}".strip())
    return name or "before a model was known"


def _cells(name: str, sums: Sums) -> tuple[str, ...]:
    amounts = sums.amounts
    mark = "~" if amounts.estimated_tokens else ""
    costs = [
        f"{'~' if estimated else ''}{money:.4f} {currency}"
        for currency, (money, estimated) in sorted(sums.money.items())
    ]
    return (
        name,
        *(
            f"{getattr(amounts, count):,}"
            for count in ("requests", "calls", "shown", "accepted", "dismissed")
        ),
        f"{mark}{amounts.prompt_tokens:,}",
        f"{mark}{amounts.completion_tokens:,}",
        f"{sums.cached_share:.0%}",
        " + ".join(costs) or "-",
    )


def page(spans: Iterable[Span]) -> str:
    """A page that stands alone: no scripts, nothing from elsewhere."""
    parts = []
    for span in spans:
        cells = [
            "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in table(span)
        ]
        heads = "".join(f"<th>{head}</th>" for head in HEADS)
        body = "\n".join(cells) or f'<tr><td colspan="{len(HEADS)}">{NOTHING}</td></tr>'
        parts.append(
            f"<h2>{span.name}</h2>\n<p>{span.first_day} to {span.last_day}</p>\n"
            f"<table>\n<tr>{heads}</tr>\n{body}\n</table>"
        )
    return _PAGE.format(body="\n".join(parts), note=html.escape(ESTIMATED))


_PAGE = """<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>qwen-ls stats</title>
<style>
:root {{ color-scheme: light dark; }}
body {{ font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem; padding: 0 1rem; }}
table {{ border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }}
th, td {{ text-align: right; padding: .3rem .6rem; border-bottom: 1px solid #8884; }}
th:first-child, td:first-child {{ text-align: left; }}
</style>
<h1>qwen-ls stats</h1>
{body}
<p>{note}. Made on this machine, from this machine's ledger alone.</p>
</html>
"""
