"""The endpoint that is not there, and what is counted on the way to it."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from typing import Any

import pytest

from qwen_ls.backend.base import LimitError
from qwen_ls.backend.plan import resolve
from qwen_ls.call import build_request
from qwen_ls.commands.bench import virtual_time
from qwen_ls.commands.bench.meter import Answer, MeteredBackend, PrefixCache, Traffic
from qwen_ls.commands.bench.passage import Passage
from qwen_ls.commands.bench.simulated import Manner, SimulatedEndpoint, block
from qwen_ls.core.budget import estimate_tokens
from qwen_ls.core.prompt import build_prompt
from qwen_ls.core.types import CompletionRequest, Strategy
from qwen_ls.settings import Settings
from tests.marked import context

HEAD, LOOP = "def beta(values):\n", "    for value in values:\n"
TEXT = Passage(
    "a.py",
    "python",
    "import os\n\n\ndef alpha(first, second):\n    return first + second\n\n\n",
    f"{HEAD}    total = 0\n{LOOP}        total += value\n    return total",
    "\n\n\ndef gamma():\n    return beta([1, 2])\n",
)
TRUE = Manner(wrong=0, long=0)
TARGET = resolve(Settings())


def after(typed: str, manner: Manner = TRUE, seed: int = 0) -> str:
    return SimulatedEndpoint(TARGET, TEXT, manner=manner, seed=seed).answer(TEXT.before + typed)


@pytest.mark.parametrize(
    ("typed", "answer"),
    [
        ("", TEXT.text),
        ("def be", TEXT.text[6:]),
        (f"{HEAD}    total", f" = 0\n{LOOP}        total += value\n    return total"),
        (f"{HEAD}    total = 0\n{LOOP}        ", "total += value"),
        (f"{HEAD}    total = 0\n{LOOP}        total += value\n        ", "return total"),
    ],
    ids=["at the beginning", "in a word", "in a line", "to the block's end", "one level too deep"],
)
def test_it_goes_on_as_the_file_does(typed: str, answer: str) -> None:
    assert after(typed) == answer


@pytest.mark.parametrize("typed", ["def bwt", "def beta(values):\n    totsl = 0\n    "], ids=["now", "above"])
def test_where_a_slip_stands_it_can_only_guess(typed: str) -> None:
    assert after(typed)
    assert not TEXT.text.endswith(after(typed))


def test_a_share_of_the_answers_is_wrong_or_too_long() -> None:
    endings = [TEXT.text[:size] for size in range(len(TEXT.text))]
    for seed in range(3):
        assert all(TEXT.text.startswith(t + after(t, seed=seed)) for t in endings if not t.endswith(" "))
        wrong = [
            t for t in endings if not TEXT.whole.startswith(TEXT.before + t + after(t, Manner(wrong=1), seed))
        ]
        assert len(wrong) > 0.9 * len(endings)
        assert after("def ", Manner(wrong=0, long=1), seed) == TEXT.whole[len(TEXT.before) + 4 :]


def test_the_same_place_has_the_same_answer() -> None:
    half = Manner(wrong=0.5)
    answers = [after("def beta(", half, seed) for seed in range(20)]
    assert answers == [after("def beta(", half, seed) for seed in range(20)]
    assert len(set(answers)) > 1


def test_places_inside_of_a_word_share_their_fate() -> None:
    for seed in range(20):
        knows = {TEXT.text.startswith(t + after(t, Manner(), seed)) for t in ("def b", "def be", "def bet")}
        assert len(knows) == 1


@pytest.mark.parametrize(
    ("line", "text", "expected"),
    [
        ("x = ", "1\ny = 2", "1\ny = 2"),
        ("    x = ", "1\n    y = 2\nz", "1\n    y = 2"),
        ("", "    x = 1\n\n    y = 2\n", "    x = 1"),
        ("def f():", "\n    x = 1\n\ny = 2\n", "\n    x = 1"),
        ("", "", ""),
    ],
    ids=["goes on", "ends with a dedent", "ends at a blank line", "a body", "nothing"],
)
def test_a_block_ends_where_a_model_would_end(line: str, text: str, expected: str) -> None:
    assert block(line, text) == expected


# --- a prefix cache -----------------------------------------------------------------------------------------


def test_a_prefix_cache_reuses_the_longest_common_beginning() -> None:
    cache, head = PrefixCache(), "def f(x):\n    return x\n" * 60
    assert cache.read(head + "one") == 0
    assert cache.read(head + "other") == pytest.approx(estimate_tokens(head + "o"))
    assert cache.read("x" + head) == 0
    assert cache.read(head + "one more") == pytest.approx(estimate_tokens(head + "one"))


def test_a_short_common_beginning_is_not_reused() -> None:
    cache = PrefixCache()
    cache.read("x" * 700)
    assert cache.read("x" * 700) == 0  # 219 tokens


def test_old_prompts_are_forgotten() -> None:
    cache, head = PrefixCache(), "a line of code\n" * 100
    cache.read(head)
    for number in range(40):
        cache.read(f"{number} something else")
    assert cache.read(head) == 0


# --- on the wire --------------------------------------------------------------------------------------------


def request(max_tokens: int = 256) -> CompletionRequest:
    prompt = build_prompt(context(TEXT.before + "def █" + TEXT.after), strategy=Strategy.FIM)
    return build_request(Settings(), "m", prompt, max_tokens)


def metered(**more: Any) -> tuple[MeteredBackend, Traffic]:
    traffic = Traffic()
    return MeteredBackend(SimulatedEndpoint(TARGET, TEXT, manner=TRUE), traffic, **more), traffic


def test_time_to_the_first_token_rate_and_prefill() -> None:
    async def main() -> list[float]:
        clock = asyncio.get_running_loop().time
        manner = Manner(first_token_s=1, tokens_per_s=10, prefill_s=0.01, wrong=0, long=0)
        endpoint = SimulatedEndpoint(TARGET, TEXT, manner=manner)
        return [clock() async for chunk in endpoint.stream(request()) if chunk.text]

    times = virtual_time.run(main())
    assert times[0] == pytest.approx(1 + 0.01 * estimate_tokens(request().prompt.text))
    assert {round(b - a, 3) for a, b in itertools.pairwise(times)} == {0.1}


def test_the_token_limit_cuts_an_answer() -> None:
    async def main() -> list[str | None]:
        backend, _ = metered()
        return [chunk.finish_reason async for chunk in backend.stream(request(3))]

    assert virtual_time.run(main()) == [None, None, None, "length"]


@pytest.mark.parametrize("how", ["read", "cut", "cancelled"])
def test_how_a_call_ended_is_counted(how: str) -> None:
    async def main() -> Traffic:
        backend, traffic = metered()

        async def call() -> None:
            async with contextlib.aclosing(backend.stream(request())) as chunks:
                async for _ in chunks:
                    if how == "cut":
                        break

        task = asyncio.create_task(call())
        await asyncio.sleep(0.1)
        assert traffic.open == 1
        if how == "cancelled":
            task.cancel()
        await asyncio.wait({task})
        return traffic

    traffic = virtual_time.run(main())
    assert (traffic.calls, traffic.open, traffic.most_open) == (1, 0, 1)
    assert (traffic.cut, traffic.cancelled) == (how == "cut", how == "cancelled")
    assert traffic.prompt_tokens == pytest.approx(estimate_tokens(request().prompt.text))
    assert (traffic.output_tokens > 20) == (how == "read")


def test_more_calls_than_allowed_are_refused() -> None:
    async def main() -> Traffic:
        backend, traffic = metered(most_calls=1)
        assert [chunk async for chunk in backend.stream(request())]
        with pytest.raises(LimitError):
            await anext(backend.stream(request()))
        return traffic

    assert virtual_time.run(main()).calls == 1


def test_what_was_never_shown_was_thrown_away() -> None:
    traffic = Traffic(answers=[Answer("alpha beta\ngamma\n"), Answer("delta")])
    assert traffic.unseen_tokens == traffic.output_tokens
    traffic.was_shown("beta")
    assert traffic.unseen_tokens == pytest.approx(traffic.output_tokens - estimate_tokens("beta"))
    traffic.was_shown("alpha beta\n    gamma")  # trimming has moved the second line
    traffic.was_shown("delta")
    assert traffic.unseen_tokens == pytest.approx(estimate_tokens("\ngamma\n"))
