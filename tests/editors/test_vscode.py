"""The extension in the real VS Code."""

from __future__ import annotations

import functools
import hashlib
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.editors.playing import playable, play
from tests.editors.scenarios import Scenario
from tests.editors.stage import ROOT, Stage
from tests.editors.vscode_driver import VSCode, Workbench

EDITOR = "vscode-1.139.1"
EXTENSION = ROOT / "editors" / "vscode"
SOURCES = shutil.ignore_patterns("node_modules", "dist", "*.vsix")
UNREACHABLE = ("ENOTFOUND", "ECONNRE", "ETIMEDOUT", "EAI_AGAIN", "network")


@pytest.fixture(scope="session")
def npm(installed: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Callable[..., str]:
    """Runs npm in a copy of the extension that has its development dependencies."""
    folder = installed(EDITOR)
    environ = {**os.environ, "PATH": f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}"}
    copy = tmp_path_factory.mktemp("extension") / "vscode"
    shutil.copytree(EXTENSION, copy, ignore=SOURCES)
    lock = (EXTENSION / "package-lock.json").read_bytes()
    modules = folder / "extension" / hashlib.sha256(lock).hexdigest()[:16]
    if not (modules / ".complete").exists():
        modules.mkdir(parents=True, exist_ok=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(EXTENSION / name, modules)
        command = [folder / "bin" / "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        done = subprocess.run(command, cwd=modules, env=environ, capture_output=True, encoding="utf-8")
        if any(word in done.stderr for word in UNREACHABLE):
            pytest.skip(f"VS CODE'S EXTENSION WAS NOT TESTED, npm's registry cannot be reached: {done.stderr[-400:]}")
        assert done.returncode == 0, done.stderr
        (modules / ".complete").touch()
    (copy / "node_modules").symlink_to(modules / "node_modules")

    def run(*arguments: str) -> str:
        command = [folder / "bin" / "npm", "run", *arguments]
        done = subprocess.run(command, cwd=copy, env=environ, capture_output=True, encoding="utf-8")
        assert done.returncode == 0, done.stdout + done.stderr
        return str(copy)

    return run


@pytest.fixture(scope="session")
def workbench(
    installed: Callable[[str], Path], npm: Callable[..., str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Workbench]:
    vsix = Path(npm("package")) / "qwen-ls.vsix"
    with Workbench(installed(EDITOR), tmp_path_factory.mktemp("workbench"), vsix) as made:
        yield made


@pytest.mark.parametrize("scenario", playable(VSCode))
def test_scenario(scenario: Scenario, stage: Callable[[str], Stage], workbench: Workbench) -> None:
    play(scenario, stage(EDITOR), lambda it: VSCode(workbench, it))
