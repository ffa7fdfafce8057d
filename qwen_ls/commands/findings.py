"""What `doctor` found: one thing that was looked at, what was seen, and what to do about it."""

from __future__ import annotations

import enum
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from qwen_ls.commands import EXIT_DONE, EXIT_ENDPOINT, EXIT_USAGE

if TYPE_CHECKING:
    from qwen_ls.backend.base import BackendError


class Mark(enum.StrEnum):
    """How a finding is."""

    GOOD = "good"
    DOUBTFUL = "doubtful"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    mark: Mark
    what: str
    seen: str
    remedy: str = ""
    """What to do about it; empty where nothing needs to be done."""
    code: int = EXIT_DONE
    """What the command's exit code becomes because of it."""


SIGNS = {Mark.GOOD: "✓", Mark.DOUBTFUL: "!", Mark.BAD: "✗"}
PLAIN_SIGNS = {Mark.GOOD: "ok", Mark.DOUBTFUL: "!", Mark.BAD: "x"}
COLOURS = {Mark.GOOD: "\x1b[32m", Mark.DOUBTFUL: "\x1b[33m", Mark.BAD: "\x1b[31m"}


def failure(what: str, error: BackendError) -> Finding:
    """An error as a finding."""
    from qwen_ls.backend.base import ConfigurationError

    code = EXIT_USAGE if isinstance(error, ConfigurationError) else EXIT_ENDPOINT
    trace = f" (request id {error.request_id})" if error.request_id else ""
    return Finding(Mark.BAD, what, error.message + trace, error.remedy, code)


def drawn(finding: Finding) -> str:
    """A finding as it is printed."""
    try:
        SIGNS[finding.mark].encode(sys.stdout.encoding or "ascii")
        signs, arrow = SIGNS, "→"
    except UnicodeEncodeError:
        signs, arrow = PLAIN_SIGNS, "->"
    sign = signs[finding.mark]
    if sys.stdout.isatty():
        sign = f"{COLOURS[finding.mark]}{sign}\x1b[0m"
    text = f"{sign} {finding.what:<11}{finding.seen}"
    return f"{text}\n  {'':<11}{arrow} {finding.remedy}" if finding.remedy else text
