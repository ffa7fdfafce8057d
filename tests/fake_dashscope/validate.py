"""The checks of a request, in the order of notes §10."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .errors import FAULTS, LAST_ROLE, NATIVE_EMPTY, Fault, bad_request, invalid
from .models import lookup

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .call import Call
    from .models import Model, Region

NO_PROMPT = 'Either "prompt" or "messages" must exist and cannot both be none'
NO_THINKING_PARTIAL = "partial mode is not supported in thinking mode"
NO_THINKING_WHOLE = "parameter.enable_thinking must be set to false for non-streaming calls"
BAD_BODY = "Required body invalid, please check the request body format."
ONLY_INCREMENTAL = "This model only supports incremental_output set to True."
WRONG_PATH = "url error, please check url！"
NO_ASYNC = Fault(
    403,
    "access_denied",
    "current user api does not support asynchronous calls.",
    "AccessDenied",
    type="access_denied",
)


def check_key(authorization: str, keys: set[str]) -> Fault | None:
    """Step 1: the key."""
    scheme, _, key = authorization.partition(" ")
    if scheme.lower() != "bearer" or not key.strip():
        return FAULTS["missing_api_key"]
    return None if key.strip() in keys else FAULTS["invalid_api_key"]


def check_model(
    call: Call, body: Any, models: dict[str, Model], retired: set[str], region: Region
) -> tuple[Model | None, Fault | None]:
    """Steps 2 to 6: the body, the model, the path."""
    if not isinstance(body, dict):
        return None, bad_request(BAD_BODY)
    if not call.model:
        return None, bad_request("you must provide a model parameter.", "BadRequest.EmptyModel")
    model = lookup(models, call.model, region)
    if model is None:
        return None, FAULTS["model_not_found"]
    if model.name in retired:
        return None, FAULTS["access_denied"]
    if call.protocol == "completions":
        if not model.fim:
            return None, FAULTS["model_not_supported"]
        if region != "beijing":
            return None, FAULTS["not_found"]
    if call.protocol == "native" and call.multimodal != model.multimodal:
        return None, bad_request(WRONG_PATH)
    return model, None


def check_parameters(call: Call, model: Model) -> Fault | None:
    """Steps 7 and 8: the ranges, the messages."""
    checks = (_ranges(call, model), _prompt(call, model), _thinking(call, model))
    return next((fault for check in checks for fault in check), None)


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _outside(params: dict[str, Any], key: str, low: float, high: float, *, ends: str = "[]") -> bool:
    """Whether a given parameter is not a number of the interval."""
    if params.get(key) is None:
        return False
    value = _number(params[key])
    if value is None:
        return True
    above = value > low or (ends[0] == "[" and value == low)
    below = value < high or (ends[1] == "]" and value == high)
    return not (above and below)


def _ranges(call: Call, model: Model) -> Iterator[Fault]:
    params = call.params
    limit = model.max_output
    if _outside(params, "max_tokens", 1, limit) or isinstance(params.get("max_tokens"), float):
        yield invalid(f"Range of max_tokens should be [1, {limit}]")
    if _outside(params, "temperature", 0, 2, ends="[)"):
        yield invalid("Temperature should be in [0.0, 2.0)")
    if _outside(params, "top_p", 0, 1, ends="(]"):
        yield invalid("Range of top_p should be (0.0, 1.0]")
    if _outside(params, "presence_penalty", -2, 2):
        yield invalid("Presence_penalty should be in [-2.0, 2.0]")
    if _outside(params, "seed", 0, 2**31 - 1):
        edge = (
            "lesser than the minimum of 0"
            if (_number(params["seed"]) or 0) < 0
            else "greater than the maximum of 2147483647"
        )
        yield invalid(f"{params['seed']} is {edge} - 'seed'")
    if not _good_stop(params.get("stop")):
        yield invalid("stop should be a string or a homogeneous array")
    if call.protocol != "native" and params.get("stream_options") is not None and not call.stream:
        yield invalid("The stream_options parameter is only allowed when stream is set to true")


def _good_stop(stop: Any) -> bool:
    if stop is None or isinstance(stop, str):
        return True
    return (
        isinstance(stop, list)
        and len({type(item) for item in stop}) <= 1
        and not any(item is None for item in stop)
    )


def _prompt(call: Call, model: Model) -> Iterator[Fault]:
    source = call.body.get("input") if call.protocol == "native" else call.body
    if call.protocol == "native" and not isinstance(source, dict):
        yield bad_request("Required input is missing or empty.", "BadRequest.EmptyInput")
        return
    source = source or {}
    if call.protocol == "completions" or (call.protocol == "native" and "messages" not in source):
        if not isinstance(source.get("prompt"), str):
            yield invalid(NO_PROMPT)
        elif not source["prompt"]:
            yield invalid(f"Range of input length should be [1, {model.max_input}]")
    elif not isinstance(source.get("messages"), list):
        yield invalid(NO_PROMPT)
    else:
        yield from _messages(call, source["messages"])
    if call.text_tokens > model.max_input:
        yield invalid(f"Range of input length should be [1, {model.max_input}]")


def _messages(call: Call, messages: list[Any]) -> Iterator[Fault]:
    roles = {"user", "assistant", "system", "function", "plugin", "tool"}
    if not messages or any(
        not isinstance(message, dict) or message.get("role") not in roles for message in messages
    ):
        yield invalid(LAST_ROLE, NATIVE_EMPTY)
        return
    last = messages[-1]
    if last["role"] in {"assistant", "system"} and call.kind != "partial":
        yield invalid(LAST_ROLE)
    if not last.get("content") and not last.get("tool_calls"):
        yield invalid(LAST_ROLE, NATIVE_EMPTY)


def _thinking(call: Call, model: Model) -> Iterator[Fault]:
    if call.protocol == "completions":
        return
    thinks = is_thinking(call, model)
    if thinks and call.kind == "partial":
        yield invalid(NO_THINKING_PARTIAL)
    elif thinks and model.thinking == "on_strict" and not call.stream:
        yield invalid(NO_THINKING_WHOLE)
    # Qwen3's open weights, and models that only think (notes §3.4).
    if (
        call.protocol == "native"
        and call.stream
        and not call.incremental
        and model.thinking in {"on_strict", "only"}
    ):
        yield invalid(ONLY_INCREMENTAL)


def is_thinking(call: Call, model: Model) -> bool:
    """Whether this call makes this model think before it answers."""
    if model.thinking in {"never", "only"}:
        return model.thinking == "only"
    wish = call.params.get("enable_thinking")
    return wish if isinstance(wish, bool) else model.thinking.startswith("on")
