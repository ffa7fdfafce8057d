"""Special tokens never reach the editor. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qwen_ls.core import tokens
from qwen_ls.core.types import Reason, Skip

if TYPE_CHECKING:
    from qwen_ls.core.postprocess.hole import Hole


def cut_special_tokens(text: str, _: Hole) -> str | Skip:
    """Cut at the first special token: what follows is another file, or noise.

    Tokens that stand at the very beginning are skipped over, not cut at: some models begin with one.
    """
    while match := tokens.SPECIAL.match(text):
        text = text[match.end() :]
        if match.group() in {"<|endoftext|>", "<|im_end|>", "<|file_sep|>", "<|repo_name|>"}:
            return Skip(Reason.ONLY_SPECIAL_TOKENS)
    kept = tokens.restore(tokens.cut(text))
    return kept if kept or not text else Skip(Reason.ONLY_SPECIAL_TOKENS)
