"""`python -m tests.bench prefix`: how much of each prompt repeats the one before it, by layout.

Sixty lines are typed, key by key with a prompt at each, into the middle of a long file; other documents are
open beside it or not. What a prompt shares with the last one is what a prefix cache can keep: the figure is
the mean, over all prompts but the first, of the common beginning's part of the prompt. Nothing is sent.
"""

from __future__ import annotations

import argparse
import optparse
import statistics
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qwen_ls.core.budget import window_chars
from qwen_ls.core.context import build_context
from qwen_ls.core.prompt import build_prompt
from qwen_ls.core.types import Layout, SnippetFormat, Strategy, TriggerKind
from qwen_ls.lsp.documents import Change, DocumentStore, Position, Range
from qwen_ls.related import Gathered
from qwen_ls.search import Copy, Query, Searcher

LINES = 60
"""How many are typed."""
TOKENS = 2048


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


def typed(way: Way, *, with_snippets: bool, lines: int = LINES, tokens: int = TOKENS) -> Iterator[str]:
    """The prompts, key by key, as the server makes them."""
    folder = Path(argparse.__file__).parent
    store = DocumentStore()
    for module in (argparse, optparse, textwrap):
        path = Path(module.__file__)
        store.open(path.as_uri(), language_id="python", version=1, text=path.read_text("utf-8"))
    uri = Path(argparse.__file__).as_uri()
    document = store.get(uri)
    assert document
    first = len(document.lines) // 2
    removed = "".join(document.lines[first : first + lines])
    store.change(uri, version=2, changes=[Change(Range(Position(first, 0), Position(first + lines, 0)), "")])
    searcher = Searcher((folder,), ())
    gathered = Gathered(0.25 if with_snippets else 0.0)
    before, after = window_chars(tokens)
    line, column, key = first, 0, None
    for char in removed:
        change = Change(Range(Position(line, column), Position(line, column)), char)
        store.change(uri, version=3, changes=[change])
        line, column = (line + 1, 0) if char == "\n" else (line, column + 1)
        snapshot = store.snapshot(uri, Position(line, column), before_chars=before, after_chars=after)
        assert snapshot
        context = build_context(snapshot.document, snapshot.offset, TriggerKind.AUTOMATIC)
        copies = [Copy.of(one, is_own=one.uri == uri) for one in store.open_documents()]
        query = Query.of(
            context,
            next(one for one in copies if one.uri == uri),
            tuple(one for one in copies if one.uri != uri),
            gathered.arrangement.snippets,
        )
        if with_snippets and query.key != key:
            gathered.found, key = searcher.search(query), query.key
        prompt = build_prompt(
            context,
            strategy=way.strategy,
            layout=way.layout,
            tokens=tokens,
            around=gathered.around(context, tokens),
            snippet_format=way.format,
        )
        gathered.sent(prompt)
        yield prompt.text + (prompt.prefix if way.strategy is Strategy.PARTIAL else "")


def repeated(prompts: Iterator[str]) -> float:
    """The mean share of a prompt that is the beginning of the one before it too."""
    last, shares = next(prompts), []
    for prompt in prompts:
        shares.append(len(common(last, prompt)) / len(prompt))
        last = prompt
    return statistics.mean(shares)


def common(one: str, other: str) -> str:
    """The beginning that two texts share."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if one.startswith(other[:middle]) else (low, middle - 1)
    return one[:low]


def run() -> list[dict[str, Any]]:
    """The table's rows."""
    return [
        {
            "what": "repeated share",
            "variant": way.name,
            "alone": repeated(typed(way, with_snippets=False)),
            "with snippets": repeated(typed(way, with_snippets=True)),
        }
        for way in WAYS
    ]
