"""Where settings come from, and which one wins.

Later wins: defaults, the user's file, the project's file (only the options marked so), the environment, what
the editor sends at `initialize`, what it answers to `workspace/configuration`. Nothing here raises: a file
that cannot be read is a `Problem`.
"""

from __future__ import annotations

import os
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qwen_ls.settings import OPTIONS, Settings
from qwen_ls.validation import Problem, check

if TYPE_CHECKING:
    from collections.abc import Mapping

PROJECT_FILE = ".qwen-ls.toml"
MAX_FILE_BYTES = 256 * 1024
NOT_SETTINGS = frozenset(
    {
        "QWEN_LS_LOCAL_MODEL",
        "QWEN_LS_DATA_DIR",
        "QWEN_LS_STATE_DIR",
        "QWEN_LS_CONFIG",
        "QWEN_LS_LOCAL_GRACE_S",
    }
)
"""Environment variables of ours that say where files are; they are no settings."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """The settings in force, what was wrong on the way, and where each value came from."""

    settings: Settings
    problems: tuple[Problem, ...]
    origins: Mapping[str, str]
    """By snake_case name; an option that is not here has its default."""


def user_file(environ: Mapping[str, str] = os.environ) -> Path:
    """`config.toml` in the platform's config folder; `QWEN_LS_CONFIG` names another."""
    if path := environ.get("QWEN_LS_CONFIG"):
        return Path(path)
    import platformdirs

    return Path(platformdirs.user_config_dir("qwen-ls", appauthor=False)) / "config.toml"


def load(
    *,
    initialization_options: Mapping[str, Any] | None = None,
    configuration: Mapping[str, Any] | None = None,
    workspace: Path | None = None,
    environ: Mapping[str, str] = os.environ,
) -> Loaded:
    """Read every source and merge them.

    Args:
        initialization_options: as the editor sent them; bare, or under `qwen-ls`.
        configuration: the section `qwen-ls` as the editor answered.
        workspace: the project's root, which may hold a `.qwen-ls.toml`.
        environ: the environment.
    """
    layers: list[tuple[str, Mapping[str, Any], bool]] = []
    problems: list[Problem] = []
    files = [(user_file(environ), False)]
    if workspace is not None:
        files.append((workspace / PROJECT_FILE, True))
    for path, project in files:
        values, trouble = _read_toml(path)
        problems.extend(trouble)
        layers.append((str(path), values, project))
    layers.append(("environment", _from_environment(environ), False))
    layers.append(("editor (initializationOptions)", _section(initialization_options), False))
    layers.append(("editor (workspace/configuration)", _section(configuration), False))

    merged: dict[str, Any] = {}
    origins: dict[str, str] = {}
    for source, values, project in layers:
        good, trouble = check(values, source=source, project=project)
        problems.extend(trouble)
        if project and "exclude" in good:  # a project can add to what is never sent, and take nothing away
            good["exclude"] = (*merged.get("exclude", ()), *good["exclude"])
        merged |= good
        origins |= dict.fromkeys(good, source)
    return Loaded(Settings(**merged), tuple(problems), origins)


def _read_toml(path: Path) -> tuple[Mapping[str, Any], list[Problem]]:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
        if len(data) > MAX_FILE_BYTES:
            return {}, [Problem("", f"{path}: larger than {MAX_FILE_BYTES // 1024} KiB; it is ignored.")]
        return tomllib.loads(data.decode("utf-8-sig")), []
    except (FileNotFoundError, NotADirectoryError):
        return {}, []
    except OSError as error:
        return {}, [Problem("", f"{path}: cannot be read ({error.strerror or error}); it is ignored.")]
    except (ValueError, RecursionError) as error:  # tomllib also lets int's and date's own errors through
        reason = "not UTF-8" if isinstance(error, UnicodeDecodeError) else str(error).split("\n", 1)[0]
        return {}, [Problem("", f"{path}: not valid TOML ({reason}); it is ignored.")]


def _from_environment(environ: Mapping[str, str]) -> dict[str, str]:
    prefix = "QWEN_LS_"
    return {
        key.removeprefix(prefix).lower(): value
        for key, value in sorted(environ.items())
        if key.startswith(prefix) and key not in NOT_SETTINGS and value.strip()
    }


def _section(values: Any) -> Mapping[str, Any]:
    """The editor's values: bare, or under the section's name, and never anything but a table."""
    if not isinstance(values, dict):
        return {}
    inner = values.get("qwen-ls")
    if isinstance(inner, dict) and not any(key in OPTIONS for key in values):
        return inner
    return {key: value for key, value in values.items() if key != "qwen-ls"}
