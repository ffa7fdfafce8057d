"""Blanks and line ends at the edges of an answer. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from qwen_ls.core.text import indent_of, lines_of, width_of, with_eol
from qwen_ls.core.types import Reason, Skip

if TYPE_CHECKING:
    from qwen_ls.core.postprocess.hole import Hole

LOOKED_AT_CHARS = 4000
"""How far above the cursor a habit of the document is looked for."""
_TRAILING = re.compile(r"[ \t]+(?=\n)")


def drop_typed_indent(text: str, hole: Hole) -> str:
    """Take off the indentation that the editor has typed already, where the answer repeats it.

    Half an indentation is not repeated but gone on with.
    """
    typed = hole.context.line_prefix
    if typed and not typed.strip() and not _is_half(typed, hole.context.prefix):
        indent = indent_of(text)
        if indent.startswith(typed) and text[len(indent) :].strip():
            following = [line for line in text.split("\n")[1:] if line.strip()]
            if len(indent) == len(typed) or any(indent_of(line).startswith(indent) for line in following):
                return text[len(typed) :]
    return text


def _is_half(typed: str, prefix: str) -> bool:
    """Whether blanks are no whole number of the document's indentations, as the lines above have them."""
    above = prefix[: len(prefix) - len(typed)][-4000:]
    widths = {width_of(indent_of(line)) for line in lines_of(above) if line.strip()} - {0}
    return bool(widths) and width_of(typed) % min(widths) != 0


def without_held_back(text: str, held_back: str) -> str:
    """The answer to a prompt that left out some text before the cursor, as if it had not.

    Where the model indents otherwise than the user has, the user's indentation stands; what begins with
    another word than the one that is typed says nothing about it.
    """
    if not held_back or text.startswith(held_back):
        return text[len(held_back) :]
    if held_back.strip(" \t"):
        return ""
    return text if text[:1] in {"\n", "\r"} else text.lstrip(" \t")


def drop_stray_blank(text: str, hole: Hole) -> str:
    """Take off the one blank too many that an answer after typed indentation begins with.

    It comes from tokenizers that join a blank with the word after it. Lines below that stand one column off
    for the same reason are moved back with it. Before an asterisk it is right: ` * ` in a block comment.
    """
    typed = hole.context.line_prefix
    if not typed or typed.strip(" ") or text[:1] != " " or text[1:2] in {"", " ", "\t", "\n", "\r", "*"}:
        return text
    first, *rest = text.split("\n")
    widths = [len(indent_of(line)) - len(typed) - 1 for line in rest if line.strip()]
    if widths and all(width >= 0 and width % 2 == 0 for width in widths):
        rest = [line[1:] if line.strip() else line for line in rest]
    return "\n".join([first[1:], *rest])


def drop_typed_blank(text: str, hole: Hole) -> str:
    """Cut blanks off the end of every line, and one at the beginning that is too many.

    It was typed already ("return " + " x"), or it stands after an opening bracket where the code has none:
    tokenizers join a blank with the word after it. In prose, blanks at a line's end may mean something: two
    are Markdown's hard break.
    """
    text = with_eol(text, "\n")
    if not hole.is_prose:
        text = _TRAILING.sub("", text)
    is_one = text[:1] == " " and text[:2] != "  "
    return text[1:] if is_one and _is_typed_or_unwanted(hole) else text


def _is_typed_or_unwanted(hole: Hole) -> bool:
    """Whether a blank would be the second one, or the first after a bracket in this document."""
    line = hole.context.line_prefix
    if line.endswith((" ", "\t")):
        return bool(line.strip())
    spaced = f"{line[-1:]} "
    return (
        line.endswith(("(", "["))
        and not hole.is_prose
        and spaced not in hole.context.prefix[-LOOKED_AT_CHARS:]
    )


def trim_end(text: str, hole: Hole) -> str | Skip:
    """Cut blanks and line ends off the end; a blank answer is none.

    Before code to the right of the cursor, a blank keeps the answer's last word from it.
    """
    trimmed = text.rstrip()
    if not trimmed:
        return Skip(Reason.EMPTY)
    return (
        f"{trimmed} "
        if hole.context.line_suffix[:1].isidentifier() and text.endswith((" ", "\t"))
        else trimmed
    )


def use_document_eol(text: str, hole: Hole) -> str:
    """Turn the answer's line ends into the document's."""
    return with_eol(text, hole.context.eol)
