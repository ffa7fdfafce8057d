"""What the fake model says: the documents' own examples, the truth of a given text, untidy versions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .tokens import tokenize

if TYPE_CHECKING:
    from .behaviour import Behaviour
    from .call import Call

FALLBACK = "pass"
CHAT_FALLBACK = "Hello from the fake DashScope."
ENDLESS_LIMIT = 512
"""Tokens of an endless answer when the request sets no limit."""

QUICK_SORT = """
    if len(arr) <= 1:
        return arr
    pivot = arr[len(arr) // 2]
    left = [x for x in arr if x < pivot]
    middle = [x for x in arr if x == pivot]
    right = [x for x in arr if x > pivot]
    return quick_sort(left) + middle + quick_sort(right)
"""
REVERSE_WORDS = """    def reverse(word):
        letters = [c for c in word if c.isalpha()]
        return ''.join(letters.pop() if c.isalpha() else c for c in word)
    result = ' '.join(reverse(word) for word in s.split(' '))
    """
FIBONACCI = "        return calculate_fibonacci(n-1) + calculate_fibonacci(n-2)"
COFFEE = (
    "，这款提拉米苏简直是味蕾的享受！每一口都能感受到咖啡与奶油的完美融合，幸福感爆棚～ "
    "#美食分享 #提拉米苏 #咖啡时光\n\n"
    "希望你喜欢这个文案！如果有任何修改需求，请随时告诉我。"
)
STORY = """**《记忆的尽头》**

在遥远的未来，地球早已不再适合人类居住。大气层被污染，海洋干涸，城市变成了废墟。人类被迫迁移到一颗名为“伊甸星”的宜居星球，那里有蔚蓝的天空、清新的空气和无尽的资源。

然而，伊甸星并非真正的天堂。它没有人类的历史，没有过去，也没有记忆。

**“如果我们忘记了自己是谁，我们还算是人类吗？”**

——完——"""

EXAMPLES: tuple[tuple[str, str], ...] = (
    ("    pivot = arr[len(arr) // 2]\n    ", "left = [x for x in arr if x < pivot]"),
    ("quick_sort(arr):", QUICK_SORT),
    ("'''\n", REVERSE_WORDS),
    ('"""\n', REVERSE_WORDS),
    ("def reverse_words(s):\n", REVERSE_WORDS),
    ("    else:\n", FIBONACCI),
    ("今天发现了一家宝藏咖啡馆", COFFEE),
    ("春天来了，大地", "仿佛从漫长的冬眠中苏醒过来，万物复苏。"),
    ("科幻故事", STORY),
)
"""The end of a text and what follows it."""


def default_answer(call: Call) -> str:
    """The documents' own answer, or a short one that is always the same."""
    for ending, answer in EXAMPLES:
        if call.prefix.endswith(ending):
            return answer
    if call.kind == "partial" and call.prefix and STORY.startswith(call.prefix):
        return STORY[len(call.prefix) :]
    return CHAT_FALLBACK if call.kind == "chat" else FALLBACK


TAILS = (4000, 1000, 300, 100, 30, 10)
TRUTH_LIMIT = 8000
"""Characters: a longer truth is not said."""


def true_answer(truth: str, call: Call) -> str | None:
    """What follows the prefix in ``truth``, up to the suffix where it is found; None without the prefix.

    The longest tail of the prefix that occurs decides; among several places, the one whose suffix is nearest.
    """
    for length in (len(call.prefix), *TAILS):
        tail = call.prefix[-length:] if length else ""
        if length > len(call.prefix) or (not tail and call.prefix):
            continue
        if ends := _ends(truth, tail):
            return min((_until(truth, end, call.suffix) for end in ends), key=len)
    return None


def _ends(truth: str, tail: str) -> list[int]:
    if not tail:
        return [0]
    ends: list[int] = []
    at = truth.find(tail)
    while at >= 0 and len(ends) < 50:
        ends.append(at + len(tail))
        at = truth.find(tail, at + 1)
    return ends


def _until(truth: str, start: int, suffix: str) -> str:
    end = truth.find(suffix[:400], start) if suffix else -1
    return truth[start : min(start + TRUTH_LIMIT, len(truth) if end < 0 else end)]


def untidy(text: str, call: Call, behaviour: Behaviour) -> str:
    """The answer with the faults of notes §6.4."""
    words = behaviour.sloppiness
    if "repeat_prefix_line" in words:
        text = (call.prefix.rstrip("\n").rpartition("\n")[2] + "\n" + text) if call.prefix else text
    if "repeat_suffix" in words:
        text += "".join(call.suffix.splitlines(keepends=True)[:2])
    if "cursor" in words:
        text += "<|cursor|>"
    if "fences" in words:
        text = f"```python\n{text}\n```"
    if "chatter" in words:
        text = f"Here is the completed code:\n\n{text}\n\nLet me know if you have any questions!"
    if "special_tokens" in words:
        text += "<|endoftext|><|im_start|>assistant\n"
    if "fim_pad" in words:
        text += "<|fim_pad|>" * 5
    if "next_file" in words:
        text += "<|file_sep|>other.py\nimport os\n"
    if "endless" in words:
        limit = call.params.get("max_tokens") or ENDLESS_LIMIT
        text = (text or " ") * (limit + 1)
    return text


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a request gets: its text in pieces, and the numbers."""

    pieces: list[str]
    finish_reason: str
    input_tokens: int
    output_tokens: int
    cached_tokens: int | None
    """None: this model has no context cache."""
    image_tokens: int
    request_id: str
    created: int
    reasoning: str | None = None
    """Thinking text; empty for a hybrid that does not think, None for others."""

    @property
    def text(self) -> str:
        """The whole answer."""
        return "".join(self.pieces)


def cut(text: str, call: Call, behaviour: Behaviour) -> tuple[str, str]:
    """The text after stop strings and ``max_tokens``, and why it ended."""
    ends = [text.find(stop) for stop in call.stops(special=behaviour.special_stops)]
    text = text[: min((end for end in ends if end >= 0), default=len(text))]
    limit = call.params.get("max_tokens")
    tokens = tokenize(text)
    if "endless" in behaviour.sloppiness and not isinstance(limit, int):
        limit = ENDLESS_LIMIT
    if isinstance(limit, int) and len(tokens) > limit:
        return "".join(tokens[:limit]), "length"
    return text, "stop"


def pieces_of(text: str, size: int) -> list[str]:
    """The text in pieces of ``size`` tokens."""
    tokens = tokenize(text)
    return ["".join(tokens[at : at + size]) for at in range(0, len(tokens), max(1, size))]
