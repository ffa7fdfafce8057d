"""Limits and usage as the service keeps them: a fake clock, a scripted backend, a real ledger."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from qwen_ls.backend.base import (
    BackendError,
    ContentError,
    DeadlineError,
    ModelError,
    RateLimitError,
    ServerError,
)
from qwen_ls.backend.plan import resolve
from qwen_ls.backend.prices import price
from qwen_ls.core.types import Chunk, Completion, Reason, Skip, TriggerKind, Usage
from qwen_ls.entries import Amounts
from qwen_ls.ledger import STALE_S, Ledger
from qwen_ls.settings import Settings, camel
from qwen_ls.validation import check
from tests.service.scripted import WAIT, Stage, ask, start, until

INVOKED = TriggerKind.INVOKED
COUNTED = [[Chunk("1"), Chunk("", "stop", Usage(100, 20, 40))]]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "ledger.sqlite3"


@pytest.fixture
async def stages(file: Path) -> AsyncIterator[Any]:
    made = []

    def make(**more: Any) -> Stage:
        made.append(Stage(**({"ledger": file, "price": price} | more)))
        return made[-1]

    yield make
    for stage in made:
        await stage.service.aclose()


def booked(file: Path) -> Amounts:
    ledger = Ledger(file)
    total = sum((row.amounts for row in ledger.rows()), Amounts())
    ledger.close()
    return total


async def test_two_editors_share_one_budget(stages: Any) -> None:
    one, two = (stages(limits={"requests_per_minute": 3}) for _ in range(2))
    results = [await ask(stage, f"x{n} = █", INVOKED) for n, stage in enumerate((one, two, one))]
    assert all(isinstance(result, Completion) for result in results)
    refused = await ask(two, "y = █", INVOKED)
    assert refused == Skip(
        Reason.LIMITED,
        "The limit of 3 requests a minute (limits.requestsPerMinute) is reached. "
        "Completions go on at 12:01, or when you raise it.",
    )
    assert (len(one.backend.requests), len(two.backend.requests)) == (2, 1)


async def test_a_reached_limit_is_told_once_shown_with_its_end_and_ends(stages: Any) -> None:
    stage = stages(limits={"requests_per_minute": 1})
    await ask(stage, "a = █")
    for name in "bcd":
        assert (await ask(stage, f"{name} = █")).reason is Reason.LIMITED
    assert [notice.cause for notice in stage.notices] == ["limit requests_per_minute"]
    status = stage.service.status()
    assert (status.kind, status.text.partition(":")[0]) == ("limited", "until 12")
    assert "limits.requestsPerMinute (1 requests a minute) is reached" in status.text
    await stage.clock.advance(61)
    assert stage.statuses[-1].kind == "ready", "without being asked"
    assert stage.clock.timers == 0
    assert isinstance(await ask(stage, "e = █"), Completion)
    assert len(stage.backend.requests) == 2


async def test_a_reached_limit_leaves_what_is_known(stages: Any) -> None:
    stage = stages(limits={"requests_per_minute": 1})
    stage.backend.script = ["sum(xs)"]
    await ask(stage, "total = █")
    assert (await ask(stage, "b = █")).reason is Reason.LIMITED
    rest = await ask(stage, "total = sum█")
    assert isinstance(rest, Completion)
    assert rest.source == "type-through"


async def test_raising_a_limit_works_at_once(stages: Any) -> None:
    stage = stages(limits={"requests_per_minute": 1})
    await ask(stage, "a = █")
    assert (await ask(stage, "b = █")).reason is Reason.LIMITED
    stage.service.reconfigure(Settings(limits={"requests_per_minute": 2}))
    assert isinstance(await ask(stage, "b = █"), Completion)


async def test_a_day_s_limit_holds_until_midnight(stages: Any) -> None:
    stage = stages(limits={"money_per_day": 0.002})
    stage.backend.script = [[Chunk("1"), Chunk("", "stop", Usage(400, 10))]]
    await ask(stage, "a = █", INVOKED)
    assert (await ask(stage, "b = █", INVOKED)).detail == (
        "The limit of 0.002 CNY a day (limits.moneyPerDay) is reached. "
        "Completions go on at 00:00, or when you raise it."
    )
    await stage.clock.advance(12 * 3600 + 1)
    assert isinstance(await ask(stage, "b = █", INVOKED), Completion)


async def test_a_call_that_never_fits_is_refused_and_smaller_ones_are_not(stages: Any) -> None:
    stage = stages(limits={"tokens_per_minute": 300})
    refused = await ask(stage, "x = 1\n" * 300 + "y = █", INVOKED)
    assert refused.reason is Reason.LIMITED
    assert "One call may need" in refused.detail
    assert "promptTokens" in refused.detail
    assert isinstance(await ask(stage, "y = █", INVOKED), Completion)


async def test_a_call_that_no_day_has_room_for_says_so(stages: Any) -> None:
    stage = stages(limits={"money_per_day": 0.001})
    refused = await ask(stage, "x = 1\n" * 300 + "y = █", INVOKED)
    assert refused.detail == (
        "One call may cost 0.00268 CNY, and limits.moneyPerDay allows 0.001 CNY a day. "
        "Raise it, or lower promptTokens or maxTokens."
    )
    assert stage.service.status().kind == "ready"


@pytest.mark.parametrize(
    "name", ["requests_per_minute", "tokens_per_minute", "tokens_per_day", "money_per_day"]
)
async def test_a_limit_of_nothing_allows_nothing(stages: Any, name: str) -> None:
    good, _ = check({"limits": {camel(name): 0}}, source="here")
    stage = stages(**good)
    refused = await ask(stage, "a = █", INVOKED)
    assert refused.detail == f"No call is allowed: limits.{camel(name)} is 0. Raise it."
    assert not stage.backend.requests


async def test_a_call_on_its_way_does_not_end_the_day(stages: Any) -> None:
    """What is put aside for it is more than it will use: others wait for its end, not for midnight."""
    stage = stages(limits={"tokens_per_day": 400}, look_ahead=False)
    stage.backend.script = [[WAIT, *COUNTED[0]]]
    first = start(stage, "a = █", INVOKED)
    await until(lambda: stage.backend.live)
    refused = await ask(stage, "b = █", INVOKED, uri="file:///p/b.py")
    assert refused.reason is Reason.LIMITED
    assert "Calls on their way have the rest of 400 tokens a day" in refused.detail
    assert stage.service.status().kind == "thinking"
    stage.backend.release.set()
    await first
    assert isinstance(await ask(stage, "b = █", uri="file:///p/b.py"), Completion)


async def test_a_pause_that_begins_while_a_call_is_admitted_holds_it_back(stages: Any, file: Path) -> None:
    stage = stages(limits={"requests_per_minute": 9})
    stage.backend.script = [[WAIT, RateLimitError("429", retry_after_s=60)]]
    first = start(stage, "a = █", INVOKED)
    await until(lambda: stage.backend.live)
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    second = start(stage, "b = █", INVOKED, uri="file:///p/b.py")
    await asyncio.sleep(0.05)
    stage.backend.release.set()
    await first
    other.execute("ROLLBACK")
    assert (await second).reason is Reason.COOLING_DOWN
    assert len(stage.backend.requests) == 1
    await stage.service.aclose()
    assert other.execute("SELECT COUNT(*) FROM recent WHERE open").fetchone() == (0,)
    other.close()
    assert booked(file).calls == 1


async def test_an_unknown_price_is_told_once(stages: Any) -> None:
    stage = stages(limits={"money_per_day": 1}, model="my-own-model")
    for name in "ab":
        assert isinstance(await ask(stage, f"{name} = █"), Completion)
    [notice] = stage.notices
    assert (
        notice.text == "The price of my-own-model is not known: limits.moneyPerDay does not count its calls."
    )


async def test_the_local_engine_is_not_limited(stages: Any, file: Path) -> None:
    stage = stages(provider="local", limits={"requests_per_minute": 1})
    for name in "abc":
        assert isinstance(await ask(stage, f"{name} = █"), Completion)
    await stage.service.aclose()
    assert booked(file).calls == 3


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        pytest.param(
            COUNTED[0],
            Amounts(1, 1, 1, 0, 100, 20, 40, 0, pytest.approx(0.00032), 0.0, 100),
            id="counted by the endpoint",
        ),
        pytest.param(
            ["1", "\n", "y", WAIT],
            Amounts(1, 1, 1, 0, 10, 1, 0, 11, pytest.approx(0.000026), pytest.approx(0.000026)),
            id="cut early: estimated",
        ),
        pytest.param(
            ["1"], Amounts(1, 1, 1, 0, 10, 0, 0, 10, pytest.approx(2e-5), pytest.approx(2e-5)), id="no usage"
        ),
        pytest.param(
            [Chunk("1", None, Usage(90, 1)), "\n", "y", WAIT],
            Amounts(1, 1, 1, 0, 90, 1, 0, 91, pytest.approx(0.000186), pytest.approx(0.000186), 90),
            id="cut, with a count",
        ),
        pytest.param([RateLimitError("429")], Amounts(1, 1), id="refused: nothing was used"),
        pytest.param(
            [Chunk("", None, Usage(90, 0)), RateLimitError("429")],
            Amounts(1, 1, 0, 0, 90, 0, 0, 90, pytest.approx(0.00018), pytest.approx(0.00018), 90),
            id="refused after it was counted",
        ),
        pytest.param(
            [Chunk("1"), Chunk("", "stop", Usage(10**40, 0))],
            Amounts(1, 1, 1, 0, 10, 0, 0, 10, pytest.approx(2e-5), pytest.approx(2e-5)),
            id="a count that nobody believes",
        ),
        pytest.param(
            [Chunk("1"), Chunk("", "stop", Usage(100, 20, 10**40))],
            Amounts(1, 1, 1, 0, 100, 20, 100, 0, pytest.approx(0.00032), 0.0, 100),
            id="no more can be cached than was read",
        ),
        pytest.param([ContentError("no")], Amounts(1, 1), id="filtered before it was read"),
        pytest.param(
            ["abc" * 32, ServerError("500")],
            Amounts(1, 1, 0, 0, 10, 30, 0, 40, pytest.approx(0.0002), pytest.approx(0.0002)),
            id="an error after text has come",
        ),
        pytest.param(
            [DeadlineError("slow")],
            Amounts(1, 1, 0, 0, 10, 0, 0, 10, pytest.approx(2e-5), pytest.approx(2e-5)),
            id="no answer in time: the prompt may have been read",
        ),
    ],
)
@pytest.mark.parametrize("limits", [{}, {"tokens_per_day": 10_000}], ids=["unlimited", "limited"])
async def test_what_is_booked(
    stages: Any, file: Path, script: list[Any], expected: Amounts, limits: dict[str, int]
) -> None:
    stage = stages(limits=limits)
    stage.backend.script = [script]
    await ask(stage, "x = █")
    await stage.service.aclose()
    assert booked(file) == expected


async def test_a_cancelled_call_is_booked_as_estimated(stages: Any, file: Path) -> None:
    stage = stages(limits={"tokens_per_day": 1000})
    stage.backend.script = [[("a, bc = d[3], f(g)[0] + h(ij)  # klmno " * 3)[:96], WAIT]]
    task = start(stage, "x = █", INVOKED)
    await until(lambda: stage.backend.live)
    task.cancel()
    await asyncio.wait([task])
    await stage.service.aclose()
    found = booked(file)
    assert (found.calls, found.completion_tokens) == (1, 30)
    assert found.estimated_tokens == found.prompt_tokens + found.completion_tokens


async def test_a_call_cancelled_before_it_is_made_gives_its_reservation_back(stages: Any, file: Path) -> None:
    stage = stages(limits={"tokens_per_day": 1000})
    await stage.service.warm()
    admit = asyncio.create_task(stage.service._books.admit(stage.backend.target, _request(stage)))
    await asyncio.sleep(0)
    admit.cancel()
    await asyncio.wait([admit])
    await asyncio.sleep(0.05)
    await stage.service.aclose()
    database = sqlite3.connect(file)
    assert database.execute("SELECT COUNT(*) FROM recent").fetchone() == (0,)
    database.close()


def _request(stage: Stage) -> Any:
    from tests.backend.asking import request_to

    return request_to(stage.backend.target)


async def test_requests_shown_and_accepted_are_counted(stages: Any, file: Path) -> None:
    stage = stages()
    stage.backend.script = ["sum(xs)"]
    shown = await ask(stage, "total = █")
    await ask(stage, "total = s█")
    stage.service.accepted(shown.id)
    await stage.service.aclose()
    found = booked(file)
    assert (found.requests, found.calls, found.shown, found.accepted) == (2, 1, 1, 1)


async def test_a_completion_accepted_in_parts_counts_once(stages: Any, file: Path) -> None:
    stage = stages()
    stage.backend.script = ["sum(xs)"]
    shown = await ask(stage, "total = █")
    for _ in range(3):
        stage.service.accepted(shown.id)
    await stage.service.aclose()
    assert booked(file).accepted == 1


def damage(file: Path) -> None:
    file.write_bytes(b"not a database " * 100)


def be_a_folder(file: Path) -> None:
    file.mkdir()


@pytest.mark.parametrize("spoil", [damage, be_a_folder])
async def test_without_the_shared_file_the_limits_are_the_process_s_own(
    stages: Any, file: Path, spoil: Any
) -> None:
    spoil(file)
    stage = stages(limits={"requests_per_minute": 2})
    results = [await ask(stage, f"{name} = █", INVOKED) for name in "abc"]
    assert [isinstance(result, Completion) for result in results] == [True, True, False]
    assert [notice.cause for notice in stage.notices] == ["ledger", "limit requests_per_minute"]
    assert "cannot be used" in stage.notices[0].text


async def test_without_a_home_folder_completions_go_on(stages: Any) -> None:
    def nowhere() -> Path:
        raise RuntimeError("Could not determine home directory.")

    stage = stages(limits={"requests_per_minute": 1})
    stage.ledger = nowhere
    stage.service = stage.serving(stage.connect)
    assert isinstance(await ask(stage, "a = █", INVOKED), Completion)
    assert (await ask(stage, "b = █", INVOKED)).reason is Reason.LIMITED
    assert [notice.cause for notice in stage.notices] == ["ledger", "limit requests_per_minute"]


async def test_a_lock_that_ends_is_forgiven_and_nothing_is_lost(stages: Any, file: Path) -> None:
    Ledger(file).close()
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    stage = stages(limits={"requests_per_minute": 9})
    assert isinstance(await ask(stage, "a = █", INVOKED), Completion)
    other.execute("ROLLBACK")
    other.close()
    await stage.clock.advance(61)
    assert isinstance(await ask(stage, "b = █", INVOKED), Completion)
    await stage.service.aclose()
    assert booked(file).calls == 2
    assert booked(file).requests == 2


@pytest.fixture
def locked(file: Path) -> Iterator[sqlite3.Connection]:
    """Another program that holds the file; ROLLBACK lets it go."""
    Ledger(file).close()
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    yield other
    other.close()


async def test_what_only_this_process_knows_is_written_at_the_end(
    stages: Any, file: Path, locked: sqlite3.Connection
) -> None:
    stage = stages(limits={"requests_per_minute": 9})
    assert isinstance(await ask(stage, "a = █", INVOKED), Completion)
    locked.execute("ROLLBACK")
    await stage.service.aclose()
    assert booked(file).calls == 1


async def test_calls_of_the_last_minute_count_when_the_file_is_back(
    stages: Any, locked: sqlite3.Connection
) -> None:
    stage = stages(limits={"requests_per_minute": 3})
    await ask(stage, "a = █", INVOKED)
    locked.execute("ROLLBACK")
    await stage.clock.advance(30)
    for name in "bc":
        assert isinstance(await ask(stage, f"{name} = █", INVOKED), Completion)
    await stage.clock.advance(31)
    assert isinstance(await ask(stage, "d = █", INVOKED), Completion)
    assert (await ask(stage, "e = █", INVOKED)).reason is Reason.LIMITED


async def test_a_clock_that_is_set_back_does_not_lose_the_file(
    stages: Any, file: Path, locked: sqlite3.Connection
) -> None:
    stage = stages(limits={"requests_per_minute": 9})
    await ask(stage, "a = █", INVOKED)
    locked.execute("ROLLBACK")
    stage.clock.now_s -= 86_400
    await ask(stage, "b = █", INVOKED)
    assert booked(file).calls == 1, "the first is written before the second is reserved"


async def test_a_call_that_is_under_way_while_the_file_is_lost_is_booked_once(
    stages: Any, file: Path
) -> None:
    stage = stages(limits={"requests_per_minute": 9})
    stage.backend.script = [[WAIT, *COUNTED[0]]]
    first = start(stage, "a = █", INVOKED)
    await until(lambda: stage.backend.live)
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    assert isinstance(await ask(stage, "b = █", INVOKED, uri="file:///p/b.py"), Completion)
    other.execute("ROLLBACK")
    other.close()
    stage.backend.release.set()
    await first
    await stage.clock.advance(61)
    await ask(stage, "c = █", INVOKED)
    await stage.clock.advance(STALE_S + 1)
    await ask(stage, "d = █", INVOKED)
    await stage.service.aclose()
    found = booked(file)
    assert (found.calls, found.cached_tokens) == (4, 40)


async def test_a_call_that_was_reserved_without_the_file_is_booked_once(
    stages: Any, file: Path, locked: sqlite3.Connection
) -> None:
    stage = stages(limits={"requests_per_minute": 9})
    stage.backend.script = [[WAIT, *COUNTED[0]]]
    first = start(stage, "a = █", INVOKED)
    await until(lambda: stage.backend.live)
    locked.execute("ROLLBACK")
    await stage.clock.advance(61)
    await ask(stage, "b = █", INVOKED, uri="file:///p/b.py")
    stage.backend.release.set()
    await first
    await stage.clock.advance(STALE_S + 1)
    await ask(stage, "c = █", INVOKED)
    await stage.service.aclose()
    found = booked(file)
    assert (found.calls, found.cached_tokens) == (3, 40)


@pytest.mark.parametrize("limits", [{}, {"tokens_per_day": 10_000}], ids=["unlimited", "limited"])
async def test_a_model_s_name_that_is_no_text_is_booked(
    stages: Any, file: Path, limits: dict[str, int]
) -> None:
    stage = stages(model="half-\ud800-a-pair", limits=limits)
    assert isinstance(await ask(stage, "a = █", INVOKED), Completion)
    await stage.service.aclose()
    assert booked(file).calls == 1


async def test_without_limits_a_broken_file_bothers_nobody(stages: Any, file: Path) -> None:
    damage(file)
    stage = stages()
    assert isinstance(await ask(stage, "a = █"), Completion)
    await stage.service.aclose()
    assert not stage.notices


async def test_without_a_ledger_and_limits_nothing_is_kept(stages: Any) -> None:
    stage = stages(ledger=None)
    await ask(stage, "a = █")
    assert stage.service._books._thread is None
    assert not stage.service._books._pending


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        pytest.param(
            [ModelError("no"), ["1", Chunk("", "stop", Usage(10, 5))]], (2, 10, 5), id="without FIM"
        ),
        pytest.param(
            [["f(", Chunk("", "length", Usage(10, 5))], ["1)", Chunk("", "stop", Usage(20, 2))]],
            (2, 30, 7),
            id="continued",
        ),
    ],
)
@pytest.mark.parametrize("limits", [{}, {"tokens_per_day": 10_000}], ids=["unlimited", "limited"])
async def test_each_call_of_a_request_is_booked(
    stages: Any, file: Path, script: list[Any], expected: tuple[int, int, int], limits: dict[str, int]
) -> None:
    stage = stages(limits=limits)
    stage.backend.script = list(script)
    assert isinstance(await ask(stage, "def f(xs):\n    █", TriggerKind.INVOKED), Completion)
    await stage.service.aclose()
    found = booked(file)
    assert (found.calls, found.prompt_tokens, found.completion_tokens) == expected


async def test_a_continuation_that_a_limit_forbids_leaves_the_answer(stages: Any) -> None:
    stage = stages(limits={"requests_per_minute": 1})
    stage.backend.script = [["n = 0\n    return f(", Chunk("", "length", Usage(10, 5))], "1)"]
    shown = await ask(stage, "def f(xs):\n    █", TriggerKind.INVOKED)
    assert isinstance(shown, Completion)
    assert shown.text == "n = 0"
    assert len(stage.backend.requests) == 1


def test_every_error_that_a_limit_makes_is_in_the_tree() -> None:
    from qwen_ls.backend.base import LimitError

    assert issubclass(LimitError, BackendError)


@pytest.mark.parametrize(
    ("settings", "usage", "expected"),
    [
        ({}, Usage(1000, 1000), (0.008, "CNY")),
        ({"model": "qwen-coder-turbo-0919"}, Usage(1000, 0), (0.002, "CNY")),
        ({"model": "qwen3-coder-flash"}, Usage(1000, 0, 1000), (0.0002, "CNY")),
        ({"model": "qwen3-coder-flash"}, Usage(1000, 0, 9999), (0.0002, "CNY")),
        ({"model": "qwen-coder-turbo"}, Usage(1000, 0, 1000), (0.002, "CNY")),
        ({"region": "singapore"}, Usage(1000, 0), None),
        ({"model": "mine"}, Usage(1000, 0), None),
        ({"provider": "vllm", "model": "Qwen/qwen-coder-turbo"}, Usage(1000, 0), None),
        ({"provider": "local"}, Usage(1000, 0), None),
    ],
    ids=str,
)
def test_prices(settings: dict[str, str], usage: Usage, expected: Any) -> None:
    found = price(resolve(Settings(**settings)), usage)
    assert found == (expected if expected is None else (pytest.approx(expected[0]), expected[1]))


async def test_usage_names_the_model_and_counts_what_all_editors_used_today(stages: Any) -> None:
    one, two = stages(), stages()
    for number, stage in enumerate((one, two)):
        assert isinstance(await ask(stage, f"x{number} = █", INVOKED), Completion)
    before = await one.service.usage()  # what the other has not written down yet is missing
    await two.service.aclose()
    after = await one.service.usage()
    assert after["model"] == one.backend.target.model
    assert [told["today"]["calls"] for told in (before, after)] == [1, 2]
    (cost,) = after["today"]["cost"]
    assert cost["amount"] > 0


async def test_usage_is_there_before_anything_was_asked(stages: Any) -> None:
    told = await stages().service.usage()
    assert (told["model"], told["today"]["calls"], told["today"]["cost"]) == ("", 0, [])
