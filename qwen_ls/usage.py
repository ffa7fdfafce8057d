"""What a call will read and has used: as the endpoint counted it, estimated where it did not. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from qwen_ls.core.budget import estimate_tokens
from qwen_ls.core.images import IMAGE_TOKENS
from qwen_ls.core.types import Strategy, Usage

if TYPE_CHECKING:
    from qwen_ls.backend.plan import Target
    from qwen_ls.core.types import Prompt

MOST_TOKENS = 100_000_000
"""More than any model reads or writes in one call."""


@dataclass(slots=True)
class Received:
    """What has come of a call's answer, however it ended."""

    text: str = ""
    usage: Usage | None = None
    finish_reason: str | None = None
    refused: bool = False
    """The endpoint did no work: it refused, failed, or could not be reached."""


def prompt_tokens(target: Target, prompt: Prompt) -> int:
    """About how many tokens the endpoint will read."""
    text = prompt.text
    if prompt.strategy is Strategy.PARTIAL:
        text += prompt.prefix
    elif target.template is None:  # the server lays prefix and suffix out
        text += prompt.suffix
    return round(estimate_tokens(text)) + len(prompt.images) * IMAGE_TOKENS


@dataclass(frozen=True, slots=True)
class Used:
    """What a call has used."""

    usage: Usage
    is_estimated: bool
    """Whether some of it was not counted by the endpoint."""
    counted_prompt_tokens: int = 0
    """The prompt's, where the endpoint has counted them."""


def used(asked_tokens: int, received: Received) -> Used:
    """What a call has used.

    The endpoint's own count is for the whole answer: it stands when the answer was read to its end. Of an
    answer that was cut, what came is known, and the prompt was read.

    Args:
        asked_tokens: about how many tokens the prompt had.
        received: what came.
    """
    counted = _believable(received.usage)
    if counted and received.finish_reason:
        return Used(counted, False, counted.prompt_tokens)
    if received.refused and not received.text and not counted:
        return Used(Usage(), False)
    written = round(estimate_tokens(received.text))
    if counted:
        written = max(written, counted.completion_tokens)
        return Used(replace(counted, completion_tokens=written), True, counted.prompt_tokens)
    return Used(Usage(asked_tokens, written), True)


def _believable(usage: Usage | None) -> Usage | None:
    """What an endpoint has counted, where it could be true: any number can stand in an answer."""
    if usage is None or max(usage.prompt_tokens, usage.completion_tokens) > MOST_TOKENS:
        return None
    return replace(usage, cached_tokens=min(usage.cached_tokens, usage.prompt_tokens))
