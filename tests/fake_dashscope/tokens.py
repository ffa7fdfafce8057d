"""Token counting and the context cache.

The tokenizer is a simple deterministic one (words, digits, signs, runs of spaces), NOT Qwen's: counts have
the right size, not the right value.  Its tokens always join to the text that was given.
"""

from __future__ import annotations

import re
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_TOKEN = re.compile(r"<\|\w+\|>| ?[A-Za-z_]{1,8}|[0-9]|\n+| +|[一-鿿]{1,2}|[^\w\s]{1,2}|.", re.DOTALL)

SPECIAL_TOKENS = {
    151643: "<|endoftext|>",
    151644: "<|im_start|>",
    151645: "<|im_end|>",
    151659: "<|fim_prefix|>",
    151660: "<|fim_middle|>",
    151661: "<|fim_suffix|>",
    151662: "<|fim_pad|>",
    151663: "<|repo_name|>",
    151664: "<|file_sep|>",
}
"""Ids of the tokens that may be given as stops (notes §6.1)."""

CACHE_MINIMUM = 256
"""Shorter common prefixes are not cached (notes §5)."""


def tokenize(text: str) -> list[str]:
    """The tokens of ``text``; joined, they are ``text`` again."""
    return _TOKEN.findall(text)


def count_tokens(text: str) -> int:
    """How many tokens ``text`` has."""
    return len(tokenize(text))


def common_length(one: Sequence[str], other: Sequence[str]) -> int:
    """How many items two sequences have in common from their start."""
    low, high = 0, min(len(one), len(other))
    while low < high:  # bisection: slices are compared much faster than items
        middle = (low + high + 1) // 2
        low, high = (middle, high) if one[low:middle] == other[low:middle] else (low, middle - 1)
    return low


class PromptCache:
    """The implicit context cache: recent prompts of each model, matched from their first token."""

    def __init__(self, size: int = 32) -> None:
        self._size = size
        self._recent: dict[str, deque[str]] = {}

    def lookup(self, model: str, prompt: str) -> int:
        """The cached tokens of ``prompt``: 0 below the minimum.  Remembers the prompt."""
        recent = self._recent.setdefault(model, deque(maxlen=self._size))
        best = max(recent, key=lambda other: common_length(other, prompt), default="")
        recent.append(prompt)
        common = common_length(tokenize(best), tokenize(prompt))
        return common if common >= CACHE_MINIMUM else 0

    def clear(self) -> None:
        """Forget all prompts."""
        self._recent.clear()
