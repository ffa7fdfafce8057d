"""Requests and settings for the tests of the backend."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qwen_ls.backend.plan import Target, resolve
from qwen_ls.core.types import Chunk, CompletionRequest, Prompt, Strategy
from qwen_ls.settings import Settings

if TYPE_CHECKING:
    from qwen_ls.backend.base import Backend

PREFIX = "def reverse_words(s):\n"
FIM_PROMPT = "<|fim_prefix|>def reverse_words(s):\n<|fim_suffix|>return result<|fim_middle|>"


def target_of(**settings: Any) -> Target:
    """The target of these settings."""
    return resolve(Settings(**settings))


def request_to(target: Target, **fields: Any) -> CompletionRequest:
    """A request as the service makes one."""
    text = FIM_PROMPT if target.strategy is Strategy.FIM else "Continue."
    prompt = fields.pop("prompt", None) or Prompt(target.strategy, PREFIX, "return result", text)
    return CompletionRequest(
        model=target.model, prompt=prompt, max_tokens=fields.pop("max_tokens", 64), **fields
    )


async def ask(backend: Backend, **fields: Any) -> Chunk:
    """One request, read to its end; the answer as one chunk."""
    text, last = "", Chunk("")
    async for chunk in backend.stream(request_to(backend.target, **fields)):
        text += chunk.text
        last = chunk
    return Chunk(text, last.finish_reason, last.usage)
