"""Bodies for the Completions API: fill-in-the-middle by tokens in the prompt.

Pure. Source: DashScope, "Completions API"; vLLM and llama.cpp take the same body.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qwen_ls.backend.wire.body import merged, parameters

if TYPE_CHECKING:
    from collections.abc import Mapping

    from qwen_ls.backend.plan import Target
    from qwen_ls.core.types import CompletionRequest


def completions_body(request: CompletionRequest, target: Target, extra: Mapping[str, Any]) -> dict[str, Any]:
    """The body of `POST /completions`.

    Args:
        request: what is asked; its prompt's text is the whole FIM prompt.
        target: where it goes.
        extra: the settings' `extraBody`, merged last.
    """
    body = {"model": request.model, "prompt": request.prompt.text, **parameters(request, target)}
    return merged(body, extra)
