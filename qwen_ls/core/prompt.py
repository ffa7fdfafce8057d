"""From a context to what the model reads. Pure.

Sources: DashScope's Completions API (the two documented templates; prefix alone has no `<|fim_middle|>`) and
its partial mode (the prefix, byte for byte, as the last assistant message).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from qwen_ls.core import budget
from qwen_ls.core.redact import path_of
from qwen_ls.core.templates import QWEN
from qwen_ls.core.text import current_line_before
from qwen_ls.core.tokens import FIM_MIDDLE, FIM_PREFIX, FIM_SUFFIX, defuse
from qwen_ls.core.types import Layout, Prompt, Strategy

if TYPE_CHECKING:
    from qwen_ls.core.templates import FimTemplate
    from qwen_ls.core.types import CompletionContext

_HASH = {
    "python", "shellscript", "ruby", "perl", "r", "yaml", "toml", "makefile", "dockerfile", "elixir", "julia",
    "powershell", "coffeescript", "nim", "fish", "nix", "crystal", "cmake",
}  # fmt: skip
_DASHES = {"sql", "lua", "haskell", "elm", "ada", "vhdl", "plsql"}
_MARKUP = {"html", "xml", "markdown", "vue", "svelte"}


def build_prompt(
    context: CompletionContext,
    *,
    strategy: Strategy,
    layout: Layout = Layout.PREFIX_SUFFIX_MIDDLE,
    template: FimTemplate | None = QWEN,
    tokens: int = 2048,
    stop: tuple[str, ...] = (),
) -> Prompt:
    """Fit prefix and suffix into the budget and lay them out for the model.

    Args:
        context: where the cursor stands.
        strategy: how the model is asked.
        layout: the order of a fill-in-the-middle prompt with Qwen's tokens.
        template: the tokens of such a prompt; None where the server lays it out.
        tokens: the budget for prefix and suffix together.
        stop: strings that end the answer.
    """
    prefix, suffix = budget.fit(
        context.prefix, context.suffix, tokens, first_line=context.document.first_line
    )
    prefix, suffix = defuse(prefix), defuse(suffix)
    if not prefix.strip():
        # Neither API continues nothing: "generating content that precedes a given suffix is not supported".
        prefix = defuse(header(context)) + prefix
    if strategy is Strategy.FIM and template is not QWEN:
        text = template.lay_out(prefix, suffix) if template else prefix
        return Prompt(strategy, prefix, suffix, text, stop)
    if strategy is Strategy.FIM:
        held_back = indent_to_hold_back(context) if layout.ends_with_typed else ""
        shown = prefix.removesuffix(held_back)
        return Prompt(strategy, prefix, suffix, fim(shown, suffix, layout), stop, held_back)
    return Prompt(strategy, prefix, suffix, instruction(defuse(context.document.language_id), suffix), stop)


def with_image(prompt: Prompt, image: str) -> Prompt:
    """The prompt of partial mode with the image at the cursor shown beside it."""
    text = f"{prompt.text}\nThe picture is the image that the text at the cursor is about."
    return replace(prompt, text=text, images=(image,))


def indent_to_hold_back(context: CompletionContext) -> str:
    """The indentation of a line that has nothing else yet, where a prompt would end with it.

    A tokenizer joins blanks with the word that follows them: a prompt that ends in blanks makes the model
    begin with one blank too many. Left out, it writes the indentation itself.
    """
    typed = context.line_prefix
    return typed if not typed.strip(" \t") and typed != context.prefix else ""


def fim(prefix: str, suffix: str, layout: Layout) -> str:
    """The fill-in-the-middle prompt; a suffix of nothing but blanks counts as none."""
    suffix = suffix if suffix.strip() else ""
    if layout is Layout.PREFIX_SUFFIX_MIDDLE:
        return f"{FIM_PREFIX}{prefix}{FIM_SUFFIX}{suffix}{FIM_MIDDLE if suffix else ''}"
    typed = prefix if layout is Layout.SUFFIX_FIRST else current_line_before(prefix)
    return f"{FIM_PREFIX}{prefix.removesuffix(typed)}{FIM_SUFFIX}{suffix}{FIM_MIDDLE}{typed}"


def instruction(language_id: str, suffix: str) -> str:
    """The user message of partial mode: what to do, and the code after the cursor as context.

    The parts that stay the same from key to key come first, for the endpoint's context cache.
    """
    language = f" {language_id}" if language_id else ""
    task = (
        f"Continue the{language} code exactly where it stops. "
        "Reply with the missing code only: no explanation, no code fence, nothing that is there already."
    )
    if not suffix.strip():
        return task
    return f"{task}\nStop where the code after the cursor begins. The code after the cursor is:\n{suffix}"


def header(context: CompletionContext) -> str:
    """A comment line with the file's name: the beginning of a document that has none before the cursor."""
    name = path_of(context.document.uri).rsplit("/", 1)[-1] or "untitled"
    name = "".join(char for char in name if char.isprintable())[:80]
    language = context.document.language_id
    if language in _HASH:
        return f"# {name}{context.eol}"
    if language in _DASHES:
        return f"-- {name}{context.eol}"
    if language in _MARKUP:
        return f"<!-- {name} -->{context.eol}"
    return f"// {name}{context.eol}"
