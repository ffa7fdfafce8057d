"""From what an endpoint says to the tree of `backend.base`: one clear message and one remedy per cause.

Pure. Codes decide first, the HTTP status after them, whole messages never: they change. What a server says
is repeated only where it cannot hold the prompt, short and on one line, with keys masked. Source of the
codes: the vendor's error-code pages (2025-12 and 2026), recordings of real traffic, llama.cpp's and vLLM's
answers.
"""

from __future__ import annotations

import enum
import re
from typing import TYPE_CHECKING

from qwen_ls.backend import base
from qwen_ls.backend.plan import sentence, shown
from qwen_ls.backend.presets import PLAN_KEY, dashscope_host
from qwen_ls.core.types import Strategy

if TYPE_CHECKING:
    from collections.abc import Callable

    from qwen_ls.backend.plan import Target
    from qwen_ls.backend.presets import Provider
    from qwen_ls.backend.wire.failures import Failure

_MESSAGE_CHARS = 200
_SECRETS = re.compile(r"(?i)\bsk-[\w*.-]+|\bbearer\s+\S+")


class _Kind(enum.Enum):
    KEY = enum.auto()
    ACCESS = enum.auto()
    FREE_TIER = enum.auto()
    BILLING = enum.auto()
    MODEL = enum.auto()
    NO_FIM = enum.auto()
    WORKSPACE = enum.auto()
    PATH = enum.auto()
    NATIVE_PATH = enum.auto()
    TOO_LONG = enum.auto()
    REQUEST = enum.auto()
    CONTENT = enum.auto()
    RATE = enum.auto()
    TOKEN_RATE = enum.auto()
    LOADING = enum.auto()
    SERVER = enum.auto()
    UNKNOWN = enum.auto()


_CODES: dict[str, _Kind] = {
    "invalidapikey": _Kind.KEY,
    "invalidaccesstoken": _Kind.KEY,
    "notauthorized": _Kind.KEY,
    "unauthorized": _Kind.KEY,
    "authenticationerror": _Kind.KEY,
    "accessdenied": _Kind.ACCESS,
    "accessdeniedunpurchased": _Kind.ACCESS,
    "modelaccessdenied": _Kind.ACCESS,
    "workspaceaccessdenied": _Kind.ACCESS,
    "endpointaccessdenied": _Kind.ACCESS,
    "permissionerror": _Kind.ACCESS,
    "allocationquotafreetieronly": _Kind.FREE_TIER,
    "arrearage": _Kind.BILLING,
    "commoditynotpurchased": _Kind.BILLING,
    "prepaidbilloverdue": _Kind.BILLING,
    "postpaidbilloverdue": _Kind.BILLING,
    "budgetlimitexceeded": _Kind.BILLING,
    "modelnotfound": _Kind.MODEL,
    "modelnotsupported": _Kind.MODEL,
    "badrequestemptymodel": _Kind.MODEL,
    "workspacenotfound": _Kind.WORKSPACE,
    "exceedcontextsizeerror": _Kind.TOO_LONG,
    "contextlengthexceeded": _Kind.TOO_LONG,
    "datainspectionfailed": _Kind.CONTENT,
    "contentfilter": _Kind.CONTENT,
    "limitrequests": _Kind.RATE,
    "limitburstrate": _Kind.RATE,
    "resourceexhausted": _Kind.RATE,
    "ratelimitexceeded": _Kind.RATE,
    "ratelimiterror": _Kind.RATE,
    "toomanyrequests": _Kind.RATE,
    # A limit on tokens a minute, whatever its message says of plans and billing.
    "throttlingallocationquota": _Kind.TOKEN_RATE,
    "insufficientquota": _Kind.TOKEN_RATE,
    "unavailableerror": _Kind.LOADING,
    "internalerror": _Kind.SERVER,
    "internalservererror": _Kind.SERVER,
    "internalerroralgo": _Kind.SERVER,
    "internalerrortimeout": _Kind.SERVER,
    "systemerror": _Kind.SERVER,
    "modelservicefailed": _Kind.SERVER,
    "modelservingerror": _Kind.SERVER,
    "modelunavailable": _Kind.SERVER,
    "requesttimeout": _Kind.SERVER,
    "responsetimeout": _Kind.SERVER,
    "serviceunavailable": _Kind.SERVER,
    "servererror": _Kind.SERVER,
    "overloadederror": _Kind.SERVER,
}
_WEAK_CODES = frozenset(
    {
        "invalidparameter",
        "invalidparametererror",
        "invalidrequesterror",
        "badrequest",
        "badrequesterror",
        "badrequestemptyinput",
        "badrequestemptyparameters",
        "notsupportederror",
    }
)
"""Codes that come with every kind of refusal: the status knows more."""

_TOO_LONG = ("input length", "maximum context length", "context window")
"""What a refusal of a prompt says whose code says little: DashScope's, vLLM's, LM Studio's."""

_STATUSES: dict[int, _Kind] = {
    401: _Kind.KEY,
    402: _Kind.BILLING,
    403: _Kind.ACCESS,
    404: _Kind.PATH,
    405: _Kind.PATH,
    408: _Kind.SERVER,
    413: _Kind.TOO_LONG,
    429: _Kind.RATE,
}
_PARAMETERS = (
    "max_tokens",
    "temperature",
    "top_p",
    "presence_penalty",
    "seed",
    "stop",
    "enable_thinking",
    "prompt",
)


def error_of(
    failure: Failure,
    target: Target,
    *,
    key_source: str = "",
    key: str = "",
    retry_after_s: float | None = None,
) -> base.BackendError:
    """The exception for a failure.

    Args:
        failure: what the endpoint said.
        target: whom was asked, for the message.
        key_source: where the key came from, in words; empty when none was sent.
        key: the key, to mask it should the server repeat it.
        retry_after_s: how long the endpoint asked to wait, in seconds.
    """
    kind = _classify(failure, target.provider)
    if kind is _Kind.NATIVE_PATH and target.native is None:
        kind = _Kind.REQUEST
    if kind in {_Kind.RATE, _Kind.TOKEN_RATE}:
        return _rate_limit(kind, target, failure, retry_after_s)
    build, details_are_safe = _BUILDERS[kind]
    error_type, message, remedy, cause = build(target, failure, key_source)
    if details_are_safe and (details := sanitised(failure.message, key)):
        message = f"{message} ({details})"
    message = sentence(message)
    return error_type(
        message,
        remedy=remedy,
        cause=cause,
        request_id=sanitised(failure.request_id, key)[:80],
        retry_after_s=retry_after_s,
    )


def sanitised(text: str, key: str = "") -> str:
    """What a server said, fit to be shown: one line, at most 200 characters, no keys."""
    if key:
        text = text.replace(key, "sk-…")
    text = _SECRETS.sub("sk-…", " ".join(text[: 8 * _MESSAGE_CHARS].split()))
    text = "".join(c if c.isprintable() else "?" for c in text)
    return text if len(text) <= _MESSAGE_CHARS else text[: _MESSAGE_CHARS - 1] + "…"


def _classify(failure: Failure, provider: Provider) -> _Kind:
    if provider.no_fim and any(words in failure.message.lower() for words in provider.no_fim):
        return _Kind.NO_FIM
    for word in (failure.code, failure.kind):
        if word in provider.error_codes:
            return _Kind[provider.error_codes[word].upper()]
        if word in _CODES:
            return _CODES[word]
        if word.startswith("throttling"):
            return _Kind.RATE
    if 300 <= failure.status < 400:  # redirects are not followed: they would carry the key elsewhere
        return _Kind.PATH
    if failure.status in _STATUSES:
        # With a code of its own, a 404 is about the model; without one, about the path.
        named = failure.status == 404 and bool(failure.code or "model" in failure.message.lower())
        return _Kind.MODEL if named else _STATUSES[failure.status]
    if failure.status >= 500:
        return _Kind.SERVER
    if failure.status >= 400 or failure.code in _WEAK_CODES or failure.kind in _WEAK_CODES:
        lowered = failure.message.lower()
        if "model not exist" in lowered:  # the native API's 400 for an unknown model
            return _Kind.MODEL
        if "url error" in lowered:  # the native API's 400 for the path of the other kind of model
            return _Kind.NATIVE_PATH
        return _Kind.TOO_LONG if any(words in lowered for words in _TOO_LONG) else _Kind.REQUEST
    return _Kind.UNKNOWN


WRONG_NATIVE_PATH = "native path"
"""The cause of the error that says: this model is bound to the native API's other path."""

_Said = tuple[type[base.BackendError], str, str, str]
"""Type, message, remedy, cause."""


def _key(target: Target, failure: Failure, key_source: str) -> _Said:
    if not key_source:
        name = target.provider.key_env or "apiKeyEnv"
        return base.AuthenticationError, f"{_who(target)} wants a key", f"Set {name}.", "no key"
    remedy = "Check the key."
    if target.region:
        remedy = f"Check the key; a key works in one region only, and calls go to the region {target.region}."
    known = dashscope_host(target.host)
    if known and known.is_workspace:
        remedy += " A workspace's host takes that workspace's keys only."
    if known and known.is_plan:
        remedy = f"Check the key; this host takes a plan's own keys only, which begin with {PLAN_KEY}."
    return base.AuthenticationError, f"{_who(target)} refused the key from the {key_source}", remedy, ""


def _access(target: Target, failure: Failure, key_source: str) -> _Said:
    message = f"{_who(target)} does not let this key use the model {shown(target.model)}"
    remedy = "It may be retired, or not enabled in the workspace: "
    remedy += f"set model to {_instead(target)}, or enable it."
    return base.AccessError, message, remedy, f"access {target.model}"


def _free_tier(target: Target, failure: Failure, key_source: str) -> _Said:
    message = f"The free tier of {shown(target.model)} is used up"
    remedy = 'Switch "use free tier only" off in the console, or set model to another one.'
    return base.AccessError, message, remedy, f"free tier {target.model}"


def _billing(target: Target, failure: Failure, key_source: str) -> _Said:
    message = f"{_who(target)} does not answer because of an unpaid or missing plan, or a spent budget"
    return base.BillingError, message, "See billing in the provider's console.", ""


def _model(target: Target, failure: Failure, key_source: str) -> _Said:
    by = "the Completions API" if target.strategy is Strategy.FIM else "chat completions"
    if target.native is not None:
        by = "its native API"
    message = f"{_who(target)} has no model {shown(target.model)} for {by}"
    remedy = f"Set model to {_instead(target)}."
    if target.strategy is Strategy.FIM:
        remedy = f"Set model to {_instead(target)}, or strategy to partial."
    return base.ModelError, message, remedy, f"model {target.model}"


def _no_fim(target: Target, failure: Failure, key_source: str) -> _Said:
    message = f"{_who(target)} has no fill-in-the-middle for {shown(target.model)}"
    remedy = "Set strategy to partial, or model to one that was made for it."
    return base.ModelError, message, remedy, f"model {target.model}"


def _workspace(target: Target, failure: Failure, key_source: str) -> _Said:
    return (
        base.ModelError,
        f"{_who(target)} does not know the workspace",
        "Check workspaceId and region.",
        "workspace",
    )


def _path(target: Target, failure: Failure, key_source: str) -> _Said:
    message = f"There is no such service at {target.url} (HTTP {failure.status})"
    remedy = f"Check baseUrl; it usually ends in {target.provider.default_path}."
    return base.ModelError, message, remedy, "path"


def _native_path(target: Target, failure: Failure, key_source: str) -> _Said:
    message = f"{_who(target)} does not have the model {shown(target.model)} at {target.url}"
    remedy = "Set protocol to openai, or nativePath in the model's row in models."
    return base.RequestError, message, remedy, WRONG_NATIVE_PATH


def _too_long(target: Target, failure: Failure, key_source: str) -> _Said:
    message = f"The prompt is longer than {shown(target.model)} reads at {_who(target)}"
    return base.RequestError, message, "Lower promptTokens.", "prompt too long"


def _request(target: Target, failure: Failure, key_source: str) -> _Said:
    lowered = failure.message.lower()
    if "thinking" in lowered:
        message = f"{_who(target)} refused the request because {shown(target.model)} would think first"
        remedy = 'Give the model a row with thinking = "hybrid" in models, or set model to another one.'
        return base.RequestError, message, remedy, "request thinking"
    named = next((name for name in _PARAMETERS if name in lowered), "")
    what = f"the parameter {named}" if named else "the request"
    message = f"{_who(target)} refused {what} (HTTP {failure.status or 400}{_code(failure)})"
    remedy = "Check the settings that go into the body: extraBody, stop, temperature, topP, maxTokens, model."
    return base.RequestError, message, remedy, f"request {named}".strip()


def _content(target: Target, failure: Failure, key_source: str) -> _Said:
    return base.ContentError, f"The content filter of {_who(target)} refused this text", "", ""


def _loading(target: Target, failure: Failure, key_source: str) -> _Said:
    if target.provider.name == "local":
        return base.NotReadyError, "The local engine is loading its model", "Try again in a few seconds.", ""
    return base.ServerError, f"{_who(target)} is not ready yet", "It may be loading its model.", "loading"


def _server(target: Target, failure: Failure, key_source: str) -> _Said:
    message = f"{_who(target)} failed (HTTP {failure.status}{_code(failure)})"
    return base.ServerError, message, "It will be asked again after a pause.", ""


def _unknown(target: Target, failure: Failure, key_source: str) -> _Said:
    message = f"{_who(target)} gave an answer that is none (HTTP {failure.status}{_code(failure)})"
    return base.AnswerError, message, "Check baseUrl; qwen-ls doctor shows what answers there.", ""


def _rate_limit(
    kind: _Kind, target: Target, failure: Failure, retry_after_s: float | None
) -> base.RateLimitError:
    what = "tokens" if kind is _Kind.TOKEN_RATE else "requests"
    message = f"{_who(target)} has had too many {what} for {shown(target.model)}"
    remedy = (
        "It will be asked again after a pause; a longer debounceMs or fewer promptTokens make this rarer."
    )
    if kind is _Kind.TOKEN_RATE:
        remedy += " If it stays like this for minutes, see quota and billing in the console."
    request_id = sanitised(failure.request_id)[:80]
    return base.RateLimitError(
        sentence(message), remedy=remedy, request_id=request_id, retry_after_s=retry_after_s
    )


def _instead(target: Target) -> str:
    """What to set model to: the successor, the default where that is another one, or what there is."""
    defaults = target.provider.default_models
    default = defaults.get(target.region, "") or defaults.get("", "")
    if target.row.successor:
        return f"its successor {target.row.successor}"
    if default == target.model:
        return "another one"
    return f"one that is served, as {default} is" if target.provider.regions else "one that it serves"


def _who(target: Target) -> str:
    return f"{target.provider.title} at {target.host}" if target.host else target.provider.title


def _code(failure: Failure) -> str:
    return f", {sanitised(failure.code)[:40]}" if failure.code else ""


_BUILDERS: dict[_Kind, tuple[Callable[[Target, Failure, str], _Said], bool]] = {
    _Kind.KEY: (_key, False),
    _Kind.ACCESS: (_access, True),
    _Kind.FREE_TIER: (_free_tier, False),
    _Kind.BILLING: (_billing, False),
    _Kind.MODEL: (_model, False),
    _Kind.NO_FIM: (_no_fim, False),
    _Kind.WORKSPACE: (_workspace, False),
    _Kind.PATH: (_path, False),
    _Kind.NATIVE_PATH: (_native_path, False),
    _Kind.TOO_LONG: (_too_long, False),
    _Kind.REQUEST: (_request, False),
    _Kind.CONTENT: (_content, False),
    _Kind.LOADING: (_loading, False),
    _Kind.SERVER: (_server, False),
    _Kind.UNKNOWN: (_unknown, False),
}
"""How each kind is said, and whether the server's own words may be added: never where they may hold text."""
