"""Where an answer comes from: what its call was asked, what the model said, what that became, what it took.

An origin stays with the answer, so that a request that is answered from the cache, or by a call that was on
its way, can tell the whole story. Pure but for growing while the call goes on.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from qwen_ls.core.types import Usage

if TYPE_CHECKING:
    from collections.abc import Iterable

    from qwen_ls.core.postprocess import Change
    from qwen_ls.core.types import Prompt, Snippet

KEPT_CHARS = 500_000
"""How much text the origins of a process hold, about; the oldest let go of theirs first."""
KEPT_ORIGINS = 64
"""How many of them hold text at once."""


@dataclass(slots=True)
class Origin:
    """The story of one call. What leaves it by `as_dict` holds no text of document, prompt or answer."""

    started_s: float = 0.0
    """By the service's clock, as all times here."""
    first_token_s: float | None = None
    facts: dict[str, Any] = field(default_factory=dict)
    """Whom it went to, and how."""
    usage: Usage = field(default_factory=Usage)
    """Of all its calls together: one is continued, or made again in partial mode."""
    is_estimated: bool = False
    """Whether some of `usage` was not counted by the endpoint."""
    cost: dict[str, Any] = field(default_factory=dict)
    prompt: Prompt | None = field(default=None, repr=False)
    said: str = field(default="", repr=False)
    """What the model has said so far, as it came."""
    steps: list[Change] = field(default_factory=list, repr=False)
    """What was made of it before it was kept."""
    is_forgotten: bool = False
    """Whether its texts were let go of."""

    def snippets(self, snippets: Iterable[Snippet]) -> None:
        """The prompt shows these: where they are from, not what they say."""
        self.facts["snippets"] = [
            {
                "path": one.path,
                "source": one.source,
                "score": round(one.score, 4),
                "lines": one.text.count("\n"),
            }
            for one in snippets
        ]

    def spent(self, usage: Usage, money: float, currency: str, *, is_estimated: bool) -> None:
        """One of its calls has ended and was booked so."""
        self.usage = Usage(
            self.usage.prompt_tokens + usage.prompt_tokens,
            self.usage.completion_tokens + usage.completion_tokens,
            self.usage.cached_tokens + usage.cached_tokens,
        )
        self.is_estimated |= is_estimated
        if currency:
            amount = round(money + self.cost.get("amount", 0.0), 6)
            self.cost = {"amount": amount, "currency": currency, "estimated": self.is_estimated}

    def as_dict(self) -> dict[str, Any]:
        """The story as plain values."""
        story = dict(self.facts)
        if self.usage != Usage():
            story["usage"] = {
                "prompt_tokens": self.usage.prompt_tokens,
                "completion_tokens": self.usage.completion_tokens,
                "cached_tokens": self.usage.cached_tokens,
            } | ({"estimated": True} if self.is_estimated else {})
        return story | ({"cost": dict(self.cost)} if self.cost else {})

    @property
    def n_chars(self) -> int:
        """How much text it holds."""
        prompt = self.prompt
        asked = len(prompt.text) + len(prompt.prefix) + len(prompt.suffix) if prompt else 0
        return asked + len(self.said) + sum(len(step.before) for step in self.steps)

    def forget_texts(self) -> None:
        """Let go of all that was said and asked."""
        self.prompt, self.said, self.steps, self.is_forgotten = None, "", [], True


class Origins:
    """The origins that hold text, the newest last: no more than `KEPT_CHARS` of it together."""

    def __init__(self) -> None:
        self._kept: deque[Origin] = deque()

    def add(self, origin: Origin) -> None:
        """A new one; its own text, which is still to come, counts when the next one is added."""
        self._kept.append(origin)
        n_chars = sum(one.n_chars for one in self._kept)
        while len(self._kept) > 1 and (n_chars > KEPT_CHARS or len(self._kept) > KEPT_ORIGINS):
            oldest = self._kept.popleft()
            n_chars -= oldest.n_chars
            oldest.forget_texts()
