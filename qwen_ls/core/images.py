r"""Which image the text at the cursor is about, in languages that have images. Pure.

An image counts where the cursor stands in it (its alt text, its options) or in the first sentence after it: a
caption, or the paragraph below. While the image's own address is being typed, there is none yet.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from qwen_ls.core.text import with_eol

if TYPE_CHECKING:
    from qwen_ls.core.types import CompletionContext

BEFORE_CHARS, AFTER_CHARS = 3000, 1000
"""How far around the cursor an image is looked for."""
CAPTION_CHARS = 300
"""The longest beginning of a caption that is still about the image."""
IMAGE_TOKENS = 1280
"""What an image is reckoned with: a token for each 28 by 28 pixels; large ones are made smaller than this."""

_MARKDOWN = re.compile(
    r"!\[(?:[^\[\]\\\n]|\\.|\[[^\]\n]*\])*\]"
    r"(?:\(\s*(?:<(?P<bracketed>[^<>\n]+)>|(?P<bare>(?:[^\s()<>]|\([^\s()<>]*\))+))"
    r"(?:\s+(?:\"[^\"\n]*\"|'[^'\n]*'))?\s*\)|\[(?P<label>[^\[\]\n]+)\])"
    r"(?:\{[^{}\n]*\})?"  # Pandoc's and Quarto's attributes
)
_MARKDOWN_LABEL = re.compile(r"!\[(?P<label>[^\[\]\n]+)\](?:\[\])?(?![\[(])")
_HTML = re.compile(
    r"<img\b[^<>]*?\bsrc\s*=\s*(?:\"(?P<double>[^\"<>\n]+)\"|'(?P<single>[^'<>\n]+)'|(?P<bare>[^\s\"'<>]+))"
    r"[^<>]*>?",
    re.IGNORECASE,
)
_RST = re.compile(
    r"^[ \t]*\.\.[ \t]+(?:\|[^|\n]+\|[ \t]+)?(?:image|figure)::[ \t]+(?P<path>\S[^\n]*?)[ \t]*$"
    r"(?:\n[ \t]+:[\w-]+:[^\n]*)*",
    re.MULTILINE,
)
_LATEX = re.compile(r"\\includegraphics\*?\s*(?:\[[^\]]*\])?\s*\{(?P<path>[^{}\n]+)\}")
_ASCIIDOC = re.compile(r"(?:^\.[^\s.][^\n]*\n)?image::?(?P<path>[^\s\[\]]+)\[[^\]\n]*\]?", re.MULTILINE)

_LANGUAGES = {
    "markdown quarto rmd rmarkdown mdx markdown.mdx pandoc gfm": (_MARKDOWN, _MARKDOWN_LABEL, _HTML),
    "html xhtml mhtml": (_HTML,),
    "restructuredtext rst": (_RST,),
    "latex tex plaintex": (_LATEX,),
    "asciidoc asciidoctor adoc": (_ASCIIDOC,),
}
PATTERNS: dict[str, tuple[re.Pattern[str], ...]] = {
    language: patterns for languages, patterns in _LANGUAGES.items() for language in languages.split()
}
"""By language id, as VS Code, Vim and Emacs have them: what an image looks like. One group of each match is
its address, or its label."""

_MARKUP = re.compile(
    r"<[^<>]*>?"
    r"|\\(?:caption|label|end)\*?(?:\[[^\]]*\])?\{[^{}]*\}"
    r"|\\(?!\w*section|chapter|part)[a-zA-Z]+\*?(?:\[[^\]]*\])?"
)
_SENTENCE_END = re.compile(r"[.!?][\"')\]]*\s|[。！？]")
_HEADING = re.compile(r"^[ \t]*(?:#{1,6}|=+)[ \t]|\\(?:\w*section|chapter|part)\b", re.MULTILINE)


def find_image(context: CompletionContext) -> str | None:
    """The address, as it is written, of the image that the text at the cursor is about; None without one."""
    patterns = PATTERNS.get(context.document.language_id)
    if not patterns:
        return None
    before = with_eol(context.prefix[-BEFORE_CHARS:], "\n")
    text, cursor = before + with_eol(context.suffix[:AFTER_CHARS], "\n"), len(before)
    matches = (match for pattern in patterns for match in pattern.finditer(text))
    nearest = max((m for m in matches if m.start() < cursor), key=lambda m: m.start(), default=None)
    if nearest is None:
        return None
    name = nearest.lastgroup or ""
    start, end = nearest.span(name)
    if start <= cursor <= end or not _is_about(text, nearest.end(), cursor):
        return None
    return _labelled(context, nearest[name]) if name == "label" else nearest[name].strip()


def _is_about(text: str, image_end: int, cursor: int) -> bool:
    """Whether what stands between an image and the cursor is nothing but the beginning of its caption."""
    gap = text[image_end:cursor]
    said = _MARKUP.sub("", gap).lstrip()
    if not said:
        return gap.count("\n") <= 3 + gap.count("\\") + gap.count("<")
    if len(said) > CAPTION_CHARS or _HEADING.search(gap) or _SENTENCE_END.search(said):
        return False
    return not re.search(r"\n[ \t]*\n", said)


def _labelled(context: CompletionContext, label: str) -> str | None:
    """The address that a Markdown reference's definition has."""
    start = rf"^ {{0,3}}\[{re.escape(label)}\]:[ \t]*<?"
    definition = re.compile(rf"{start}([^\s<>]+)", re.MULTILINE | re.IGNORECASE)
    found = definition.search(with_eol(context.document.text, "\n"))
    return found[1] if found else None
