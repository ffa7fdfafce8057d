"""An endpoint that is not there: it answers from the finished file, as slowly as a real one.

It finds the cursor in the prompt, and goes on as the file does; a set share of its answers is other code of
the same file, or runs on for too long. Which, depends on the seed and the place alone.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING

from qwen_ls.commands.bench.meter import PrefixCache, prompt_text
from qwen_ls.core.budget import estimate_tokens
from qwen_ls.core.text import current_line_after, indent_of, lines_of, width_of
from qwen_ls.core.types import Chunk

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from qwen_ls.backend.plan import Target
    from qwen_ls.commands.bench.passage import Passage
    from qwen_ls.core.types import CompletionRequest

_TOKEN = re.compile(r"\n[ \t]*|[ \t]*\w{1,5}|[ \t]*[^\w\s]{1,2}|\s")
_ANCHOR_CHARS = 400
_RUN_ON_CHARS = 2400


@dataclass(frozen=True, slots=True)
class Manner:
    """How an endpoint answers."""

    first_token_s: float = 0.18
    """From the request to the first token, with nothing of the prompt to be read."""
    tokens_per_s: float = 120.0
    prefill_s: float = 5e-5
    """For each token of the prompt that its prefix cache does not have."""
    wrong: float = 0.25
    """The share of answers that is not what will be typed."""
    long: float = 0.15
    """The share of the others that does not stop where it should."""
    minds_closers: float = 0.5
    """How often an answer ends before the brackets that the editor has put right of the cursor."""


class SimulatedEndpoint:
    """A backend that knows the passage. Built in the event loop, or before it: it holds nothing of it."""

    def __init__(
        self, target: Target, passage: Passage, *, manner: Manner | None = None, seed: int = 0
    ) -> None:
        self.target = target
        self.partial = target.in_partial_mode()
        self._passage, self._manner, self._seed = passage, manner or Manner(), seed
        self._cache = PrefixCache()

    def forgo_fim(self) -> None:
        """Be asked in partial mode from now on."""
        self.target = self.partial or self.target

    async def stream(self, request: CompletionRequest) -> AsyncGenerator[Chunk, None]:
        """Answer, a token a chunk."""
        manner, prompt = self._manner, request.prompt
        text = prompt_text(prompt)
        unread = estimate_tokens(text) - self._cache.read(text)
        await asyncio.sleep(manner.first_token_s + unread * manner.prefill_s)
        tokens = _TOKEN.findall(prompt.held_back + self.answer(prompt.prefix, prompt.suffix))
        for number, token in enumerate(tokens[: request.max_tokens]):
            if number:
                await asyncio.sleep(1 / manner.tokens_per_s)
            yield Chunk(token)
        yield Chunk("", "stop" if len(tokens) <= request.max_tokens else "length")

    async def warm(self) -> None:
        """There is nothing to warm."""

    async def aclose(self) -> None:
        """There is nothing to close."""

    def answer(self, prefix: str, suffix: str = "") -> str:
        """What is said between a prefix and a suffix."""
        place = self._place(prefix)
        if place is None:
            return self._other_code(prefix, Random(f"{self._seed} lost {prefix[-80:]}"))
        # All places inside of a word share their fate: a model that does not know it, does not know it.
        word = place - len(re.search(r"\w*$", prefix[-40:]).group())  # type: ignore[union-attr]
        draw, whole = Random(f"{self._seed} {self._passage.name} answer {word}"), self._passage.whole
        if draw.random() < self._manner.wrong:
            return self._other_code(prefix, draw, whole[place : place + 3])
        end = len(whole) - len(self._passage.after)
        if draw.random() < self._manner.long:
            return whole[place : place + _RUN_ON_CHARS]
        closers = current_line_after(suffix)
        if closers and draw.random() < self._manner.minds_closers:
            return whole[place:end].partition("\n")[0].partition(closers)[0]
        return block(prefix[-_ANCHOR_CHARS:].rpartition("\n")[2], whole[place:end])

    def _place(self, prefix: str) -> int | None:
        """Where in the finished file the prefix ends; None where it holds what the file does not have."""
        whole, first = self._passage.whole, len(self._passage.before)
        above, newline, line = prefix.rpartition("\n")
        above += newline
        anchor = above[-_ANCHOR_CHARS:]
        at = whole.find(anchor, max(0, first - len(anchor)))
        while at >= 0:
            start = at + len(anchor)
            if start <= len(whole) - len(self._passage.after):
                following = whole[start:].partition("\n")[0]
                if following.startswith(line):
                    return start + len(line)
                if not line.strip():  # indentation that the editor has put, and the file does not have there
                    return start + len(indent_of(following))
            at = whole.find(anchor, at + 1)
        return None

    def _other_code(self, prefix: str, draw: Random, right: str = "") -> str:
        """Code that could stand here and does not: a few lines of the same file, from elsewhere.

        Args:
            prefix: what stands before it.
            draw: chooses.
            right: what it must not begin with, where that can be had.
        """
        lines = [line for line in lines_of(self._passage.whole) if len(line.strip()) > 12]
        if not lines:
            return "TODO"
        code = ""
        for start in draw.sample(range(len(lines)), min(len(lines), 4)):
            first, *rest = lines[start : start + 1 + draw.randrange(3)]
            code = f"{first.strip()}\n{''.join(rest)}".rstrip()
            code = code[len(code) // 3 :] if prefix[-1:].isalnum() else code
            if code[: len(right)] != right:
                break
        return code


def block(line: str, text: str) -> str:
    """Where a model ends by itself: with the block that the text's first line stands in.

    Args:
        line: what stands on the current line already.
        text: what follows, to the end of all that is missing.
    """
    lines = lines_of(text)
    if not lines:
        return ""
    filled = next((index for index, one in enumerate(lines) if one.strip()), 0)
    base = width_of(indent_of(line + lines[0] if filled == 0 else lines[filled]))
    for index in range(filled + 1, len(lines)):
        following = lines[index]
        if following.strip() and width_of(indent_of(following)) < base:
            return "".join(lines[:index]).rstrip()
        if not following.strip() and index + 1 < len(lines):
            after = lines[index + 1]
            if after.strip() and width_of(indent_of(after)) <= base:
                return "".join(lines[:index]).rstrip()
    return text.rstrip()
