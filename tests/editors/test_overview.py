"""The table in editors/README.md says what the tests say."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from tests.editors.scenarios import SCENARIOS
from tests.editors.stage import ROOT

README = ROOT / "editors" / "README.md"


@pytest.fixture(scope="module")
def table() -> list[list[str]]:
    """The table's rows and cells."""
    rows = [line for line in README.read_text("utf-8").splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]


@pytest.fixture(scope="module")
def collected() -> set[str]:
    """The names of all tests in editors, as pytest says them; no editor is started."""
    command = [
        sys.executable,
        "-m",
        "pytest",
        "--collect-only",
        "-q",
        "-m",
        "editors",
        "-p",
        "no:cacheprovider",
    ]
    said = subprocess.run([*command, "tests/editors"], cwd=ROOT, capture_output=True, encoding="utf-8")
    return {line.rpartition("/")[2] for line in said.stdout.splitlines() if "::" in line}


def test_every_scenario_has_its_row(table: list[list[str]]) -> None:
    named = [match[1] for row in table if (match := re.search(r": `([\w-]+)`$", row[0]))]
    assert sorted(named) == sorted(scenario.name for scenario in SCENARIOS)


@pytest.mark.skipif(sys.platform == "win32", reason="most of the tests need a pty")
def test_every_cell_has_its_test(table: list[list[str]], collected: set[str]) -> None:
    (functions,) = [[cell.strip("`") for cell in row[1:]] for row in table if row[0] == "`tests/editors`"]
    for name, *cells in table:
        match = re.search(r": `([\w-]+)`$", name)
        if match is None:
            continue
        for function, cell in zip(functions, cells, strict=True):
            # A scenario may be played in several versions: neovim-0.12.4-accept.
            played = {
                test
                for test in collected
                if re.fullmatch(rf"{re.escape(function)}\[(?:\w+-[\d.]+-)?{match[1]}\]", test)
            }
            assert cell == ("✓" if played else "–"), f"{function}[{match[1]}]"
