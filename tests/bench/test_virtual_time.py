"""The event loop in virtual time."""

from __future__ import annotations

import asyncio
import time

import pytest

from qwen_ls.commands.bench import virtual_time


def test_an_hour_takes_no_time() -> None:
    async def main() -> float:
        await asyncio.sleep(3600)
        return asyncio.get_running_loop().time()

    assert virtual_time.run(main()) == pytest.approx(3600)


def test_timers_run_in_their_order() -> None:
    async def main() -> list[tuple[str, float]]:
        loop, seen = asyncio.get_running_loop(), []

        async def wait(name: str, *delays: float) -> None:
            for delay in delays:
                await asyncio.sleep(delay)
                seen.append((name, round(loop.time(), 6)))

        await asyncio.gather(wait("a", 0.3, 0.3), wait("b", 0.2, 0.2, 0.3), wait("c", 0.5))
        return seen

    expected = [("b", 0.2), ("a", 0.3), ("b", 0.4), ("c", 0.5), ("a", 0.6), ("b", 0.7)]
    assert virtual_time.run(main()) == expected


def test_timeouts_and_cancelling() -> None:
    async def main() -> float:
        loop = asyncio.get_running_loop()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(5):
                await asyncio.Event().wait()
        task = asyncio.create_task(asyncio.sleep(60))
        loop.call_later(1, task.cancel)
        with pytest.raises(asyncio.CancelledError):
            await task
        return loop.time()

    assert virtual_time.run(main()) == pytest.approx(6)


def test_the_clock_stands_still_for_a_thread() -> None:
    async def main() -> tuple[str, float, bool]:
        loop = asyncio.get_running_loop()
        timer = loop.create_future()
        loop.call_later(0.001, timer.set_result, None)
        result = await asyncio.to_thread(lambda: time.sleep(0.02) or "done")
        before_timer = not timer.done()
        await timer
        return result, loop.time(), before_timer

    assert virtual_time.run(main()) == ("done", pytest.approx(0.001), True)


def test_another_run_begins_anew() -> None:
    async def main() -> float:
        await asyncio.sleep(1)
        return asyncio.get_running_loop().time()

    assert virtual_time.run(main()) == virtual_time.run(main())
