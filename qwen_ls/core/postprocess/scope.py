"""Where the block at the cursor ends: by indentation, brackets, strings and closing words. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from qwen_ls.core.syntax import State, Syntax, scan, state_after, syntax_of
from qwen_ls.core.text import CLOSERS, indent_of, lines_of, width_of
from qwen_ls.core.trigger import opens_block

if TYPE_CHECKING:
    from qwen_ls.core.postprocess.hole import Hole
    from qwen_ls.core.types import CompletionContext

_CLOSER_LINE = re.compile(
    r"\s*(?:[)\]}].*|(?:end|fi|done|esac|until\b.*)[;,)]*(?:\.\w+.*|\s+(?:if|unless)\b.*)?|END[;,]?|</[\w.:-]+>.*)\s*$",
    re.DOTALL,
)
_CONTINUES_BLOCK = re.compile(
    r"\s*(?:else|elif|elsif|except|finally|catch|rescue|ensure|when|case|default)\b"
    r"|\s*[)\]}]\s*(?:else|catch|finally|while)\b"
)
_OPENS_AGAIN = re.compile(r".*(?:[:{(\[]|=>)\s*$", re.DOTALL)
_HAS_MORE = re.compile(r"\s*(?:\}\s*else\s+)?(?:if|else|try|catch|do)\b")
_GOES_ON = re.compile(r"\s*(?:else|catch|finally|while)\b")
_BRACE_OR_ITEM = re.compile(r"\s*(?:\{\s*$|- |@\w+\s*$|#\[)")
"""What belongs to the line above although it stands no deeper: Allman's brace, the items of a YAML list."""
_AT_MARGIN = re.compile(
    r"#\s*(?:if|ifdef|ifndef|elif|else|endif|pragma|define|undef|include|region|endregion)\b"
    r"|\s*(?!\d)\w+(?: \w+)*:\s*(?://.*)?$"
)
"""What stands further out in a language of brackets, and ends nothing: the preprocessor's lines, labels."""
_FENCE = re.compile(r"^[ \t]*(```+|~~~+)", re.MULTILINE)


def closes(line: str) -> bool:
    """Whether a line begins with what closes a block: `}`, `});`, `) -> int:`, `end`, `</div>`."""
    return bool(_CLOSER_LINE.match(line))


def stop_at_dedent(text: str, hole: Hole) -> str:
    """Keep the block that the cursor stands in, and its closer exactly where it is missing below."""
    if hole.is_prose:
        return text
    lines = lines_of(text)
    return "".join(lines[: scope(hole.context, lines)])


def close_once(text: str, hole: Hole) -> str:
    """Stop where the answer closes a string, comment or fence that is closed below already."""
    at = closed_again_at(text, hole)
    if at is None:
        return text
    line_start = max(text.rfind("\n", 0, at), text.rfind("\r", 0, at)) + 1
    kept = text[:at] if text[line_start:at].strip(" \t*") else text[:line_start]
    return kept.rstrip("\r\n") if kept.strip() else kept


def closed_again_at(text: str, hole: Hole) -> int | None:
    """The offset in the answer of the closer of what the cursor stands in, if the document has it below."""
    context = hole.context
    inside = _fence_around(context) if hole.is_prose else _inside(context)
    if not inside or inside in hole.syntax.quotes or context.line_suffix.strip():
        return None
    if not _closed_below(inside, context):
        return None
    if hole.is_prose:
        match = re.search(rf"^[ \t]*{re.escape(inside)}[ \t]*$", text, re.MULTILINE)
        return match.start() if match and (match.start() or not context.line_prefix.strip()) else None
    # The whole text is scanned as the string's rest: its first end is the one that counts.
    at = text.find(inside.removeprefix("<<"))
    return at if at >= 0 else None


def _inside(context: CompletionContext) -> str:
    """What ends the string over several lines, or the comment, that the cursor stands in."""
    return state_after(context.prefix, context.document.language_id).inside


def _fence_around(context: CompletionContext) -> str:
    """The fence of the code block in which the cursor stands, in prose."""
    fence = ""
    for match in _FENCE.finditer(context.prefix):
        fence = "" if fence and match.group(1).startswith(fence) else fence or match.group(1)
    return fence


def _closed_below(inside: str, context: CompletionContext) -> bool:
    """Whether what is open at the cursor ends below, before another one like it begins."""
    rest = context.suffix[len(context.line_suffix) :]
    if _FENCE.match(inside):
        fence = re.search(rf"^[ \t]*({re.escape(inside)})[^\r\n]*", rest, re.MULTILINE)
        return bool(fence) and fence.group().strip() == fence.group(1)  # type: ignore[union-attr]
    syntax = syntax_of(context.document.language_id)
    opener = next((begin for begin, end in syntax.comments if end == inside), "")
    end = rest.find(inside.removeprefix("<<"))
    if end < 0:
        return False
    if opener:
        return opener not in rest[:end]
    # A quote looks the same at both ends. That of a string's end has no text behind it, or none before it.
    line_start = rest.rfind("\n", 0, end) + 1
    line = rest[line_start : (rest + "\n").index("\n", end)].strip()
    if inside.startswith("<<") or len(inside) == 1:
        return not rest[:line_start].strip() or line == inside or inside.startswith("<<")
    return line.count(inside) == 1 and line.endswith(inside) and "=" not in line


@dataclass(slots=True)
class _Walk:
    """What the walk over the generated lines has come to know."""

    closed: int = 0
    """How many of the brackets that were open at the cursor have been closed."""
    ended: bool = False
    """Whether the statement is closed, but `else` may go on with it."""
    blanks: int = 0


def scope(context: CompletionContext, lines: list[str]) -> int:
    """How many of the generated lines belong to the block at the cursor.

    The block's indentation is that of the current line with the first generated one (Cody's rule,
    `notes/algorithms.md` B6). A line further out ends it, unless it goes on with it (`else`), and a line that
    closes it is kept where the code below does not have it. What stands in a string, or in brackets that the
    answer has opened, belongs to it however it is indented. After a statement that was complete already, the
    block is that of the next line.

    Args:
        context: where the cursor stands.
        lines: the generated lines, the first one continuing the current line.
    """
    if not lines:
        return 0
    language, syntax = context.document.language_id, syntax_of(context.document.language_id)
    line_prefix = context.line_prefix
    first, index, started = _first_statement(line_prefix, lines, language)
    if index > len(lines):
        return len(lines)
    base = width_of(indent_of(first))
    n_own = len(scan(line_prefix, syntax).stack) if syntax.brackets else 0
    state, walk = scan("".join(lines[:index]), syntax, State(inside=_inside(context))), _Walk()
    walk.closed = sum(char in CLOSERS for char, _ in state.unmatched)
    for position in range(index, len(lines)):
        line, before = lines[position], state
        state = scan(line, syntax, before)
        if not before.in_code or (syntax.brackets and before.stack):
            walk.blanks = 0
            continue
        if not line.strip():
            walk.blanks += 1
            if walk.blanks >= 2 and not started:
                return position - 1
            continue
        if walk.ended and not _GOES_ON.match(line):
            return position - walk.blanks
        walk.ended, walk.blanks = False, 0
        n_closed = len(state.unmatched) - len(before.unmatched)
        if syntax.brackets and line.lstrip()[0] in CLOSERS and n_closed:
            if not _is_missing(line, context, walk.closed):
                if not _CONTINUES_BLOCK.match(line):
                    return position
            walk.closed += n_closed
            opens = len(state.stack) > 0 or bool(_OPENS_AGAIN.match(line))
            if not opens and walk.closed >= max(n_own, 1):
                if not _HAS_MORE.match(line_prefix + lines[0]):
                    return position + 1
                walk.ended = True
            continue
        if _is_outside(
            line, base, started=started, in_own=walk.closed < n_own, syntax=syntax, lines=lines[:position]
        ):
            if not closes(line) or not _is_missing(line, context, walk.closed):
                return position
            if not _OPENS_AGAIN.match(line):
                return position + 1
    return len(lines)


def _first_statement(line_prefix: str, lines: list[str], language: str) -> tuple[str, int, bool]:
    """The line whose indentation is the block's, the number of the line after it, whether it had begun."""
    # A docstring or comment is no statement: what the block says comes after it.
    started = bool(line_prefix.strip()) and not line_prefix.lstrip().startswith(('"""', "'''", "/*", " *"))
    if lines[0].strip():
        return line_prefix + lines[0], 1, started
    following = next((i for i in range(1, len(lines)) if lines[i].strip()), len(lines))
    if started and following < len(lines) and _is_next_statement(line_prefix, lines[following], language):
        started = False
    if started:
        return line_prefix + lines[0], 1, True
    if following == len(lines):
        return "", len(lines) + 1, False
    return lines[following], following + 1, False


def _is_outside(
    line: str, base: int, *, started: bool, in_own: bool, syntax: Syntax, lines: list[str]
) -> bool:
    """Whether a line's indentation says that it stands outside of the block."""
    if in_own or _CONTINUES_BLOCK.match(line):
        return False
    if syntax is syntax_of("sql"):
        last = next((past.rstrip() for past in reversed(lines) if past.strip()), "")
        return started and last.endswith(";")
    width = width_of(indent_of(line))
    if width < base:
        return not (syntax.brackets and _AT_MARGIN.match(line))
    return started and width == base and not _BRACE_OR_ITEM.match(line) and not _AT_MARGIN.match(line)


def _is_next_statement(line_prefix: str, line: str, language: str) -> bool:
    """Whether a generated line comes after the current one, and neither goes on with it nor stands in it."""
    if opens_block(line_prefix, language) or closes(line) or _BRACE_OR_ITEM.match(line):
        return False
    return width_of(indent_of(line)) == width_of(indent_of(line_prefix))


def _is_missing(line: str, context: CompletionContext, n_closed: int) -> bool:
    """Whether the code below the cursor lacks this closing line.

    The first line below that stands no deeper tells, if it closes: the block's own closer has its
    indentation. Else brackets are counted: those open at the cursor against those closed below.
    """
    width, closer = width_of(indent_of(line)), _closer_of(line)
    for below in lines_of(context.suffix[len(context.line_suffix) :]):
        if below.strip() and width_of(indent_of(below)) <= width:
            if _closer_of(below) == closer and width_of(indent_of(below)) == width:
                return False
            break
    syntax = syntax_of(context.document.language_id)
    if not syntax.brackets or closer not in CLOSERS or not context.document.starts_at_top:
        return True
    n_open = len(state_after(context.prefix, context.document.language_id).stack) - n_closed
    n_below = sum(char in CLOSERS for char, _ in scan(context.suffix, syntax).unmatched)
    return n_open > n_below


def _closer_of(line: str) -> str:
    """What a line closes with: a bracket, a word, a tag."""
    said = line.strip()
    if said[:1] in CLOSERS:
        return said[:1]
    match = re.match(r"</[\w.:-]+>|\w+", said)
    return match.group() if match else said[:1]
