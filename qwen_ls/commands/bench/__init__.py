"""`qwen-ls bench`: somebody types a real file, and the figures say what the suggestions were worth.

In real time against the endpoint of the settings, or, with `--simulated`, at once against one that is not
there.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qwen_ls.commands import EXIT_DONE, EXIT_INTERRUPTED, EXIT_USAGE, CommandError, outcome, preparation
from qwen_ls.commands.bench import passage as passages
from qwen_ls.commands.bench.figures import Tally, summed_up, table
from qwen_ls.commands.bench.meter import MeteredBackend
from qwen_ls.commands.bench.replay import Replay
from qwen_ls.commands.bench.typist import keys_alone

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from qwen_ls.backend.base import Backend
    from qwen_ls.backend.plan import Target
    from qwen_ls.commands.bench.passage import Passage
    from qwen_ls.settings import Settings

SECONDS_A_KEY = 0.22
"""About how long a key takes this typist, pauses included."""


def run(arguments: argparse.Namespace) -> int:
    """Run the command.

    Raises:
        CommandError: the file or the settings are wrong, or the endpoint cannot be asked.
    """
    near = Path(arguments.file).absolute() if arguments.file else None
    settings = preparation.load(arguments.overrides, near=near).settings
    passage = _passage(arguments.file, settings, arguments.keys)
    target = _target(settings)
    n_keys = keys_alone(passage)
    tally, connect = Tally(), _connect(arguments, settings, passage)
    typing = partial(_type, settings, passage, tally, n_keys=n_keys)
    interrupted = False
    try:
        if arguments.simulated:
            from qwen_ls.commands.bench import virtual_time

            virtual_time.run(typing(connect))
        else:
            print(announcement(passage, n_keys, target, settings), file=sys.stderr)
            asyncio.run(typing(connect, shared_ledger=True, on_key=_progress(n_keys)))
    except KeyboardInterrupt:
        interrupted = True
    asked = "a simulated endpoint" if arguments.simulated else f"{target.provider.name} {target.model}"
    if not arguments.simulated and sys.stderr.isatty():
        print(file=sys.stderr)  # the line of the progress ends
    if arguments.json:
        facts: dict[str, Any] = {"file": passage.name, "asked": asked, "interrupted": interrupted}
        print(json.dumps(facts | summed_up(tally), indent=2, ensure_ascii=False))
    else:
        print(as_text(passage, tally, asked))
    return EXIT_INTERRUPTED if interrupted else EXIT_DONE


def as_text(passage: Passage, tally: Tally, asked: str) -> str:
    """What was typed and who was asked, in a line, and the figures."""
    size = f"{tally.characters} characters, {tally.keys} keys, {tally.seconds:.0f} s"
    return f"{passage.name}: {size}, {asked}\n{table({'qwen-ls': summed_up(tally)})}".rstrip()


def _passage(file: str | None, settings: Settings, n_characters: int) -> Passage:
    if file is None:
        return passages.of_module(passages.BUILT_IN, n_characters=n_characters)
    from qwen_ls.commands import documents
    from qwen_ls.core.redact import denied
    from qwen_ls.core.types import Reason

    if denied(documents.uri(file), settings.exclude):  # before the file is read
        raise CommandError(outcome.line(Reason.DENIED), outcome.exit_code(Reason.DENIED))
    return passages.of_file(file, n_characters=n_characters)


def _target(settings: Settings) -> Target:
    from qwen_ls.backend.base import ConfigurationError
    from qwen_ls.backend.plan import resolve

    try:
        return resolve(settings)
    except ConfigurationError as error:
        raise CommandError(str(error), EXIT_USAGE) from error


def _connect(
    arguments: argparse.Namespace, settings: Settings, passage: Passage
) -> Callable[[Settings], Backend]:
    if arguments.simulated:
        from qwen_ls.commands.bench.simulated import SimulatedEndpoint

        return lambda wanted: SimulatedEndpoint(_target(wanted), passage)
    preparation.get_local_ready(settings, yes=arguments.yes)
    from qwen_ls.backend.connect import connect

    return connect


def announcement(passage: Passage, n_keys: int, target: Target, settings: Settings) -> str:
    """What is going to happen, and what it may cost at most: a call for every key, and none is more."""
    from qwen_ls.backend.prices import price
    from qwen_ls.core.budget import estimate_tokens
    from qwen_ls.core.trigger import BLOCK_TOKENS
    from qwen_ls.core.types import Usage

    prompt = min(target.prompt_tokens(settings), round(estimate_tokens(passage.whole)))
    most = Usage(n_keys * prompt, n_keys * target.max_tokens(settings.max_tokens or BLOCK_TOKENS))
    cost = price(target, most)
    money = f", {cost[0]:.2f} {cost[1]}" if cost else ""
    tokens = most.prompt_tokens + most.completion_tokens
    return (
        f"qwen-ls: types {len(passage.text)} characters of {passage.name} with {target.provider.title}, "
        f"{target.model}; this takes about {n_keys * SECONDS_A_KEY:.0f} s.\n"
        f"qwen-ls: at most {n_keys} calls and {tokens:,} tokens{money}, usually a tenth of that; your limits "
        "hold. Ctrl-C stops it and prints what there is."
    )


async def _type(
    settings: Settings,
    passage: Passage,
    tally: Tally,
    connect: Callable[[Settings], Backend],
    *,
    n_keys: int,
    shared_ledger: bool = False,
    on_key: Callable[[int], None] = lambda n_keys: None,
) -> None:
    """Type the passage with the service that an editor would have.

    Raises:
        CommandError: the endpoint cannot be asked.
    """
    from qwen_ls.backend.prices import price
    from qwen_ls.books import ledger_path
    from qwen_ls.service import CompletionService

    def metered(wanted: Settings) -> Backend:
        return MeteredBackend(connect(wanted), tally.traffic, most_calls=n_keys)

    service = CompletionService(
        settings,
        connect=metered,
        clock=asyncio.get_running_loop().time,
        ledger=ledger_path if shared_ledger else None,
        price=price,
    )

    def pressed(n_pressed: int) -> None:
        status = service.status()
        if status.kind in {"error", "off"}:
            raise CommandError(status.text, EXIT_USAGE)
        on_key(n_pressed)

    try:
        await service.warm()
        pressed(0)
        await Replay(service, passage, tally, on_key=pressed).run()
    finally:
        await service.aclose()


def _progress(n_keys: int) -> Callable[[int], None]:
    """Show on a terminal how far it is."""

    def show(n_pressed: int) -> None:
        if n_pressed % 10 == 0:
            with contextlib.suppress(OSError):
                print(f"\r{n_pressed} keys, {n_keys} at most ", end="", file=sys.stderr, flush=True)

    return show if sys.stderr.isatty() else lambda n_pressed: None
