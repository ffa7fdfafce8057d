"""A naive server, to measure against: what most plug-ins do.

A fixed debounce, one call for each request that outlives it, closed with the request; a cache of answers to
the very same question; nothing of a call is used for another request. It has our prompts, our way of ending
a stream, and our trimming: what it lacks is the order of work.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import Hashable
from typing import Any

from qwen_ls.backend.base import Backend, BackendError
from qwen_ls.call import build_request
from qwen_ls.core import postprocess
from qwen_ls.core.context import build_context
from qwen_ls.core.postprocess.hole import Hole
from qwen_ls.core.postprocess.limit import is_complete
from qwen_ls.core.postprocess.suffix import covered
from qwen_ls.core.postprocess.whitespace import without_held_back
from qwen_ls.core.prompt import build_prompt
from qwen_ls.core.trigger import Ask, decide
from qwen_ls.core.types import Completion, CompletionContext, Document, Reason, Skip, TriggerKind
from qwen_ls.settings import Settings

DEBOUNCE_S = 0.15


class NaiveServer:
    """As `CompletionService`, as far as a replay needs it."""

    def __init__(self, settings: Settings, backend: Backend) -> None:
        self._settings, self._backend = settings, backend
        self._cache: dict[Hashable, tuple[str, str | None]] = {}
        self._numbers = itertools.count(1)

    async def complete(
        self, document: Document, offset: int, trigger: TriggerKind, *, waited_s: float = 0.0
    ) -> Completion | Skip:
        context = build_context(document, offset, trigger)
        ask = decide(context, self._settings)
        if isinstance(ask, Skip):
            return ask
        key = (ask.multiline, context.prefix, context.suffix)
        known = self._cache.get(key)
        if known is None:
            await asyncio.sleep(DEBOUNCE_S)
            try:
                known = self._cache[key] = await self._called(context, ask)
            except BackendError as error:
                return Skip(Reason.BACKEND, error.cause)
        text, finish_reason = known
        return self._fitted(text, Hole(context, ask, finish_reason=finish_reason))

    async def _called(self, context: CompletionContext, ask: Ask) -> tuple[str, str | None]:
        target = self._backend.target
        prompt = build_prompt(
            context,
            strategy=target.strategy,
            layout=target.layout,
            template=target.template,
            tokens=target.prompt_tokens(self._settings),
            stop=target.stop,
        )
        request = build_request(self._settings, target.model, prompt, target.max_tokens(ask.max_tokens))
        hole = Hole(context, ask, target.strategy)
        text, finish_reason = "", None
        async with contextlib.aclosing(self._backend.stream(request)) as chunks:
            async for chunk in chunks:
                text += chunk.text
                finish_reason = chunk.finish_reason or finish_reason
                if "\n" in chunk.text and is_complete(without_held_back(text, prompt.held_back), hole):
                    break
        hole = Hole(context, ask, target.strategy, finish_reason)
        cleaned = postprocess.run(postprocess.BEFORE_CACHE, without_held_back(text, prompt.held_back), hole)
        return ("" if isinstance(cleaned, Skip) else cleaned), finish_reason

    def _fitted(self, text: str, hole: Hole) -> Completion | Skip:
        result = postprocess.run(postprocess.AFTER_CACHE, text, hole)
        if isinstance(result, Skip):
            return result
        offset = hole.context.offset
        n_covered = covered(result, hole.context)
        if result == hole.context.suffix[:n_covered]:
            return Skip(Reason.ECHO)
        end = offset + n_covered
        return Completion(f"n{next(self._numbers)}", result, offset, end, "network")

    def accepted(self, completion_id: str) -> None:
        """Nothing is learnt from it."""

    def explain(self) -> dict[str, Any]:
        return {}

    async def aclose(self) -> None:
        await self._backend.aclose()
