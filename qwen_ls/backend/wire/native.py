"""Bodies for DashScope's native API: text generation and multimodal generation, in partial mode.

Pure. Source: DashScope, "Partial Mode" (its DashScope examples) and the API reference. Two defaults there
are traps: without `result_format: message` older models answer in another shape, and without
`incremental_output` every event of a stream repeats all the text. A stream is asked for by a header
(`wire.headers`), and there is no Completions API.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qwen_ls.backend.models import NativePath
from qwen_ls.backend.wire.body import merged, sampling

if TYPE_CHECKING:
    from collections.abc import Mapping

    from qwen_ls.backend.plan import Target
    from qwen_ls.core.types import CompletionRequest

_TOP = ("model", "input", "parameters")


def native_body(request: CompletionRequest, target: Target, extra: Mapping[str, Any]) -> dict[str, Any]:
    """The body of `POST /services/aigc/…/generation`.

    Args:
        request: what is asked; its prompt's text is the user's message, its prefix the assistant's.
        target: where it goes; its service decides how the user's message is written.
        extra: the settings' `extraBody`; what is none of the body's own three fields is a parameter.
    """
    prompt = request.prompt
    parts = [*({"image": image} for image in prompt.images), {"text": prompt.text}]
    in_parts = target.native is NativePath.MULTIMODAL or bool(prompt.images)
    content = parts if in_parts else prompt.text
    messages: list[dict[str, Any]] = [{"role": "user", "content": content}]
    if prompt.prefix:
        messages.append({"role": "assistant", "content": prompt.prefix, **target.provider.partial_message})
    parameters: dict[str, Any] = {"result_format": "message", **sampling(request, target)}
    if request.stream:
        parameters["incremental_output"] = True
    if target.thinking_off:
        parameters.update(target.provider.no_thinking)
    own = {name: value for name, value in extra.items() if name in _TOP}
    rest = {name: value for name, value in extra.items() if name not in _TOP}
    body = {
        "model": request.model,
        "input": {"messages": messages},
        "parameters": merged(parameters, rest),
    }
    return merged(body, own)
