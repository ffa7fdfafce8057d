"""The official packages beyond the documents' samples: streams, errors and retries as they see them."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import dashscope
import openai
import pytest
from dashscope.api_entities import http_request
from openai import AsyncOpenAI, OpenAI

from . import Behaviour, FakeDashScope, Reply
from .ask import PREFIX

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

MESSAGES: Any = [
    {"role": "user", "content": "Go on."},
    {"role": "assistant", "content": PREFIX, "partial": True},
]
FIM: Any = {"model": "qwen-coder-turbo", "prompt": f"<|fim_prefix|>{PREFIX}<|fim_suffix|>", "max_tokens": 64}
generate: Any = dashscope.Generation.call
generate_async: Any = dashscope.AioGeneration.call
CHAT: Any = {"model": "qwen3-coder-plus", "messages": MESSAGES}


@pytest.fixture
async def sdk(fake: FakeDashScope) -> AsyncIterator[AsyncOpenAI]:
    async with AsyncOpenAI(base_url=fake.compat_url, api_key="sk-test", max_retries=0, timeout=30) as made:
        yield made


@pytest.fixture
def native(threaded: FakeDashScope, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeDashScope]:
    """The dashscope package pointed at the fake; its one shared session must not outlive it."""
    monkeypatch.setattr(dashscope, "base_http_api_url", threaded.native_url)
    monkeypatch.setattr(dashscope, "api_key", "sk-test")  # the package reads the environment when imported
    yield threaded
    http_request.close_shared_sync_session()


async def test_openai_completion_stream_with_usage(fake: FakeDashScope, sdk: AsyncOpenAI) -> None:
    """Document 1's ``stream`` and ``stream_options``: deltas, then a chunk with usage and no choices."""
    fake.answer = "return n * f(n - 1)"
    chunks = [
        chunk
        async for chunk in await sdk.completions.create(
            **FIM, stream=True, stream_options={"include_usage": True}
        )
    ]
    assert "".join(chunk.choices[0].text for chunk in chunks if chunk.choices) == "return n * f(n - 1)"
    assert chunks[-1].choices == []
    assert chunks[-1].usage is not None
    assert (
        chunks[-1].usage.total_tokens == chunks[-1].usage.prompt_tokens + chunks[-1].usage.completion_tokens
    )
    assert chunks[-2].choices[0].finish_reason == "stop"


@pytest.mark.parametrize(
    "switches",
    [
        {},
        {"crlf": True},
        {"keepalive_comments": True},
        {"split_utf8": True},
        {"split_frames": True},
        {"gzip": True},
    ],
    ids=str,
)
async def test_openai_chat_stream(fake: FakeDashScope, sdk: AsyncOpenAI, switches: dict[str, Any]) -> None:
    """Partial mode streams through the package, whatever the framing."""
    fake.answer = "返回 n 的阶乘"
    fake.behaviour = Behaviour(**switches)
    stream = await sdk.chat.completions.create(**CHAT, stream=True, stream_options={"include_usage": True})
    chunks = [chunk async for chunk in stream]
    assert (
        "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == "返回 n 的阶乘"
    )
    assert chunks[0].choices[0].delta.role == "assistant"
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.prompt_tokens_details is not None
    assert chunks[-1].usage.prompt_tokens_details.cached_tokens == 0


ERRORS: list[tuple[str, type[openai.APIError], str | None]] = [
    ("invalid_api_key", openai.AuthenticationError, "invalid_api_key"),
    ("access_denied", openai.PermissionDeniedError, "access_denied"),
    ("free_tier_only", openai.PermissionDeniedError, "AllocationQuota.FreeTierOnly"),
    ("model_not_found", openai.NotFoundError, "model_not_found"),
    ("arrearage", openai.BadRequestError, "Arrearage"),
    ("data_inspection", openai.BadRequestError, "data_inspection_failed"),
    ("rate_limit", openai.RateLimitError, "limit_requests"),
    ("quota", openai.RateLimitError, "insufficient_quota"),
    ("burst", openai.RateLimitError, "limit_burst_rate"),
    ("internal_error", openai.InternalServerError, "internal_error"),
    ("unavailable", openai.InternalServerError, "ServiceUnavailable"),
    ("html_502", openai.InternalServerError, None),
    ("sse_400", openai.BadRequestError, None),
    ("reset", openai.APIConnectionError, None),
]


@pytest.mark.parametrize(("fault", "error", "code"), ERRORS, ids=[row[0] for row in ERRORS])
async def test_openai_errors(
    fake: FakeDashScope, sdk: AsyncOpenAI, fault: str, error: type[openai.APIError], code: str | None
) -> None:
    """The openai package recognises every fault."""
    fake.script.append(Reply(fault=fault))
    with pytest.raises(error) as caught:
        await sdk.completions.create(**FIM)
    assert caught.value.code == code


async def test_openai_error_in_a_stream(fake: FakeDashScope, sdk: AsyncOpenAI) -> None:
    """An error on status 200 is raised while the stream is read."""
    fake.script.append(Reply(fault="error_on_200"))
    stream = await sdk.chat.completions.create(**CHAT, stream=True)
    with pytest.raises(openai.APIError, match="Download multimodal file timed out"):
        _ = [chunk async for chunk in stream]


def test_openai_retries(threaded: FakeDashScope) -> None:
    """The package's own retries reach the fake as requests of their own, at once when Retry-After says so."""
    now = Behaviour(retry_after="0.001")
    threaded.script.extend(
        [Reply(fault="rate_limit", behaviour=now), Reply(fault="unavailable", behaviour=now)]
    )
    with OpenAI(base_url=threaded.compat_url, api_key="sk-test", max_retries=2, timeout=30) as client:
        assert client.completions.create(**FIM).choices[0].text == "pass"
    assert [record.status for record in threaded.requests] == [429, 503, 200]
    assert [record.headers["x-stainless-retry-count"] for record in threaded.requests] == ["0", "1", "2"]


async def test_openai_client_leaves(fake: FakeDashScope, sdk: AsyncOpenAI) -> None:
    """Closing the package's stream is seen as a cancellation."""
    fake.behaviour = Behaviour(hold_after=1)
    stream = await sdk.completions.create(**FIM, stream=True)
    await anext(stream)
    await stream.close()
    await fake.requests[0].cancelled.wait()


async def test_openai_models(sdk: AsyncOpenAI) -> None:
    """The list of models."""
    names = [model.id async for model in sdk.models.list()]
    assert "qwen-coder-turbo" in names


@pytest.mark.parametrize("incremental", [True, False], ids=["incremental", "cumulative"])
def test_dashscope_stream(native: FakeDashScope, incremental: bool) -> None:
    """The native stream through the dashscope package, both ways."""
    native.answer = "return n * f(n - 1)"
    responses = list(
        generate(
            model="qwen3-coder-plus",
            messages=MESSAGES,
            result_format="message",
            stream=True,
            incremental_output=incremental,
        )
    )
    texts = [response.output.choices[0].message.content for response in responses]
    assert ("".join(texts) if incremental else texts[-1]) == "return n * f(n - 1)"
    assert responses[0].output.choices[0].finish_reason == "null"
    assert responses[-1].output.choices[0].finish_reason == "stop"
    assert responses[-1].usage.output_tokens > 0
    assert native.requests[0].headers["x-dashscope-sse"] == "enable"


async def test_dashscope_asynchronous(fake: FakeDashScope, monkeypatch: pytest.MonkeyPatch) -> None:
    """The package's asynchronous client."""
    from dashscope.api_entities import aio_session

    monkeypatch.setattr(dashscope, "base_http_api_url", fake.native_url)
    answer = await generate_async(
        model="qwen3-coder-plus", messages=MESSAGES, result_format="message", api_key="sk-test"
    )
    await aio_session.close_shared_aio_session()
    assert answer.output.choices[0].message.content == "pass"


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [
        ("invalid_api_key", 401, "InvalidApiKey"),
        ("rate_limit", 429, "Throttling.RateQuota"),
        ("quota", 429, "Throttling.AllocationQuota"),
        ("model_not_found", 400, "InvalidParameter"),
        ("arrearage", 400, "Arrearage"),
        ("internal_error", 500, "ModelServiceFailed"),
    ],
)
def test_dashscope_errors(native: FakeDashScope, fault: str, status: int, code: str, streamed: bool) -> None:
    """The dashscope package reads status, code and request id of every fault."""
    native.script.append(Reply(fault=fault))
    answer = generate(model="qwen3-coder-plus", messages=MESSAGES, result_format="message", stream=streamed)
    (got,) = list(answer) if streamed else [answer]
    assert (got.status_code, got.code) == (status, code)
    assert got.request_id == "00000001-3a4b-9c5d-8e6f-7a8b9c0d1e2f"


def test_dashscope_error_on_200(native: FakeDashScope) -> None:
    """An ``error`` event on status 200 is an error for the package too."""
    native.script.append(Reply(fault="error_on_200"))
    (got,) = generate(model="qwen3-coder-plus", messages=MESSAGES, result_format="message", stream=True)
    assert (got.status_code, got.code) == (HTTPStatus.BAD_REQUEST, "InvalidParameter")
