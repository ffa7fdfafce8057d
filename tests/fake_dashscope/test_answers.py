"""What the fake model says: prefixes, stops, limits, truth, untidiness; the cache, the rate limits."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from . import Behaviour, FakeDashScope, Reply
from .answers import REVERSE_WORDS, true_answer
from .ask import CHAT, COMPLETIONS, PREFIX, TEXT, ask, chat, fim, native, stream
from .call import Call, parse_fim
from .limiter import RateLimiter
from .models import MODELS
from .record import Recorded
from .tokens import PromptCache, count_tokens, tokenize

if TYPE_CHECKING:
    import httpx

TEXT_OF: dict[str, Any] = {
    COMPLETIONS: lambda body: body["choices"][0]["text"],
    CHAT: lambda body: body["choices"][0]["message"]["content"],
    TEXT: lambda body: body["output"]["choices"][0]["message"]["content"],
}


async def said(client: httpx.AsyncClient, path: str = COMPLETIONS, body: Any = None) -> tuple[str, str]:
    """The text of an answer and why it ended."""
    answer = (await ask(client, path, body)).json
    choices = (answer.get("output") or answer)["choices"]
    return TEXT_OF[path](answer), choices[0]["finish_reason"]


@pytest.mark.parametrize("path", [COMPLETIONS, CHAT, TEXT])
async def test_answer_never_repeats_the_prefix(
    fake: FakeDashScope, client: httpx.AsyncClient, path: str
) -> None:
    """An answer that is given with its prefix is sent without it; a scripted text is sent as it is."""
    fake.answer = PREFIX + "return n"
    assert await said(client, path) == ("return n", "stop")
    fake.script.append(Reply(text=PREFIX + "again"))
    assert await said(client, path) == (PREFIX + "again", "stop")


async def test_answers_by_function(fake: FakeDashScope, client: httpx.AsyncClient) -> None:
    """A callable sees the request as the fake understood it."""

    def answer(record: Recorded) -> str:
        return f"{record.model}|{record.prefix}|{record.suffix}"

    fake.answer = answer
    assert (await said(client))[0] == f"qwen-coder-turbo|{PREFIX}|\n    return n\n"
    assert (await said(client, CHAT))[0] == f"qwen3-coder-plus|{PREFIX}|"


async def test_script_is_used_up_in_order(fake: FakeDashScope, client: httpx.AsyncClient) -> None:
    """Scripted replies answer in the order of arrival, then the standing answer does."""
    fake.answer = "standing"
    fake.script.extend(
        [Reply(text="1"), Reply(text="for chat", route="/chat/completions"), Reply(finish_reason="length")]
    )
    answers = [await said(client), await said(client), await said(client, CHAT), await said(client)]
    assert answers == [("1", "stop"), ("standing", "length"), ("for chat", "stop"), ("standing", "stop")]


STOPS = [
    ("stop", ["b"], "a\n", "stop"),
    ("one string", "c", "a\nb ", "stop"),
    ("earliest wins", ["c", "\n"], "a", "stop"),
    ("absent", ["z"], "a\nb c<|fim_pad|>d", "stop"),
    ("special token", ["<|fim_pad|>"], "a\nb c", "stop"),
    ("token id", [151662], "a\nb c", "stop"),
    ("nested token ids", [[151662, 7]], "a\nb c", "stop"),
    ("empty string", "", "a\nb c<|fim_pad|>d", "stop"),
]


@pytest.mark.parametrize("path", [COMPLETIONS, CHAT])
@pytest.mark.parametrize(
    ("stop", "text", "reason"), [row[1:] for row in STOPS], ids=[row[0] for row in STOPS]
)
async def test_stops(
    fake: FakeDashScope, client: httpx.AsyncClient, path: str, stop: Any, text: str, reason: str
) -> None:
    """The text before the stop is returned, the stop is not; streamed text is the same."""
    fake.answer = "a\nb c<|fim_pad|>d"
    body = {COMPLETIONS: fim, CHAT: chat}[path](stop=stop)
    assert await said(client, path, body) == (text, reason)
    assert "".join((await stream(client, path, stop=stop)).texts) == text


async def test_special_stops_can_be_ignored(fake: FakeDashScope, client: httpx.AsyncClient) -> None:
    """Nobody knows whether the service heeds special tokens as stops: both are offered."""
    fake.answer = "a<|fim_pad|>b"
    fake.behaviour = Behaviour(special_stops=False)
    assert await said(client, body=fim(stop=["<|fim_pad|>"])) == ("a<|fim_pad|>b", "stop")


@pytest.mark.parametrize("path", [COMPLETIONS, CHAT, TEXT])
async def test_max_tokens(fake: FakeDashScope, client: httpx.AsyncClient, path: str) -> None:
    """More tokens than allowed are cut, and the reason is ``length``; a stop before that is a stop."""
    fake.answer = "one two three four"
    make: Any = {COMPLETIONS: fim, CHAT: chat, TEXT: native}[path]
    assert await said(client, path, make(max_tokens=2)) == ("one two", "length")
    assert await said(client, path, make(max_tokens=4)) == ("one two three four", "stop")
    assert await said(client, path, make(max_tokens=2, stop=[" two"])) == ("one", "stop")
    assert await said(client, path, make(max_tokens=2, stop=[" three"])) == ("one two", "stop")
    assert await said(client, path, make(max_tokens=2, stop=[" four"])) == ("one two", "length")
    streamed = await stream(
        client, path, max_tokens=3, **({"incremental_output": True} if path == TEXT else {})
    )
    assert "".join(streamed.texts) == "one two three"
    assert b'"length"' in streamed.raw


SLOPPY = [
    ("fences", "```python\nx = 1\n```"),
    ("special_tokens", "x = 1<|endoftext|><|im_start|>assistant\n"),
    ("fim_pad", "x = 1" + "<|fim_pad|>" * 5),
    ("next_file", "x = 1<|file_sep|>other.py\nimport os\n"),
    ("repeat_suffix", "x = 1\n    return n\n"),
    ("repeat_prefix_line", "    \nx = 1"),
    ("cursor", "x = 1<|cursor|>"),
    ("chatter", "Here is the completed code:\n\nx = 1\n\nLet me know if you have any questions!"),
    ("fences+cursor", "```python\nx = 1<|cursor|>\n```"),
]


@pytest.mark.parametrize(("sloppy", "text"), SLOPPY, ids=[row[0] for row in SLOPPY])
async def test_sloppy_outputs(fake: FakeDashScope, client: httpx.AsyncClient, sloppy: str, text: str) -> None:
    """Each untidiness of notes §6.4 can be switched on, alone or with others."""
    fake.answer = "x = 1"
    fake.behaviour = Behaviour(sloppy=sloppy)
    assert await said(client) == (text, "stop")


async def test_endless_output(fake: FakeDashScope, client: httpx.AsyncClient) -> None:
    """The same text again and again, until max_tokens (or 512 tokens) cuts it."""
    fake.answer = "x = 1\n"
    fake.behaviour = Behaviour(sloppy="endless")
    text, reason = await said(client, body=fim(max_tokens=20))
    assert (count_tokens(text), reason) == (20, "length")
    assert ("x = 1\n" * 20).startswith(text)
    assert count_tokens((await said(client))[0]) == 512


async def test_partial_response(fake: FakeDashScope, client: httpx.AsyncClient) -> None:
    """The server's time-out returns half the text with its header."""
    fake.answer = "abcdef"
    fake.script.append(Reply(behaviour=Behaviour(partialresponse=True)))
    answer = await ask(client, CHAT)
    assert answer.headers["x-dashscope-partialresponse"] == "true"
    assert answer.json["choices"][0]["message"]["content"] == "abc"
    assert "x-dashscope-partialresponse" not in (await ask(client, CHAT)).headers


FIM_PROMPTS = [
    ("<|fim_prefix|>P<|fim_suffix|>", ("prefix_only", "", "P", "")),
    ("<|fim_prefix|>P<|fim_suffix|>S<|fim_middle|>", ("prefix_suffix", "", "P", "S")),
    ("<|fim_prefix|><|fim_suffix|>S<|fim_middle|>P", ("suffix_first", "", "P", "S")),
    ("<|fim_prefix|><|fim_suffix|>S<|fim_middle|>", ("prefix_suffix", "", "", "S")),
    (
        "<|repo_name|>r\n<|fim_prefix|>P<|fim_suffix|>S<|fim_middle|>",
        ("prefix_suffix", "<|repo_name|>r\n", "P", "S"),
    ),
    ("no tokens", None),
]


@pytest.mark.parametrize(("prompt", "parts"), FIM_PROMPTS)
def test_fim_prompts(prompt: str, parts: Any) -> None:
    """The three layouts of a FIM prompt, with and without context."""
    assert parse_fim(prompt) == parts


async def test_fim_wrapped_in_chat(fake: FakeDashScope, client: httpx.AsyncClient) -> None:
    """The prompt of the Qwen3-Coder README is understood, and answered with the missing line."""
    text = (
        "<|fim_prefix|>def quicksort(arr):\n    if len(arr) <= 1:\n        return arr\n"
        "    pivot = arr[len(arr) // 2]\n    "
        "<|fim_suffix|>\n    middle = [x for x in arr if x == pivot]<|fim_middle|>"
    )
    messages = [
        {"role": "system", "content": "You are a code completion assistant."},
        {"role": "user", "content": text},
    ]
    answer = await said(client, CHAT, chat(messages=messages))
    assert answer == ("left = [x for x in arr if x < pivot]", "stop")
    assert fake.requests[0].suffix == "\n    middle = [x for x in arr if x == pivot]"


async def test_short_documented_prompt(client: httpx.AsyncClient) -> None:
    """The ``reverse_words`` payload that another client really sends."""
    prompt = "<|fim_prefix|>def reverse_words(s):\n<|fim_suffix|>return result<|fim_middle|>"
    body = fim(prompt=prompt, max_tokens=256, temperature=0.2)
    assert await said(client, body=body) == (REVERSE_WORDS, "stop")
    made: dict[str, Any] = {}
    exec("def reverse_words(s):\n" + REVERSE_WORDS + "return result", made)
    assert made["reverse_words"]("Hello, world!") == "olleH, dlrow!"


TRUTH = "import os\n\ndef f(n):\n    return n\n\ndef g(n):\n    return n\n\nprint(f(1))\n"


@pytest.mark.parametrize(
    ("prefix", "suffix", "answer"),
    [
        ("import os\n\ndef f(n):\n", "", "    return n\n\ndef g(n):\n    return n\n\nprint(f(1))\n"),
        ("import os\n\ndef f(n):\n    ", "\n\ndef g(n)", "return n"),
        ("# a snippet of other.py\n\ndef g(n):\n    ", "\n\nprint", "return n"),
        ("def f(n):\n    return n", "\nprint(f(1))\n", "\n\ndef g(n):\n    return n\n"),
        ("    return n\n\n", "print(f(1))", ""),
        ("    return n\n\n", "def g", ""),
        ("", "def f", "import os\n\n"),
        ("something else entirely", "", None),
    ],
)
def test_truth(prefix: str, suffix: str, answer: str | None) -> None:
    """The text that follows the longest known tail of the prefix, up to the nearest suffix."""
    call = Call("completions", False, {}, stream=False, prefix=prefix, suffix=suffix)
    assert true_answer(TRUTH, call) == answer


async def test_truth_over_the_wire(fake: FakeDashScope, client: httpx.AsyncClient) -> None:
    """FIM (both orders) and partial prompts are continued from the truth; unknown ones get the default."""
    fake.truth = TRUTH
    for prompt in (
        "<|fim_prefix|>def g(n):\n<|fim_suffix|>\n\nprint<|fim_middle|>",
        "<|fim_prefix|><|fim_suffix|>\n\nprint<|fim_middle|>def g(n):\n",
    ):
        assert await said(client, body=fim(prompt=prompt)) == ("    return n", "stop")
    assert await said(client, CHAT, chat("def g(n):\n", stop=["\n\n"])) == ("    return n", "stop")
    assert await said(client, CHAT, chat("unknown words here", stop=["\n\n"])) == ("pass", "stop")


@pytest.mark.parametrize(
    "text", ["", "def f(n):\n    return n", "写一个 python 的\r\n\t快速排序！！<|fim_pad|>x", "𝄞é\x00"]
)
def test_tokens_join_to_the_text(text: str) -> None:
    """The tokenizer loses nothing."""
    assert "".join(tokenize(text)) == text


def test_tokenizer_sizes() -> None:
    """Counts are of the size that real ones have."""
    text = Path(__file__).read_text(encoding="utf-8")
    assert 2.5 <= len(text) / count_tokens(text) <= 5


async def test_cached_tokens(fake: FakeDashScope, client: httpx.AsyncClient) -> None:
    """The longest common prefix with a recent prompt of the same model is cached, from 256 tokens on."""

    async def cached(path: str, body: Any) -> int:
        usage = (await ask(client, path, body)).json["usage"]
        return int(usage["prompt_tokens_details"]["cached_tokens"])

    long, short = "x = 1\n" * 100, "x = 1\n" * 40
    assert await cached(CHAT, chat(long)) == 0
    assert await cached(CHAT, chat(long + "y")) > 256
    assert await cached(TEXT, native(long + "z")) > 256
    assert await cached(CHAT, chat(short + "!")) == 0
    assert await cached(CHAT, chat(long, model="qwen3-coder-flash")) == 0
    assert "prompt_tokens_details" not in (await ask(client, COMPLETIONS, fim(prompt=long))).json["usage"]
    fake.reset()
    assert await cached(CHAT, chat(long)) == 0


def test_cache_boundary() -> None:
    """255 common tokens count nothing, 256 count."""
    for common, cached in ((255, 0), (256, 256)):
        cache = PromptCache()
        assert cache.lookup("m", "1" * common + "ab") == 0
        assert cache.lookup("m", "1" * common + "cd") == cached
        assert cache.lookup("other", "1" * common + "cd") == 0


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_rate_limiter() -> None:
    """RPM/60 requests in a second, RPM in a minute, TPM tokens in a minute; it recovers."""
    clock, slow = Clock(), MODELS["qwen-coder-turbo-0919"]
    limiter = RateLimiter(clock)
    assert [limiter.check(slow, 10) for _ in range(2)] == ["", "rate_limit"]
    clock.now = 1.0
    assert limiter.check(slow, 10) == ""
    clock.now = 2.0
    assert limiter.check(slow, 99_990) == "quota"
    clock.now = 62.0
    assert limiter.check(slow, 99_990) == ""
    fast = MODELS["qwen-coder-turbo"]
    assert [limiter.check(fast, 1) for _ in range(21)] == [""] * 20 + ["rate_limit"]


async def test_rate_limits_over_the_wire(client: httpx.AsyncClient) -> None:
    """Switched on, the 21st request of a second is refused, for this model only."""
    clock = Clock()
    async with FakeDashScope(rate_limits=True, clock=clock) as fake:
        client.base_url = fake.base_url
        statuses = [(await ask(client, COMPLETIONS)).status for _ in range(21)]
        assert statuses == [200] * 20 + [429]
        assert (await ask(client, CHAT)).status == 200
        clock.now = 1.0
        assert (await ask(client, COMPLETIONS)).status == 200
        fake.rate_limits = False
        assert {(await ask(client, COMPLETIONS)).status for _ in range(30)} == {200}
