"""Where the block at the cursor ends: by indentation, brackets, strings and closing words. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from qwen_ls.core.openers import opens_block
from qwen_ls.core.postprocess.enclosure import inside_of
from qwen_ls.core.syntax import (
    SCANNED_CHARS,
    State,
    Syntax,
    knows_all,
    line_before,
    scan,
    state_at,
    statement_indent,
    syntax_of,
)
from qwen_ls.core.text import CLOSERS, each_line, indent_of, lines_of, width_of
from qwen_ls.core.trigger import line_below
from qwen_ls.core.types import TriggerKind

if TYPE_CHECKING:
    from qwen_ls.core.postprocess.hole import Hole
    from qwen_ls.core.types import CompletionContext

_CLOSER_LINE = re.compile(
    r"\s*(?:[)\]}].*|end\b[;,)]*(?:\.\w+.*|\s+(?:if|unless)\b.*)?|(?:fi|done|esac|until)\b.*|END[;,]?|</[\w.:-]+>.*)\s*$",
    re.DOTALL,
)
_CONTINUES_BLOCK = re.compile(
    r"\s*(?:else|elif|elsif|except|finally|catch|rescue|ensure|when|case|default)\b"
    r"|\s*[)\]}]\s*(?:else|catch|finally|while)\b"
)
_CASE = re.compile(r"\s*(?:when|case|default)\b")
_OPENS_AGAIN = re.compile(r".*(?:[:{(\[]|=>)\s*$", re.DOTALL)
_HAS_MORE = re.compile(r"\s*(?:\}\s*else\s+)?(?:if|else|try|catch|do)\b")
_HOLDS_DEFINITIONS = re.compile(
    r"\s*(?:[\w()]+\s+)*(?:class|interface|struct|enum|impl|trait|module|namespace|object)\b"
)
LOOKED_AT_CHARS = 6000
"""How far above the cursor the definition is looked for that it stands in."""
_GOES_ON = re.compile(r"\s*(?:else|catch|finally|while)\b")
_PYTHON_STATEMENT = re.compile(r"\s*(?:def|class|return|assert|raise|import|while|try|with|del)\b")
"""What begins a statement in Python, and goes on with none."""
_ALLMAN, _DECORATES, _ITEM = (re.compile(rf"\s*{p}") for p in (r"\{\s*$", r"(?:@\w|#\[)", "- "))
"""What belongs together though it stands as deep: Allman's brace, what is decorated, items of a YAML list."""
_AT_MARGIN = re.compile(
    r"#\s*(?:if|ifdef|ifndef|elif|else|endif|pragma|define|undef|include|region|endregion)\b"
    r"|\s*(?!\d)\w+(?: \w+)*:\s*(?://.*)?$"
)
"""What stands further out in a language of brackets, and ends nothing: the preprocessor's lines, labels."""
_DEFINITION = re.compile(
    r"\s*(?:@\w|#\[|\{\s*$|where\s*$"
    r"|(?:(?:export|default|pub(?:\(\w+\))?|public|private|protected|internal|static|async|abstract|final|override"
    r"|virtual|inline|extern|unsafe|open|suspend)\s+)*"
    r"(?:def|class|func|fn|fun|function|interface|struct|enum|impl|trait|module|type|namespace)\b"
    r"|(?!\s*(?:if|for|while|switch|catch|else|return|do|try|with|match|elif|unless|until)\b)"
    r"[\w<>\[\]*&:.,?\s]+\([^;]*\)[\w\s,.]*\{\s*$)"
)
"""What begins a definition: behind it, and a blank line, the next one is another suggestion."""


def closes(line: str) -> bool:
    """Whether a line begins with what closes a block: `}`, `});`, `) -> int:`, `end`, `</div>`."""
    return bool(_CLOSER_LINE.match(line))


def stop_at_dedent(text: str, hole: Hole) -> str:
    """Keep the block that the cursor stands in, and its closer exactly where it is missing below."""
    if hole.is_prose:
        return text
    lines = lines_of(text)
    return "".join(lines[: scope(hole.context, lines)])


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
    first, index, started = _first_statement(context, lines, language)
    n_own = len(scan(line_before(context), syntax).stack) if syntax.brackets else 0
    state = scan("".join(lines[:index]), syntax, State(inside=inside_of(context)))
    block = _Block(context, syntax, context.line_prefix + lines[0], first, started, n_own, first)
    for position in range(index, len(lines)):
        line, before = lines[position], state
        state = scan(line, syntax, before)
        block.n_closed, n_closed = _n_closers(before), _n_closers(state)
        if before.in_code and before.stack and block.never_closes(line):
            return _end_of_filled(lines[:position])
        if not before.in_code or (syntax.brackets and before.stack):
            block.blanks, block.deeper = 0, True
        elif (end := block.end_at(position, line, n_closed - block.n_closed)) is not None:
            return end
        if line.strip():
            block.last = line
    return len(lines)


def _end_of_filled(lines: list[str]) -> int:
    return next((n + 1 for n in reversed(range(len(lines))) if lines[n].strip()), 0)


def _n_closers(state: State) -> int:
    return sum(char in CLOSERS for char, _ in state.unmatched)


@dataclass(slots=True)
class _Block:
    """The block at the cursor, and what the walk over the generated lines has come to know of it."""

    context: CompletionContext
    syntax: Syntax
    opener: str
    """The current line with the first generated one."""
    first: str
    """The line whose indentation is the block's."""
    started: bool
    """Whether its first statement had begun at the cursor."""
    n_own: int
    """How many brackets the current line has opened."""
    last: str
    """The last line that was not blank."""
    n_closed: int = 0
    """How many of the brackets that were open at the cursor are closed before the line that is looked at."""
    ended: bool = False
    """Whether the statement is closed, but `else` may go on with it."""
    blanks: int = 0
    deeper: bool = False
    """Whether something stood deeper than its first line."""

    def never_closes(self, line: str) -> bool:
        """Whether this line shows that a bracket of the answer was left open by mistake.

        It stands further out than the block, or it is a statement that no bracket holds.
        """
        if not self.syntax.brackets or not line.strip() or closes(line):
            return False
        is_statement = self.context.document.language_id == "python" and _PYTHON_STATEMENT.match(line)
        return _width(line) < _width(self.first) or bool(is_statement and _width(line) <= _width(self.first))

    def end_at(self, position: int, line: str, n_closers: int) -> int | None:
        """Where the block has ended, now that this line has come; None if it goes on."""
        if not line.strip():
            self.blanks += 1
            return position - 1 if self.blanks >= 2 and not self.started else None
        if self._is_over(line):
            return position - self.blanks
        self.deeper |= _width(line) > _width(self.first)
        self.ended, self.blanks = False, 0
        if self.syntax.brackets and n_closers and line.lstrip()[0] in CLOSERS:
            return self._closed_at(position, line, n_closers)
        if not self._is_outside(line):
            ends_header = self.n_closed < self.n_own <= self.n_closed + n_closers and _OPENS_AGAIN.match(line)
            return position + 1 if ends_header and self._has_body_below(self.first) else None
        if not closes(line) or not _is_missing(line, self.context, self.n_closed):
            return position
        return None if _OPENS_AGAIN.match(line) else position + 1

    def _is_over(self, line: str) -> bool:
        """Whether what came before this line was a whole."""
        if self.ended:
            return not _GOES_ON.match(line)
        another = bool(self.blanks) and self.deeper and _width(line) <= _width(self.first)
        if not another or self.started or not _DEFINITION.match(self.first):
            return False
        header = _enclosing_definition(self.context, _width(self.first))
        return not header or bool(_HOLDS_DEFINITIONS.match(header))  # in a function, its own code comes next

    def _closed_at(self, position: int, line: str, n_closers: int) -> int | None:
        """Where the block ends if this line closes brackets that were open at the cursor."""
        # `} else {` may come before a `}` that stands below, but not before another `} else {`.
        goes_on = _CONTINUES_BLOCK.match(line) and not _CONTINUES_BLOCK.match(
            _next_at(_width(line), self.context)
        )
        if not goes_on and not _is_missing(line, self.context, self.n_closed):
            return position
        if _OPENS_AGAIN.match(line):
            return position + 1 if self._has_body_below(line) else None
        if self.n_closed + n_closers < max(self.n_own, 1):
            return None
        self.ended = bool(_HAS_MORE.match(self.opener))
        return None if self.ended else position + 1

    def _has_body_below(self, line: str) -> bool:
        """Whether what this line opens stands below already."""
        below = line_below(self.context)
        return _width(below) > _width(line)

    def _floor(self) -> int:
        """How far out a line may stand.

        Who asks for a block on a blank line asks for all that is missing there: also for what comes after the
        innermost block, down to where the code below goes on, if that is still in the same function.
        """
        base = _width(self.first)
        if self.started or self.context.trigger is not TriggerKind.INVOKED:
            return base
        header = _enclosing_definition(self.context, base)
        if not header:
            return base
        below = _width(line_below(self.context))
        return min(base, below) if below > _width(header) else _width(header) + 1

    def _is_outside(self, line: str) -> bool:
        """Whether a line's indentation says that it stands outside."""
        if self.n_closed < self.n_own:
            return False
        if _CONTINUES_BLOCK.match(line):
            below = _next_at(_width(line), self.context)
            stands_below = _CONTINUES_BLOCK.match(below) and _width(below) == _width(line)
            return bool(stands_below) and not _CASE.match(line)
        if self.context.document.language_id == "sql":
            return self.started and self.last.rstrip().endswith(";")
        width, base = _width(line), self._floor()
        at_margin = self.context.document.language_id != "python" and _AT_MARGIN.match(line)
        if width < base:
            return not (self.syntax.brackets and at_margin)
        belongs = _belongs(line, self.last, self.first) or at_margin
        return self.started and width == base and not belongs


def _width(line: str) -> int:
    return width_of(indent_of(line))


def _enclosing_definition(context: CompletionContext, base: int) -> str:
    """The first line of the definition that a line of this column stands in; empty if it stands in none."""
    end = len(context.prefix) - len(context.line_prefix)
    for line in reversed(lines_of(context.prefix[max(0, end - LOOKED_AT_CHARS) : end])):
        if line.strip() and _width(line) < base:
            base = _width(line)
            if _DEFINITION.match(line):
                return line
    return ""


def paragraph(context: CompletionContext, lines: list[str]) -> int:
    """How many of the generated lines come before the first blank one that stands in nothing deeper."""
    filled = [number for number, line in enumerate(lines) if line.strip()]
    if not filled:
        return len(lines)
    base = _width(lines[filled[0]] if filled[0] else context.line_prefix + lines[0])
    for before, number in pairwise(filled):
        if number > before + 1 and _width(lines[number]) <= base:
            return before + 1
    return len(lines)


def _first_statement(context: CompletionContext, lines: list[str], language: str) -> tuple[str, int, bool]:
    """The line whose indentation is the block's, the number of the line after it, whether it had begun."""
    line_prefix = context.line_prefix
    if line_prefix.strip():
        line_prefix = statement_indent(context) + line_prefix.lstrip(" \t")
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
        return "", following, False
    return lines[following], following + 1, False


def _belongs(line: str, above: str, first: str) -> bool:
    """Whether a line belongs to the one above though it stands no deeper; `first` is the block's first."""
    item = _ITEM.match(line) and not _ITEM.match(first)
    return bool(_ALLMAN.match(line) or _DECORATES.match(above) or item)


def _is_next_statement(line_prefix: str, line: str, language: str) -> bool:
    """Whether a generated line comes after the current one, and neither goes on with it nor stands in it."""
    if language == "sql" and not line_prefix.rstrip().endswith(";"):
        return False
    if opens_block(line_prefix, language) or closes(line) or _belongs(line, line_prefix, line_prefix):
        return False
    return _width(line) == _width(line_prefix)


def _is_missing(line: str, context: CompletionContext, n_closed: int) -> bool:
    """Whether the code below the cursor lacks this closing line.

    The first line below that stands no deeper tells, if it closes: the block's own closer has its
    indentation. Else brackets of its kind are counted: those open at the cursor against those closed below.
    """
    width, closer = _width(line), _closer_of(line)
    below = _next_at(width, context)
    if below and _closer_of(below) == closer and _width(below) == width:
        return False
    syntax = syntax_of(context.document.language_id)
    if not syntax.brackets or closer not in CLOSERS or not knows_all(context):
        return True
    due = state_at(context).stack
    n_open = [char[0] for char in due[: len(due) - n_closed]].count(closer)
    return n_open > [char for char, _ in scan(context.suffix[:SCANNED_CHARS], syntax).unmatched].count(closer)


def _next_at(width: int, context: CompletionContext) -> str:
    """The first line below the current one that stands no deeper than so; empty if there is none."""
    rest = each_line(context.suffix[len(context.line_suffix) :])
    return next((line for line in rest if line.strip() and _width(line) <= width), "")


def _closer_of(line: str) -> str:
    """What a line closes with: a bracket, a word, a tag."""
    said = line.strip()
    if said[:1] in CLOSERS:
        return said[:1]
    match = re.match(r"</[\w.:-]+>|\w+", said)
    return match.group() if match else said[:1]
