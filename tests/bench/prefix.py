"""`python -m tests.bench prefix`: how much of each prompt repeats the one before it, by layout.

Sixty lines are typed, key by key with a prompt at each, into the middle of a long file; other documents are
open beside it or not. What a prompt shares with the last one is what a prefix cache can keep: the figure is
the mean, over all prompts but the first, of the common beginning's part of the prompt. Nothing is sent.
"""

from __future__ import annotations

import argparse
import asyncio
import optparse
import statistics
import textwrap
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qwen_ls.core.budget import window_chars
from qwen_ls.core.context import build_context
from qwen_ls.core.prompt import build_prompt
from qwen_ls.core.types import Layout, SnippetFormat, Strategy, TriggerKind
from qwen_ls.lsp.documents import Change, DocumentStore, Position, Range
from qwen_ls.related import Related
from qwen_ls.settings import Settings

LINES = 60
"""How many are typed."""


@dataclass(frozen=True)
class Way:
    """One way to lay a prompt out."""

    name: str
    strategy: Strategy
    layout: Layout = Layout.PREFIX_SUFFIX_MIDDLE
    format: SnippetFormat = SnippetFormat.COMMENTS


WAYS = (
    Way("psm, comments", Strategy.FIM),
    Way("psm, repository", Strategy.FIM, format=SnippetFormat.REPOSITORY),
    Way("spm, comments", Strategy.FIM, Layout.SUFFIX_FIRST),
    Way("spm, repository", Strategy.FIM, Layout.SUFFIX_FIRST, SnippetFormat.REPOSITORY),
    Way("partial mode", Strategy.PARTIAL),
)


async def typed(way: Way, settings: Settings, lines: int = LINES) -> AsyncIterator[str]:
    """The prompts, key by key, as the server makes them; a search may take as long as it likes."""
    folder = Path(argparse.__file__).parent
    store, related = DocumentStore(), Related(sleep=forever)
    related.look_at(store, (folder,))
    for module in (argparse, optparse, textwrap):
        path = Path(module.__file__)
        store.open(path.as_uri(), language_id="python", version=1, text=path.read_text("utf-8"))
    uri = Path(argparse.__file__).as_uri()
    before, after = window_chars(settings.prompt_tokens)
    for line, column in keys(store, uri, lines):
        snapshot = store.snapshot(uri, Position(line, column), before_chars=before, after_chars=after)
        assert snapshot
        context = build_context(snapshot.document, snapshot.offset, TriggerKind.AUTOMATIC)
        gathered = await related.gather(context, settings)
        prompt = build_prompt(
            context,
            strategy=way.strategy,
            layout=way.layout,
            tokens=settings.prompt_tokens,
            around=gathered.around(context, settings.prompt_tokens),
            snippet_format=way.format,
        )
        gathered.sent(prompt)
        yield prompt.text + (prompt.prefix if way.strategy is Strategy.PARTIAL else "")


def keys(store: DocumentStore, uri: str, n_lines: int) -> Iterator[tuple[int, int]]:
    """Take lines out of the document's middle and type them again; the cursor after each key."""
    document = store.get(uri)
    assert document
    first = len(document.lines) // 2
    text = "".join(document.lines[first : first + n_lines])
    hole = Range(Position(first, 0), Position(first + n_lines, 0))
    store.change(uri, version=2, changes=[Change(hole, "")])
    line, column = first, 0
    for version, char in enumerate(text, start=3):
        at = Position(line, column)
        store.change(uri, version=version, changes=[Change(Range(at, at), char)])
        line, column = (line + 1, 0) if char == "\n" else (line, column + 1)
        yield line, column


async def forever(seconds: float) -> None:
    """A limit that never passes."""
    await asyncio.Event().wait()


async def repeated(way: Way, settings: Settings, lines: int = LINES) -> float:
    """The mean share of a prompt that is the beginning of the one before it too."""
    last, shares = "", []
    async for prompt in typed(way, settings, lines):
        shares.append(len(common(last, prompt)) / len(prompt))
        last = prompt
    return statistics.mean(shares[1:])


def common(one: str, other: str) -> str:
    """The beginning that two texts share."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if one.startswith(other[:middle]) else (low, middle - 1)
    return one[:low]


def run() -> list[dict[str, Any]]:
    """The table's rows."""
    alone, beside = Settings(context=False), Settings()
    return [
        {
            "what": "repeated share",
            "variant": way.name,
            "alone": asyncio.run(repeated(way, alone)),
            "with snippets": asyncio.run(repeated(way, beside)),
        }
        for way in WAYS
    ]
