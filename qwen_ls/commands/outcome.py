"""From why there is no suggestion to an exit code and one line for stderr."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qwen_ls.commands import EXIT_ENDPOINT, EXIT_NO_SUGGESTION, EXIT_USAGE
from qwen_ls.core.types import Reason

if TYPE_CHECKING:
    from collections.abc import Mapping

_CODES: Mapping[Reason, int] = {
    Reason.NOT_CONFIGURED: EXIT_USAGE,
    Reason.BACKEND: EXIT_ENDPOINT,
    Reason.COOLING_DOWN: EXIT_ENDPOINT,
}


def exit_code(why: str) -> int:
    """The exit code for a reason as `explain` has it: the reason's words, and details in brackets."""
    return next((code for reason, code in _CODES.items() if why.startswith(reason.value)), EXIT_NO_SUGGESTION)


def line(why: str) -> str:
    """The reason as one line: of a failure, its details, which say what failed and what helps."""
    for reason in _CODES:
        if why.startswith(f"{reason.value} (") and why.endswith(")"):
            return why[len(reason.value) + 2 : -1]
    return f"no suggestion: {why}"
