"""Where brackets, strings and comments are open, by language. Pure.

A scanner, no parser: what is typed right now does not parse. It knows what opens and closes strings and
comments, so that a bracket inside of one is none, and it never fails: what it cannot tell is code.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from qwen_ls.core.text import CLOSERS, OPENERS, indent_of, lines_of

if TYPE_CHECKING:
    from qwen_ls.core.types import CompletionContext

PAIRS = dict(zip(OPENERS, CLOSERS, strict=True))


@dataclass(frozen=True, slots=True)
class Syntax:
    """What a language's text looks like to the scanner."""

    line_comment: str = ""
    """A regular expression for what begins a comment that ends with its line."""
    comments: tuple[tuple[str, str], ...] = ()
    """What begins and ends a comment over several lines."""
    strings: tuple[str, ...] = ()
    """Quotes of strings that may go over several lines."""
    quotes: str = "\"'`"
    """Quotes of strings that end with their line."""
    fields: tuple[tuple[str, str], ...] = ()
    """By a string's quote, what begins code inside of it: `${` in a template; `}` ends it."""
    heredoc: str = ""
    """A regular expression for what begins a here-document; its group `word` is what ends it."""
    literals: str = ""
    """A regular expression for what is skipped whole: a regular expression, a character."""
    brackets: bool = True
    """Whether brackets tell where a block ends, also where indentation says otherwise."""
    prose: bool = False
    """Whether it is text for people, in which neither brackets nor indentation mean anything."""


_C_COMMENTS = (("/*", "*/"),)
_REGEX = (
    r"(?:(?<![\w)\]}\"'`\s])[ ]?|(?<=\breturn) )/(?![/*\s])(?:\\.|\[(?:\\.|[^\]\\\r\n])*\]|[^/\\\r\n\[])+/"
)
_PLAIN = Syntax()
_C = Syntax("//", _C_COMMENTS, quotes="\"'")
_SCRIPT = Syntax("//", _C_COMMENTS, ("`",), "\"'", (("`", "${"),), literals=_REGEX)
_SHELL = Syntax(r"(?<!\S)#", (), ('"', "'"), "`", heredoc=r"<<-?\s*[\"']?(?P<word>\w+)[\"']?", brackets=False)
_MARKUP = Syntax("", (("<!--", "-->"),), brackets=False)
_PROSE = Syntax(quotes='"`', brackets=False, prose=True)
_BY_LANGUAGE = {
    "python": Syntax("#", (), ('"""', "'''"), "\"'"),
    "rust": Syntax("//", _C_COMMENTS, ('"',), "", literals=r"'(?:\\[^'\r\n]*|[^'\\\r\n])'|r#+\"(?s:.*?)\"#+"),
    "go": Syntax("//", _C_COMMENTS, ("`",), "\"'"),
    "java": Syntax("//", _C_COMMENTS, ('"""',), "\"'"),
    "kotlin": Syntax("//", _C_COMMENTS, ('"""',), "\"'"),
    "swift": Syntax("//", _C_COMMENTS, ('"""',), '"'),
    "scala": Syntax("//", _C_COMMENTS, ('"""',), "\"'"),
    "php": Syntax(r"//|(?<!\S)#(?!\[)", _C_COMMENTS, ('"', "'"), "", heredoc=r"<<<[\"']?(?P<word>\w+)[\"']?"),
    "ruby": Syntax(
        "#", (("=begin", "=end"),), ('"',), "'`", (('"', "#{"),), r"<<[~-][\"'`]?(?P<word>\w+)[\"'`]?", _REGEX
    ),
    "lua": Syntax("--", (("--[[", "]]"),), ("[[",), "\"'"),
    "sql": Syntax("--", _C_COMMENTS, ("'",), '"`'),
    "yaml": Syntax(r"(?<!\S)#", brackets=False),
    "dockerfile": Syntax(r"^\s*#", brackets=False),
    "toml": Syntax("#", (), ('"""', "'''"), "\"'"),
    "makefile": Syntax("#", brackets=False),
    "json": Syntax(quotes='"'),
    "css": Syntax("", _C_COMMENTS, quotes="\"'"),
    "scss": Syntax("//", _C_COMMENTS, quotes="\"'"),
    "less": Syntax("//", _C_COMMENTS, quotes="\"'"),
}
_BY_LANGUAGE |= dict.fromkeys(("c", "cpp", "csharp", "objective-c", "dart", "jsonc", "groovy", "proto3"), _C)
_BY_LANGUAGE |= dict.fromkeys(
    ("javascript", "javascriptreact", "typescript", "typescriptreact", "js", "ts"), _SCRIPT
)
_BY_LANGUAGE |= dict.fromkeys(("shellscript", "sh", "bash", "zsh", "fish"), _SHELL)
_BY_LANGUAGE |= dict.fromkeys(("html", "xml", "vue", "svelte", "astro", "erb", "handlebars"), _MARKUP)
_BY_LANGUAGE |= dict.fromkeys(
    ("markdown", "plaintext", "restructuredtext", "latex", "asciidoc", "git-commit", "text", "tex", "quarto"),
    _PROSE,
)


def syntax_of(language_id: str) -> Syntax:
    """The language's row; of a language that is not known, brackets and quotes."""
    return _BY_LANGUAGE.get(language_id, _PLAIN)


@dataclass(frozen=True, slots=True)
class State:
    """What is open at a place."""

    stack: tuple[str, ...] = ()
    """The closers that are due, the next one last."""
    inside: str = ""
    """What ends the string or comment that the place stands in; empty in code."""
    unmatched: tuple[tuple[str, int], ...] = ()
    """The closers so far whose openers stand before the scanned text, with their offsets."""
    comment: int | None = None
    """Where the comment begins that the scanned text ends with, if it ends with its line."""

    @property
    def in_code(self) -> bool:
        """Whether the place stands in no string and no comment."""
        return not self.inside


def scan(text: str, syntax: Syntax, state: State | None = None) -> State:
    """What is open at the end of a text that begins in `state`. Offsets count from the text's beginning."""
    state = state or State()
    stack, inside, unmatched = list(state.stack), state.inside, list(state.unmatched)
    code, place, inherited = _tokens(syntax), 0, bool(inside)
    last: re.Match[str] | None = None
    while place < len(text):
        match = (_ends(inside, syntax) if inside else code).search(text, place)
        if not match:
            break
        token, place = match.group(), match.end()
        kind = match.lastgroup
        last = match
        if kind in {"skip", "comment"}:
            continue
        if inside:
            if kind == "field":
                stack.append("}" + inside)
                inside = ""
            elif kind == "end":
                if inherited:
                    unmatched.append((inside, match.start()))
                inside, inherited = "", False
            else:  # a line end
                inside, inherited = "", False
        elif kind == "heredoc":
            inside = "<<" + match["word"]
        elif kind == "open":
            inside = _closing(token, syntax)
        elif kind == "opener":
            stack.append(PAIRS[token])
        elif stack and stack[-1][0] == token:
            inside = stack.pop()[1:]
        else:
            unmatched.append((token, match.start()))
    ends_in_comment = last and last.lastgroup == "comment" and last.end() == len(text)
    return State(tuple(stack), inside, tuple(unmatched), last.start() if last and ends_in_comment else None)


def _closing(opening: str, syntax: Syntax) -> str:
    """What ends the string or comment that begins so."""
    return dict(syntax.comments).get(opening, "]]" if opening == "[[" else opening)


@lru_cache(maxsize=64)
def _tokens(syntax: Syntax) -> re.Pattern[str]:
    """What means something in code."""
    opens = [begin for begin, _ in syntax.comments] + sorted([*syntax.strings, *syntax.quotes], key=len)[::-1]
    skipped = [syntax.literals, r"(?<=\w\w)'(?=\w)", r"\\."]  # an apostrophe in a word, what is escaped
    parts = [
        f"(?P<heredoc>{syntax.heredoc})" if syntax.heredoc else "",
        f"(?P<skip>{'|'.join(filter(None, skipped))})",
        f"(?P<open>{'|'.join(map(re.escape, opens))})" if opens else "",
        f"(?P<comment>(?:{syntax.line_comment})[^\\r\\n]*)" if syntax.line_comment else "",
        r"(?P<opener>[(\[{])",
        r"(?P<closer>[)\]}])",
    ]
    return re.compile("|".join(filter(None, parts)), re.MULTILINE)


@lru_cache(maxsize=256)
def _ends(inside: str, syntax: Syntax) -> re.Pattern[str]:
    """What means something inside of a string or a comment."""
    if inside.startswith("<<"):
        return re.compile(rf"^[ \t]*(?P<end>{re.escape(inside[2:])})\b", re.MULTILINE)
    if any(inside == end for _, end in syntax.comments):
        return re.compile(f"(?P<end>{re.escape(inside)})")
    parts = [r"(?P<skip>\\.)", f"(?P<end>{re.escape(inside)})"]
    parts += [f"(?P<field>{re.escape(begin)})" for quote, begin in syntax.fields if quote == inside]
    if inside not in syntax.strings and inside != "]]":
        parts.append(r"(?P<eol>[\r\n])")
    return re.compile("|".join(parts), re.DOTALL)


SCANNED_CHARS = 12_000
"""How far back the place of the cursor is found out from."""
LINE_CHARS = 2000
"""How much of a line is looked at."""
_IN_CODE = re.compile(
    r"^(?:[ \t]*(?:(?:async )?def \w+\(|class \w+[:({]|@\w+$|(?:public|private|protected|static|func|fn) "
    r"|function \w)|import |from \w"
    r"|(?:export |const |type |pub |impl |use |struct |#include|package |module |CREATE |INSERT ))",
    re.MULTILINE,
)
"""How a line begins that stands in no string and no comment."""


def state_at(context: CompletionContext) -> State:
    """What is open at the cursor."""
    return scan(line_before(context), syntax_of(context.document.language_id), state_at_line(context))


def line_before(context: CompletionContext) -> str:
    """The current line left of the cursor, or its end: lines of data have no beginning to speak of."""
    return context.line_prefix[-LINE_CHARS:]


def state_at_line(context: CompletionContext) -> State:
    """What is open where the current line begins. It stays the same while the line is typed."""
    above = context.prefix[: len(context.prefix) - len(context.line_prefix)]
    return _state_after(above, context.document.language_id, knows_all(context))


def knows_all(context: CompletionContext) -> bool:
    """Whether everything above the cursor is scanned, so that brackets can be counted."""
    return context.document.starts_at_top and len(context.prefix) <= SCANNED_CHARS


@lru_cache(maxsize=8)
def _state_after(text: str, language_id: str, whole: bool) -> State:
    """What is open at the end of a text.

    A part of a document is scanned from the first line that surely stands in code: half a docstring would
    turn code into text.
    """
    if not whole:
        text = text[-SCANNED_CHARS:]
        start = _IN_CODE.search(text)
        text = text[start.start() :] if start else text[text.find("\n") + 1 :]
    return scan(text, syntax_of(language_id))


def statement_indent(context: CompletionContext) -> str:
    """The indentation of the statement on the current line: of the line that opened its first bracket."""
    syntax, text = syntax_of(context.document.language_id), line_before(context)
    end = len(context.prefix) - len(context.line_prefix)
    lines = lines_of(context.prefix[max(0, end - LINE_CHARS) : end])
    while lines and syntax.brackets and scan(text, syntax).unmatched:
        text = lines.pop() + text
    return indent_of(text if len(text) > len(line_before(context)) else context.line_prefix)


def without_comment(line: str, syntax: Syntax) -> str:
    """The line without the comment that ends with it."""
    line = line.rstrip("\r\n")
    return line[: scan(line, syntax).comment]
