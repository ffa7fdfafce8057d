"""What commands do before they can ask a model: read the settings, find the key, ready the engine."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from qwen_ls.commands import EXIT_ENDPOINT, EXIT_NO_SUGGESTION, EXIT_USAGE, CommandError
from qwen_ls.settings import snake
from qwen_ls.sources import PROJECT_FILE, Loaded
from qwen_ls.sources import load as load_sources

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qwen_ls.settings import Settings


def read_overrides(words: Sequence[str]) -> dict[str, str]:
    """Read `KEY=VALUE`s as settings.

    Raises:
        CommandError: one of them has no value.
    """
    result = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not equals or not key.strip():
            raise CommandError(f"--set wants KEY=VALUE, as in --set provider=local, and {word!r} is none")
        result[snake(key.strip())] = value
    return result


def load(overrides: Sequence[str], *, near: Path | None = None, quiet: bool = False) -> Loaded:
    """Read the settings from all their sources, and `--set` on top.

    Args:
        overrides: what `--set` was given.
        near: the file that is worked on; its project's file counts. By default the current folder's does.
        quiet: whether to keep what is wrong elsewhere from stderr.

    Raises:
        CommandError: what `--set` was given is wrong.
    """
    workspace = project_root(near or Path.cwd())
    options = read_overrides(overrides)
    without = load_sources(workspace=workspace)
    if not options:
        loaded = without
    else:
        loaded = load_sources(initialization_options=options, workspace=workspace)
        known = {str(problem) for problem in without.problems}
        if wrong := [str(problem) for problem in loaded.problems if str(problem) not in known]:
            raise CommandError(" ".join(wrong).replace("editor (initializationOptions)", "--set"))
    if not quiet:
        for problem in loaded.problems:
            print(f"qwen-ls: {problem}", file=sys.stderr)
    return loaded


def project_root(path: Path) -> Path:
    """The nearest folder above that holds a project's file or a repository; else the path's own folder."""
    start = path if path.is_dir() else path.parent
    for folder in (start, *start.parents):
        if (folder / PROJECT_FILE).is_file() or (folder / ".git").exists():
            return folder
    return start


def lacks_key(settings: Settings) -> bool:
    """Whether calls cannot be made for want of a key, and for nothing else."""
    from qwen_ls.backend.base import ConfigurationError
    from qwen_ls.backend.connect import key_for
    from qwen_ls.backend.plan import resolve

    try:
        target = resolve(settings)
        return (
            target.provider.name != "local"
            and target.provider.key_required
            and (key_for(target, settings, os.environ) is None)
        )
    except ConfigurationError as error:
        return error.cause == "no key"


def get_local_ready(settings: Settings, *, yes: bool, what_else: str = "") -> None:
    """Have the local engine running, with its weights here, where the settings ask for that engine.

    Says what is done; asks before a download where somebody can answer.

    Args:
        settings: the settings in force.
        yes: whether not to ask.
        what_else: what the user can do instead, for the message when this fails.

    Raises:
        CommandError: it cannot be had; the message names the cause and the remedy.
    """
    if settings.provider != "local":
        return
    from qwen_ls.backend.base import BackendError, ConfigurationError, NotReadyError
    from qwen_ls.local.command import prepare

    interactive = sys.stdin is not None and sys.stdin.isatty() and sys.stderr.isatty()
    try:
        prepare(ask=interactive, yes=yes)
    except BackendError as error:
        code = EXIT_ENDPOINT
        if isinstance(error, ConfigurationError):
            code = EXIT_USAGE
        elif isinstance(error, NotReadyError):  # it was the user who said no
            code = EXIT_NO_SUGGESTION
        raise CommandError(f"{error} {what_else}".strip(), code) from error
