"""DashScope's native API, against the fake: both paths, streams, faults, and the path that was wrong."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import pytest

from qwen_ls.backend import base
from qwen_ls.backend.connect import connect
from qwen_ls.backend.memory import Memory
from qwen_ls.core.types import Prompt, Strategy, Usage
from qwen_ls.settings import Settings
from tests.fake_dashscope import Behaviour, FakeDashScope, Reply

from .asking import PREFIX, ask, request_to

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from qwen_ls.backend.http import HttpBackend

    Connect = Callable[..., HttpBackend]

ANSWER = "    words = s.split(' ')  # 分词 😀\n    result = ' '.join(w[::-1] for w in words)\n    "
TEXT = "/api/v1/services/aigc/text-generation/generation"
MULTIMODAL = "/api/v1/services/aigc/multimodal-generation/generation"
WRONG_ROW = {"qwen3-vl-plus": {"native_path": "text"}, "qwen3-coder-flash": {"native_path": "multimodal"}}


@pytest.fixture
async def fake() -> AsyncIterator[FakeDashScope]:
    async with FakeDashScope(answer=ANSWER) as server:
        yield server


@pytest.fixture
async def made(fake: FakeDashScope) -> AsyncIterator[Connect]:
    backends = []

    def make(key: str = "sk-test", memory: Memory | None = None, **settings: Any) -> HttpBackend:
        values = {"base_url": fake.native_url, "protocol": "dashscope", "model": "qwen3-coder-flash"}
        made = connect(Settings(**values | settings), environ={"DASHSCOPE_API_KEY": key}, memory=memory)
        backends.append(made)
        return made

    yield make
    for backend in backends:
        await backend.aclose()


@pytest.mark.parametrize("streaming", ["auto", "off"])
@pytest.mark.parametrize(
    ("model", "path"), [("qwen3-coder-flash", TEXT), ("qwen-plus", TEXT), ("qwen3-vl-plus", MULTIMODAL)]
)
async def test_the_model_decides_the_path(fake, made, model, path, streaming) -> None:
    answer = await ask(made(model=model, streaming=streaming))
    assert (answer.text, answer.finish_reason) == (ANSWER, "stop")
    assert isinstance(answer.usage, Usage)
    assert answer.usage.prompt_tokens > 0
    assert answer.usage.completion_tokens > 0
    (request,) = fake.requests
    assert request.path == path
    assert request.body["input"]["messages"][-1] == {
        "role": "assistant",
        "content": PREFIX,
        "partial": True,
    }
    assert request.headers.get("x-dashscope-sse") == ("enable" if streaming == "auto" else None)
    assert not {"stream", "stream_options"} & (request.body.keys() | request.body["parameters"].keys())


@pytest.mark.parametrize("finish_chunk", ["empty", "with_text", "repeat"])
@pytest.mark.parametrize(
    "quirk", ["", "crlf", "no_blank_lines", "keepalive_comments", "split_utf8", "split_frames", "coalesce"]
)
async def test_streams_of_every_kind(fake, made, finish_chunk, quirk) -> None:
    fake.behaviour = Behaviour(finish_chunk=finish_chunk, **({quirk: True} if quirk else {}))
    assert (await ask(made())).text == ANSWER


async def test_a_compatible_address_is_understood(fake: FakeDashScope, made: Connect) -> None:
    assert (await ask(made(base_url=fake.compat_url))).text == ANSWER
    assert fake.requests[0].path == TEXT


async def test_an_answer_that_is_cut_short_has_been_counted(fake: FakeDashScope, made: Connect) -> None:
    fake.behaviour = Behaviour(hold_after=2)
    backend = made()
    stream = backend.stream(request_to(backend.target))
    first = await anext(stream)
    assert first.usage is not None
    assert first.usage.prompt_tokens > 0
    assert first.usage.completion_tokens > 0
    await stream.aclose()


async def test_cached_tokens_are_counted(fake: FakeDashScope, made: Connect) -> None:
    backend = made()
    prompt = Prompt(Strategy.PARTIAL, "x = 1\n" * 300, "", "Continue.")
    await ask(backend, prompt=prompt)
    answer = await ask(backend, prompt=prompt)
    assert answer.usage is not None
    assert answer.usage.cached_tokens >= 256


async def test_a_stream_that_is_not_incremental_all_the_same_is_found_out(fake, made) -> None:
    """Text is never shown twice: the first answer is given up, the next ones are read right."""
    fake.behaviour = Behaviour(ignores_incremental=True)
    backend = made()
    with pytest.raises(base.AnswerError):
        await ask(backend)
    assert [(await ask(backend)).text for _ in range(2)] == [ANSWER] * 2


async def test_models_that_only_stream_increments_are_asked_for_them(fake, made) -> None:
    assert (await ask(made(model="qwen3-8b"))).text == ANSWER
    with pytest.raises(base.RequestError):
        await ask(made(model="qwen3-8b", extra_body={"incremental_output": False}))


@pytest.mark.parametrize("streaming", ["auto", "off"])
@pytest.mark.parametrize("model", ["qwen3-vl-plus", "qwen3-coder-flash"])
async def test_the_wrong_path_is_repaired_once_and_remembered(fake, made, model, streaming) -> None:
    memory = Memory()
    backend = made(model=model, models=WRONG_ROW, memory=memory, streaming=streaming)
    assert [(await ask(backend)).text for _ in range(2)] == [ANSWER] * 2
    assert [request.status for request in fake.requests] == [400, 200, 200]
    await ask(made(model=model, models=WRONG_ROW, memory=memory, streaming=streaming))
    assert [request.status for request in fake.requests] == [400, 200, 200, 200]


async def test_a_path_that_is_wrong_both_times_is_said(fake: FakeDashScope, made: Connect) -> None:
    name = "qwen3-coder-flash"
    fake.models[name] = dataclasses.replace(fake.models[name], multimodal=None)  # bound to neither
    backend = made()
    with pytest.raises(base.RequestError) as caught:
        await ask(backend)
    assert caught.value.cause == "native path"
    assert "nativePath" in str(caught.value)
    assert len(fake.requests) == 2
    assert backend.target.url.endswith(TEXT)


FAULTS = [
    ("invalid_api_key", base.AuthenticationError),
    ("access_denied", base.AccessError),
    ("model_not_found", base.ModelError),
    ("invalid_parameter", base.RequestError),
    ("arrearage", base.BillingError),
    ("data_inspection", base.ContentError),
    ("rate_limit", base.RateLimitError),
    ("quota", base.RateLimitError),
    ("burst", base.RateLimitError),
    ("internal_error", base.ServerError),
    ("unavailable", base.ServerError),
]


@pytest.mark.parametrize("carrier", ["json", "200", "sse", "midstream"])
@pytest.mark.parametrize(("fault", "expected"), FAULTS, ids=[row[0] for row in FAULTS])
async def test_flat_errors_in_every_carrier(fake, made, fault, expected, carrier) -> None:
    fake.script.append(Reply(fault=f"{fault}@{carrier}"))
    with pytest.raises(base.BackendError) as caught:
        await ask(made())
    assert type(caught.value) is expected
    assert caught.value.request_id
    assert len(fake.requests) == 1


async def test_a_refused_key_names_the_region(fake: FakeDashScope, made: Connect) -> None:
    with pytest.raises(base.AuthenticationError) as caught:
        await ask(made(key="sk-elsewhere", region="singapore"))
    assert "the region singapore" in str(caught.value)


async def test_an_unknown_model_is_told_with_one_that_is_served(fake: FakeDashScope, made: Connect) -> None:
    with pytest.raises(base.ModelError) as caught:
        await ask(made(model="qwen-nothing"))
    assert "native API" in str(caught.value)
    assert "qwen-coder-turbo" in str(caught.value)


async def test_an_answer_cut_by_the_servers_clock_says_length(fake: FakeDashScope, made: Connect) -> None:
    fake.behaviour = Behaviour(partialresponse=True)
    assert (await ask(made(streaming="off"))).finish_reason == "length"
