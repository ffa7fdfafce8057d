"""The stopwatch: it counts computing, not waiting, and what is awaited through it cannot tell."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from qwen_ls.commands.bench import stopwatch, virtual_time
from qwen_ls.commands.bench.stopwatch import Stopwatch


async def after_a_second(outcome: Any) -> Any:
    await asyncio.sleep(1)
    if isinstance(outcome, Exception):
        raise outcome
    return outcome


async def stubborn() -> str:
    try:
        await asyncio.sleep(60)
    except asyncio.CancelledError:
        await asyncio.sleep(1)
    return "in the end"


async def through_a_stopwatch(work: Any) -> Any:
    return await Stopwatch().timed(work)


@pytest.mark.parametrize(
    ("make", "cancel", "expected"),
    [
        (lambda: after_a_second(3), False, 3),
        (lambda: after_a_second(LookupError("x")), False, LookupError),
        (lambda: after_a_second(3), True, asyncio.CancelledError),
        (stubborn, True, "in the end"),
    ],
    ids=["a result", "an error", "cancelled", "cancelled, and it minds"],
)
def test_what_comes_out_is_the_same(make: Any, cancel: bool, expected: Any) -> None:
    async def main() -> Any:
        task = asyncio.create_task(through_a_stopwatch(make()))
        await asyncio.sleep(0.5)
        if cancel:
            task.cancel()
        (outcome,) = await asyncio.gather(task, return_exceptions=True)
        return outcome

    outcome = virtual_time.run(main())
    assert isinstance(outcome, expected) if isinstance(expected, type) else outcome == expected


def test_only_computing_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = 0.0
    monkeypatch.setattr(stopwatch.time, "perf_counter", lambda: now_s)

    async def compute(seconds: float, *, wait_s: float) -> None:
        nonlocal now_s
        for _ in range(2):
            now_s += seconds
            await asyncio.sleep(wait_s)

    async def main() -> float:
        watch = Stopwatch()
        await asyncio.gather(watch.timed(compute(1, wait_s=10)), compute(100, wait_s=3))
        return watch.seconds

    assert virtual_time.run(main()) == 2
