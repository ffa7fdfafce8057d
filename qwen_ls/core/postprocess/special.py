"""Special tokens never reach the editor. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from qwen_ls.core import tokens
from qwen_ls.core.types import Reason, Skip

if TYPE_CHECKING:
    from qwen_ls.core.postprocess.hole import Hole

ENDS = frozenset({"<|endoftext|>", "<|im_end|>", "<|file_sep|>", "<|repo_name|>"})
_LEADING = re.compile(rf"\A(?:{tokens.SPECIAL.pattern})+")


def cut_special_tokens(text: str, _: Hole) -> str | Skip:
    """Cut at the first special token: what follows is another file, or noise.

    Tokens that stand at the very beginning are skipped over, not cut at: some models begin with one. The
    cursor that some models draw is taken out, wherever it stands: the text goes on behind it.
    """
    text = text.replace(tokens.CURSOR, "")
    while match := tokens.SPECIAL.match(text):
        text = text[match.end() :]
        if match.group() in ENDS:
            return Skip(Reason.ONLY_SPECIAL_TOKENS)
    kept = tokens.restore(tokens.cut(text))
    return kept if kept or not text else Skip(Reason.ONLY_SPECIAL_TOKENS)


def has_ended(text: str) -> bool:
    """Whether a stream has come to a special token behind its text: a server that ignores `stop` goes on."""
    text = text.replace(tokens.CURSOR, "")
    return bool(tokens.SPECIAL.search(_LEADING.sub("", text)))


def cut_stray_tag(text: str, hole: Hole) -> str | Skip:
    """Cut at a token that looks like markup, `<tool_call>` or `</think>`, in a document that has none."""
    match = tokens.TAG.search(text)
    if match is None or tokens.TAG.search(hole.context.document.text):
        return text
    kept = text[: match.start()]
    return kept if kept.strip() else Skip(Reason.ONLY_SPECIAL_TOKENS)
