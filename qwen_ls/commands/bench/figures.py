"""What a replay has shown, as figures: counted while it runs, summed up afterwards. Pure."""

from __future__ import annotations

import statistics
from collections import Counter
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

from qwen_ls.commands.bench.meter import Traffic
from qwen_ls.core.types import Completion, Skip

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

AT_ONCE_S = 0.01
"""What is shown so soon after a key was there all the time, for whoever looks."""


@dataclass(slots=True)
class Tally:
    """The counts of one server, over all passages."""

    characters: int = 0
    """Of the text that was written, by typing or by accepting."""
    keys: int = 0
    """Presses, accepting ones included."""
    keys_alone: int = 0
    """The presses that the same text takes the same typist without suggestions."""
    keys_with_ghost: int = 0
    """Presses at whose moment right text was shown, all of it right."""
    keys_with_wrong_ghost: int = 0
    delays_s: list[float] = field(default_factory=list)
    """From a change to right text on the screen, where that came before the next key."""
    accepted: int = 0
    accepted_characters: int = 0
    flicker: int = 0
    """How often shown text was replaced or removed although it agreed with what was typed."""
    stale: int = 0
    """Items that did not fit the document that they were made for."""
    late: int = 0
    """Items that did not fit any more when they came, since the client had not taken its request back."""
    requests: int = 0
    sources: Counter[str] = field(default_factory=Counter)
    declined: Counter[str] = field(default_factory=Counter)
    stages_ms: dict[str, list[float]] = field(default_factory=dict)
    """The server's own story: milliseconds from a request to the end of each stage."""
    own_s: list[float] = field(default_factory=list)
    """What each request computed, but for reading the stream."""
    seconds: float = 0.0
    cpu_s: float = 0.0
    grown_kib: float = 0.0
    traffic: Traffic = field(default_factory=Traffic)

    def add(self, other: Tally) -> None:
        """Count in what another tally has counted."""
        for name in _SUMS:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for stage, times in other.stages_ms.items():
            self.stages_ms.setdefault(stage, []).extend(times)
        self.traffic.add(other.traffic)

    def answered(self, result: Completion | Skip, story: Mapping[str, Any]) -> None:
        """A request was answered."""
        if isinstance(result, Completion):
            self.sources[result.source] += 1
        else:
            self.declined[result.reason.value] += 1
        for stage, at_ms in story.get("timings_ms", {}).items():
            self.stages_ms.setdefault(stage, []).append(at_ms)


_SUMS = [field.name for field in fields(Tally) if field.name not in {"stages_ms", "traffic"}]


@dataclass(frozen=True, slots=True)
class Figure:
    """A line of the table."""

    key: str
    name: str
    unit: str = ""
    """`ms`, `%`, or nothing for counts."""
    digits: int = 0
    more_is_better: bool | None = None


FIGURES = (
    Figure("ghost_share", "keys with right ghost text", "%", 1, more_is_better=True),
    Figure("at_once_share", "  there at once after the last key", "%", 1, more_is_better=True),
    Figure("ghost_p50_ms", "  else, from key to right text, p50", "ms", more_is_better=False),
    Figure("ghost_p95_ms", "  else, from key to right text, p95", "ms", more_is_better=False),
    Figure("wrong_share", "keys with wrong ghost text", "%", 1, more_is_better=False),
    Figure("saved_share", "keystrokes saved", "%", 1, more_is_better=True),
    Figure("accepted", "suggestions accepted"),
    Figure("flicker", "flicker", more_is_better=False),
    Figure("stale", "stale or misplaced", more_is_better=False),
    Figure("late", "late"),
    Figure("requests_per_100", "requests per 100 characters", "", 1),
    Figure("calls_per_100", "calls per 100 characters", "", 1, more_is_better=False),
    Figure("prompt_tokens", "prompt tokens", more_is_better=False),
    Figure("reusable_share", "  of them reusable by a prefix cache", "%", 1, more_is_better=True),
    Figure("unreusable_tokens", "  not reusable", more_is_better=False),
    Figure("output_tokens", "output tokens", more_is_better=False),
    Figure("unseen_tokens", "  thrown away: never shown", more_is_better=False),
    Figure("cut", "streams cut, enough had come"),
    Figure("cancelled", "calls cancelled"),
    Figure("failed", "calls failed"),
    Figure("most_open", "most connections open at once"),
    Figure("own_p50_ms", "a request's own computing, p50", "ms", 2, more_is_better=False),
    Figure("own_p99_ms", "a request's own computing, p99", "ms", 2, more_is_better=False),
    Figure("cpu_ms_per_key", "CPU per key, all in, the bench too", "ms", 2),
    Figure("grown_mib", "memory, growth", "MiB", 1),
)


def summed_up(tally: Tally) -> dict[str, Any]:
    """The figures of a tally, plain values. Shares are from 0 to 1; None: nothing to say."""
    traffic = tally.traffic
    hundreds = max(tally.characters, 1) / 100
    keys = max(tally.keys, 1)
    later_s = [delay_s for delay_s in tally.delays_s if delay_s >= AT_ONCE_S]
    unreusable = traffic.prompt_tokens - traffic.reusable_tokens
    return {
        "characters": tally.characters,
        "keys": tally.keys,
        "seconds": round(tally.seconds, 3),
        "at_once_share": (len(tally.delays_s) - len(later_s)) / keys,
        "ghost_p50_ms": _percentile(later_s, 0.5),
        "ghost_p95_ms": _percentile(later_s, 0.95),
        "ghost_share": tally.keys_with_ghost / keys,
        "wrong_share": tally.keys_with_wrong_ghost / keys,
        "saved_share": 1 - tally.keys / tally.keys_alone if tally.keys_alone else None,
        "accepted": tally.accepted,
        "flicker": tally.flicker,
        "stale": tally.stale,
        "late": tally.late,
        "requests_per_100": tally.requests / hundreds,
        "calls": traffic.calls,
        "calls_per_100": traffic.calls / hundreds,
        "prompt_tokens": round(traffic.prompt_tokens),
        "reusable_share": traffic.reusable_tokens / traffic.prompt_tokens if traffic.prompt_tokens else None,
        "unreusable_tokens": round(unreusable),
        "output_tokens": round(traffic.output_tokens),
        "unseen_tokens": round(traffic.unseen_tokens),
        "cut": traffic.cut,
        "cancelled": traffic.cancelled,
        "failed": traffic.failed,
        "most_open": traffic.most_open,
        "counted_prompt_tokens": traffic.counted_prompt_tokens,
        "counted_cached_tokens": traffic.counted_cached_tokens,
        "own_p50_ms": _percentile(tally.own_s, 0.5),
        "own_p99_ms": _percentile(tally.own_s, 0.99),
        "cpu_ms_per_key": tally.cpu_s / keys * 1000,
        "grown_mib": tally.grown_kib / 1024,
        "sources": dict(tally.sources.most_common()),
        "declined": dict(tally.declined.most_common()),
        "stages_p50_ms": {
            stage: round(statistics.median(times), 1) for stage, times in tally.stages_ms.items()
        },
    }


def ratios(figures: Mapping[str, Any], base: Mapping[str, Any]) -> dict[str, float]:
    """What each figure is to that of another server; left out where that is none or nothing."""
    return {
        figure.key: figures[figure.key] / base[figure.key]
        for figure in FIGURES
        if figures.get(figure.key) is not None and base.get(figure.key)
    }


def table(columns: Mapping[str, Mapping[str, Any]], *, base: str = "") -> str:
    """The figures of one or more servers, side by side.

    Args:
        columns: the figures by the server's name.
        base: the server that the others' ratios are to; empty: no ratios.
    """
    others = [name for name in columns if base and name != base]
    heads = ["", *columns, *(f"{name} ÷ {base}" for name in others)]
    rows = []
    for figure in FIGURES:
        cells = [_shown(figures.get(figure.key), figure) for figures in columns.values()]
        for name in others:
            ratio = ratios(columns[name], columns[base]).get(figure.key)
            cells.append(f"{ratio:.2f}" if ratio is not None and figure.more_is_better is not None else "")
        rows.append([figure.name, *cells])
    return _aligned([heads, *rows]) + "".join(_story(name, figures) for name, figures in columns.items())


def _shown(value: float | None, figure: Figure) -> str:
    if value is None:
        return "-"
    number = f"{value * 100 if figure.unit == '%' else value:,.{figure.digits}f}"
    return f"{number} {figure.unit}".rstrip()


def _aligned(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = (
        "  ".join([f"{row[0]:{widths[0]}}", *(f"{c:>{w}}" for c, w in zip(row[1:], widths[1:], strict=True))])
        for row in rows
    )
    return "".join(line.rstrip() + "\n" for line in lines)


def _story(name: str, figures: Mapping[str, Any]) -> str:
    """Where a server's answers came from, and when it passed its stages: for those that tell."""
    parts = [
        f"{title}: " + ", ".join(f"{what} {count:,g}" for what, count in figures[key].items())
        for title, key in (
            ("answers", "sources"),
            ("declined", "declined"),
            ("its own stages, p50 ms", "stages_p50_ms"),
        )
        if figures.get(key)
    ]
    return "".join(f"{name}, {part}\n" for part in parts)


def _percentile(seconds: Sequence[float], share: float) -> float | None:
    """In milliseconds."""
    if not seconds:
        return None
    ordered = sorted(seconds)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1000
