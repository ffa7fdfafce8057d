"""The flow from keystroke to text: calls that outlive their requests, are read on, and are made ahead."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from qwen_ls.core.ahead import LEAST_KNOWN
from qwen_ls.core.cache import UNWANTED_S
from qwen_ls.core.trigger import BLOCK_TOKENS
from qwen_ls.core.types import Chunk, Completion, Reason, SelectedCompletion, Skip
from qwen_ls.flights import LINGER_S
from qwen_ls.settings import Settings
from tests.marked import marked
from tests.service.scripted import AUTOMATIC, INVOKED, WAIT, Stage, ask, settle, start, until

BLOCK = "def total(xs):\n    █"


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    """Typing is not waited for here; `test_the_longest_wait_is_the_user_s` is about that."""
    stage = Stage(debounce_ms=0)
    await stage.service.warm()
    yield stage
    await stage.service.aclose()
    assert stage.backend.live == 0


async def cancelled(task: asyncio.Task[Any]) -> None:
    """The editor cancels the request, as VS Code does at each key."""
    task.cancel()
    await asyncio.wait({task})


class Tap:
    """A stream that says what it is given, when it is given."""

    def __init__(self, stage: Stage) -> None:
        self.queue: asyncio.Queue[Any] = asyncio.Queue()
        self.is_closed = False
        self.requests: list[Any] = []
        self._stage, self._stream = stage, stage.backend.stream
        stage.backend.stream = self._open  # type: ignore[method-assign]

    async def _open(self, request: Any) -> Any:
        self.requests.append(request)
        self._stage.backend.stream = self._stream  # type: ignore[method-assign]
        try:
            while (piece := await self.queue.get()) is not None:
                yield Chunk(piece)
            yield Chunk("", "stop")
        finally:
            self.is_closed = True

    async def say(self, *pieces: str | None) -> None:
        for piece in pieces:
            self.queue.put_nowait(piece)
        await settle()


# --- joining ------------------------------------------------------------------------------------------------


async def test_a_call_whose_request_was_cancelled_answers_what_was_typed_on(stage: Stage) -> None:
    tap = Tap(stage)
    first = start(stage, "total = █")
    await until(lambda: tap.requests)
    await cancelled(first)
    second = start(stage, "total = s█")
    await settle()
    await cancelled(second)
    third = start(stage, "total = su█")
    await tap.say("sum", "(xs)", None)
    shown = await asyncio.wait_for(third, 5)
    assert (shown.text, shown.source) == ("m(xs)", "network")
    assert not stage.backend.requests


@pytest.mark.parametrize(
    ("said", "typed", "text"),
    [
        pytest.param(["sum(xs)\n"], "s", "um(xs)", id="said-before-it-was-typed"),
        pytest.param(["su", "m(xs)\n"], "sum(", "xs)", id="typed-before-it-was-said"),
        pytest.param(["sum(\n        xs)\ny\n"], "sum(\n        ", "xs)", id="across-a-line-end"),
    ],
)
async def test_what_was_typed_is_taken_off(stage: Stage, said: list[str], typed: str, text: str) -> None:
    tap = Tap(stage)
    first = start(stage, "total = █")
    await until(lambda: tap.requests)
    await cancelled(first)
    await tap.say(said[0])
    second = start(stage, f"total = {typed}█")
    await tap.say(*said[1:], None)
    shown = await asyncio.wait_for(second, 5)
    assert isinstance(shown, Completion)
    assert shown.text == text
    assert not stage.backend.requests


@pytest.mark.parametrize("order", ["said-first", "typed-first"])
async def test_a_call_that_says_something_else_is_closed_at_once(stage: Stage, order: str) -> None:
    tap = Tap(stage)
    first = start(stage, "total = █")
    await until(lambda: tap.requests)
    await cancelled(first)
    stage.backend.script = ["ax(xs)"]
    if order == "said-first":
        await tap.say("sum")
        second = start(stage, "total = m█")
        await settle()
    else:
        second = start(stage, "total = m█")
        await tap.say("sum")
    assert tap.is_closed
    assert (await asyncio.wait_for(second, 5)).text == "ax(xs)"
    assert len(stage.backend.requests) == 1


async def test_a_call_that_nobody_waits_for_is_closed_after_a_moment(stage: Stage) -> None:
    stage.backend.script = [[WAIT]]
    task = start(stage, "x = █")
    await until(lambda: stage.backend.live)
    await cancelled(task)
    await stage.clock.advance(LINGER_S - 0.1)
    assert stage.backend.live == 1
    await stage.clock.advance(0.2)
    assert (stage.backend.live, stage.backend.closed_early) == (0, 1)


async def test_no_more_than_two_calls_live_for_a_document(stage: Stage) -> None:
    stage.backend.script = [[WAIT], [WAIT], [WAIT], [WAIT]]
    lines = "a = \nb = \nc = \nd = \n"
    for name in "abcd":
        task = start(stage, lines.replace(f"{name} = ", f"{name} = █"))
        await until(lambda: len(stage.backend.requests) == "abcd".index(name) + 1)  # noqa: B023
        await cancelled(task)
        await settle()
        assert stage.backend.live <= 2


async def test_an_engine_that_answers_one_after_the_other_has_no_call_for_the_cache() -> None:
    stage = Stage(debounce_ms=0, provider="llama.cpp", model="qwen2.5-coder")
    stage.backend.script = [[WAIT], "2"]
    first = start(stage, "a = █\nb = \n")
    await until(lambda: stage.backend.live)
    assert (await ask(stage, "a = \nb = █\n")).text == "2"
    assert (await asyncio.wait_for(first, 5)).reason is Reason.SUPERSEDED
    await stage.service.aclose()


async def test_a_call_that_the_cursor_has_left_feeds_the_cache(stage: Stage) -> None:
    tap = Tap(stage)
    first = start(stage, "a = █\nb = \n")
    await until(lambda: tap.requests)
    await cancelled(first)
    stage.backend.script = ["2"]
    assert (await ask(stage, "a = \nb = █\n")).text == "2"
    await tap.say("1", None)
    assert (await ask(stage, "a = █\nb = \n")).source == "cache"


async def test_a_correction_finds_what_was_said_before_the_slip(stage: Stage) -> None:
    tap = Tap(stage)
    first = start(stage, "total = █")
    await until(lambda: tap.requests)
    await cancelled(first)
    await tap.say("sum(xs)\n", "y")
    stage.backend.script = [[WAIT]]
    slip = start(stage, "total = x█")
    await until(lambda: stage.backend.live)
    await cancelled(slip)
    shown = await ask(stage, "total = s█")
    assert (shown.text, shown.source) == ("um(xs)", "walk-back")


async def test_a_fence_that_a_chat_model_begins_with_contradicts_nothing() -> None:
    stage = Stage(debounce_ms=0, strategy="partial")
    tap = Tap(stage)
    first = start(stage, "total = █")
    await until(lambda: tap.requests)
    await cancelled(first)
    await tap.say("```py")
    second = start(stage, "total = s█")
    await tap.say("thon\n", "sum(xs)\n", "```", None)
    assert (await asyncio.wait_for(second, 5)).text == "um(xs)"
    await stage.service.aclose()


# --- the wait -----------------------------------------------------------------------------------------------


async def test_a_fast_typist_is_not_starved() -> None:
    """Every key comes before the wait of the one before it is over."""
    stage = Stage()
    await stage.service.warm()
    stage.backend.script = [[WAIT, "ion = 1"]]
    text = "some_configurat"
    task = None
    for size in range(1, len(text)):
        if task:
            await cancelled(task)
        task = start(stage, text[:size] + "█ + 1,\ny".replace(" + 1,", ")"))
        await stage.clock.advance(0.05)
    assert len(stage.backend.requests) == 1
    stage.backend.release.set()
    assert task
    await asyncio.wait({task})
    await stage.service.aclose()


@pytest.mark.parametrize(("debounce_ms", "sleepers"), [(0, 0), ("auto", 1), (1, 1)])
async def test_the_longest_wait_is_the_user_s(debounce_ms: int | str, sleepers: int) -> None:
    stage = Stage(debounce_ms=debounce_ms)
    await stage.service.warm()
    task = start(stage, "value█)\ny")
    await settle()
    assert stage.clock.sleepers == sleepers
    await stage.clock.advance(0.001)
    assert bool(stage.backend.requests) == (debounce_ms != "auto")
    await stage.clock.advance(1)
    await asyncio.wait({task})
    assert len(stage.backend.requests) == 1
    await stage.service.aclose()


# --- reading on ---------------------------------------------------------------------------------------------


async def test_the_lines_after_what_is_shown_come_from_the_same_call(stage: Stage) -> None:
    tap = Tap(stage)
    first = start(stage, "a = █")
    await until(lambda: tap.requests)
    await tap.say("1\n")
    shown = await asyncio.wait_for(first, 5)
    assert (shown.text, tap.is_closed) == ("1", False)
    await tap.say("b = 2\n", "c = 3\nd", " = 4", None)
    await settle()
    following = await ask(stage, "a = 1\nb█")
    assert (following.text, following.source) == (" = 2", "streak")
    assert following.id != shown.id
    assert (await ask(stage, "a = 1\nb = 2\nc█")).text == " = 3"
    assert not stage.backend.requests


async def test_a_line_that_has_only_begun_is_never_shown(stage: Stage) -> None:
    tap = Tap(stage)
    first = start(stage, "a = █")
    await until(lambda: tap.requests)
    await tap.say("1\nb = 2")
    await asyncio.wait_for(first, 5)
    second = start(stage, "a = 1\nb█")
    await settle()
    assert not second.done()
    await tap.say("22\nc")
    assert (await asyncio.wait_for(second, 5)).text == " = 222"
    assert not stage.backend.requests


async def test_a_stream_is_cut_when_enough_lines_have_been_read_on(stage: Stage) -> None:
    stage.backend.script = [["1\n", *(f"x{n} = {n}\n" for n in range(20)), WAIT]]
    await ask(stage, "a = █")
    await until(lambda: stage.backend.closed_early)
    for size in range(5):
        above = "".join(f"x{n} = {n}\n" for n in range(size))
        assert (await ask(stage, f"a = 1\n{above}x█")).text == f"{size} = {size}"
    assert len(stage.backend.requests) == 1


async def test_a_stream_is_cut_where_the_text_below_begins_to_repeat(stage: Stage) -> None:
    stage.backend.script = [["1\n", "print(a)\n", "more\n", WAIT]]
    shown = await ask(stage, "a = █\nprint(a)\n")
    assert isinstance(shown, Completion)
    await until(lambda: stage.backend.closed_early)
    assert len(stage.backend.requests) == 1


async def test_nothing_is_read_on_for_a_user_who_does_not_want_it() -> None:
    stage = Stage(debounce_ms=0, look_ahead=False)
    stage.backend.script = [["1\n", "b = 2\n", WAIT]]
    await ask(stage, "a = █")
    await until(lambda: stage.backend.closed_early)
    assert stage.backend.requests[0].max_tokens == BLOCK_TOKENS
    await stage.service.aclose()


async def test_reading_on_stops_when_nothing_is_taken(stage: Stage) -> None:
    for number in range(LEAST_KNOWN + 1):
        stage.backend.script = ["some_value"]
        await ask(stage, f"a{number} = █")
    stage.backend.script = [["1\n", WAIT]]
    assert (await ask(stage, "z = █")).text == "1"
    await until(lambda: stage.backend.closed_early)


# --- asking ahead -------------------------------------------------------------------------------------------


async def liked(stage: Stage) -> None:
    """The user has accepted what was shown so far."""
    for number in range(LEAST_KNOWN + 1):
        stage.backend.script = ["some_value"]
        shown = await ask(stage, f"a{number} = █", INVOKED)
        stage.service.accepted(shown.id)
    await until(lambda: not stage.backend.live)
    stage.backend.requests.clear()


async def test_what_comes_after_accepting_is_there_when_it_is_accepted(stage: Stage) -> None:
    await liked(stage)
    stage.backend.script = ["load_the_file(name)", "\nuse(it)"]
    shown = await ask(stage, "it = █")
    await until(lambda: len(stage.backend.requests) == 2)
    await settle()
    assert stage.backend.requests[1].prompt.prefix == "it = load_the_file(name)"
    stage.service.accepted(shown.id)
    following = start(stage, "it = load_the_file(name)█")
    await settle()
    assert (following.result().text, following.result().source) == ("\nuse(it)", "cache")


async def test_a_call_ahead_that_is_still_on_its_way_is_joined(stage: Stage) -> None:
    await liked(stage)
    stage.backend.script = ["load_the_file(name)", [WAIT, "\nuse(it)"]]
    await ask(stage, "it = █")
    await until(lambda: stage.backend.live)
    following = start(stage, "it = load_the_file(name)█")
    await settle()
    stage.backend.release.set()
    assert (await asyncio.wait_for(following, 5)).text == "\nuse(it)"
    assert len(stage.backend.requests) == 2


async def test_a_call_ahead_is_closed_when_something_else_is_typed(stage: Stage) -> None:
    await liked(stage)
    stage.backend.script = ["load_the_file(name)", [WAIT], "pen(name)"]
    await ask(stage, "it = █")
    await until(lambda: stage.backend.live)
    assert (await ask(stage, "it = l█")).source == "type-through"
    assert stage.backend.live == 1
    assert (await ask(stage, "it = o█")).text == "pen(name)"
    await until(lambda: not stage.backend.live)


@pytest.mark.parametrize("why", ["unknown user", "short", "off", "limited", "said already"])
async def test_nothing_is_asked_ahead_without_good_odds(why: str) -> None:
    stage = Stage(debounce_ms=0, look_ahead=why != "off")
    if why != "unknown user":
        await liked(stage)
    if why == "limited":
        stage.service.reconfigure(Settings(debounce_ms=0, limits={"requests_per_minute": 1}))
    answer = {"short": "one", "said already": "load_the_file(name)\nuse(it)\n"}.get(
        why, "load_the_file(name)"
    )
    stage.backend.script = [answer, [WAIT]]
    assert isinstance(await ask(stage, "it = █"), Completion)
    await settle()
    assert len(stage.backend.requests) == 1
    await stage.service.aclose()


# --- what is turned down -----------------------------------------------------------------------------------


async def test_what_is_deleted_left_of_is_not_shown_again_for_a_while(stage: Stage) -> None:
    stage.backend.script = ["name)", "name)", "name)"]
    await ask(stage, "x = open(█")
    assert await ask(stage, "x = open█") == Skip(Reason.DELETED)
    assert await ask(stage, "x = open(█") == Skip(Reason.DISMISSED)
    assert (await ask(stage, "x = open(█", INVOKED)).text == "name)"
    await stage.clock.advance(UNWANTED_S + 1)
    assert (await ask(stage, "x = open(█")).text == "name)"


async def test_what_is_dismissed_is_not_shown_again_for_a_while_and_neither_is_its_rest(stage: Stage) -> None:
    stage.backend.script = ["name) as file", "name) as f:", "o)"]
    shown = await ask(stage, "x = open(█")
    stage.service.dismissed(shown.id)
    assert await ask(stage, "x = open(█") == Skip(Reason.DISMISSED)
    assert await ask(stage, "x = open(na█") == Skip(Reason.DISMISSED)
    assert len(stage.backend.requests) == 1
    assert (await ask(stage, "x = open(█", INVOKED)).text == "name) as f:"
    assert (await ask(stage, "x = open(f█")).text == "o)"


async def test_where_all_that_was_dismissed_has_been_typed_there_is_no_more_to_keep_away(
    stage: Stage,
) -> None:
    stage.backend.script = ["name)", ".read()"]
    shown = await ask(stage, "x = open(█")
    stage.service.dismissed(shown.id)
    assert (await ask(stage, "x = open(name)█")).text == ".read()"


async def test_a_dismissal_of_what_is_not_shown_any_more_is_none(stage: Stage) -> None:
    stage.backend.script = ["name)", "1"]
    gone = await ask(stage, "x = open(█")
    await ask(stage, "y = █")
    stage.service.dismissed(gone.id)
    stage.service.dismissed("never")
    assert (await ask(stage, "x = open(█")).text == "name)"
    assert stage.service.explain()["counts"]["dismissed"] == 0


async def test_a_dismissal_counts_once(stage: Stage) -> None:
    stage.backend.script = ["name)"]
    shown = await ask(stage, "x = open(█")
    for _ in range(2):
        stage.service.dismissed(shown.id)
    assert stage.service.explain()["counts"]["dismissed"] == 1


async def test_deleting_what_was_typed_of_it_turns_nothing_down(stage: Stage) -> None:
    stage.backend.script = ["name)"]
    await ask(stage, "x = open(█")
    await ask(stage, "x = open(na█")
    assert (await ask(stage, "x = open(█")).text == "name)"
    assert len(stage.backend.requests) == 1


async def test_the_editor_s_own_list_is_no_typing(stage: Stage) -> None:
    """A selected row counts as typed: the same call answers for it."""
    stage.backend.script = ["th.join(a)"]
    await ask(stage, "os.pa█")
    document, offset = marked("os.pa█")
    selected = SelectedCompletion(3, 5, "path")
    shown = await stage.service.complete(document, offset, AUTOMATIC, selected=selected)
    assert isinstance(shown, Completion)
    assert (shown.text, shown.source) == ("path.join(a)", "type-through")
