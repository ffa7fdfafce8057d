"""Streams of the three protocols on the byte level, and every switch of theirs (notes §2.4, §3.5, §3.6)."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from . import Behaviour, FakeDashScope, Reply
from .ask import CHAT, COMPLETIONS, MULTIMODAL, TEXT, ask, chat, native, stream

if TYPE_CHECKING:
    from collections.abc import Callable

ID = "00000001-3a4b-9c5d-8e6f-7a8b9c0d1e2f"
PIECES = ("a", "+", "b")


@pytest.fixture
async def fake() -> Any:
    """A fake whose clock stands still."""
    async with FakeDashScope(now=lambda: 1763700000.9) as made:
        yield made


def told(fake: FakeDashScope, *pieces: str, **switches: Any) -> None:
    """The next answer comes in these pieces (default: a, +, b)."""
    fake.script.append(Reply(pieces=pieces or PIECES, behaviour=Behaviour(**switches)))


def completion(choices: str, usage: str = "null") -> str:
    return (
        f'data: {{"id":"cmpl-{ID}","object":"text_completion","created":1763700000,'
        f'"model":"qwen-coder-turbo","system_fingerprint":null,"choices":[{choices}],"usage":{usage}}}\n\n'
    )


def choice(text: str, finish: str = "null") -> str:
    return f'{{"index":0,"text":"{text}","finish_reason":{finish},"logprobs":null}}'


async def test_completions_stream_bytes(fake: FakeDashScope, client: httpx.AsyncClient) -> None:
    """Deltas, usage in a frame of its own, ``[DONE]``: exactly the bytes of §2.4 (a)."""
    told(fake, finish_chunk="with_text")
    answer = await stream(client, stream_options={"include_usage": True})
    used = answer.data[-1]["usage"]
    assert used == {
        "prompt_tokens": used["prompt_tokens"],
        "completion_tokens": 3,
        "total_tokens": used["total_tokens"],
    }
    assert answer.raw.decode() == (
        completion(choice("a"))
        + completion(choice("+"))
        + completion(choice("b", '"stop"'))
        + completion("", json.dumps(used, separators=(",", ":")))
        + "data: [DONE]\n\n"
    )


async def test_chat_stream_bytes(fake: FakeDashScope, client: httpx.AsyncClient) -> None:
    """The role first, deltas, text in the finish chunk, usage: the bytes of §3.6."""
    told(fake, "Canada", " ", finish_chunk="with_text")
    answer = await stream(client, CHAT, stream_options={"include_usage": True})
    tail = (
        '"created":1763700000,"system_fingerprint":null,"model":"qwen3-coder-plus",'
        f'"id":"chatcmpl-{ID}"}}\n\n'
    )
    used = json.dumps(answer.data[-1]["usage"], separators=(",", ":"))
    kind = '"object":"chat.completion.chunk"'
    assert answer.raw.decode() == (
        'data: {"choices":[{"delta":{"content":"","role":"assistant"},"index":0,"logprobs":null,'
        f'"finish_reason":null}}],{kind},"usage":null,{tail}'
        'data: {"choices":[{"finish_reason":null,"logprobs":null,"delta":{"content":"Canada"},"index":0}],'
        f'{kind},"usage":null,{tail}'
        'data: {"choices":[{"finish_reason":"stop","delta":{"content":" "},"index":0,"logprobs":null}],'
        f'{kind},"usage":null,{tail}'
        f'data: {{"choices":[],{kind},"usage":{used},{tail}'
        "data: [DONE]\n\n"
    )


async def test_native_stream_bytes(fake: FakeDashScope, client: httpx.AsyncClient) -> None:
    """Numbered events without ``[DONE]``, the string "null", usage in every frame: the bytes of §3.5."""
    told(fake, "1", "+")
    answer = await stream(client, TEXT, incremental_output=True)
    assert answer.headers["content-type"] == "text/event-stream;charset=UTF-8"

    def event(number: int, text: str, finish: str, tokens: int) -> str:
        total = answer.data[0]["usage"]["input_tokens"]
        return (
            f'id:{number}\nevent:result\n:HTTP_STATUS/200\ndata:{{"output":{{"choices":[{{"message":{{"content":"{text}",'
            f'"role":"assistant"}},"finish_reason":"{finish}"}}]}},"usage":{{"total_tokens":{total + tokens},'
            f'"output_tokens":{tokens},"input_tokens":{total},"prompt_tokens_details":{{"cached_tokens":0}}}},'
            f'"request_id":"{ID}"}}\n\n'
        )

    assert answer.raw.decode() == event(1, "1", "null", 1) + event(2, "+", "null", 2) + event(
        3, "", "stop", 2
    )


TEXTS = [
    ("delta", "empty", ["a", "+", "b", ""]),
    ("delta", "with_text", ["a", "+", "b"]),
    ("delta", "repeat", ["a", "+", "b", ""]),
    ("cumulative", "empty", ["a", "a+", "a+b", ""]),
    ("cumulative", "with_text", ["a", "a+", "a+b"]),
    ("cumulative", "repeat", ["a", "a+", "a+b", "a+b"]),
]


@pytest.mark.parametrize("path", [COMPLETIONS, CHAT])
@pytest.mark.parametrize(("semantics", "finish", "texts"), TEXTS, ids=[f"{row[0]}-{row[1]}" for row in TEXTS])
async def test_semantics_and_finish_chunk(
    fake: FakeDashScope, client: httpx.AsyncClient, path: str, semantics: str, finish: str, texts: list[str]
) -> None:
    """Both meanings of a stream, with every kind of finish chunk, on both compat paths."""
    told(fake, stream_semantics=semantics, finish_chunk=finish)
    answer = await stream(client, path)
    assert answer.texts == ([""] if path == CHAT else []) + texts
    reasons = [found["finish_reason"] for found in answer.choices]
    assert reasons == [None] * (len(reasons) - 1) + ["stop"]


@pytest.mark.parametrize("path", [COMPLETIONS, CHAT])
@pytest.mark.parametrize("wanted", [True, False], ids=["wanted", "not wanted"])
@pytest.mark.parametrize("placement", ["own_chunk", "inline", "absent"])
async def test_usage_placement(
    fake: FakeDashScope, client: httpx.AsyncClient, path: str, placement: str, wanted: bool
) -> None:
    """Usage comes in its own chunk, with the finish, or not at all; never unasked."""
    told(fake, usage_placement=placement)
    options = {"stream_options": {"include_usage": True}} if wanted else {}
    answer = await stream(client, path, **options)
    places = [("own_chunk" if not data["choices"] else "inline") for data in answer.data if data["usage"]]
    assert places == ([placement] if wanted and placement != "absent" else [])
    if places == ["inline"]:
        assert answer.data[-1]["choices"][0]["finish_reason"] == "stop"


@pytest.mark.parametrize(
    ("more", "headers", "texts"),
    [
        ({}, {"x_dashscope_sse": "enable"}, ["a", "a+", "a+b", "a+b"]),
        ({}, {"accept": "text/event-stream"}, ["a", "a+", "a+b", "a+b"]),
        ({"incremental_output": False}, {"x_dashscope_sse": "enable"}, ["a", "a+", "a+b", "a+b"]),
        ({"incremental_output": True}, {"x_dashscope_sse": "enable"}, ["a", "+", "b", ""]),
        ({"stream": True}, {}, None),
    ],
    ids=["header", "accept", "cumulative", "incremental", "parameters.stream is no switch"],
)
async def test_native_streaming_switches(
    fake: FakeDashScope, client: httpx.AsyncClient, more: Any, headers: dict[str, str], texts: Any
) -> None:
    """Native streams are asked for by headers, and are cumulative unless ``incremental_output`` is true."""
    told(fake)
    answer = await ask(client, TEXT, native(**more), **headers)
    if texts is None:
        assert answer.json["output"]["choices"][0]["message"]["content"] == "a+b"
    else:
        assert answer.texts == texts


async def test_native_output_text(fake: FakeDashScope, client: httpx.AsyncClient) -> None:
    """Without ``result_format: message`` the answer is ``output.text``, in streams too."""
    told(fake)
    told(fake)
    body = native(result_format="text")
    whole = await ask(client, TEXT, body)
    assert whole.json["output"] == {"finish_reason": "stop", "text": "a+b"}
    streamed = await ask(client, TEXT, body, x_dashscope_sse="enable")
    assert streamed.data[0]["output"] == {"finish_reason": "null", "text": "a"}
    del body["parameters"]
    assert (await ask(client, TEXT, body)).json["output"]["finish_reason"] == "stop"


async def test_multimodal_stream(fake: FakeDashScope, client: httpx.AsyncClient) -> None:
    """The multimodal path streams lists of parts."""
    told(fake)
    body = native(model="qwen3-vl-plus", incremental_output=True)
    answer = await ask(client, MULTIMODAL, body, x_dashscope_sse="enable")
    assert answer.texts == [[{"text": text}] for text in ("a", "+", "b", "")]


FRAMINGS: list[tuple[dict[str, Any], Callable[[bytes], bytes]]] = [
    ({"crlf": True}, lambda raw: raw.replace(b"\n", b"\r\n")),
    ({"no_blank_lines": True}, lambda raw: raw.replace(b"\n\n", b"\n")),
    ({"no_done": True}, lambda raw: raw.removesuffix(b"data: [DONE]\n\n")),
    ({"no_space": True}, lambda raw: raw.replace(b"data: ", b"data:")),
    (
        {"keepalive_comments": True},
        lambda raw: b"".join(b": keep-alive\n\n" + event + b"\n\n" for event in raw.split(b"\n\n")[:-1]),
    ),
    ({"split_frames": True}, lambda raw: raw),
    ({"split_utf8": True}, lambda raw: raw),
    ({"coalesce": True}, lambda raw: raw),
    ({"gzip": True}, lambda raw: raw),
]


@pytest.mark.parametrize("path", [COMPLETIONS, CHAT, TEXT])
@pytest.mark.parametrize(("switch", "change"), FRAMINGS, ids=[next(iter(row[0])) for row in FRAMINGS])
async def test_framing(
    fake: FakeDashScope, client: httpx.AsyncClient, path: str, switch: Any, change: Callable[[bytes], bytes]
) -> None:
    """Each framing switch changes these bytes of the plain stream, and no others."""
    fake._ids = lambda: ID
    told(fake, "写一个", "é𝄞", "排序")
    plain = await stream(client, path)
    told(fake, "写一个", "é𝄞", "排序", **switch)
    changed = await stream(client, path)
    assert changed.raw == change(plain.raw)


async def test_split_utf8(fake: FakeDashScope, client: httpx.AsyncClient) -> None:
    """Pieces arrive that end inside a character."""
    told(fake, "写é𝄞", split_utf8=True)
    answer = await stream(client)
    broken = [piece for piece in answer.pieces if piece and piece[0] & 0xC0 == 0x80]
    assert len(broken) == 2 + 1 + 3
    assert "".join(answer.texts) == "写é𝄞"


async def test_split_frames_and_coalesce(fake: FakeDashScope, client: httpx.AsyncClient) -> None:
    """Frames arrive in many pieces, or all of them in one."""
    told(fake, split_frames=True)
    assert max(map(len, (await stream(client)).pieces)) == 7
    told(fake, coalesce=True)
    assert next(piece for piece in (await stream(client)).pieces if piece).endswith(b"data: [DONE]\n\n")


@pytest.mark.parametrize("path", [COMPLETIONS, CHAT, TEXT])
async def test_close_midstream(fake: FakeDashScope, client: httpx.AsyncClient, path: str) -> None:
    """The connection closes in the middle of a chunked body."""
    told(fake, close_midstream=2)
    with pytest.raises(httpx.RemoteProtocolError):
        await stream(client, path)
    await fake.requests[0].finished.wait()
    assert fake.requests[0].chunks == 2
    assert not fake.requests[0].cancelled.is_set()


async def test_reset_midstream(fake: FakeDashScope, client: httpx.AsyncClient) -> None:
    """The same with a reset."""
    told(fake, reset_midstream=1)
    with pytest.raises(httpx.ReadError):
        await stream(client)


class Sleeps:
    """What the fake slept, instead of sleeping."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.seen: list[float] = []
        monkeypatch.setattr("tests.fake_dashscope.respond.asyncio", self)

    async def sleep(self, seconds: float) -> None:
        self.seen.append(round(seconds * 1000))


async def test_delays(
    fake: FakeDashScope, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first byte, the chunks and a stall wait as told; a whole answer waits for all its chunks."""
    sleeps = Sleeps(monkeypatch)
    told(fake, ttfb_ms=100, inter_chunk_ms=10, stall_ms=1000, stall_after=2, finish_chunk="with_text")
    await stream(client)
    assert sleeps.seen == [100, 10, 1000, 10]
    sleeps.seen.clear()
    told(fake, ttfb_ms=100, inter_chunk_ms=10)
    await ask(client, COMPLETIONS)
    assert sleeps.seen == [100, 30]
    sleeps.seen.clear()
    fake.script.append(Reply(fault="quota", behaviour=Behaviour.realistic()))
    fake.script.append(Reply(fault="invalid_api_key", behaviour=Behaviour.realistic()))
    await ask(client, COMPLETIONS)
    await ask(client, COMPLETIONS)
    assert sleeps.seen == [90, 9]


async def test_hold_and_release(fake: FakeDashScope, client: httpx.AsyncClient) -> None:
    """A held answer comes when it is released, without any clock."""
    told(fake, hold=True)
    task = asyncio.create_task(ask(client, COMPLETIONS))
    await fake.wait_for_requests(1)
    assert fake.requests[0].status == 0
    fake.release()
    assert (await task).json["choices"][0]["text"] == "a+b"


async def test_hold_in_midstream(fake: FakeDashScope, client: httpx.AsyncClient) -> None:
    """A stream can be held after a number of texts."""
    told(fake, hold_after=2, finish_chunk="with_text")
    seen: list[str] = []
    async with client.stream(
        "POST", COMPLETIONS, json={"model": "qwen-coder-turbo", "prompt": "x", "stream": True}
    ) as got:
        async for line in got.aiter_lines():
            if line.startswith("data: {"):
                seen.append(json.loads(line.removeprefix("data: "))["choices"][0]["text"])
            if len(seen) == 2 and line:
                fake.release()
    assert seen == ["a", "+", "b"]


async def test_thinking_stream(client: httpx.AsyncClient) -> None:
    """A hybrid that thinks sends its thoughts as ``reasoning_content``; one that does not sends it empty."""
    ask_it = {"model": "qwen3.5-flash", "messages": [{"role": "user", "content": "Hi"}], "stream": True}
    answer = await ask(client, CHAT, ask_it)
    deltas = [found["delta"] for found in answer.choices]
    assert deltas[0]["reasoning_content"] == ""
    assert deltas[1]["content"] is None
    assert deltas[1]["reasoning_content"]
    quiet = await ask(client, CHAT, {**ask_it, "stream": False, "enable_thinking": False})
    assert quiet.json["choices"][0]["message"]["reasoning_content"] == ""
    coder = await ask(client, CHAT, chat())
    assert "reasoning_content" not in coder.json["choices"][0]["message"]
