"""What a block, or a list, begins with, by language. Pure."""

from __future__ import annotations

import re

from qwen_ls.core.syntax import scan, syntax_of

LOOKED_AT_CHARS = 2000
"""A line's end is enough, and lines of data have no end."""

_OPENS_BLOCK = re.compile(r"(?:[:{(\[]|=>|->|\b(?:then|do|else|begin))\s*$")
_OPENS_BRACES = re.compile(r"(?:[{(\[]|=>|->|\b(?:do|else)|^\s*(?:case\b.*|default\s*):)\s*$")
_OPENS_RUST = re.compile(_OPENS_BRACES.pattern + r"|^\s*where\s*$")
_OPENS_RUBY = re.compile(
    r"^\s*(?:(?:private |protected |public )?def|class|module|if|unless|while|until|case|for|begin|when|else"
    r"|elsif|rescue|ensure)\b(?!.*\bend\s*$)(?!.*\bthen\b.+)"
    r"|\b(?:do|begin)\s*(?:\|[^|]*\|)?\s*$|[{(\[]\s*(?:\|[^|]*\|)?\s*$"
)
_OPENS_SHELL = re.compile(r"(?:[{(]|\b(?:then|do|else|in))\s*$|^\s*[\w*|.\"'-]+\)\s*$")
_OPENS_LUA = re.compile(r"\b(?:function\b.*\)|then|do|else|repeat)\s*$|[{(]\s*$")
_OPENS_TAG = re.compile(r"<(?!/|!|(?:br|hr|img|input|link|meta)\b)[\w.:-]+(?:\s[^<>]*)?(?<!/)>\s*$|[{(]\s*$")
_OPENS_SQL = re.compile(r"\(\s*$|\b(?:begin|then|else|loop|as|select|where|set|values)\s*$", re.IGNORECASE)
_OPENS_YAML = re.compile(r"(?:[:{\[]|[:-]\s*[|>][-+]?\d*|^\s*-)\s*$")
_OPENS_FENCE = re.compile(r"^\s*(?:```|~~~)[\w+-]+\s*$")
_BRACE_LANGUAGES = """
c cpp csharp css dart go java javascript javascriptreact json jsonc kotlin less php rust scala scss swift
typescript typescriptreact
"""
_OPENERS = (
    {"yaml": _OPENS_YAML, "ruby": _OPENS_RUBY, "lua": _OPENS_LUA, "sql": _OPENS_SQL}
    | dict.fromkeys(("shellscript", "sh", "bash", "zsh", "fish"), _OPENS_SHELL)
    | dict.fromkeys(("html", "xml", "vue", "svelte"), _OPENS_TAG)
    | dict.fromkeys(_BRACE_LANGUAGES.split(), _OPENS_BRACES)
    | {"rust": _OPENS_RUST}
)


def opens_block(line: str, language_id: str = "") -> bool:
    """Whether a line ends with what a block, or a list, begins with."""
    syntax, line = syntax_of(language_id), line.rstrip("\r\n")[-LOOKED_AT_CHARS:]
    if syntax.prose:
        return bool(_OPENS_FENCE.search(line))
    state = scan(line, syntax)
    return state.in_code and bool(_OPENERS.get(language_id, _OPENS_BLOCK).search(line[: state.comment]))
