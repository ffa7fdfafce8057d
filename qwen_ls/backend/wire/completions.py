"""Bodies for fill-in-the-middle: tokens in the prompt, the parameter `suffix`, or llama.cpp's fields.

Pure. Source: DashScope, "Completions API"; vLLM and llama.cpp take the same body. Who takes what else is in
the provider's row.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from qwen_ls.backend.forms import SuffixIn
from qwen_ls.backend.wire.body import merged, parameters

if TYPE_CHECKING:
    from qwen_ls.backend.plan import Target
    from qwen_ls.core.types import CompletionRequest


def completions_body(request: CompletionRequest, target: Target, extra: Mapping[str, Any]) -> dict[str, Any]:
    """The body of `POST /completions`, or of what the provider has in its place.

    Where the sampling parameters stand in a table of their own, that of `extraBody` is merged into it.

    Args:
        request: what is asked; its prompt's text is the whole FIM prompt, or the code before the cursor.
        target: where it goes.
        extra: the settings' `extraBody`, merged last.
    """
    prompt, suffix_in = request.prompt, target.form.suffix_in
    body: dict[str, Any] = {"model": request.model, "prompt": prompt.text}
    if suffix_in is SuffixIn.PARAMETER and prompt.suffix:
        body["suffix"] = prompt.suffix
    elif suffix_in is SuffixIn.INFILL:
        body = {"model": request.model, "input_prefix": prompt.prefix, "input_suffix": prompt.suffix}
    body |= parameters(request, target)
    if target.form.grammar and prompt.held_back:
        body[target.form.grammar] = begins_with(prompt.held_back)
    if (options := target.form.options) and isinstance(own := extra.get(options), Mapping):
        extra = {**extra, options: merged(body[options], own)}
    return merged(body, extra)


def begins_with(text: str) -> str:
    """The grammar of all texts that begin with this one (llama.cpp, grammars/README.md)."""
    quoted = text.replace("\\", "\\\\").replace('"', '\\"').replace("\t", "\\t")
    return f'root ::= "{quoted}" [^\\x00]*'
