"""Failures: every code of the vendor's pages and of the servers met, to one clear exception each."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwen_ls.backend import base
from qwen_ls.backend.wire.errors import error_of, sanitised
from qwen_ls.backend.wire.failures import failure_in, read_failure, retry_after_s
from tests.backend.asking import target_of

KEY = "sk-verysecret1234567890"


def compat(code: object, message: str = "m", kind: object = "invalid_request_error", **more: object) -> bytes:
    error = {"message": message, "type": kind, "param": None, "code": code}
    return json.dumps({"error": error, **more}).encode()


def native(code: str, message: str = "m") -> bytes:
    return json.dumps({"code": code, "message": message, "request_id": "r-1"}).encode()


def caught(status: int, body: bytes, **settings: object) -> base.BackendError:
    return error_of(read_failure(status, body), target_of(**settings), key_source="keyring", key=KEY)


BOTH = [
    # Compatible name, native name, HTTP status, type: the table of the notes, §4.4.
    ("invalid_api_key", "InvalidApiKey", 401, base.AuthenticationError),
    ("access_denied", "AccessDenied", 403, base.AccessError),
    ("AccessDenied.Unpurchased", "AccessDenied.Unpurchased", 403, base.AccessError),
    ("Model.AccessDenied", "Model.AccessDenied", 403, base.AccessError),
    ("Workspace.AccessDenied", "Workspace.AccessDenied", 403, base.AccessError),
    ("Endpoint.AccessDenied", "Endpoint.AccessDenied", 403, base.AccessError),
    ("AllocationQuota.FreeTierOnly", "AllocationQuota.FreeTierOnly", 403, base.AccessError),
    ("Arrearage", "Arrearage", 400, base.BillingError),
    ("CommodityNotPurchased", "CommodityNotPurchased", 429, base.BillingError),
    ("PrepaidBillOverdue", "PrepaidBillOverdue", 429, base.BillingError),
    ("PostpaidBillOverdue", "PostpaidBillOverdue", 429, base.BillingError),
    ("BudgetLimitExceeded", "BudgetLimitExceeded", 429, base.BillingError),
    ("model_not_found", "ModelNotFound", 404, base.ModelError),
    ("model_not_supported", "ModelNotSupported", 404, base.ModelError),
    ("WorkSpaceNotFound", "WorkSpaceNotFound", 404, base.ModelError),
    ("invalid_parameter_error", "InvalidParameter", 400, base.RequestError),
    ("invalid_request_error", "BadRequest.EmptyInput", 400, base.RequestError),
    ("data_inspection_failed", "DataInspectionFailed", 400, base.ContentError),
    ("limit_requests", "Throttling.RateQuota", 429, base.RateLimitError),
    ("LimitRequests", "Throttling", 429, base.RateLimitError),
    ("limit_burst_rate", "Throttling.BurstRate", 429, base.RateLimitError),
    ("insufficient_quota", "Throttling.AllocationQuota", 429, base.RateLimitError),
    ("ResourceExhausted", "Throttling.Concurrency", 429, base.RateLimitError),
    ("internal_error", "InternalError", 500, base.ServerError),
    ("internal_server_error", "InternalError.Algo", 500, base.ServerError),
    ("SystemError", "InternalError.Timeout", 500, base.ServerError),
    ("RequestTimeOut", "ResponseTimeout", 500, base.ServerError),
    ("ModelServiceFailed", "ModelServingError", 503, base.ServerError),
    ("ServiceUnavailable", "ModelUnavailable", 503, base.ServerError),
]


@pytest.mark.parametrize(
    ("compat_code", "native_code", "status", "expected"), BOTH, ids=[row[1] for row in BOTH]
)
def test_codes_in_every_carrier(compat_code, native_code, status, expected) -> None:
    bodies = [compat(compat_code), native(native_code)]
    framed = [b"data: " + body + b"\n\n" for body in bodies]
    framed.append(b"id:1\nevent:error\n:HTTP_STATUS/%d\ndata:%s\n\n" % (status, bodies[1]))
    for body in bodies + framed:
        assert type(caught(status, body)) is expected
    for body in bodies:  # inside a stream that began with 200
        failure = failure_in(json.loads(body))
        assert failure is not None
        if expected is not base.RequestError or failure.code != "badrequestemptyinput":
            assert type(error_of(failure, target_of())) is expected


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (301, base.ModelError),
        (308, base.ModelError),
        (400, base.RequestError),
        (401, base.AuthenticationError),
        (402, base.BillingError),
        (403, base.AccessError),
        (404, base.ModelError),
        (405, base.ModelError),
        (408, base.ServerError),
        (409, base.RequestError),
        (413, base.RequestError),
        (422, base.RequestError),
        (429, base.RateLimitError),
        (500, base.ServerError),
        (502, base.ServerError),
        (504, base.ServerError),
        (529, base.ServerError),
    ],
)
@pytest.mark.parametrize(
    "body",
    [b"", b"<html><body>Bad Gateway</body></html>", b"\xff\xfe", b'"x"', b"data: {", b'{"error": null}'],
    ids=["empty", "html", "not text", "string", "broken event", "null error"],
)
def test_gateways_say_it_by_the_status_alone(status, body, expected) -> None:
    error = caught(status, body)
    assert type(error) is expected
    assert "html" not in str(error)


@pytest.mark.parametrize(
    ("status", "body", "expected", "cause"),
    [
        pytest.param(
            503,
            b'{"error":{"message":"Loading model","type":"unavailable_error","code":503}}',
            base.ServerError,
            "loading",
            id="llama.cpp loads",
        ),
        pytest.param(
            401,
            b'{"error":{"message":"Invalid API Key","type":"authentication_error","code":401}}',
            base.AuthenticationError,
            "key",
            id="llama.cpp's key",
        ),
        pytest.param(
            400,
            b'{"error":{"code":400,"message":"too big","type":"exceed_context_size_error","n_ctx":512}}',
            base.RequestError,
            "prompt too long",
            id="llama.cpp's context",
        ),
        pytest.param(
            404,
            b'{"error":{"code":404,"message":"File Not Found","type":"not_found_error"}}',
            base.ModelError,
            "path",
            id="llama.cpp's path",
        ),
        pytest.param(
            404,
            b'{"object":"error","message":"The model `x` does not exist.","type":"NotFoundError","code":404}',
            base.ModelError,
            "model qwen-coder-turbo",
            id="vLLM's model",
        ),
        pytest.param(404, b'{"detail":"Not Found"}', base.ModelError, "path", id="vLLM's path"),
        pytest.param(
            400,
            b'{"error":"model does not support insert"}',
            base.RequestError,
            "request",
            id="a bare string",
        ),
        pytest.param(
            401,
            compat("invalid_request_error", "invalid access token or token expired"),
            base.AuthenticationError,
            "key",
            id="a weak code with a strong status",
        ),
        pytest.param(
            400,
            native("InvalidParameter", "Model not exist."),
            base.ModelError,
            "model qwen-coder-turbo",
            id="native unknown model",
        ),
        pytest.param(
            400,
            compat("invalid_parameter_error", "Range of input length should be [1, 129024]"),
            base.RequestError,
            "prompt too long",
            id="DashScope's context",
        ),
        pytest.param(
            400,
            compat(
                "invalid_parameter_error", "<400> InternalError.Algo.InvalidParameter: Range of max_tokens"
            ),
            base.RequestError,
            "request max_tokens",
            id="a parameter",
        ),
        pytest.param(418, b"", base.RequestError, "request", id="a status of its own"),
    ],
)
def test_other_servers(status, body, expected, cause) -> None:
    error = caught(status, body)
    assert type(error) is expected
    assert error.cause == cause


def test_the_local_engine_that_loads_is_not_ready() -> None:
    body = b'{"error":{"message":"Loading model","type":"unavailable_error","code":503}}'
    error = error_of(read_failure(503, body), target_of(provider="local"))
    assert type(error) is base.NotReadyError


@pytest.mark.parametrize(
    "answer",
    [
        {"choices": [], "usage": None},
        {"choices": [{"text": "x"}], "code": "a", "message": "b"},
        {"error": None, "choices": []},
        {"error": {}, "choices": []},
        {"error": "", "choices": []},
        {"code": "", "message": "", "output": {}},
        {"message": "hello"},
        {"code": "200"},
        {},
    ],
)
def test_what_is_no_error(answer: dict) -> None:
    assert failure_in(answer) is None


def test_a_wrong_key_names_source_and_region() -> None:
    error = caught(401, compat("invalid_api_key"), region="singapore")
    assert str(error) == (
        "DashScope at dashscope-intl.aliyuncs.com refused the key from the keyring. "
        "Check the key; a key works in one region only, and calls go to the region singapore."
    )


@pytest.mark.parametrize(
    ("host", "words"),
    [
        ("ws-1.ap-southeast-1.maas.aliyuncs.com", "that workspace's keys"),
        ("trial.cn-beijing.maas.aliyuncs.com", ""),
        ("dashscope-intl.aliyuncs.com", ""),
    ],
)
def test_a_workspaces_host_wants_its_own_key(host: str, words: str) -> None:
    """The region is the host's, whatever the setting says."""
    target = target_of(base_url=f"https://{host}", region="hongkong")
    error = error_of(read_failure(401, b""), target, key_source="keyring")
    assert f"calls go to the region {target.region}." in str(error)
    assert ("workspace" in str(error)) is bool(words)
    assert words in str(error)


def test_a_plans_host_wants_a_plans_key() -> None:
    settings = {"base_url": "https://coding.dashscope.aliyuncs.com/v1"}
    assert "sk-sp-" in caught(401, compat("invalid_api_key"), **settings).remedy


@pytest.mark.parametrize(
    ("status", "code", "settings", "word"),
    [
        pytest.param(403, "access_denied", {"model": "qwen3-coder-plus"}, "qwen3-coder-next", id="successor"),
        pytest.param(404, "model_not_found", {"model": "qwen3-max"}, "qwen3.7-plus", id="successor, 404"),
        pytest.param(404, "model_not_found", {"model": "qwen-typo"}, "qwen-coder-turbo", id="the default"),
        pytest.param(
            404,
            "model_not_found",
            {"model": "qwen-typo", "region": "singapore"},
            "qwen3-coder-flash",
            id="the default abroad",
        ),
        pytest.param(403, "access_denied", {}, "another one", id="the default itself"),
        pytest.param(
            404, "model_not_found", {"provider": "vllm", "model": "m"}, "it serves", id="anybody's server"
        ),
    ],
)
def test_a_model_that_is_not_there_is_told_with_what_to_use(status, code, settings, word) -> None:
    assert word in caught(status, compat(code), **settings).remedy


def test_a_missing_key_names_the_variable() -> None:
    error = error_of(read_failure(401, b""), target_of(provider="openai", base_url="http://h", model="m"))
    assert "OPENAI_API_KEY" in error.remedy
    assert error.cause == "no key"
    error = error_of(read_failure(401, b""), target_of(provider="llama.cpp"))
    assert "apiKeyEnv" in error.remedy


def test_a_quota_of_tokens_is_a_pause_and_not_a_bill() -> None:
    message = "You exceeded your current quota, please check your plan and billing details."
    error = caught(429, compat("insufficient_quota", message))
    assert error.action is base.Action.COOL_DOWN
    assert "tokens" in str(error)


def test_the_message_begins_a_sentence() -> None:
    target = {"provider": "openai", "base_url": "http://h", "model": "m"}
    assert str(caught(500, b"", **target)).startswith("The OpenAI-compatible server at h failed")
    assert str(caught(429, b"", **target)).startswith("The OpenAI-compatible server at h has had")


@pytest.mark.parametrize(
    ("body", "request_id"),
    [
        (compat("x", request_id="r-1", id="chatcmpl-1"), "r-1"),
        (compat("x", id="chatcmpl-1"), "chatcmpl-1"),
        (native("x"), "r-1"),
        (b"", ""),
    ],
)
def test_request_ids(body: bytes, request_id: str) -> None:
    assert caught(400, body).request_id == request_id
    assert read_failure(400, b"", request_id="header").request_id == "header"


ECHO = f"def secret_function(): return 42 # {KEY} Bearer abc.def"


@pytest.mark.parametrize("status", [400, 401, 403, 404, 408, 413, 422, 429, 500, 502, 503])
@pytest.mark.parametrize(
    "code", ["x", "invalid_parameter_error", "invalid_api_key", "access_denied", "limit_requests"]
)
def test_no_error_repeats_the_key(status: int, code: str) -> None:
    error = caught(status, compat(code, ECHO, request_id=KEY))
    shown = f"{error} {error!r} {error.cause} {error.request_id}"
    assert "verysecret" not in shown
    assert "abc.def" not in shown


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (400, "invalid_parameter_error"),
        (400, "data_inspection_failed"),
        (422, ""),
        (500, "internal_error"),
        (404, ""),
    ],
)
def test_errors_that_may_hold_the_prompt_repeat_nothing(status: int, code: str) -> None:
    assert "secret_function" not in str(caught(status, compat(code, ECHO)))


def test_a_refused_access_says_what_the_server_said() -> None:
    error = caught(403, compat("access_denied", "Workspace endpoint\naccess   denied."))
    assert "(Workspace endpoint access denied.)" in str(error)


@given(st.text(), st.text(min_size=8))
def test_sanitised_is_one_short_line(text: str, key: str) -> None:
    shown = sanitised(text + key, key)
    assert len(shown) <= 200
    assert shown.isprintable()
    assert "sk-abc" not in sanitised(text + " sk-abcdef " + text)


@given(st.integers(100, 599), st.binary())
def test_any_body_is_some_error(status: int, body: bytes) -> None:
    error = caught(status, body)
    assert str(error)
    assert error.message


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "2"}, 2.0),
        ({"retry-after": "1.5"}, 1.5),
        ({"retry-after": "-3"}, 0.0),
        ({"retry-after": "999999"}, 3600.0),
        ({"retry-after-ms": "250", "retry-after": "9"}, 0.25),
        ({"retry-after": "Thu, 01 Jan 1970 00:01:40 GMT"}, 90.0),
        ({"retry-after": "Thu, 01 Jan 1970 00:00:00 GMT"}, 0.0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": ""}, None),
    ],
)
def test_retry_after(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after_s(headers, now_s=10.0) == seconds


def test_a_rate_limit_says_how_long() -> None:
    error = error_of(read_failure(429, b""), target_of(), retry_after_s=7.0)
    assert isinstance(error, base.RateLimitError)
    assert error.retry_after_s == 7.0
