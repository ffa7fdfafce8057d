"""What all request bodies share: the parameters, the stop list, and how a body becomes bytes.

Pure. Parameters and ranges: DashScope's Completions API and chat references. What is not documented there
(`suffix`, `n`, `echo`, `logprobs`, `user` …) is not sent.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from qwen_ls.backend.base import ConfigurationError

if TYPE_CHECKING:
    from qwen_ls.backend.plan import Target
    from qwen_ls.core.types import CompletionRequest


def sampling(request: CompletionRequest, target: Target) -> dict[str, Any]:
    """The fields that all protocols have in common; what is None is left out."""
    fields: dict[str, Any] = {
        "max_tokens": target.max_tokens(request.max_tokens),
        "temperature": request.temperature,
        "top_p": request.top_p,
        "seed": request.seed,
        "presence_penalty": request.presence_penalty,
        "stop": list(stop_list(request, target)) or None,
    }
    return {name: value for name, value in fields.items() if value is not None}


def parameters(request: CompletionRequest, target: Target) -> dict[str, Any]:
    """The fields that `/completions` and `/chat/completions` have in common, as the server has them."""
    form = target.form
    fields = _called(sampling(request, target), form.names)
    if form.options:
        fields = {form.options: fields}
    streaming: dict[str, Any] = {"stream": False} if form.says_no_stream else {}
    if request.stream:
        streaming = {"stream": True}
        if target.provider.stream_options:
            streaming["stream_options"] = {"include_usage": True}
    return {**form.fixed, **fields, **_called(streaming, form.names)}


def _called(fields: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """Fields by the server's own names, without those that it does not know."""
    called = {names.get(name, name): value for name, value in fields.items()}
    called.pop("", None)
    return called


def stop_list(request: CompletionRequest, target: Target) -> tuple[str, ...]:
    """The user's stop strings, the prompt's, then the model's own, as many as the provider takes."""
    every = dict.fromkeys(s for s in (*request.stop, *request.prompt.stop, *target.stop) if s)
    return tuple(every)[: target.provider.stop_max]


def merged(body: dict[str, Any], extra: Mapping[str, Any]) -> dict[str, Any]:
    """A body with the settings' `extraBody` over it: a field set to null is left out of the body."""
    return {name: value for name, value in {**body, **extra}.items() if value is not None}


def encode(body: Mapping[str, Any]) -> bytes:
    """A body as JSON in UTF-8.

    Half a surrogate pair, which some editors send for a split emoji, becomes U+FFFD: JSON cannot carry it.

    Raises:
        ConfigurationError: `extraBody` holds what JSON cannot say.
    """
    try:
        text = json.dumps(body, ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=_plain)
    except (TypeError, ValueError):
        raise ConfigurationError(
            "extraBody holds a value that JSON cannot say",
            remedy="Use strings, finite numbers, booleans, lists and tables only.",
            cause="extra body",
        ) from None
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace").encode("utf-8")


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError
