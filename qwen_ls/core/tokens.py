"""Qwen's tokens: the special ones, and where a line can be cut without cutting through one.

Pure. Source: Qwen2.5-Coder's `tokenizer.json`: the special tokens (ids 151643 to 151664), plus `<|cursor|>`,
which its models invent, and the pattern by which text is split before pairs are merged.
"""

from __future__ import annotations

import re

FIM_PREFIX = "<|fim_prefix|>"
FIM_SUFFIX = "<|fim_suffix|>"
FIM_MIDDLE = "<|fim_middle|>"
REPO_NAME = "<|repo_name|>"
FILE_SEP = "<|file_sep|>"
CURSOR = "<|cursor|>"

NAMES = (
    "endoftext",
    "im_start",
    "im_end",
    "object_ref_start",
    "object_ref_end",
    "box_start",
    "box_end",
    "quad_start",
    "quad_end",
    "vision_start",
    "vision_end",
    "vision_pad",
    "image_pad",
    "video_pad",
    "fim_prefix",
    "fim_middle",
    "fim_suffix",
    "fim_pad",
    "repo_name",
    "file_sep",
    "cursor",
)
SPECIAL = re.compile(r"<\|(?:" + "|".join(NAMES) + r")\|>")
_LONGEST = max(map(len, NAMES)) + len("<||>")
_BREAK = "\u200b"
LONGEST_HELD_BACK = 24
"""In characters. A longer run is no word: languages without blanks have whole sentences in one."""
_PIECE = re.compile(
    r"""'(?i:s|t|re|ve|m|ll|d)"""
    r"""|(?:[^\w\r\n]|_)?[^\W\d_]+"""
    r"""|\d"""
    r"""|\ ?(?:[^\s\w]|_)+[\r\n]*"""
    r"""|\s*[\r\n]+|\s+(?!\S)|\s+"""
)
"""What no token reaches across, in the order of `tokenizer.json`."""
_DEFUSED = re.compile("<" + _BREAK + r"\|(?=(?:" + "|".join(NAMES) + r")\|>)")


def defuse(text: str) -> str:
    """The text with an invisible break in every special token: the model reads plain characters."""
    if "<|" not in text:
        return text
    return SPECIAL.sub(lambda match: "<" + _BREAK + match.group()[1:], text)


def restore(text: str) -> str:
    """The text with the breaks of `defuse` taken out again."""
    return _DEFUSED.sub("<|", text) if _BREAK in text else text


def cut(text: str) -> str:
    """The text up to its first special token.

    A token that the text's end cuts in half is cut too: streams end in the middle of anything.
    """
    match = SPECIAL.search(text)
    if match:
        return text[: match.start()]
    tail = text.rfind("<", max(len(text) - _LONGEST, 0))
    if tail >= 0 and len(text) - tail >= 2 and _begins_special(text[tail:]):
        return text[:tail]
    return text


def _begins_special(tail: str) -> bool:
    return any(f"<|{name}|>".startswith(tail) for name in NAMES)


def unfinished(line: str) -> str:
    """The end of a line that one token may hold together with what comes next; empty after a whole token.

    A prompt that ends in it makes the model go on as after a whole token: `for i in r` with `ango`, and
    `return ` with a second blank.

    Args:
        line: the current line up to the cursor.
    """
    tail = line[-4 * LONGEST_HELD_BACK :]
    last = next(reversed([match.group() for match in _PIECE.finditer(tail)]), "")
    return "" if last[-1:].isdigit() or len(last) > LONGEST_HELD_BACK else last
