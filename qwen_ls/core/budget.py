"""How much of the document a prompt may hold, and where it is cut. Pure.

No tokenizer is loaded for this. Beside the Qwen vocabulary of DashScope's SDK the estimate is on the safe
side for code (1.3 to 1.5 times as many tokens, for Python), and close for Chinese prose (0.9 times).
"""

from __future__ import annotations

import re

from qwen_ls.core.text import lines_of, n_lines

CHARS_PER_TOKEN = 3.2
WIDE_CHARS_PER_TOKEN = 1.5
MOST_CHARS = 8
"""No token is longer than this on average: more of a text need not be looked at for a budget."""
SUFFIX_SHARE = 0.2
LEAST_CODE_SHARE = 0.4
"""What the document's own code has of a prompt, whatever else there is to show."""
STEPS = 8
"""Where one part of a prompt grows into another's room, it does so in steps of this part of the budget."""
LINE_STEP_CHARS = 1024
"""A line that is longer than the window is cut at multiples of this, so that typing does not move the cut."""
CURRENT_LINE_CHARS = 200
"""The current line is never cut closer to the cursor than this."""

_WIDE = re.compile("[\u2e80-\U0010ffff]+")


def estimate_tokens(text: str) -> float:
    """About how many tokens Qwen's tokenizer makes of the text."""
    if text.isascii():
        return len(text) / CHARS_PER_TOKEN
    narrow = len(_WIDE.sub("", text))
    return narrow / CHARS_PER_TOKEN + (len(text) - narrow) / WIDE_CHARS_PER_TOKEN


def window_chars(prompt_tokens: int) -> tuple[int, int]:
    """How many characters before and after the cursor a snapshot needs for a budget of `prompt_tokens`.

    Generous: four characters a token, room for the grid that the window's start stands on, and a little to
    see what follows the cursor.
    """
    return prompt_tokens * 4 + 4000, prompt_tokens * 4 + 1000


def fit(
    prefix: str, suffix: str, tokens: float, *, first_line: int = 0, last_suffix: str = ""
) -> tuple[str, str]:
    """Cut prefix and suffix on line ends until both fit into `tokens`.

    The suffix has a fifth; what one side does not use passes on to the other. The prefix begins on a grid of
    document lines, and the suffix ends where it ended, so that typing moves neither and a prefix cache can
    keep both.

    Args:
        prefix: the text before the cursor.
        suffix: the text after it.
        tokens: the budget for both.
        first_line: the document's line number on which `prefix` begins.
        last_suffix: the suffix as it was cut for the document's last prompt.
    """
    share = tokens * SUFFIX_SHARE
    room = max(share, tokens - need(prefix[-int(tokens * MOST_CHARS) :], tokens))
    suffix = freeze(suffix, last_suffix, room, slack=min(room - share, tokens / STEPS))
    prefix_tokens = tokens - min(cost(suffix), tokens)
    return _cut_prefix(prefix, prefix_tokens, first_line, grid=32 if tokens >= 1500 else 8), suffix


def freeze(suffix: str, last: str, room: float, *, slack: float = 0.0) -> str:
    """The suffix, cut to its room: as in the last prompt while it begins as that one did.

    A cut that is kept has half of the room at least.

    Args:
        suffix: the text after the cursor.
        last: the suffix of the last prompt; empty where there is none.
        room: the tokens that it may have.
        slack: the tokens that a new cut leaves free, for what is typed next takes room away.
    """
    needed = need(suffix, room * 2)
    if last and suffix.startswith(last) and min(needed, room) / 2 <= cost(last) <= room + 0.01:
        return last
    return _cut_suffix(suffix, room - slack if last and needed > room else room)


def room_for_snippets(prefix: str, suffix: str, tokens: float, share: float) -> float:
    """The tokens that snippets may have: their share, and, in steps, what prefix and suffix do not need.

    Args:
        prefix: the text before the cursor.
        suffix: the text after it.
        tokens: the whole prompt's budget.
        share: of that budget; 0 for none.
    """
    if not share:
        return 0.0
    free = tokens - need(prefix[-int(tokens * MOST_CHARS) :], tokens) - need(suffix, tokens)
    step = tokens / STEPS
    return min(max(tokens * share, free // step * step), tokens * (1 - LEAST_CODE_SHARE))


def need(text: str, tokens: float) -> float:
    """The text's cost, or `tokens` where it is more. Of a long text only the beginning is looked at."""
    return min(cost(text[: int(tokens * MOST_CHARS)]), float(tokens))


def cost(text: str) -> float:
    """The tokens to reckon with: the estimate, and half a token for each line's indentation."""
    return estimate_tokens(text) + 0.5 * n_lines(text)


def _cut_prefix(prefix: str, tokens: float, first_line: int, *, grid: int) -> str:
    """The end of the prefix that fits, from a line whose number is a multiple of `grid` where one fits."""
    lines = lines_of(prefix)
    if not lines or prefix[-1] in "\r\n":
        lines.append("")
    used, start = 0.0, len(lines) - 1
    for index in range(len(lines) - 1, -1, -1):
        used += cost(lines[index])
        if used > tokens + 0.01 and index < len(lines) - 1:
            break
        start = index
    if start > 0:
        snapped = start + -(first_line + start) % grid
        start = snapped if snapped < len(lines) - 1 else start
    return _cut_line_before("".join(lines[start:]), tokens)


def _cut_suffix(suffix: str, tokens: float) -> str:
    """The beginning of the suffix that fits, in whole lines but for a very long first one."""
    used, kept = 0.0, 0
    for index, line in enumerate(lines_of(suffix)):
        used += cost(line)
        if used > tokens + 0.01 and index:
            break
        kept += len(line)
    suffix = suffix[:kept]
    if cost(suffix) <= tokens + 0.01:
        return suffix
    return suffix[: max(_chars(suffix, tokens), CURRENT_LINE_CHARS)]


def _cut_line_before(text: str, tokens: float) -> str:
    """A single line that alone exceeds the budget is cut, far from the cursor, in steps that stay put."""
    limit = max(_chars(text, tokens * 1.2), CURRENT_LINE_CHARS)
    if len(text) <= limit or cost(text) <= tokens:
        return text
    # A power of two: the window's own beginning in such a line is a multiple of `LINE_STEP_CHARS`.
    step = min(1 << (limit // 4).bit_length() - 1, LINE_STEP_CHARS)
    start = -(-(len(text) - limit) // step) * step
    return text[start:]


def _chars(text: str, tokens: float) -> int:
    """About how many of the text's characters make so many tokens; one answer for all of a kind of text."""
    is_wide = estimate_tokens(text) * (CHARS_PER_TOKEN + WIDE_CHARS_PER_TOKEN) / 2 > len(text)
    return int(tokens * (WIDE_CHARS_PER_TOKEN if is_wide else CHARS_PER_TOKEN))
