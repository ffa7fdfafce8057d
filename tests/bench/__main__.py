"""`python -m tests.bench`: the server's own cost, beside a stock pygls server and a bare JSON-RPC loop.

All variants of a row are measured in turn, in one run: read the ratios, not the milliseconds. `--json FILE`
writes the figures; `--quick` makes a run of a minute. `python -m tests.bench replay` is another bench: what a
typist gets, and what it costs, beside a naive server (`tests.bench.replay`); `prefix` says how much of each
prompt repeats the one before it, `quality` whether the text is right (`tests.bench.quality.run`), and
`scenarios` whether there is any where there should be (`tests.bench.quality.scenarios.run`).
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.bench import prefix, replay
from tests.bench.quality import run as quality
from tests.bench.quality.scenarios import run as scenarios
from tests.bench.wire import PYTHON, Server, typed
from tests.fake_dashscope import Behaviour, FakeDashScope
from tests.fake_dashscope.record import Recorded

SUGGESTION = " + ".join(f"value_{n * n}" for n in range(300))
"""What is typed along with: long enough for all rounds, and no line that repeats itself."""
LEDGER_DIR = os.environ.get("QWEN_LS_LEDGER_DIR") or tempfile.mkdtemp(prefix="qwen-ls-bench-")
BARE = [PYTHON, "-m", "tests.bench.bare"]
STOCK = [PYTHON, "-m", "tests.bench.stock"]
OURS = [PYTHON, "-m", "qwen_ls", "--stdio"]
VARIANTS = {"bare loop": BARE, "stock pygls": STOCK, "qwen-ls": OURS}

LEDGER_S = 2.0
"""After so long what was used has been written to the ledger for the first time."""

Rows = list[dict[str, Any]]


def environment() -> dict[str, str]:
    """Nothing of the user's own settings."""
    return {
        "QWEN_LS_CONFIG": os.devnull,
        "QWEN_LS_LEDGER_DIR": LEDGER_DIR,
        "DASHSCOPE_API_KEY": "sk-test",
        "NO_PROXY": "127.0.0.1",
    }


def options(fake: FakeDashScope, **more: Any) -> dict[str, Any]:
    """Settings for the fake endpoint."""
    return {"baseUrl": fake.compat_url, "debounceMs": 0, "maxTokens": 4096, **more}


def document(size: str) -> tuple[str, int, int]:
    """A document of that size, and the place to type at."""
    if size == "5 MB line":
        text = "x = [" + "1234, " * 830_000
        return text, 0, len(text)
    lines = {"1k lines": 1_000, "10k lines": 10_000, "100k lines": 100_000}[size]
    body = [f"    value_{n} = compute(value_{n - 1}, {n})  # a line\n" for n in range(lines)]
    body[lines // 2] = "    total = \n"
    return "".join(body), lines // 2, len("    total = ")


def keystrokes(size: str, rounds: int, fake: FakeDashScope) -> Rows:
    """One key and one request, the answer known: what a user pays at every key."""
    text, line, column = document(size)
    times: dict[str, list[float]] = {name: [] for name in VARIANTS}
    fake.answer = SUGGESTION
    servers = {name: Server(command, environment()) for name, command in VARIANTS.items()}
    try:
        for server in servers.values():
            server.initialize(options(fake))
            server.open(text)
            server.complete(line, column)
        for n in range(rounds):
            for name, server in servers.items():
                change = typed(line, column + n, SUGGESTION[n], n + 1)
                start = time.perf_counter()
                result = server.complete(line, column + n + 1, change)
                times[name].append(time.perf_counter() - start)
                if name == "qwen-ls":
                    assert result["items"], "the bench's own premise: the answer is known"
    finally:
        for server in servers.values():
            server.__exit__()
    floor = statistics.median(times["bare loop"])
    return [row(f"key, {size}", name, seconds, floor) for name, seconds in times.items()]


def row(what: str, name: str, seconds: list[float], floor: float) -> dict[str, Any]:
    """The figures of a variant, in milliseconds, and its ratio to the floor."""
    ordered = sorted(seconds)
    p50 = statistics.median(ordered)
    p99 = ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]
    return {"what": what, "variant": name, "p50": p50 * 1e3, "p99": p99 * 1e3, "ratio": p50 / floor}


def uncached(rounds: int, fake: FakeDashScope) -> Rows:
    """A completion that needs the endpoint, beside the same call made directly."""
    fake.answer = "compute(1)"
    address = urlsplit(fake.base_url)
    direct = http.client.HTTPConnection(address.hostname or "", address.port)
    calls: list[float] = []
    answers: list[float] = []
    with Server(OURS, environment()) as server:
        server.initialize(options(fake))
        text, line, column = document("1k lines")
        server.open(text)
        for n in range(rounds + 10):
            change = typed(line, column + n, "y", n + 1)
            start = time.perf_counter()
            result = server.complete(line, column + n + 1, change, kind=1)
            took = time.perf_counter() - start
            assert result["items"]
            body = json.dumps(fake.requests[-1].body)
            start = time.perf_counter()
            direct.request(
                "POST", "/compatible-mode/v1/completions", body, {"Authorization": "Bearer sk-test"}
            )
            direct.getresponse().read()
            if n >= 10:
                answers.append(took)
                calls.append(time.perf_counter() - start)
    direct.close()
    floor = statistics.median(calls)
    return [row("uncached", "the call itself", calls, floor), row("uncached", "qwen-ls", answers, floor)]


def closing(rounds: int, fake: FakeDashScope) -> Rows:
    """From a cancel, or from typing what the answer does not say, until the endpoint has lost its client."""
    cancelled: list[float] = []
    contradicted: list[float] = []
    lines = [f"total_{n} = " for n in range(2 * rounds)]
    fake.answer, fake.behaviour = "compute(1, " + "argument, " * 200, Behaviour(hold_after=2)
    with Server(OURS, environment()) as server:
        server.initialize(options(fake))
        server.open("\n".join(lines))
        for n, line in enumerate(lines):
            request_id = server.ask(n, len(line), kind=1 + n % 2)
            while not (call := asked(fake, line)):
                time.sleep(0.001)
            start = time.monotonic()
            if n % 2:
                server.ask(n, len(line) + 1, typed(n, len(line), "?", n + 1))
            else:
                server.write({"method": "$/cancelRequest", "params": {"id": request_id}})
            call.cancelled.wait_sync()
            (contradicted if n % 2 else cancelled).append((call.cancelled_at or 0.0) - start)
    fake.behaviour = Behaviour()
    floor = statistics.median(cancelled)
    return [
        row("closed at the endpoint", "cancelled", cancelled, floor),
        row("closed at the endpoint", "typed otherwise", contradicted, floor),
    ]


def asked(fake: FakeDashScope, line: str) -> Recorded | None:
    """The call for the end of that line, once its answer has begun."""
    return next((call for call in fake.requests if call.prefix.endswith(line) and call.chunks), None)


def start_up(rounds: int, fake: FakeDashScope) -> Rows:
    """From spawning to the answer to `initialize`, and to the first completion."""
    fake.answer = "compute(1)"
    ready: dict[str, list[float]] = {name: [] for name in VARIANTS}
    first: dict[str, list[float]] = {name: [] for name in VARIANTS}
    for _ in range(rounds):
        for name, command in VARIANTS.items():
            with Server(command, environment()) as server:
                ready[name].append(server.initialize(options(fake)))
                server.open("total = \n")
                server.complete(0, 8)
                first[name].append(time.perf_counter() - server.spawned_s)
    rows = [
        row("spawn to initialize", name, took, statistics.median(ready["stock pygls"]))
        for name, took in ready.items()
    ]
    return rows + [
        row("spawn to first completion", name, took, statistics.median(first["stock pygls"]))
        for name, took in first.items()
    ]


def memory(changes: int, fake: FakeDashScope) -> Rows:
    """Memory after the first completion, and what so many keystrokes add to it."""
    rows = []
    fake.answer = SUGGESTION
    for name in ("stock pygls", "qwen-ls"):
        with Server(VARIANTS[name], environment()) as server:
            server.initialize(options(fake))
            server.open("total = \n")
            server.complete(0, 8)
            warm = 2_000
            for version in range(warm):
                server.write(typed(0, 8, "x" if version % 2 else "\n", version))
            time.sleep(LEDGER_S)  # its import and its thread come once; they are no growth
            server.complete(0, 8)
            before = server.rss_kib()
            for version in range(changes):
                server.write(typed(1, 0, "y", version + warm))
                if version % 1000 == 999:
                    server.write(replaced("total = \n\n", version + warm))
            server.complete(0, 8)
            after = server.rss_kib()
        rows.append(
            {"what": "memory", "variant": name, "MiB": before / 1024, "growth": (after - before) / 1024}
        )
    return rows


def replaced(text: str, version: int) -> dict[str, Any]:
    """The notification that the whole text was replaced."""
    change = typed(0, 0, text, version)
    change["params"]["contentChanges"] = [{"text": text}]
    return change


def burst(messages: int) -> Rows:
    """So many changes in one write, then a request: how fast the queue drains."""
    rows = []
    for name, command in VARIANTS.items():
        with Server(command, environment()) as server:
            server.initialize({"enabled": False})
            server.open("total = \n" * 1000)
            server.complete(500, 8)
            queue = [typed(500, 8, "x", version) for version in range(messages)]
            start = time.perf_counter()
            server.complete(500, 8, *queue)
            rows.append({"what": f"burst of {messages}", "variant": name,
                         "messages/s": messages / (time.perf_counter() - start)})  # fmt: skip
    return rows


def show(rows: Rows) -> None:
    """Print the figures as they come."""
    for figures in rows:
        numbers = "  ".join(
            f"{key} {value:,.2f}" for key, value in figures.items() if isinstance(value, int | float)
        )
        print(f"{figures['what']:28} {figures['variant']:16} {numbers}", flush=True)


def main() -> int:
    """Run every part."""
    if sys.argv[1:2] == ["quality"]:
        return quality.main(sys.argv[2:])
    if sys.argv[1:2] == ["scenarios"]:
        return scenarios.main(sys.argv[2:])
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("part", nargs="?", choices=["server", "replay", "prefix"], default="server")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    parser.add_argument("--quick", action="store_true", help="fewer rounds")
    parser.add_argument("--seed", type=int, default=0, help="of the replay's typist and endpoint")
    parser.add_argument("--real", action="store_true", help="replay: in real time, with the local model")
    parser.add_argument("--client", choices=replay.CLIENTS, default="vscode", help="replay: who asks")
    arguments = parser.parse_args()
    if arguments.part == "prefix":
        figures: Any = prefix.run()
        show(figures)
    elif arguments.part == "replay":
        figures = replay.main(
            quick=arguments.quick, seed=arguments.seed, real=arguments.real, client=arguments.client
        )
    elif arguments.part == "prefix":
        figures = prefix.run()
        show(figures)
    else:
        figures = server(quick=arguments.quick)
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=1), "utf-8")
    return 0


def server(*, quick: bool) -> Rows:
    """Measure what the server itself costs."""
    scale = 1 if quick else 4
    everything: Rows = []
    with FakeDashScope.in_thread() as fake:
        parts: list[Callable[[], Rows]] = [
            lambda: keystrokes("1k lines", 100 * scale, fake),
            lambda: keystrokes("10k lines", 40 * scale, fake),
            lambda: keystrokes("100k lines", 15 * scale, fake),
            lambda: keystrokes("5 MB line", 2 * scale, fake),
            lambda: uncached(50 * scale, fake),
            lambda: closing(10 * scale, fake),
            lambda: start_up(3 * scale, fake),
            lambda: memory(5_000 * scale, fake),
            lambda: burst(5_000),
        ]
        print("times in ms; ratio: p50 to the floor's (start-up: to stock pygls')")
        for part in parts:
            rows = part()
            show(rows)
            everything += rows
    return everything


if __name__ == "__main__":
    sys.exit(main())
