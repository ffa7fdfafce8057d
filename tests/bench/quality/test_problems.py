"""The holes: with what stood in them, they are the program they were cut from."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from tests.bench.quality import problems
from tests.bench.quality.problems import (
    FILES,
    MID_LINE,
    PLACES,
    SAMPLE,
    SETS,
    Problem,
    load,
    mid_line,
    spread,
)

LINE = '    shown = max(len(name) for name in ["a", "b"])\n'


def hole(before: str, wanted: str, after: str = "", test: str = "") -> Problem:
    """A hole with nothing to check."""
    return Problem("Test/0", before, after, wanted, test, "f")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The files, each with the sample in it."""
    for name in FILES.values():
        (tmp_path / name).write_bytes(gzip.compress(SAMPLE.read_bytes()))
    return tmp_path


@pytest.mark.parametrize("name", SETS)
def test_every_set_is_made_of_the_programs_of_its_file(name: str, folder: Path) -> None:
    found = load(name, folder)
    programs = {one.before + one.wanted + one.after for one in load("single-line", folder)}
    assert found
    assert {one.before + one.wanted + one.after for one in found} <= programs
    assert len({one.id for one in found}) == len(found)


def test_the_files_on_this_machine_are_read() -> None:
    if not problems.DATA.is_dir():
        pytest.skip("the data sets are not here")
    assert [len(load(name)) for name in FILES] == [457, 2233, 82]
    assert len(load(MID_LINE)) > 300


@pytest.mark.parametrize(
    ("line", "place", "picture"),
    [
        pytest.param("    total = count + 1\n", "after-word", "    total█ = count + 1", id="after-a-word"),
        pytest.param("    total = count + 1\n", "after-space", "    total █= count + 1", id="after-a-space"),
        pytest.param("    f(a, b)\n", "in-brackets", "    f(█a, b█)", id="the-closer-is-there-already"),
        pytest.param("    if f(a, b):\n", "in-brackets", "    if f(█a, b█):", id="and-what-follows-it"),
        pytest.param("    f(g(a)[0])\n", "in-brackets", "    f(█g(a)[0]█)", id="only-what-closes-it"),
        pytest.param("    f(g(beta, c))\n", "in-brackets", "    f(g(█beta, c█))", id="all-that-is-open"),
        pytest.param("    f(a) + b\n", "in-brackets", "    f(█a) + b", id="closed-within-the-line"),
        pytest.param("    break\n", "after-space", None, id="no-such-place"),
        pytest.param("    f(a)\n", "in-brackets", None, id="nearly-nothing-left-to-write"),
    ],
)
def test_the_cursor_stands_in_the_line(line: str, place: str, picture: str | None) -> None:
    found = list(mid_line([hole("def f():\n", line, "    return\n")], place))
    if picture is None:
        assert not found
        return
    [one] = found
    before, wanted, *after = picture.split("█")
    assert (one.before, one.wanted) == (f"def f():\n{before}", wanted)
    assert one.after == "".join(after) + "\n    return\n"


@pytest.mark.parametrize("place", PLACES)
def test_nothing_of_the_program_is_lost(place: str) -> None:
    for one in mid_line([hole("a = 1\n", LINE, "b = 2\n")], place):
        assert one.before + one.wanted + one.after == "a = 1\n" + LINE + "b = 2\n"
        assert not one.is_whole_lines


@pytest.mark.parametrize(
    ("limit", "numbers"),
    [(None, range(10)), (20, range(10)), (5, [0, 2, 4, 6, 8]), (3, [0, 3, 6]), (1, [0])],
)
def test_a_sample_is_spread_over_the_set(limit: int | None, numbers: range | list[int]) -> None:
    everything = [hole(str(number), "x") for number in range(10)]
    assert [one.before for one in spread(everything, limit)] == [str(number) for number in numbers]
