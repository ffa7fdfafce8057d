"""`qwen-ls doctor`: looks at settings, key, host and model, makes one tiny call, and says what to do.

Shows no key and no code of the user's: its output can be pasted into a report.
"""

from __future__ import annotations

import asyncio
import enum
import json
import os
import platform
import socket
import sys
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from qwen_ls import __version__
from qwen_ls.commands import EXIT_DONE, EXIT_ENDPOINT, EXIT_USAGE, preparation
from qwen_ls.commands.live import LiveTest, ask
from qwen_ls.core.types import Strategy

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Generator, Iterator

    from qwen_ls.backend.base import Backend, BackendError
    from qwen_ls.backend.plan import Target
    from qwen_ls.settings import Settings
    from qwen_ls.sources import Loaded


class Mark(enum.StrEnum):
    """How a finding is."""

    GOOD = "good"
    DOUBTFUL = "doubtful"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    mark: Mark
    what: str
    seen: str
    remedy: str = ""
    """What to do about it; empty where nothing needs to be done."""
    code: int = EXIT_DONE
    """What the command's exit code becomes because of it."""


SIGNS = {Mark.GOOD: "✓", Mark.DOUBTFUL: "!", Mark.BAD: "✗"}
PLAIN_SIGNS = {Mark.GOOD: "ok", Mark.DOUBTFUL: "!", Mark.BAD: "x"}
COLOURS = {Mark.GOOD: "\x1b[32m", Mark.DOUBTFUL: "\x1b[33m", Mark.BAD: "\x1b[31m"}
_STRATEGIES = {Strategy.FIM: "fill-in-the-middle", Strategy.PARTIAL: "partial mode"}


def run(arguments: argparse.Namespace) -> int:
    """Run the command; the exit code is the first bad finding's.

    Raises:
        CommandError: what `--set` was given is wrong.
    """
    from qwen_ls.backend.connect import connect

    loaded = preparation.load(arguments.overrides, quiet=True)
    findings: list[Finding] = []
    for finding in examine(loaded, connect):
        findings.append(finding)
        if not arguments.json:
            print(drawn(finding), flush=True)
    code = next((finding.code for finding in findings if finding.code), EXIT_DONE)
    if arguments.json:
        print(json.dumps({"version": __version__, "findings": [asdict(f) for f in findings]}, indent=2))
    else:
        print(
            "\nall is well"
            if code == EXIT_DONE
            else "\nsomething needs to be done: see the lines with an arrow"
        )
    return code


def examine(loaded: Loaded, connect: Callable[[Settings], Backend]) -> Iterator[Finding]:
    """Look at one thing after the other; what cannot work without the last one is not looked at."""
    from qwen_ls.backend.base import BackendError
    from qwen_ls.backend.plan import resolve

    yield Finding(
        Mark.GOOD,
        "version",
        f"qwen-ls {__version__}, Python {platform.python_version()}, {platform.platform()}",
    )
    yield from _settings(loaded)
    try:
        target = resolve(loaded.settings)
        yield from _model(target, loaded.settings)
        if target.provider.name == "local":
            ready = yield from _local(loaded.settings)
        else:
            ready = yield from _endpoint(target, loaded.settings)
        if ready:
            yield from _live(asyncio.run(ask(loaded.settings, connect)))
    except BackendError as error:
        yield _failure("settings", error)


def _failure(what: str, error: BackendError) -> Finding:
    from qwen_ls.backend.base import ConfigurationError

    code = EXIT_USAGE if isinstance(error, ConfigurationError) else EXIT_ENDPOINT
    trace = f" (request id {error.request_id})" if error.request_id else ""
    return Finding(Mark.BAD, what, error.message + trace, error.remedy, code)


def _settings(loaded: Loaded) -> Iterator[Finding]:
    for problem in loaded.problems:
        yield Finding(Mark.DOUBTFUL, "settings", str(problem), "Mend it where it was set.", EXIT_USAGE)
    if not loaded.problems:
        sources = sorted(set(loaded.origins.values()))
        where = ", ".join(sources) if sources else "none is set: all have their defaults"
        yield Finding(Mark.GOOD, "settings", where.replace("editor (initializationOptions)", "--set"))


def _model(target: Target, settings: Settings) -> Iterator[Finding]:
    model = "as set" if settings.model else "the default"
    strategy = "as set" if settings.strategy != "auto" else "the best of what model and place offer"
    yield Finding(Mark.GOOD, "model", f"{target.model} ({model}) at {target.provider.title}")
    yield Finding(Mark.GOOD, "strategy", f"{_STRATEGIES[target.strategy]} ({strategy})")
    for note in target.notes:
        yield Finding(Mark.DOUBTFUL, "model", note)


def _local(settings: Settings) -> Generator[Finding, None, bool]:
    """Look at the local engine; returns whether it can be asked."""
    from qwen_ls.local.command import describe

    state = describe()
    if not state["engine"]:
        yield Finding(
            Mark.BAD,
            "engine",
            "there is none on this machine",
            "Run: pip install 'qwen-ls[local]'",
            EXIT_USAGE,
        )
        return False
    running = "running" if state["running"] else "not running; it is started when it is needed"
    yield Finding(Mark.GOOD, "engine", f"{state['engine']}, {running}; its log is {state['log']}")
    if not state["weights"]:
        remedy = "Run `qwen-ls try`, which downloads them."
        yield Finding(Mark.BAD, "weights", f"none in {state['folder']}", remedy, EXIT_ENDPOINT)
        return False
    checked = "checked" if state["weights_verified"] else "to be checked when they are first loaded"
    yield Finding(
        Mark.GOOD, "weights", f"{state['weights']} ({state['weights_bytes'] / 1e6:.0f} MB, {checked})"
    )
    preparation.get_local_ready(settings, yes=True)
    return True


def _endpoint(target: Target, settings: Settings) -> Generator[Finding, None, bool]:
    """Look at key and host; returns whether a call can be made."""
    from qwen_ls.backend.address import is_loopback
    from qwen_ls.backend.base import ConfigurationError
    from qwen_ls.backend.connect import key_for

    try:
        key = key_for(target, settings, os.environ)
    except ConfigurationError as error:
        yield _failure("key", error)
        return False
    where = f"from the {key.source}" if key else "none is needed here, and none is sent"
    yield Finding(Mark.GOOD, "key", where)
    if is_loopback(target.host):
        yield Finding(Mark.GOOD, "host", f"{target.base_url}, on this machine")
    else:
        yield _resolves(target)
    return True


def _resolves(target: Target) -> Finding:
    """Whether the host's name is known here. A proxy may know what this machine does not."""
    try:
        found = socket.getaddrinfo(target.host, None, proto=socket.IPPROTO_TCP)
    except OSError as error:
        text = f"{target.host} cannot be resolved here ({error.strerror or error})"
        return Finding(Mark.DOUBTFUL, "host", text, "Check the network, the proxy and baseUrl.")
    addresses = sorted({str(row[4][0]) for row in found})
    return Finding(
        Mark.GOOD, "host", f"{target.host} is {addresses[0]}" + (" and others" if addresses[1:] else "")
    )


def _live(test: LiveTest) -> Iterator[Finding]:
    if test.error is not None:
        yield _failure("call", test.error)
        return
    if test.refused is not None:
        said = f"{test.refused.message.rstrip('.')}; partial mode answers instead"
        yield Finding(Mark.DOUBTFUL, "strategy", said, "Set strategy to partial to skip the attempt.")
    if test.first_token_ms is None:
        remedy = "Try another model or strategy."
        yield Finding(Mark.BAD, "call", "the model answered with nothing", remedy, EXIT_ENDPOINT)
        return
    seen = f"first token after {test.first_token_ms:.0f} ms, the answer after {test.total_ms:.0f} ms"
    tokens = f", {test.prompt_tokens} + {test.completion_tokens} tokens" if test.prompt_tokens else ""
    yield Finding(Mark.GOOD, "call", seen + tokens)
    if test.streamed:
        pieces = "1 piece" if test.n_chunks == 1 else f"{test.n_chunks} pieces"
        yield Finding(Mark.GOOD, "streaming", f"the answer came in {pieces}")
    else:
        yield Finding(
            Mark.DOUBTFUL, "streaming", "switched off", "Set streaming to auto: answers end sooner."
        )
    if test.makes_sense:
        yield Finding(Mark.GOOD, "answer", f"{test.shown} fits into the hole")
    else:
        remedy = "Try another model or strategy; a model that was not made for code guesses."
        yield Finding(
            Mark.DOUBTFUL, "answer", f"{test.shown} came where {test.expected} was expected", remedy
        )


def drawn(finding: Finding) -> str:
    """A finding as it is printed."""
    try:
        SIGNS[finding.mark].encode(sys.stdout.encoding or "ascii")
        signs, arrow = SIGNS, "→"
    except UnicodeEncodeError:
        signs, arrow = PLAIN_SIGNS, "->"
    sign = signs[finding.mark]
    if sys.stdout.isatty():
        sign = f"{COLOURS[finding.mark]}{sign}\x1b[0m"
    text = f"{sign} {finding.what:<11}{finding.seen}"
    return f"{text}\n  {'':<11}{arrow} {finding.remedy}" if finding.remedy else text
