"""From a context to what the model reads. Pure.

Sources: DashScope's Completions API (the two documented templates; prefix alone has no `<|fim_middle|>`) and
its partial mode (the prefix, byte for byte, as the last assistant message).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from qwen_ls.core import budget
from qwen_ls.core.redact import path_of
from qwen_ls.core.retrieval.fusion import price
from qwen_ls.core.templates import QWEN
from qwen_ls.core.text import current_line_before
from qwen_ls.core.tokens import FILE_SEP, FIM_MIDDLE, FIM_PREFIX, FIM_SUFFIX, REPO_NAME, defuse, unfinished
from qwen_ls.core.types import Layout, Prompt, SnippetFormat, Strategy, Surroundings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qwen_ls.core.templates import FimTemplate
    from qwen_ls.core.types import CompletionContext, Snippet

_HASH = {
    "python", "shellscript", "ruby", "perl", "r", "yaml", "toml", "makefile", "dockerfile", "elixir", "julia",
    "powershell", "coffeescript", "nim", "fish", "nix", "crystal", "cmake",
}  # fmt: skip
_DASHES = {"sql", "lua", "haskell", "elm", "ada", "vhdl", "plsql"}
_MARKUP = {"html", "xml", "markdown", "vue", "svelte"}
NOTHING = Surroundings()


def build_prompt(
    context: CompletionContext,
    *,
    strategy: Strategy,
    layout: Layout = Layout.PREFIX_SUFFIX_MIDDLE,
    template: FimTemplate | None = QWEN,
    tokens: int = 2048,
    stop: tuple[str, ...] = (),
    around: Surroundings = NOTHING,
    snippet_format: SnippetFormat = SnippetFormat.COMMENTS,
    can_begin_with: bool = False,
) -> Prompt:
    """Fit prefix and suffix into the budget and lay them out for the model, with the snippets before them.

    Args:
        context: where the cursor stands.
        strategy: how the model is asked.
        layout: the order of a fill-in-the-middle prompt with Qwen's tokens.
        template: the tokens of such a prompt; None where the server lays it out.
        tokens: the budget for everything.
        stop: strings that end the answer.
        around: the snippets, within their budget, and what to keep of the last prompt.
        snippet_format: how a fill-in-the-middle prompt with Qwen's tokens shows snippets.
        can_begin_with: whether the endpoint can be made to begin its answer with a given text.
    """
    spent = sum(map(price, around.snippets))
    prefix, suffix = budget.fit(
        defuse(context.prefix),
        defuse(context.suffix),
        max(tokens - spent, tokens * budget.LEAST_CODE_SHARE),
        first_line=context.document.first_line,
        last_suffix=around.last_suffix,
    )
    if not prefix.strip():
        # Neither API continues nothing: "generating content that precedes a given suffix is not supported".
        prefix = defuse(header(context)) + prefix
    if strategy is Strategy.PARTIAL:
        task = instruction(defuse(context.document.language_id), suffix, around.snippets)
        return Prompt(strategy, prefix, suffix, task, stop)
    files = ""
    if template is QWEN and snippet_format is SnippetFormat.REPOSITORY:
        files = repository(around)
    else:
        prefix = as_comments(around.snippets, context) + prefix
    if template is not QWEN:
        text = template.lay_out(prefix, suffix) if template else prefix
        return Prompt(strategy, prefix, suffix, text, stop)
    held_back = ""
    if can_begin_with or layout.ends_with_typed:
        held_back = to_hold_back(context, can_begin_with=can_begin_with)
    shown = prefix.removesuffix(held_back)
    if not shown.strip():
        shown, held_back = prefix, ""
    return Prompt(strategy, prefix, suffix, files + fim(shown, suffix, layout), stop, held_back)


def with_image(prompt: Prompt, image: str) -> Prompt:
    """The prompt of partial mode with the image at the cursor shown beside it."""
    text = f"{prompt.text}\nThe picture is the image that the text at the cursor is about."
    return replace(prompt, text=text, images=(image,))


def to_hold_back(context: CompletionContext, *, can_begin_with: bool = False) -> str:
    """What a prompt leaves out before the cursor, because the model should write it itself.

    A token holds blanks together with the word that follows them, and all of a short word: a prompt that is
    cut in the middle of a token makes the model go on beside it. The indentation of a line that has nothing
    else is left to the model's good will; an endpoint that can be made to begin with a text is held to half
    a word as well ("token healing").

    Args:
        context: where the cursor stands.
        can_begin_with: whether the endpoint can be made to begin its answer with a given text.
    """
    typed = context.line_prefix
    if not typed.strip(" \t"):
        return typed
    return unfinished(typed) if can_begin_with else ""


def fim(prefix: str, suffix: str, layout: Layout) -> str:
    """The fill-in-the-middle prompt; a suffix of nothing but blanks counts as none."""
    suffix = suffix if suffix.strip() else ""
    if layout is Layout.PREFIX_SUFFIX_MIDDLE:
        return f"{FIM_PREFIX}{prefix}{FIM_SUFFIX}{suffix}{FIM_MIDDLE if suffix else ''}"
    typed = prefix if layout is Layout.SUFFIX_FIRST else current_line_before(prefix)
    return f"{FIM_PREFIX}{prefix.removesuffix(typed)}{FIM_SUFFIX}{suffix}{FIM_MIDDLE}{typed}"


def instruction(language_id: str, suffix: str, snippets: Sequence[Snippet] = ()) -> str:
    """The user message of partial mode: what to do, and the code elsewhere and after the cursor as context.

    The parts that stay the same from key to key come first, for the endpoint's context cache.
    """
    language = f" {language_id}" if language_id else ""
    text = (
        f"Continue the{language} code exactly where it stops. "
        "Reply with the missing code only: no explanation, no code fence, nothing that is there already."
    )
    if snippets:
        text += "\nFor reference, code from elsewhere in the project:"
        text += "".join(f"\n--- {defuse(one.path)}\n{defuse(one.text).rstrip()}" for one in snippets)
        text += "\n---"
    if not suffix.strip():
        return text
    return f"{text}\nStop where the code after the cursor begins. The code after the cursor is:\n{suffix}"


def repository(around: Surroundings) -> str:
    """The beginning of a prompt in Qwen2.5-Coder's repository format: each file, then this one's path."""
    if not around.snippets:
        return ""
    files = [(one.path, defuse(one.text).rstrip("\r\n") + "\n") for one in around.snippets]
    shown = "".join(f"{FILE_SEP}{defuse(path)}\n{text}" for path, text in (*files, (around.path, "")))
    return f"{REPO_NAME}{defuse(around.repo)}\n{shown}"


def as_comments(snippets: Sequence[Snippet], context: CompletionContext) -> str:
    """Snippets as comments of the document's language, each under its path, and an empty line."""
    lines = [
        comment(line, context.document.language_id)
        for one in snippets
        for line in defuse(f"{one.path}\n{one.text}").rstrip().splitlines()
    ]
    return "".join(line + context.eol for line in (*lines, "")) if lines else ""


def comment(line: str, language_id: str) -> str:
    """A line as a comment."""
    if language_id in _MARKUP:
        return f"<!-- {line.replace('--', '- -')} -->"
    mark = "#" if language_id in _HASH else "--" if language_id in _DASHES else "//"
    return f"{mark} {line}".rstrip()


def header(context: CompletionContext) -> str:
    """A comment line with the file's name: the beginning of a document that has none before the cursor."""
    name = path_of(context.document.uri).rsplit("/", 1)[-1] or "untitled"
    name = "".join(char for char in name if char.isprintable())[:80]
    return comment(name, context.document.language_id) + context.eol
