"""Bodies for chat completions in partial mode: the model continues the last message.

Pure. Source: DashScope, "Partial Mode"; how other servers are asked for the same is in the provider's row.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qwen_ls.backend.wire.body import merged, parameters

if TYPE_CHECKING:
    from collections.abc import Mapping

    from qwen_ls.backend.plan import Target
    from qwen_ls.core.types import CompletionRequest, Prompt


def chat_body(request: CompletionRequest, target: Target, extra: Mapping[str, Any]) -> dict[str, Any]:
    """The body of `POST /chat/completions`.

    The prefix goes out byte for byte. Without a prefix there is nothing to continue, and some servers refuse
    a message without text: then the user's message stands alone.

    Args:
        request: what is asked; its prompt's text is the user's message, its prefix the assistant's.
        target: where it goes.
        extra: the settings' `extraBody`, merged last.
    """
    provider = target.provider
    messages: list[dict[str, Any]] = [{"role": "user", "content": _user_content(request.prompt)}]
    body: dict[str, Any] = {"model": request.model, "messages": messages, **parameters(request, target)}
    if request.prompt.prefix and provider.prefix_field:
        body[provider.prefix_field] = request.prompt.prefix
    elif request.prompt.prefix:
        messages.append({"role": "assistant", "content": request.prompt.prefix, **provider.partial_message})
        body.update(provider.partial_body)
    if target.thinking_off:
        body.update(provider.no_thinking)
    return merged(body, extra)


def _user_content(prompt: Prompt) -> str | list[dict[str, Any]]:
    """The user's text, as a string; with images, in parts (DashScope, "Partial Mode", its VL example)."""
    if not prompt.images:
        return prompt.text
    images = [{"type": "image_url", "image_url": {"url": image}} for image in prompt.images]
    return [*images, {"type": "text", "text": prompt.text}]
