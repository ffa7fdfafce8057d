"""A long day of typing: memory, connections and threads stay flat, and the next request works."""

from __future__ import annotations

import sys

import psutil

from tests.e2e.conftest import environment
from tests.fake_dashscope import Behaviour, FakeDashScope
from tests.lsp.wire import Wire, ask, cancel, did_change, did_open, edit

URI = "file:///project/soak.py"
CHANGES, CANCELLED = 5_000, 1_000
ALLOWED_MIB = 8
"""What an allocator may keep; a leak of two kilobytes a change would be ten."""


def measures(process: psutil.Process) -> tuple[float, int, int]:
    """Memory in MiB, open files and sockets, threads."""
    n_files = process.num_fds() if hasattr(process, "num_fds") else process.num_handles()
    return process.memory_info().rss / 2**20, n_files, process.num_threads()


def storm(wire: Wire, fake: FakeDashScope, version: int, n_changes: int, n_asked: int) -> int:
    """Type, ask and cancel, some before the call has begun and some while it is on its way.

    Returns the document's version. Every request is answered once: cancelled or superseded.
    """
    every = n_changes // n_asked
    asked: set[str] = set()
    for n in range(n_changes):
        version += 1
        text, end = ("x", 4) if version % 2 else ("", 5)
        wire.send(did_change(URI, version, edit((0, 4), (0, end), text)))
        if n % every == 0:
            asked.add(number := f"storm{version}")
            arrived = len(fake.requests)
            wire.send(ask(number, URI, 0, 4 + version % 2, trigger=1))
            if n // every % 5 == 0:
                fake.wait_for_requests_sync(arrived + 1)
            wire.send(cancel(number))
    answers = wire.answers(n_asked)
    assert {answer["id"] for answer in answers} == asked
    assert all(answer["error"]["code"] == -32800 for answer in answers)
    return version


def test_a_storm_of_changes_and_cancels_leaves_nothing_behind(fake: FakeDashScope) -> None:
    options = {"baseUrl": fake.compat_url, "debounceMs": 0}
    with Wire(sys.executable, "-m", "qwen_ls", "--stdio", env=environment()) as wire:
        wire.initialize(initializationOptions=options)
        wire.send(did_open(URI, "x = \n"))
        fake.behaviour = Behaviour(hold=True)
        version = storm(wire, fake, 1, 1_000, 200)
        process = psutil.Process(wire.process.pid)
        before = measures(process)
        storm(wire, fake, version, CHANGES, CANCELLED)
        fake.behaviour = Behaviour()
        fake.answer = "1"
        wire.send(ask("last", URI, 0, 4, trigger=1))
        assert wire.answer()["result"]["items"][0]["insertText"] == "1"
        after = measures(process)
    assert after[0] - before[0] < ALLOWED_MIB
    assert after[1] - before[1] <= 4
    assert after[2] - before[2] <= 1
    for recorded in fake.requests:
        recorded.finished.wait_sync(30)
