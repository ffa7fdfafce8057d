"""Error bodies, byte for byte as recorded where there is a recording (notes §4.1-§4.4).

A fault is named; ``name@carrier`` says how it travels:

- ``@json`` (default): its HTTP status and a JSON body;
- ``@200``: HTTP 200, as an SSE frame when the request streams, else as a JSON body;
- ``@sse``: its HTTP status, an SSE-framed body that is labelled ``application/json``;
- ``@midstream``: after two good text events of a stream.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

HELP = {"beijing": "https://help.aliyun.com/zh/model-studio"}
HELP_ABROAD = "https://www.alibabacloud.com/help/en/model-studio"


@dataclass(frozen=True, slots=True)
class Fault:
    """One error in both dialects."""

    status: int
    code: str
    message: str
    native_code: str
    native_message: str = ""
    native_status: int = 0
    type: str = "invalid_request_error"
    with_id: bool = False
    """The body has ``id`` as well: the request had reached the model's service."""
    code_first: bool = False
    """The other order of keys that was seen."""
    edge: bool = False
    """Answered by the gateway's edge, without ``X-Dashscope-Call-Gateway``."""

    def compat(self, request_id: str, help_url: str = HELP["beijing"], **values: str) -> dict[str, Any]:
        """The body of the OpenAI-compatible protocol."""
        message = self.message.format(help=help_url, **values)
        error = {"message": message, "type": self.type, "param": None, "code": self.code}
        if self.code_first:
            error = {key: error[key] for key in ("code", "param", "message", "type")}
        body: dict[str, Any] = {"error": error}
        if self.with_id:
            body["id"] = f"chatcmpl-{request_id}"
        return {**body, "request_id": request_id}

    def native(self, request_id: str, help_url: str = HELP["beijing"], **values: str) -> dict[str, Any]:
        """The flat body of the native protocol."""
        message = self.native_message or self.message.removeprefix(
            "<400> InternalError.Algo.InvalidParameter: "
        )
        return {
            "code": self.native_code,
            "message": message.format(help=help_url, **values),
            "request_id": request_id,
        }


def invalid(message: str, native_message: str = "") -> Fault:
    """A 400 of the parameter checks, form (c)."""
    escaped = message.replace("{", "{{").replace("}", "}}")
    return Fault(
        400,
        "invalid_parameter_error",
        f"<400> InternalError.Algo.InvalidParameter: {escaped}",
        "InvalidParameter",
        native_message,
        with_id=True,
    )


def bad_request(message: str, native_code: str = "InvalidParameter") -> Fault:
    """A 400 answered before the model's service is reached."""
    escaped = message.replace("{", "{{").replace("}", "}}")
    return Fault(400, "invalid_request_error", escaped, native_code, edge=True)


WRONG_KEY = "Incorrect API key provided. For details, see: {help}/error-code#apikey-error"
LAST_ROLE = (
    'Role must be in ["user", "assistant", "system", "function", "plugin", "tool"] '
    'and the role in last message must be in ["user", "function", "tool"]'
)
NATIVE_EMPTY = "Role must be user or assistant and Content length must be greater than 0"
FREE_TIER = (
    "The free tier of the model has been exhausted. If you wish to continue access the model on a paid "
    'basis, please disable the "use free tier only" mode in the management console.'
)
BURST = (
    "Request rate increased too quickly. To ensure system stability, please adjust your client logic to "
    "scale requests more smoothly over time."
)
RATE = "You have exceeded your current request limit. For details, see: {help}/error-code#rate-limit"
OVERLOAD = "Too many requests. Your requests are being throttled due to system capacity limits."
NO_MODEL = "The model `{model}` does not exist or you do not have access to it."

FAULTS: dict[str, Fault] = {
    "invalid_api_key": Fault(
        401, "invalid_api_key", WRONG_KEY, "InvalidApiKey", "Invalid API-key provided.", edge=True
    ),
    "missing_api_key": Fault(
        401, "invalid_api_key", WRONG_KEY, "InvalidApiKey", "No API-key provided.", edge=True
    ),
    "access_denied": Fault(403, "access_denied", "Access denied.", "AccessDenied", type="access_denied"),
    "endpoint_access_denied": Fault(
        403,
        "Endpoint.AccessDenied",
        "Workspace endpoint access denied.",
        "Endpoint.AccessDenied",
        type="access_denied",
    ),
    "free_tier_only": Fault(
        403,
        "AllocationQuota.FreeTierOnly",
        FREE_TIER,
        "AllocationQuota.FreeTierOnly",
        type="AllocationQuota.FreeTierOnly",
    ),
    "model_not_found": Fault(
        404, "model_not_found", NO_MODEL, "InvalidParameter", "Model not exist.", native_status=400, edge=True
    ),
    "model_not_supported": Fault(
        404,
        "model_not_supported",
        "Unsupported model {model} for OpenAI compatibility mode.",
        "ModelNotFound",
    ),
    "not_found": Fault(404, "not_found", "Not Found", "NotFound", edge=True),
    "invalid_parameter": invalid("Request payload is invalid."),
    "multimodal_timeout": Fault(
        400,
        "invalid_parameter_error",
        "<400> InternalError.Algo.InvalidParameter: Download multimodal file timed out",
        "InvalidParameter",
        with_id=True,
        code_first=True,
    ),
    "thinking": invalid(
        "The tool_choice parameter does not support being set to required or object in thinking mode"
    ),
    "arrearage": Fault(
        400,
        "Arrearage",
        "Access denied, please make sure your account is in good standing.",
        "Arrearage",
        type="Arrearage",
    ),
    "data_inspection": Fault(
        400,
        "data_inspection_failed",
        "Input data may contain inappropriate content.",
        "DataInspectionFailed",
        type="data_inspection_failed",
        with_id=True,
        code_first=True,
    ),
    "rate_limit": Fault(
        429,
        "limit_requests",
        RATE,
        "Throttling.RateQuota",
        "Requests rate limit exceeded, please try again later.",
        type="limit_requests",
    ),
    "quota": Fault(
        429,
        "insufficient_quota",
        "You exceeded your current quota, please check your plan and billing details.",
        "Throttling.AllocationQuota",
        "Allocated quota exceeded, please increase your quota limit.",
        type="insufficient_quota",
    ),
    "burst": Fault(429, "limit_burst_rate", BURST, "Throttling.BurstRate", type="limit_burst_rate"),
    "internal_error": Fault(
        500,
        "internal_error",
        "Failed to request model service.",
        "ModelServiceFailed",
        type="internal_error",
        with_id=True,
    ),
    "unavailable": Fault(
        503, "ServiceUnavailable", OVERLOAD, "ServiceUnavailable", type="ServiceUnavailable"
    ),
}
"""Every fault that is an error body."""

ALIASES = {
    "401": "invalid_api_key",
    "403": "access_denied",
    "404": "model_not_found",
    "400": "invalid_parameter",
    "429": "rate_limit",
    "500": "internal_error",
    "503": "unavailable",
    "error_on_200": "multimodal_timeout@200",
    "sse_400": "invalid_parameter@sse",
}

CARRIERS = ("json", "200", "sse", "midstream")

RAW_FAULTS = (
    "html_502",
    "html_200",
    "empty_502",
    "bad_json",
    "bad_stream",
    "empty_200",
    "reset",
    "close",
    "refuse",
)
"""Faults without an error body.

- ``html_502``: a gateway's page; ``html_200``: a captive portal; ``empty_502``; ``empty_200``
- ``bad_json``: HTTP 200, JSON cut in the middle; ``bad_stream``: one unreadable ``data:`` line
- ``reset``: TCP reset before the first byte; ``close``: closed before it
- ``refuse``: as ``reset``, and the port refuses connections until ``fake.accept()``
"""

HTML_502 = (
    "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n"
    "<center><h1>502 Bad Gateway</h1></center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"
)
HTML_200 = "<!DOCTYPE html><html><head><title>Login</title></head><body>Please sign in.</body></html>"


def parse_fault(text: str) -> tuple[str, str]:
    """The name and the carrier of a fault; raises ValueError for an unknown one."""
    name, _, carrier = ALIASES.get(text, text).partition("@")
    name = ALIASES.get(name, name)
    if name not in FAULTS and name not in RAW_FAULTS:
        raise ValueError(f"unknown fault: {text}")
    if (carrier or "json") not in CARRIERS:
        raise ValueError(f"unknown carrier: {text}")
    return name, carrier or "json"
