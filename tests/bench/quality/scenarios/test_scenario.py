"""The written scenarios: how a file is read, and what all of them have in common."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tests.bench.quality.scenarios.scenario import QUIET, SPEAKS, Scenario, every, found, read

WRITTEN = """\
A call is being typed, and
taken back.

language: python
file: shop/a.py
settings: {"languages": ["!go"]}
==== document
def f(name):
    print(█)

==== then
type na
backspace 1
type ␣⏎
see
==== fits
print\\(name
"""
ALL = every()
LANGUAGES = {
    "python", "javascript", "typescript", "go", "rust", "c", "java", "ruby", "shellscript", "yaml", "json",
    "html", "sql", "markdown",
}  # fmt: skip


def test_a_file_is_read() -> None:
    assert read(Path("speaks/auto-closed/call.txt"), WRITTEN) == Scenario(
        expected="speaks",
        kind="auto-closed",
        name="call",
        title="A call is being typed, and\ntaken back.",
        language="python",
        file="shop/a.py",
        text="def f(name):\n    print()\n",
        offset=len("def f(name):\n    print("),
        events=(("type", "na"), ("backspace", "1"), ("type", " \n"), ("see", "")),
        fits=("print\\(name",),
        settings={"languages": ["!go"]},
    )


@pytest.mark.parametrize(
    ("path", "written", "message"),
    [
        ("loud/a/b.txt", WRITTEN, "loud is neither"),
        ("quiet/a/b.txt", WRITTEN.replace("█", ""), "no cursor"),
        ("quiet/a/b.txt", WRITTEN.replace("==== then", "==== and then"), "no section and then"),
    ],
)
def test_a_file_that_says_something_else_is_refused(path: str, written: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read(Path(path), written)


def test_there_are_thirty_of_each_and_no_two_are_the_same() -> None:
    assert Counter(one.expected for one in ALL) == {QUIET: 30, SPEAKS: 30}
    assert len({(one.text, one.offset, one.events) for one in ALL}) == 60


def test_they_span_the_languages() -> None:
    assert {one.language for one in ALL} == LANGUAGES


@pytest.mark.parametrize("one", ALL, ids=lambda one: one.id)
def test_what_must_be_shown_is_said_and_is_not_there_already(one: Scenario) -> None:
    assert bool(one.fits) is (one.expected == SPEAKS)
    if one.fits:
        line_start = one.text.rfind("\n", 0, one.offset) + 1
        assert not found(one.fits, one.text[line_start : one.offset])
