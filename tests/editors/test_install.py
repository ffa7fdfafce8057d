"""`install.sh`, with recipes that fetch nothing."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.editors.conftest import INSTALL

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="a bash script")

RECIPES = """
sleep() { :; }
refused() { echo 'connection refused'; return 1; }
altered() { echo 'THESE PACKAGES DO NOT MATCH THE HASHES'; return 1; }
install_good_1_0() { fetch REGISTRY true; echo made >>"$1/made"; }
install_bad_2() { false; echo never; }
install_away_3() { fetch "THE REGISTRY" refused; }
install_altered_4() { fetch "THE REGISTRY" altered; }
"""

Install = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def install(tmp_path: Path) -> Install:
    (tmp_path / "install").mkdir()
    (tmp_path / "install" / "recipes.sh").write_text(RECIPES)
    shutil.copy(INSTALL, tmp_path)

    def run(*editors: str) -> subprocess.CompletedProcess[str]:
        environ = {**os.environ, "QWEN_LS_EDITORS": str(tmp_path / "editors")}
        command = ["bash", str(tmp_path / "install.sh"), *editors]
        return subprocess.run(command, env=environ, capture_output=True, text=True)

    return run


def test_the_folder_is_printed_and_filled_once(install: Install, tmp_path: Path) -> None:
    folder = tmp_path / "editors" / "good-1.0"
    for _ in range(2):
        done = install("good-1.0")
        assert (done.returncode, done.stdout.splitlines()) == (0, [str(folder)])
    assert (folder / "made").read_text() == "made\n"


def test_a_changed_recipe_installs_again(install: Install, tmp_path: Path) -> None:
    install("good-1.0")
    recipes = tmp_path / "install" / "recipes.sh"
    recipes.write_text(recipes.read_text().replace("echo made", "echo anew"))
    install("good-1.0")
    assert (tmp_path / "editors" / "good-1.0" / "made").read_text() == "anew\n"


@pytest.mark.parametrize(
    ("editors", "code"),
    [
        pytest.param(["bad-2"], 1, id="an installation goes wrong"),
        pytest.param(["altered-4"], 1, id="what comes is not what was pinned"),
        pytest.param(["away-3"], 75, id="a registry is away"),
        pytest.param(["no-such"], 2, id="no such editor"),
        pytest.param(["good-1.0", "away-3"], 75, id="one of two is away"),
        pytest.param(["away-3", "bad-2", "good-1.0"], 1, id="a fault outweighs an absence"),
    ],
)
def test_exit_codes(install: Install, editors: list[str], code: int) -> None:
    done = install(*editors)
    assert done.returncode == code
    assert ("THE REGISTRY CANNOT BE REACHED" in done.stderr) == ("away-3" in editors)


def test_a_failed_installation_is_tried_again(install: Install, tmp_path: Path) -> None:
    assert install("bad-2").returncode == install("bad-2").returncode == 1


def test_list(install: Install) -> None:
    assert install("--list").stdout.split() == ["altered-4", "away-3", "bad-2", "good-1.0"]
