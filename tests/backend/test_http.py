"""The backend against the fake DashScope: both strategies, streams of every kind, faults of every kind."""

from __future__ import annotations

import asyncio
import traceback
from typing import TYPE_CHECKING, Any

import pytest

from qwen_ls.backend import base
from qwen_ls.backend.connect import connect
from qwen_ls.backend.http import HttpBackend
from qwen_ls.backend.memory import Memory
from qwen_ls.backend.wire.semantics import Semantics
from qwen_ls.core.types import Usage
from qwen_ls.settings import Settings
from tests.fake_dashscope import Behaviour, FakeDashScope, Reply

from .asking import FIM_PROMPT, PREFIX, ask, request_to

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    Connect = Callable[..., HttpBackend]

ANSWER = "    words = s.split(' ')  # 分词 😀\n    result = ' '.join(w[::-1] for w in words)\n    "
STRATEGIES = pytest.mark.parametrize("strategy", ["fim", "partial"])


@pytest.fixture
async def fake() -> AsyncIterator[FakeDashScope]:
    async with FakeDashScope(answer=ANSWER) as server:
        yield server


@pytest.fixture
async def made(fake: FakeDashScope) -> AsyncIterator[Connect]:
    """Connects to the fake with these settings; closes what it made."""
    backends: list[HttpBackend] = []

    def make(key: str = "sk-test", memory: Memory | None = None, **settings: Any) -> HttpBackend:
        settings = {"base_url": fake.compat_url, "temperature": None, **settings}
        backend = connect(Settings(**settings), environ={"DASHSCOPE_API_KEY": key}, memory=memory)
        assert isinstance(backend, HttpBackend)
        backends.append(backend)
        return backend

    yield make
    for backend in backends:
        await backend.aclose()


async def test_fim_is_asked_as_documented(fake: FakeDashScope, made: Connect) -> None:
    answer = await ask(made())
    assert answer.text == ANSWER
    assert answer.finish_reason == "stop"
    assert isinstance(answer.usage, Usage)
    assert answer.usage.completion_tokens > 0
    (request,) = fake.requests
    assert request.path == "/compatible-mode/v1/completions"
    assert request.body["prompt"] == FIM_PROMPT
    assert request.headers["accept"] == "text/event-stream"
    assert request.headers["user-agent"].startswith("qwen-ls/")


async def test_partial_mode_is_asked_as_documented(fake: FakeDashScope, made: Connect) -> None:
    answer = await ask(made(strategy="partial", model="qwen3.7-plus"))
    assert answer.text == ANSWER
    (request,) = fake.requests
    assert request.path == "/compatible-mode/v1/chat/completions"
    assert request.body["messages"][-1] == {"role": "assistant", "content": PREFIX, "partial": True}
    assert request.body["enable_thinking"] is False


@STRATEGIES
@pytest.mark.parametrize("streaming", ["auto", "off"])
@pytest.mark.parametrize("semantics", ["delta", "cumulative"])
@pytest.mark.parametrize("finish_chunk", ["empty", "with_text", "repeat"])
@pytest.mark.parametrize("usage_placement", ["own_chunk", "inline", "absent"])
async def test_every_kind_of_stream_gives_the_same_text(
    fake, made, strategy, streaming, semantics, finish_chunk, usage_placement
) -> None:
    fake.behaviour = Behaviour(
        stream_semantics=semantics, finish_chunk=finish_chunk, usage_placement=usage_placement
    )
    backend = made(strategy=strategy, streaming=streaming)
    for _ in range(2):  # found out, then remembered
        answer = await ask(backend)
        assert (answer.text, answer.finish_reason) == (ANSWER, "stop")


@STRATEGIES
@pytest.mark.parametrize(
    "quirk",
    [
        "crlf",
        "no_blank_lines",
        "no_space",
        "keepalive_comments",
        "split_utf8",
        "split_frames",
        "coalesce",
        "no_done",
        "gzip",
    ],
)
async def test_framing_does_not_matter(fake, made, strategy, quirk) -> None:
    fake.behaviour = Behaviour(**{quirk: True})
    assert (await ask(made(strategy=strategy))).text == ANSWER


async def test_a_cumulative_stream_is_remembered(fake: FakeDashScope, made: Connect) -> None:
    fake.behaviour = Behaviour(stream_semantics="cumulative")
    memory = Memory()
    backend = made(memory=memory)
    await ask(backend)
    assert memory.semantics.recall(backend.target.url, "qwen-coder-turbo") is Semantics.CUMULATIVE


async def test_a_setting_about_streams_wins(fake: FakeDashScope, made: Connect) -> None:
    fake.script.append(Reply(pieces=["a", "ab", "abc", "abc def ghi jkl"]))
    assert (await ask(made(streaming="delta"))).text == "aababcabc def ghi jkl"


async def test_without_streaming_there_is_one_chunk(fake: FakeDashScope, made: Connect) -> None:
    backend = made(streaming="off")
    chunks = [chunk async for chunk in backend.stream(request_to(backend.target))]
    assert [chunk.text for chunk in chunks] == [ANSWER]
    assert "stream" not in fake.requests[0].body


async def test_chunks_come_as_they_are_made(fake: FakeDashScope, made: Connect) -> None:
    fake.behaviour = Behaviour(hold_after=2)
    backend = made()
    stream = backend.stream(request_to(backend.target))
    first = await anext(stream)
    assert first.text
    assert ANSWER.startswith(first.text)
    await stream.aclose()


async def test_an_answer_cut_by_the_servers_clock_says_length(fake: FakeDashScope, made: Connect) -> None:
    fake.behaviour = Behaviour(partialresponse=True)
    assert (await ask(made(streaming="off"))).finish_reason == "length"


FAULTS = [
    ("invalid_api_key", base.AuthenticationError, "key"),
    ("missing_api_key", base.AuthenticationError, "key"),
    ("access_denied", base.AccessError, "access qwen-coder-turbo"),
    ("endpoint_access_denied", base.AccessError, "access qwen-coder-turbo"),
    ("free_tier_only", base.AccessError, "free tier qwen-coder-turbo"),
    ("model_not_found", base.ModelError, "model qwen-coder-turbo"),
    ("model_not_supported", base.ModelError, "model qwen-coder-turbo"),
    ("invalid_parameter", base.RequestError, "request"),
    ("arrearage", base.BillingError, "billing"),
    ("data_inspection", base.ContentError, "content"),
    ("rate_limit", base.RateLimitError, "rate limit"),
    ("quota", base.RateLimitError, "rate limit"),
    ("burst", base.RateLimitError, "rate limit"),
    ("internal_error", base.ServerError, "server"),
    ("unavailable", base.ServerError, "server"),
    ("html_502", base.ServerError, "server"),
    ("empty_502", base.ServerError, "server"),
    ("html_200", base.AnswerError, "answer"),
    ("bad_json", base.AnswerError, "answer"),
    ("empty_200", base.AnswerError, "answer"),
    ("reset", base.UnreachableError, "connection lost"),
    ("close", base.UnreachableError, "connection lost"),
]


@STRATEGIES
@pytest.mark.parametrize("streaming", ["auto", "off"])
@pytest.mark.parametrize(("fault", "expected", "cause"), FAULTS, ids=[row[0] for row in FAULTS])
async def test_faults(fake, made, strategy, streaming, fault, expected, cause) -> None:
    backend = made(strategy=strategy, streaming=streaming)
    fake.script.extend([Reply(fault=fault)] * 2)
    with pytest.raises(base.BackendError) as caught:
        await ask(backend)
    assert (type(caught.value), caught.value.cause) == (expected, cause)
    fake.script.clear()
    assert (await ask(backend)).text == ANSWER


async def test_a_broken_event_is_no_answer(fake: FakeDashScope, made: Connect) -> None:
    fake.script.append(Reply(fault="bad_stream"))
    with pytest.raises(base.AnswerError):
        await ask(made())


CARRIED = [
    row for row in FAULTS if row[1] not in {base.AnswerError, base.UnreachableError} and "502" not in row[0]
]


@pytest.mark.parametrize("carrier", ["200", "sse", "midstream"])
@pytest.mark.parametrize(("fault", "expected", "cause"), CARRIED, ids=[row[0] for row in CARRIED])
async def test_faults_in_other_carriers(fake, made, carrier, fault, expected, cause) -> None:
    fake.script.append(Reply(fault=f"{fault}@{carrier}"))
    with pytest.raises(base.BackendError) as caught:
        await ask(made())
    assert (type(caught.value), caught.value.cause) == (expected, cause)
    assert caught.value.request_id or carrier != "sse"


async def test_a_refused_key_names_its_source_and_is_not_shown(fake: FakeDashScope, made: Connect) -> None:
    key = "-".join(["sk", "of", "another", "region"])  # a traceback shows this line
    with pytest.raises(base.AuthenticationError) as caught:
        await ask(made(key=key))
    assert "environment variable DASHSCOPE_API_KEY" in str(caught.value)
    assert "the region beijing" in str(caught.value)
    assert key not in "".join(traceback.format_exception(caught.value))


async def test_a_pause_that_was_asked_for_is_passed_on(fake: FakeDashScope, made: Connect) -> None:
    fake.script.append(Reply(fault="rate_limit", behaviour=Behaviour(retry_after="7")))
    with pytest.raises(base.RateLimitError) as caught:
        await ask(made())
    assert caught.value.retry_after_s == 7.0


async def test_no_fault_is_asked_again(fake: FakeDashScope, made: Connect) -> None:
    """Whoever types has moved on: a stale request is not repeated."""
    for fault in ("rate_limit", "internal_error", "unavailable"):
        fake.requests.clear()
        fake.script.append(Reply(fault=fault))
        with pytest.raises(base.BackendError):
            await ask(made())
        assert len(fake.requests) == 1


@pytest.mark.parametrize("how", ["close_midstream", "reset_midstream"])
async def test_a_stream_that_breaks_is_no_answer(fake, made, how) -> None:
    fake.behaviour = Behaviour(**{how: 2})
    with pytest.raises(base.UnreachableError) as caught:
        await ask(made())
    assert caught.value.cause == "connection lost"
    assert len(fake.requests) == 1


@pytest.mark.parametrize(
    "behaviour", [Behaviour(ttfb_ms=60_000), Behaviour(hold_after=1)], ids=["before", "between"]
)
async def test_the_whole_call_is_bounded(fake, made, behaviour) -> None:
    fake.behaviour = behaviour
    with pytest.raises(base.DeadlineError) as caught:
        await ask(made(timeout_ms=50))
    assert caught.value.cause == "timeout"
    assert "0.05 s" in str(caught.value)
    await fake.requests[0].cancelled.wait()


async def test_closing_closes_the_connection(fake: FakeDashScope, made: Connect) -> None:
    fake.behaviour = Behaviour(hold_after=1)
    backend = made()
    stream = backend.stream(request_to(backend.target))
    await anext(stream)
    await stream.aclose()
    await fake.requests[0].cancelled.wait()


@pytest.mark.parametrize("streaming", ["auto", "off"])
async def test_cancelling_before_the_answer_closes_the_connection(fake, made, streaming) -> None:
    fake.behaviour = Behaviour(hold=True)
    asking = asyncio.ensure_future(ask(made(streaming=streaming)))
    await fake.wait_for_requests(1)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    await fake.requests[0].cancelled.wait()


async def test_calls_do_not_wait_for_each_other(fake: FakeDashScope, made: Connect) -> None:
    backend = made()
    fake.script.append(Reply(behaviour=Behaviour(hold=True)))
    held = asyncio.ensure_future(ask(backend))
    await fake.wait_for_requests(1)
    assert [(await answer).text for answer in [ask(backend) for _ in range(5)]] == [ANSWER] * 5
    fake.release()
    assert (await held).text == ANSWER


async def test_closing_the_backend_ends_what_is_under_way(fake: FakeDashScope, made: Connect) -> None:
    fake.behaviour = Behaviour(hold_after=1)
    backend = made()
    stream = backend.stream(request_to(backend.target))
    await anext(stream)
    await backend.aclose()
    await fake.requests[0].cancelled.wait()
    with pytest.raises(base.BackendError) as caught:
        await anext(stream)
    assert caught.value.cause == "closed"
    with pytest.raises(base.BackendError) as caught:
        await ask(backend)
    assert (caught.value.cause, caught.value.action) == ("closed", base.Action.GIVE_UP)


async def test_closing_twice_or_unused_is_nothing(made: Connect) -> None:
    backend = made()
    await backend.aclose()
    await backend.aclose()


async def test_extra_settings_reach_the_endpoint(fake: FakeDashScope, made: Connect) -> None:
    await ask(made(extra_headers={"X-Team": "a"}, extra_body={"seed": 7}, workspace_id="llm-x"))
    (request,) = fake.requests
    assert request.headers["x-team"] == "a"
    assert request.headers["x-dashscope-workspace"] == "llm-x"
    assert request.body["seed"] == 7


@pytest.mark.parametrize("host", ["☃️.net", "xn--"])
async def test_a_host_name_that_cannot_be_one_is_a_message(host: str) -> None:
    backend = connect(Settings(base_url=f"http://{host}/v1"), environ={"DASHSCOPE_API_KEY": "sk-test"})
    with pytest.raises(base.UnreachableError, match="cannot be reached"):
        await ask(backend)
    await backend.aclose()
