"""Editors that are installed, or a loud word about why not."""

from __future__ import annotations

import functools
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.editors.stage import Stage

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.fake_dashscope import FakeDashScope

INSTALL = Path(__file__).parent / "install.sh"
UNREACHABLE = 75
"""`install.sh`'s exit code where a registry cannot be reached: EX_TEMPFAIL of sysexits.h."""


@functools.cache
def _install(editor: str) -> tuple[int, str, str]:
    environ = {**os.environ, "PYTHON": sys.executable}
    done = subprocess.run(["bash", str(INSTALL), editor], env=environ, capture_output=True, encoding="utf-8")
    return done.returncode, done.stdout.strip(), done.stderr


@pytest.fixture(scope="session")
def installed() -> Callable[[str], Path]:
    """The folder in which `install.sh` has put an editor, by its name there, as in `neovim-0.12.4`."""

    def folder_of(editor: str) -> Path:
        code, folder, words = _install(editor)
        if code == UNREACHABLE:
            pytest.skip(
                f"{editor.upper()} WAS NOT TESTED, its registry cannot be reached: {words.strip()[-400:]}"
            )
        assert code == 0, f"{editor} could not be installed:\n{words}"
        return Path(folder.splitlines()[-1])

    return folder_of


@pytest.fixture
def stage(tmp_path: Path, fake: FakeDashScope) -> Callable[[str], Stage]:
    """Makes the surroundings of an editor, by its name."""
    return lambda editor: Stage(tmp_path, fake, editor)
