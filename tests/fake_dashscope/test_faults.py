"""Every fault, in every carrier, and the headers of answers (notes §1.4, §4.1-§4.3)."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from . import Behaviour, FakeDashScope, Reply
from .ask import CHAT, COMPLETIONS, TEXT, ask, fim, native, stream
from .errors import FAULTS, RAW_FAULTS, parse_fault

ID = "00000001-3a4b-9c5d-8e6f-7a8b9c0d1e2f"
BURST = (
    "Request rate increased too quickly. To ensure system stability, please adjust your client logic to "
    "scale requests more smoothly over time."
)
FREE = (
    "The free tier of the model has been exhausted. If you wish to continue access the model on a paid "
    'basis, please disable the \\"use free tier only\\" mode in the management console.'
)
RATE = "https://help.aliyun.com/zh/model-studio/error-code#rate-limit"
KEY = "https://help.aliyun.com/zh/model-studio/error-code#apikey-error"


def plain(message: str, kind: str, code: str) -> str:
    error = f'{{"message":"{message}","type":"{kind}","param":null,"code":"{code}"}}'
    return f'{{"error":{error},"request_id":"{ID}"}}'


def with_id(message: str, kind: str, code: str) -> str:
    return plain(message, kind, code).replace(',"request_id"', f',"id":"chatcmpl-{ID}","request_id"')


COMPAT = {
    "invalid_api_key": (
        401,
        plain(
            f"Incorrect API key provided. For details, see: {KEY}", "invalid_request_error", "invalid_api_key"
        ),
    ),
    "access_denied": (403, plain("Access denied.", "access_denied", "access_denied")),
    "endpoint_access_denied": (
        403,
        plain("Workspace endpoint access denied.", "access_denied", "Endpoint.AccessDenied"),
    ),
    "free_tier_only": (403, plain(FREE, "AllocationQuota.FreeTierOnly", "AllocationQuota.FreeTierOnly")),
    "model_not_found": (
        404,
        plain(
            "The model `qwen-coder-turbo` does not exist or you do not have access to it.",
            "invalid_request_error",
            "model_not_found",
        ),
    ),
    "model_not_supported": (
        404,
        plain(
            "Unsupported model qwen-coder-turbo for OpenAI compatibility mode.",
            "invalid_request_error",
            "model_not_supported",
        ),
    ),
    "thinking": (
        400,
        with_id(
            "<400> InternalError.Algo.InvalidParameter: The tool_choice parameter does not support being set "
            "to required or object in thinking mode",
            "invalid_request_error",
            "invalid_parameter_error",
        ),
    ),
    "arrearage": (
        400,
        plain("Access denied, please make sure your account is in good standing.", "Arrearage", "Arrearage"),
    ),
    "data_inspection": (
        400,
        (
            '{"error":{"code":"data_inspection_failed","param":null,'
            '"message":"Input data may contain inappropriate content.","type":"data_inspection_failed"},'
            f'"id":"chatcmpl-{ID}","request_id":"{ID}"}}'
        ),
    ),
    "rate_limit": (
        429,
        plain(
            f"You have exceeded your current request limit. For details, see: {RATE}",
            "limit_requests",
            "limit_requests",
        ),
    ),
    "quota": (
        429,
        plain(
            "You exceeded your current quota, please check your plan and billing details.",
            "insufficient_quota",
            "insufficient_quota",
        ),
    ),
    "burst": (429, plain(BURST, "limit_burst_rate", "limit_burst_rate")),
    "internal_error": (500, with_id("Failed to request model service.", "internal_error", "internal_error")),
    "unavailable": (
        503,
        plain(
            "Too many requests. Your requests are being throttled due to system capacity limits.",
            "ServiceUnavailable",
            "ServiceUnavailable",
        ),
    ),
}
NATIVE = {
    "invalid_api_key": (401, "InvalidApiKey", "Invalid API-key provided."),
    "missing_api_key": (401, "InvalidApiKey", "No API-key provided."),
    "model_not_found": (400, "InvalidParameter", "Model not exist."),
    "arrearage": (400, "Arrearage", "Access denied, please make sure your account is in good standing."),
    "data_inspection": (400, "DataInspectionFailed", "Input data may contain inappropriate content."),
    "rate_limit": (429, "Throttling.RateQuota", "Requests rate limit exceeded, please try again later."),
    "quota": (
        429,
        "Throttling.AllocationQuota",
        "Allocated quota exceeded, please increase your quota limit.",
    ),
    "burst": (429, "Throttling.BurstRate", BURST),
    "internal_error": (500, "ModelServiceFailed", "Failed to request model service."),
}


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("fault", sorted(COMPAT))
async def test_compat_bodies(
    fake: FakeDashScope, client: httpx.AsyncClient, fault: str, streamed: bool
) -> None:
    """A compat error is these bytes, as plain JSON, whether or not the request streams."""
    fake.script.append(Reply(fault=fault))
    answer = await ask(client, COMPLETIONS, fim(stream=streamed))
    assert (answer.status, answer.raw.decode()) == COMPAT[fault]
    assert answer.headers["content-type"] == "application/json"
    assert (await ask(client, COMPLETIONS)).status == 200


@pytest.mark.parametrize("fault", sorted(NATIVE))
async def test_native_bodies(fake: FakeDashScope, client: httpx.AsyncClient, fault: str) -> None:
    """A native error is flat and carries its request id in a header too."""
    fake.script.append(Reply(fault=fault))
    answer = await ask(client, TEXT)
    status, code, message = NATIVE[fault]
    assert answer.status == status
    assert answer.raw.decode() == f'{{"code":"{code}","message":"{message}","request_id":"{ID}"}}'
    assert answer.headers["x-request-id"] == ID


@pytest.mark.parametrize("fault", ["rate_limit", "quota", "burst", "unavailable"])
async def test_retry_after(fake: FakeDashScope, client: httpx.AsyncClient, fault: str) -> None:
    """``Retry-After`` is sent only when it is asked for."""
    fake.script.append(Reply(fault=fault))
    fake.script.append(Reply(fault=fault, behaviour=Behaviour(retry_after="7")))
    assert "retry-after" not in (await ask(client, COMPLETIONS)).headers
    assert (await ask(client, COMPLETIONS)).headers["retry-after"] == "7"


async def test_error_on_200_compat(fake: FakeDashScope, client: httpx.AsyncClient) -> None:
    """Sample (d): an error in a stream of status 200, without ``[DONE]``; else in a JSON body."""
    fake.script.extend([Reply(fault="error_on_200"), Reply(fault="error_on_200")])
    answer = await stream(client, CHAT)
    assert answer.status == 200
    assert answer.headers["content-type"] == "text/event-stream;charset=UTF-8"
    assert answer.raw.decode() == (
        'data: {"error":{"code":"invalid_parameter_error","param":null,"message":"<400> InternalError.Algo.'
        'InvalidParameter: Download multimodal file timed out","type":"invalid_request_error"},'
        f'"id":"chatcmpl-{ID}"}}\n\n'
    )
    whole = await ask(client, CHAT)
    assert (whole.status, whole.json["error"]["code"]) == (200, "invalid_parameter_error")


async def test_error_on_200_native(fake: FakeDashScope, client: httpx.AsyncClient) -> None:
    """The native form of the same: an ``error`` event with its status in a comment."""
    fake.script.append(Reply(fault="quota@200"))
    answer = await stream(client, TEXT)
    assert answer.status == 200
    body = NATIVE["quota"]
    assert answer.raw.decode() == (
        f'id:1\nevent:error\n:HTTP_STATUS/429\ndata:{{"code":"{body[1]}","message":"{body[2]}","request_id":"{ID}"}}\n\n'
    )


@pytest.mark.parametrize("path", [COMPLETIONS, TEXT])
async def test_error_framed_as_sse_and_labelled_json(
    fake: FakeDashScope, client: httpx.AsyncClient, path: str
) -> None:
    """A body that is really SSE, on status 400, called JSON."""
    fake.script.append(Reply(fault="sse_400"))
    answer = await stream(client, path)
    assert (answer.status, answer.headers["content-type"]) == (400, "application/json")
    first = b"data: {" if path == COMPLETIONS else b"id:1\nevent:error\n:HTTP_STATUS/400\ndata:{"
    assert answer.raw.startswith(first)
    with pytest.raises(ValueError, match="Expecting value"):
        json.loads(answer.raw)


@pytest.mark.parametrize("path", [COMPLETIONS, CHAT, TEXT])
async def test_error_in_midstream(fake: FakeDashScope, client: httpx.AsyncClient, path: str) -> None:
    """After two good texts the stream turns into an error and ends without ``[DONE]``."""
    pieces = ("one ", "two ", "three ")
    fake.script.append(Reply(pieces=pieces, fault="quota@midstream"))
    answer = await stream(client, path, **({"incremental_output": True} if path == TEXT else {}))
    *good, last = answer.data
    texts = [text for text in answer.texts if text and text in pieces]
    assert texts == ["one ", "two "]
    assert (last.get("error") or last)["code"] in {"insufficient_quota", "Throttling.AllocationQuota"}
    assert len(good) == (3 if path == CHAT else 2)
    assert b"[DONE]" not in answer.raw


RAW = [
    ("html_502", 502, "text/html; charset=utf-8", b"<html>"),
    ("html_200", 200, "text/html; charset=utf-8", b"<!DOCTYPE html>"),
    ("empty_502", 502, "application/json", b""),
    ("empty_200", 200, "application/json", b""),
    ("bad_json", 200, "application/json", b'{"id":"cmpl-1"'),
    ("bad_stream", 200, "text/event-stream;charset=UTF-8", b'data: {"id"'),
]


@pytest.mark.parametrize(("fault", "status", "content_type", "start"), RAW, ids=[row[0] for row in RAW])
async def test_answers_that_are_no_errors(
    fake: FakeDashScope, client: httpx.AsyncClient, fault: str, status: int, content_type: str, start: bytes
) -> None:
    """Proxies' pages, empty bodies and broken JSON."""
    fake.script.append(Reply(fault=fault))
    answer = await ask(client, COMPLETIONS)
    assert (answer.status, answer.headers["content-type"]) == (status, content_type)
    assert answer.raw.startswith(start)
    assert bool(answer.raw) == bool(start)
    assert (await ask(client, COMPLETIONS)).status == 200


@pytest.mark.parametrize(
    ("fault", "error"), [("reset", httpx.ReadError), ("close", httpx.RemoteProtocolError)]
)
async def test_broken_connections(
    fake: FakeDashScope, client: httpx.AsyncClient, fault: str, error: type[Exception]
) -> None:
    """A reset or a close before the first byte; it was not the client that left."""
    fake.script.append(Reply(fault=fault))
    with pytest.raises(error):
        await ask(client, COMPLETIONS)
    await fake.requests[0].finished.wait()
    assert not fake.requests[0].cancelled.is_set()
    assert (await ask(client, COMPLETIONS)).status == 200


async def test_refused_connections(fake: FakeDashScope, client: httpx.AsyncClient) -> None:
    """After ``refuse`` nobody listens; after ``accept`` the same address answers again."""
    fake.script.append(Reply(fault="refuse"))
    with pytest.raises(httpx.ReadError):
        await ask(client, COMPLETIONS)
    for _ in range(2):
        with pytest.raises(httpx.ConnectError):
            await ask(client, COMPLETIONS)
    fake.accept()
    assert (await ask(client, COMPLETIONS)).status == 200
    assert len(fake.requests) == 2


async def test_standing_fault(fake: FakeDashScope, client: httpx.AsyncClient) -> None:
    """A fault in the server's own behaviour hits every request until it is taken away."""
    fake.behaviour = Behaviour(fault="arrearage")
    assert [(await ask(client, COMPLETIONS)).status for _ in range(3)] == [400, 400, 400]
    fake.reset()
    assert (await ask(client, COMPLETIONS)).status == 200


async def test_faults_of_the_models_route(fake: FakeDashScope, client: httpx.AsyncClient) -> None:
    """A scripted reply reaches ``/models`` only when it names it."""
    fake.script.extend([Reply(fault="quota"), Reply(fault="html_502", route="/models")])
    assert (await client.get("/compatible-mode/v1/models")).status_code == 502
    assert (await client.get("/compatible-mode/v1/models")).status_code == 200
    assert (await ask(client, COMPLETIONS)).status == 429


@pytest.mark.parametrize("name", ["nonsense", "quota@pigeon", ""])
def test_unknown_faults(name: str) -> None:
    """A misspelt fault is found when it is written down, not when it should strike."""
    with pytest.raises(ValueError, match="unknown"):
        parse_fault(name)
    if name:
        with pytest.raises(ValueError, match="unknown"):
            Reply(fault=name)


def test_every_fault_has_its_row() -> None:
    """The tables of this file leave no fault out."""
    special = {"missing_api_key", "not_found", "invalid_parameter", "multimodal_timeout"}
    assert set(FAULTS) == set(COMPAT) | special
    assert set(RAW_FAULTS) == {row[0] for row in RAW} | {"reset", "close", "refuse"}


HEADERS: list[tuple[str, Any, dict[str, str], set[str]]] = [
    (
        COMPLETIONS,
        fim(),
        {"content-type": "application/json", "x-dashscope-finished": "true"},
        {"x-request-id"},
    ),
    (
        CHAT,
        None,
        {"x-dashscope-call-gateway": "true", "server": "istio-envoy"},
        {"retry-after", "x-request-id"},
    ),
    (TEXT, native(), {"x-request-id": ID, "eagleeye-traceid": ID.replace("-", "")}, {"x-ratelimit-limit"}),
    (
        COMPLETIONS,
        fim(stream=True),
        {"content-type": "text/event-stream;charset=UTF-8", "vary": "Origin", "transfer-encoding": "chunked"},
        {"content-length"},
    ),
]


@pytest.mark.parametrize(("path", "body", "present", "absent"), HEADERS)
async def test_response_headers(
    client: httpx.AsyncClient, path: str, body: Any, present: dict[str, str], absent: set[str]
) -> None:
    """The headers are those of the recordings."""
    headers = (await ask(client, path, body)).headers
    assert present.items() <= dict(headers).items()
    assert not absent & set(headers)
    for name in ("req-arrive-time", "resp-start-time", "req-cost-time", "x-envoy-upstream-service-time"):
        assert headers[name].isdigit()
    if path == TEXT:
        assert headers["set-cookie"].startswith("acw_tc=")
