"""`qwen-ls try`: a playground in the terminal, or a few completions printed; both ask a real server."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from qwen_ls.commands import EXIT_ENDPOINT, CommandError, preparation
from qwen_ls.commands.playground.opened import open_file, open_sample

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping

    from qwen_ls.commands.playground.opened import Opened
    from qwen_ls.settings import Settings

SET_A_KEY = "Set DASHSCOPE_API_KEY to use DashScope's models."
NO_KEY = f"No key found: using the local model Qwen2.5-Coder-0.5B on this machine. {SET_A_KEY}"


def run(arguments: argparse.Namespace) -> int:
    """Run the command.

    Raises:
        CommandError: it cannot go on; the message says why.
    """
    plain = arguments.plain or not (sys.stdin and sys.stdin.isatty() and sys.stdout.isatty())
    if not plain:
        _require_prompt_toolkit()
    opened = open_sample() if arguments.file is None else open_file(arguments.file)
    settings = preparation.load(arguments.overrides, near=opened.path).settings
    options: dict[str, Any] = dict(preparation.read_overrides(arguments.overrides))
    if notice := _without_key(settings):
        print(f"qwen-ls: {notice}", file=sys.stderr, flush=True)
        options["provider"] = "local"
        settings = replace(settings, provider="local", model=None)
        opened = replace(opened, notice=notice)
    preparation.get_local_ready(settings, yes=arguments.yes or plain, what_else=SET_A_KEY)
    return play(opened, options, plain=plain)


def _require_prompt_toolkit() -> None:
    try:
        import prompt_toolkit  # noqa: F401 - whether it is there
    except ImportError:
        raise CommandError(
            "the playground needs one more package: pip install 'qwen-ls[try]'; or add --plain"
        ) from None


def _without_key(settings: Settings) -> str:
    """What to say where there is no key and the settings name no other provider; else nothing."""
    if settings.provider == "dashscope" and settings.base_url is None and preparation.lacks_key(settings):
        return NO_KEY
    return ""


def play(opened: Opened, options: Mapping[str, Any], *, plain: bool, command: tuple[str, ...] = ()) -> int:
    """Show the document, in the terminal or printed, until the user leaves.

    Args:
        opened: the document.
        options: the settings, as initializationOptions.
        plain: whether to print a few completions instead of opening a screen.
        command: the server's command line, by default qwen-ls itself.

    Raises:
        CommandError: there is no server to talk to.
    """
    from qwen_ls.commands.playground.rpc import ServerGoneError

    try:
        if plain:
            from qwen_ls.commands.playground.plain import show

            return asyncio.run(show(opened, options, command))
        from qwen_ls.commands.playground.screen import Screen

        with contextlib.suppress(EOFError):  # the terminal went away
            asyncio.run(Screen(opened, options, command).run())
    except ServerGoneError as gone:
        raise CommandError(f"{gone}; run `qwen-ls doctor`, or again with --debug", EXIT_ENDPOINT) from gone
    return 0
