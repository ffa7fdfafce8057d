"""`qwen-ls doctor`: looks at settings, key, host and model, makes a few small calls, and says what to do.

Shows no key and no code of the user's: its output can be pasted into a report. With `--layouts` it asks about
written holes instead, in every way that the endpoint has (`qwen_ls.commands.layouts`).
"""

from __future__ import annotations

import asyncio
import functools
import json
import os
import platform
import socket
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any, TypeVar

from qwen_ls import __version__
from qwen_ls.commands import (
    EXIT_DONE,
    EXIT_ENDPOINT,
    EXIT_INTERRUPTED,
    EXIT_USAGE,
    CommandError,
    preparation,
)
from qwen_ls.commands.findings import Finding, Mark, drawn, failure
from qwen_ls.core.types import Strategy

if TYPE_CHECKING:
    import argparse
    from collections.abc import Generator, Iterator

    from qwen_ls.backend.plan import Target
    from qwen_ls.commands.live import LiveTest
    from qwen_ls.settings import Settings
    from qwen_ls.sources import Loaded

T = TypeVar("T")
_SOON_DAYS = 7
_STRATEGIES = {Strategy.FIM: "fill-in-the-middle", Strategy.PARTIAL: "partial mode"}


def run(arguments: argparse.Namespace) -> int:
    """Run the command; the exit code is the first bad finding's.

    Raises:
        CommandError: what `--set` was given is wrong.
    """
    loaded = preparation.load(arguments.overrides, quiet=True)
    findings: list[Finding] = []
    tell = functools.partial(_tell, findings, is_quiet=arguments.json)
    target = tell(examine(loaded))
    seen: dict[str, Any] = {}
    if arguments.layouts:
        seen = {"layouts": tell(_layouts(target, loaded.settings, arguments)) if target else None}
    else:
        seen = {"measured": tell(_live(target, loaded.settings)) if target else None}
    code = next((finding.code for finding in findings if finding.code), EXIT_DONE)
    if arguments.json:
        report = {"version": __version__, "findings": [asdict(f) for f in findings]}
        print(json.dumps(report | seen, indent=2))
    else:
        print(f"\n{_summary(findings, code)}")
    return code


def _tell(findings: list[Finding], found: Generator[Finding, None, T], *, is_quiet: bool) -> T:
    """Keep what is found, and print it as it comes; returns what the look at it returns."""
    while True:
        try:
            finding = next(found)
        except StopIteration as end:
            result: T = end.value
            return result
        findings.append(finding)
        if not is_quiet:
            print(drawn(finding), flush=True)


def _summary(findings: list[Finding], code: int) -> str:
    """The last line."""
    if code != EXIT_DONE:
        return "something needs to be done: see the lines with an arrow"
    return (
        "it works; see the lines with a !"
        if any(f.mark is not Mark.GOOD for f in findings)
        else "all is well"
    )


def examine(loaded: Loaded) -> Generator[Finding, None, Target | None]:
    """Look at one thing after the other; what cannot work without the last one is not looked at.

    Returns:
        The target, where a call can be made.
    """
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
        if target.provider.name == "local":
            ready = yield from _local(loaded.settings)
        else:
            ready = yield from _endpoint(target, loaded.settings)
        yield from _model(target, loaded.settings)
    except BackendError as error:
        yield failure("settings", error)
        return None
    return target if ready else None


def _layouts(
    target: Target, settings: Settings, arguments: argparse.Namespace
) -> Generator[Finding, None, dict[str, Any]]:
    """Ask in every way, print the table, and say which is best."""
    from qwen_ls.commands.layouts import asking
    from qwen_ls.commands.layouts.comparison import Comparison
    from qwen_ls.commands.layouts.verdict import as_text, verdict
    from qwen_ls.commands.layouts.ways import ways

    comparison = Comparison.of(ways(settings), target)
    if len(comparison.rows) < 2:
        yield Finding(Mark.GOOD, "layouts", "there is one way to ask here, and nothing to compare it with")
        return comparison.as_dict()
    asking.run(comparison, settings)
    if not arguments.json:
        print(f"\n{as_text(comparison)}\n", flush=True)
    yield from verdict(comparison, settings)
    if comparison.interrupted:
        yield Finding(Mark.DOUBTFUL, "layouts", "stopped before all was asked", code=EXIT_INTERRUPTED)
    return comparison.as_dict()


def _live(target: Target, settings: Settings) -> Generator[Finding, None, dict[str, Any] | None]:
    """Make the calls, judge them, and keep what they say of the stream; returns the calls' figures."""
    from qwen_ls.backend.base import BackendError
    from qwen_ls.backend.connect import connect
    from qwen_ls.backend.memory import Memory
    from qwen_ls.backend.streams import remember
    from qwen_ls.commands.judgement import judge, spent
    from qwen_ls.commands.live import ask

    memory = Memory()
    try:
        test = asyncio.run(ask(settings, functools.partial(connect, memory=memory)))
    except BackendError as error:
        yield failure("call", error)
        return None
    if test.hole.refused is not None:
        target = target.in_partial_mode() or target
    if (native := memory.native_path(target)) is not None:
        seen = f"{target.model} is on the native API's other path, {native}, and is asked there"
        target = replace(target, native=native)
        yield Finding(
            Mark.DOUBTFUL, "path", seen, f"Set nativePath to {native} in the model's row in models."
        )
    known = memory.semantics.recall(target.url, target.model)
    yield from judge(test, target, settings, known)
    if known is not None:
        try:
            remember(target.url, target.model, known)
        except OSError as error:
            seen = f"what was found out of the stream cannot be saved ({error.strerror or error})"
            yield Finding(Mark.DOUBTFUL, "streaming", seen, "Check QWEN_LS_STATE_DIR.")
    yield spent(test)
    return _measured(test)


def _measured(test: LiveTest) -> dict[str, Any]:
    """The calls' figures, for tools."""
    usages = [call.usage for call in test.calls if call.usage is not None]
    return {
        "calls": sum(call.n_asked for call in test.calls),
        "prompt_tokens": sum(usage.prompt_tokens for usage in usages),
        "completion_tokens": sum(usage.completion_tokens for usage in usages),
        "first_token_ms": test.hole.first_token_ms,
        "tokens_a_second": test.long.tokens_a_second if test.long else None,
        "cached_tokens": test.repeat.usage.cached_tokens if test.repeat and test.repeat.usage else 0,
    }


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
    layout = ""
    if target.strategy is Strategy.FIM:
        named = target.template and f" with the tokens of {target.template.name}"
        layout = named or " laid out by the server"
    yield Finding(Mark.GOOD, "strategy", f"{_STRATEGIES[target.strategy]}{layout} ({strategy})")
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
    try:
        preparation.get_local_ready(settings, yes=True)
    except CommandError as error:
        yield Finding(Mark.BAD, "engine", str(error), "Its log says more.", error.code)
        return False
    return True


def _endpoint(target: Target, settings: Settings) -> Generator[Finding, None, bool]:
    """Look at key and host; returns whether a call can be made."""
    from qwen_ls.backend.address import is_loopback
    from qwen_ls.backend.base import ConfigurationError
    from qwen_ls.backend.connect import key_for

    try:
        key = key_for(target, settings, os.environ)
    except ConfigurationError as error:
        yield failure("key", error)
        return False
    where = f"from the {key.source}" if key else "none is needed here, and none is sent"
    yield Finding(Mark.GOOD, "key", where)
    if is_loopback(target.host):
        yield Finding(Mark.GOOD, "host", f"{target.base_url}, on this machine")
        return True
    yield _resolves(target)
    return (yield from _tls(target))


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


def _tls(target: Target) -> Generator[Finding, None, bool]:
    """Look at the host's certificate; returns whether a call can be made."""
    from qwen_ls.backend.base import BackendError, TlsError
    from qwen_ls.backend.tls import shake_hands

    try:
        seen = shake_hands(target)
    except BackendError as error:
        yield failure("tls", error)
        return not isinstance(error, TlsError)
    if seen is not None:
        soon = seen.days_left < _SOON_DAYS
        text = f"{seen.version}, the certificate is trusted for {seen.days_left} more days"
        yield Finding(Mark.DOUBTFUL if soon else Mark.GOOD, "tls", text)
    return True
