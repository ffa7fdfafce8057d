"""How much of each prompt begins the one before, by layout: what a prefix cache need not read again."""

from __future__ import annotations

import heapq
import inspect
import itertools

from qwen_ls.core.context import build_context
from qwen_ls.core.prompt import build_prompt
from qwen_ls.core.text import common_length
from qwen_ls.core.types import Document, Layout, Strategy, TriggerKind

BUDGETS = (300, 2048)
"""In tokens: the local model's, and the default."""
LINES = 60
EVERY = 4
"""Keys between two prompts."""


def share(text: str, layout: Layout, budget: int) -> float:
    """Type lines in the middle of a text; which share of the prompts the one before began with.

    Args:
        text: has more than `LINES` lines; the share is by characters.
        layout: the prompts'.
        budget: the prompts', in tokens.
    """
    lines = text.splitlines(keepends=True)
    middle = (len(lines) - LINES) // 2
    before, typed = "".join(lines[:middle]), "".join(lines[middle : middle + LINES])
    after = "".join(lines[middle + LINES :])
    prompts = []
    for keys in range(0, len(typed), EVERY):
        document = Document("file:///bench/a.py", 1, "python", before + typed[:keys] + "\n" + after)
        context = build_context(document, len(before) + keys, TriggerKind.AUTOMATIC)
        prompts.append(build_prompt(context, strategy=Strategy.FIM, layout=layout, tokens=budget).text)
    same = sum(common_length(one, two) for one, two in itertools.pairwise(prompts))
    return same / sum(map(len, prompts[1:]))


def table() -> str:
    """The shares by layout and budget, as Markdown."""
    text = inspect.getsource(heapq)
    lines = [f"| layout | {' | '.join(f'{budget} tokens' for budget in BUDGETS)} |", "|---|---|---|"]
    for layout in Layout:
        shares = (f"{share(text, layout, budget):.2f}" for budget in BUDGETS)
        lines.append(f"| {layout} | {' | '.join(shares)} |")
    return "\n".join(lines)
