"""What goes over the wire: a backend that passes everything on and counts it.

Tokens are estimated from the text, the same way for every endpoint: answers that are cut carry no count.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING

from qwen_ls.backend.base import BackendError, LimitError
from qwen_ls.core.budget import estimate_tokens
from qwen_ls.core.text import common_length
from qwen_ls.core.types import Strategy

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from qwen_ls.backend.base import Backend
    from qwen_ls.backend.plan import Target
    from qwen_ls.core.types import Chunk, CompletionRequest, Prompt

CACHED_PROMPTS = 32
LEAST_CACHED_TOKENS = 256
"""The shortest beginning that DashScope's context cache reuses."""
_LOOKED_BACK = 24
"""Among how many of the last answers the source of a suggestion is looked for."""


class PrefixCache:
    """A prefix cache as a model server has it: the beginning of a prompt costs less if it was read before."""

    def __init__(self) -> None:
        self._prompts: deque[str] = deque(maxlen=CACHED_PROMPTS)

    def read(self, prompt: str) -> float:
        """Read a prompt; returns how many of its tokens were read before and are reused."""
        same = max((common_length(prompt, past) for past in self._prompts), default=0)
        self._prompts.append(prompt)
        tokens = estimate_tokens(prompt[:same])
        return tokens if tokens >= LEAST_CACHED_TOKENS else 0.0


@dataclass(slots=True)
class Answer:
    """What came of one call, and which part of it was ever shown."""

    text: str = ""
    shown: tuple[int, int] = (0, 0)

    def is_source_of(self, suggestion: str) -> bool:
        """Whether a suggestion is a part of this answer; then that part counts as shown."""
        start = self.text.find(suggestion)
        if start < 0:
            return False
        end = start + len(suggestion)
        first, last = self.shown
        self.shown = (min(first, start), max(last, end)) if last else (start, end)
        return True

    @property
    def unseen_tokens(self) -> float:
        """The tokens that were paid for and never shown."""
        start, end = self.shown
        return estimate_tokens(self.text[:start]) + estimate_tokens(self.text[end:])


@dataclass(slots=True)
class Traffic:
    """The sums over all calls. Tokens are estimates, but for the `counted` ones."""

    calls: int = 0
    prompt_tokens: float = 0.0
    reusable_tokens: float = 0.0
    """Of the prompts' tokens, those that a prefix cache could have kept from an earlier prompt."""
    cut: int = 0
    """Calls whose stream was closed because what had come was enough."""
    cancelled: int = 0
    """Calls that were given up while they were waited for."""
    failed: int = 0
    open: int = 0
    most_open: int = 0
    counted_prompt_tokens: int = 0
    """As the endpoint counted, where it did."""
    counted_cached_tokens: int = 0
    answers: list[Answer] = field(default_factory=list)

    def add(self, other: Traffic) -> None:
        """Count in what was counted elsewhere, at another time."""
        for name in _SUMS:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.most_open = max(self.most_open, other.most_open)

    @property
    def output_tokens(self) -> float:
        """What the answers cost, as far as they came."""
        return sum(estimate_tokens(answer.text) for answer in self.answers)

    @property
    def unseen_tokens(self) -> float:
        """The part of it that was thrown away: never shown to anybody."""
        return sum(answer.unseen_tokens for answer in self.answers)

    def was_shown(self, suggestion: str) -> None:
        """Find the answer that a suggestion came from: by all of it or, trimmed, its first line."""
        recent = self.answers[-_LOOKED_BACK:][::-1]
        text = suggestion.strip()
        if not any(answer.is_source_of(text) for answer in recent):
            line = text.partition("\n")[0]
            any(answer.is_source_of(line) for answer in recent)


_SUMS = [field.name for field in fields(Traffic) if field.name != "most_open"]


class MeteredBackend:
    """Passes everything on to a backend, and counts."""

    def __init__(self, backend: Backend, traffic: Traffic, *, most_calls: int | None = None) -> None:
        """Wrap a backend.

        Args:
            backend: who is asked.
            traffic: where it is counted.
            most_calls: more are refused.
        """
        self._backend, self._traffic, self._most_calls = backend, traffic, most_calls
        self._cache = PrefixCache()

    @property
    def target(self) -> Target:
        """As the backend's."""
        return self._backend.target

    @property
    def partial(self) -> Target | None:
        """As the backend's."""
        return self._backend.partial

    def forgo_fim(self) -> None:
        """As the backend's."""
        self._backend.forgo_fim()

    async def stream(self, request: CompletionRequest) -> AsyncGenerator[Chunk, None]:
        """As the backend's.

        Raises:
            BackendError: the backend's, or the calls that were allowed are used up.
        """
        traffic = self._traffic
        if self._most_calls is not None and traffic.calls >= self._most_calls:
            raise LimitError(f"The run's {self._most_calls} calls are used up", cause="limit of the run")
        answer = self._began(request)
        stream = self._backend.stream(request)
        try:
            async for chunk in stream:
                answer.text += chunk.text
                if chunk.usage:
                    traffic.counted_prompt_tokens += chunk.usage.prompt_tokens
                    traffic.counted_cached_tokens += chunk.usage.cached_tokens
                yield chunk
        except GeneratorExit:
            traffic.cut += 1
            raise
        except asyncio.CancelledError:
            traffic.cancelled += 1
            raise
        except BackendError:
            traffic.failed += 1
            raise
        finally:
            traffic.open -= 1
            await stream.aclose()

    def _began(self, request: CompletionRequest) -> Answer:
        traffic, text = self._traffic, prompt_text(request.prompt)
        traffic.calls += 1
        traffic.open += 1
        traffic.most_open = max(traffic.most_open, traffic.open)
        traffic.prompt_tokens += estimate_tokens(text)
        traffic.reusable_tokens += self._cache.read(text)
        traffic.answers.append(answer := Answer())
        return answer

    async def warm(self) -> None:
        """As the backend's."""
        await self._backend.warm()

    async def aclose(self) -> None:
        """As the backend's."""
        await self._backend.aclose()


def prompt_text(prompt: Prompt) -> str:
    """All that the model reads, in the order in which it reads it."""
    if prompt.strategy is Strategy.PARTIAL:
        return prompt.text + prompt.prefix
    # Where the server lays the prompt out, the suffix travels beside it.
    return prompt.text if prompt.suffix in prompt.text else prompt.text + prompt.suffix
