"""The checks of a request, their order, and their bodies byte for byte (notes §4.2-§4.4, §10)."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import pytest

from . import FakeDashScope, Reply
from .ask import CHAT, COMPLETIONS, MULTIMODAL, TEXT, ask, chat, fim, native
from .models import Model

if TYPE_CHECKING:
    import httpx

ID = "00000001-3a4b-9c5d-8e6f-7a8b9c0d1e2f"
HELP = "https://help.aliyun.com/zh/model-studio/error-code"


def compat(
    message: str, code: str, kind: str = "invalid_request_error", *, with_id: bool = False
) -> dict[str, Any]:
    error = {"message": message, "type": kind, "param": None, "code": code}
    return {"error": error, **({"id": f"chatcmpl-{ID}"} if with_id else {}), "request_id": ID}


def invalid(message: str) -> dict[str, Any]:
    text = f"<400> InternalError.Algo.InvalidParameter: {message}"
    return compat(text, "invalid_parameter_error", with_id=True)


def flat(code: str, message: str) -> dict[str, Any]:
    return {"code": code, "message": message, "request_id": ID}


async def check(
    client: httpx.AsyncClient, path: str, body: Any, status: int, expected: dict[str, Any]
) -> None:
    """The answer to ``body`` is this error, keys in this order."""
    answer = await ask(client, path, body)
    assert (answer.status, answer.json) == (status, expected)
    assert list(answer.json) == list(expected)
    assert list(answer.json.get("error", {})) == list(expected.get("error", {}))
    assert answer.headers["content-type"] == "application/json"
    assert "retry-after" not in answer.headers


NO_KEY = f"Incorrect API key provided. For details, see: {HELP}#apikey-error"
LAST = (
    'Role must be in ["user", "assistant", "system", "function", "plugin", "tool"] and the role in '
    'last message must be in ["user", "function", "tool"]'
)
UNREADABLE = "Required body invalid, please check the request body format."
NO_MODEL = "you must provide a model parameter."


@pytest.mark.parametrize("authorization", ["", "Bearer", "Bearer sk-wrong", "Basic sk-test", "sk-test"])
async def test_wrong_key(fake: FakeDashScope, client: httpx.AsyncClient, authorization: str) -> None:
    """A missing or wrong key is refused first, by the edge, even when everything else is wrong as well."""
    client.headers["authorization"] = authorization
    await check(client, COMPLETIONS, {}, 401, compat(NO_KEY, "invalid_api_key"))
    fake._ids = lambda: ID
    missing = "No API-key provided." if "wrong" not in authorization else "Invalid API-key provided."
    await check(client, TEXT, {}, 401, flat("InvalidApiKey", missing))
    answer = await ask(client, COMPLETIONS, {})
    assert "x-dashscope-call-gateway" not in answer.headers


@pytest.mark.parametrize("region", ["singapore", "virginia", "hongkong"])
async def test_wrong_key_abroad(fake: FakeDashScope, client: httpx.AsyncClient, region: Any) -> None:
    """The other regions name the international help page."""
    fake.region = region
    client.headers["authorization"] = "Bearer sk-wrong"
    message = NO_KEY.replace("help.aliyun.com/zh/", "www.alibabacloud.com/help/en/")
    await check(client, CHAT, {}, 401, compat(message, "invalid_api_key"))


COMPAT_CASES = [
    pytest.param(CHAT, [], 400, compat(UNREADABLE, "invalid_request_error"), id="body is not an object"),
    pytest.param(CHAT, {}, 400, compat(NO_MODEL, "invalid_request_error"), id="no model"),
    pytest.param(
        COMPLETIONS, fim(model=7), 400, compat(NO_MODEL, "invalid_request_error"), id="model is no string"
    ),
    pytest.param(
        CHAT,
        chat(model="bad model"),
        404,
        compat("The model `bad model` does not exist or you do not have access to it.", "model_not_found"),
        id="unknown model",
    ),
    pytest.param(
        COMPLETIONS,
        fim(model="qwen2.5-coder-1.5b-instruct", max_tokens=0),
        403,
        compat("Access denied.", "access_denied", "access_denied"),
        id="retired model",
    ),
    pytest.param(
        COMPLETIONS,
        fim(model="qwen3-coder-plus", max_tokens=0),
        404,
        compat("Unsupported model qwen3-coder-plus for OpenAI compatibility mode.", "model_not_supported"),
        id="chat model on completions",
    ),
]


@pytest.mark.parametrize(("path", "body", "status", "expected"), COMPAT_CASES)
async def test_model_checks(
    client: httpx.AsyncClient, path: str, body: Any, status: int, expected: dict[str, Any]
) -> None:
    """The body, the model and the path are checked before the parameters."""
    await check(client, path, body, status, expected)


RANGES = [
    ({"max_tokens": 0}, "Range of max_tokens should be [1, 8192]"),
    ({"max_tokens": 8193}, "Range of max_tokens should be [1, 8192]"),
    ({"max_tokens": "9"}, "Range of max_tokens should be [1, 8192]"),
    ({"temperature": 2}, "Temperature should be in [0.0, 2.0)"),
    ({"temperature": -0.1}, "Temperature should be in [0.0, 2.0)"),
    ({"top_p": 0}, "Range of top_p should be (0.0, 1.0]"),
    ({"top_p": 1.1}, "Range of top_p should be (0.0, 1.0]"),
    ({"presence_penalty": 2.1}, "Presence_penalty should be in [-2.0, 2.0]"),
    ({"seed": -1}, "-1 is lesser than the minimum of 0 - 'seed'"),
    ({"seed": 2**31}, "2147483648 is greater than the maximum of 2147483647 - 'seed'"),
    ({"stop": ["a", 151643]}, "stop should be a string or a homogeneous array"),
    (
        {"stream_options": {"include_usage": True}},
        "The stream_options parameter is only allowed when stream is set to true",
    ),
    ({"prompt": None}, 'Either "prompt" or "messages" must exist and cannot both be none'),
    ({"prompt": ["a"]}, 'Either "prompt" or "messages" must exist and cannot both be none'),
    ({"prompt": ""}, "Range of input length should be [1, 129024]"),
    ({"prompt": "1" * 129_100}, "Range of input length should be [1, 129024]"),
]


@pytest.mark.parametrize(("change", "message"), RANGES, ids=lambda value: str(value)[:40])
async def test_ranges(client: httpx.AsyncClient, change: dict[str, Any], message: str) -> None:
    """A parameter outside its range is a 400 of form (c), with the id of the request."""
    await check(client, COMPLETIONS, fim(**change), 400, invalid(message))


@pytest.mark.parametrize(
    "change",
    [
        {"temperature": 0},
        {"temperature": 1.99, "top_p": 1},
        {"max_tokens": 8192, "seed": 2**31 - 1, "presence_penalty": -2},
        {"stop": "x"},
        {"stop": ["x", "y"]},
        {"stop": [151643, 151645]},
        {"suffix": "x", "n": 2, "echo": True},
        {"temperature": None, "max_tokens": None, "stop": None},
    ],
    ids=str,
)
async def test_good_parameters(
    fake: FakeDashScope, client: httpx.AsyncClient, change: dict[str, Any]
) -> None:
    """The ends of ranges, nulls and undocumented parameters are accepted; the latter can be asserted."""
    assert (await ask(client, COMPLETIONS, fim(**change))).status == 200
    call = fake.requests[-1].call
    assert call is not None
    assert call.undocumented == set(change) & {"suffix", "n", "echo"}


MESSAGES = [
    pytest.param([], id="no messages"),
    pytest.param([{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}], id="not partial"),
    pytest.param([{"role": "assistant", "content": "b", "partial": False}], id="partial false"),
    pytest.param([{"role": "assistant", "content": "", "partial": True}], id="empty partial"),
    pytest.param([{"role": "robot", "content": "b"}], id="unknown role"),
    pytest.param([{"role": "system", "content": "b"}], id="system last"),
    pytest.param(["text"], id="message is no object"),
]


@pytest.mark.parametrize("messages", MESSAGES)
async def test_messages(client: httpx.AsyncClient, messages: list[Any]) -> None:
    """A trailing assistant message without ``partial``, or no usable message, is a 400 of form (e)."""
    await check(client, CHAT, chat(messages=messages), 400, invalid(LAST))


async def test_no_messages_at_all(client: httpx.AsyncClient) -> None:
    """A chat without ``messages`` names both forms of prompt."""
    body = {"model": "qwen3-coder-plus"}
    await check(client, CHAT, body, 400, invalid(RANGES[12][1]))


@pytest.mark.parametrize(
    ("model", "more", "good"),
    [
        ("qwen3.5-plus", {}, False),
        ("qwen3.5-plus", {"enable_thinking": False}, True),
        ("qwen-plus", {}, True),
        ("qwen-plus", {"enable_thinking": True}, False),
        ("qwen3-coder-plus", {"enable_thinking": True}, True),
        ("qwq-plus", {"enable_thinking": False}, False),
        ("qwen3-8b", {}, False),
    ],
)
async def test_partial_needs_no_thinking(
    client: httpx.AsyncClient, model: str, more: dict[str, Any], good: bool
) -> None:
    """Partial mode is refused for a model that would think."""
    answer = await ask(client, CHAT, chat(model=model, **more))
    assert answer.status == (200 if good else 400)
    if not good:
        assert answer.json == invalid("partial mode is not supported in thinking mode")


async def test_thinking_without_stream(client: httpx.AsyncClient) -> None:
    """Older hybrids think only in streams."""
    body = {"model": "qwen3-8b", "messages": [{"role": "user", "content": "Hi"}]}
    message = "parameter.enable_thinking must be set to false for non-streaming calls"
    await check(client, CHAT, body, 400, invalid(message))
    assert (await ask(client, CHAT, {**body, "stream": True})).status == 200
    assert (await ask(client, CHAT, {**body, "enable_thinking": False})).status == 200


async def test_models_that_stream_increments_only(client: httpx.AsyncClient) -> None:
    """Qwen3's open weights refuse a native stream that would repeat all text so far."""
    body = native(model="qwen3-8b", enable_thinking=False)
    answer = await ask(client, TEXT, body, x_dashscope_sse="enable")
    assert (answer.status, answer.json["code"]) == (400, "InvalidParameter")
    assert "only supports incremental_output set to True" in answer.json["message"]
    body["parameters"]["incremental_output"] = True
    assert (await ask(client, TEXT, body, x_dashscope_sse="enable")).status == 200
    assert (await ask(client, TEXT, native(model="qwen3-8b", enable_thinking=False))).status == 200


NATIVE_CASES = [
    (TEXT, [], "InvalidParameter", UNREADABLE),
    (TEXT, {}, "BadRequest.EmptyModel", NO_MODEL),
    (TEXT, native(model="bad"), "InvalidParameter", "Model not exist."),
    (TEXT, native(model="qwen3-vl-plus"), "InvalidParameter", "url error, please check url！"),
    (MULTIMODAL, native(), "InvalidParameter", "url error, please check url！"),
    (TEXT, {"model": "qwen3-coder-plus"}, "BadRequest.EmptyInput", "Required input is missing or empty."),
    (TEXT, native(temperature=2), "InvalidParameter", "Temperature should be in [0.0, 2.0)"),
    (
        TEXT,
        native(prefix=""),
        "InvalidParameter",
        "Role must be user or assistant and Content length must be greater than 0",
    ),
]


@pytest.mark.parametrize(
    ("path", "body", "code", "message"), NATIVE_CASES, ids=lambda value: str(value)[-40:]
)
async def test_native_checks(
    client: httpx.AsyncClient, path: str, body: Any, code: str, message: str
) -> None:
    """The native protocol makes the same checks and answers flat bodies."""
    await check(client, path, body, 400, flat(code, message))


async def test_native_asynchronous_calls(client: httpx.AsyncClient) -> None:
    """``X-DashScope-Async`` is not for these calls."""
    answer = await ask(client, TEXT, native(), X_DashScope_Async="enable")
    assert answer.status == 403
    assert answer.json["code"] == "AccessDenied"


async def test_unreadable_json(client: httpx.AsyncClient) -> None:
    """Bytes that are not JSON are an unreadable body."""
    answer = await client.post(COMPLETIONS, content=b'{"model":')
    assert (answer.status_code, answer.json()) == (400, compat(UNREADABLE, "invalid_request_error"))


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/v1/completions"), ("GET", COMPLETIONS), ("POST", "/compatible-mode/v1/models"), ("GET", "/")],
)
async def test_unknown_paths(client: httpx.AsyncClient, method: str, path: str) -> None:
    """Whatever else is asked for is not found."""
    answer = await client.request(method, path)
    assert (answer.status_code, answer.json()) == (404, compat("Not Found", "not_found"))


@pytest.mark.parametrize("region", ["singapore", "virginia", "hongkong"])
async def test_completions_only_in_beijing(
    fake: FakeDashScope, client: httpx.AsyncClient, region: Any
) -> None:
    """Outside Beijing no model completes, and the FIM models are unknown; chat works."""
    fake.region = region
    fake.models["world-fim"] = Model("world-fim", fim=True)
    codes = [
        (await ask(client, COMPLETIONS, fim(model=model))).json["error"]["code"]
        for model in ("qwen-coder-turbo", "qwen3-coder-plus", "world-fim")
    ]
    assert codes == ["model_not_found", "model_not_supported", "not_found"]
    assert (await ask(client, CHAT)).status == 200


async def test_american_model_names(fake: FakeDashScope, client: httpx.AsyncClient) -> None:
    """Ids that end in ``-us`` exist in Virginia only."""
    assert (await ask(client, CHAT, chat(model="qwen-plus-us"))).status == 404
    fake.region = "virginia"
    assert (await ask(client, CHAT, chat(model="qwen-plus-us"))).status == 200


async def test_list_of_models(fake: FakeDashScope, client: httpx.AsyncClient) -> None:
    """``GET /models`` lists what the region serves, and wants a key."""
    answer = (await client.get("/compatible-mode/v1/models")).json()
    assert list(answer) == ["object", "data", "first_id", "last_id", "has_more"]
    names = {model["id"] for model in answer["data"]}
    assert {"qwen-coder-turbo", "qwen3-coder-plus"} <= names
    assert "qwen2.5-coder-1.5b-instruct" not in names
    fake.region = "singapore"
    abroad = (await client.get("/compatible-mode/v1/models")).json()
    assert "qwen-coder-turbo" not in {model["id"] for model in abroad["data"]}
    assert (await client.get("/compatible-mode/v1/models", headers={"authorization": ""})).status_code == 401


STEPS: list[tuple[dict[str, str], Any, int, str]] = [
    ({"authorization": ""}, None, 401, "invalid_api_key"),
    ({}, None, 400, "invalid_request_error"),
    ({}, {}, 400, "invalid_request_error"),
    ({}, {"model": "none", "max_tokens": 0}, 404, "model_not_found"),
    ({}, {"model": "qwen-max", "max_tokens": 0}, 403, "access_denied"),
    ({}, chat(max_tokens=0, messages=[]), 400, "invalid_parameter_error"),
    ({}, chat(), 429, "limit_requests"),
    ({}, chat(), 200, ""),
]


async def test_order_of_the_checks(fake: FakeDashScope, client: httpx.AsyncClient) -> None:
    """Each step is reached only by a request that passed the steps before; a scripted fault is the last."""
    fake.script.append(Reply(fault="rate_limit"))
    for headers, body, status, code in STEPS:
        answer = await client.post(CHAT, json=body, headers=headers)
        assert answer.status_code == status
        assert answer.json().get("error", {}).get("code", "") == code
    numbers = itertools.count()
    assert all(record.number == next(numbers) for record in fake.requests)
    assert [record.status for record in fake.requests] == [step[2] for step in STEPS]
