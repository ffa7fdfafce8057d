"""What counts as right, what is printed, and the real model on a few of the scenarios."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.bench.quality.arms import LOCAL, asking
from tests.bench.quality.scenarios.run import Outcome, play, played, table
from tests.bench.quality.scenarios.scenario import QUIET, Scenario, every, read
from tests.fake_dashscope import FakeDashScope, Reply

WRITTEN = """\
A sum.

language: python
file: sum.py
==== document
def add(a, b):
    return █
"""
SAMPLE = (
    "quiet/after-deleting/javascript",
    "quiet/denied-file/env",
    "quiet/dismissed/python-deleted-back",
    "quiet/inside-a-word/python",
    "quiet/stands-below/python-return",
    "quiet/whole-file/json",
    "speaks/auto-closed/python-call",
    "speaks/empty-body/rust",
    "speaks/one-more/html-item",
    "speaks/rest-of-the-line/go-error",
    "speaks/rest-of-the-line/shell-mkdir",
    "speaks/typed-on/go-along",
)
"""Of most kinds one; of those for which the model decides, what no near tie turns."""


@pytest.fixture
def options(fake: FakeDashScope) -> dict[str, Any]:
    """A server's settings before the fake endpoint."""
    return {"baseUrl": fake.compat_url, "debounceMs": 0, "lookAhead": False}


def scenario(expected: str, more: str = "") -> Scenario:
    return read(Path(expected, "kind", "name.txt"), WRITTEN + more)


@pytest.mark.parametrize(
    ("expected", "more", "answer", "is_right", "says"),
    [
        pytest.param("speaks", "==== fits\nreturn a \\+ b\n", "a + b", True, "", id="fits"),
        pytest.param(
            "speaks", "==== fits\na\nc\n", "a + b", False, "does not fit a and c", id="fits-in-part"
        ),
        pytest.param("speaks", "==== fits\na\n", "", False, "nothing to say", id="says-nothing"),
        pytest.param("quiet", "", "", True, "nothing to say", id="is-quiet"),
        pytest.param("quiet", "", "a + b", False, "noise", id="is-not-quiet"),
        pytest.param("quiet", "==== then\naccept\n", "a + b", False, "gone on with", id="nothing-to-accept"),
    ],
)
def test_what_is_right(
    options: dict[str, Any],
    fake: FakeDashScope,
    expected: str,
    more: str,
    answer: str,
    is_right: bool,
    says: str,
) -> None:
    fake.answer = answer
    outcome = play(scenario(expected, more), options)
    assert outcome.is_right is is_right
    assert says in outcome.reason
    assert "# The last completion" in outcome.explanation


def test_the_scenario_s_own_settings_hold(options: dict[str, Any], fake: FakeDashScope) -> None:
    fake.answer = "a + b"
    manual = read(
        Path("quiet/kind/name.txt"), WRITTEN.replace("\n====", '\nsettings: {"trigger": "manual"}\n====')
    )
    assert play(manual, options).is_right
    assert not fake.requests


def test_the_silence_of_an_engine_that_failed_is_none(options: dict[str, Any], fake: FakeDashScope) -> None:
    fake.script.append(Reply(fault="quota"))
    with pytest.raises(RuntimeError, match="quiet/kind/name: the endpoint failed"):
        play(scenario(QUIET), options)


def test_the_table_counts_by_kind() -> None:
    def outcome(expected: str, kind: str, is_right: bool) -> Outcome:
        return Outcome("id", expected, kind, is_right, "", "")

    shown = table([outcome("quiet", "whole-file", True), outcome("quiet", "whole-file", False),
                   outcome("quiet", "denied", True), outcome("speaks", "body", False)])  # fmt: skip
    assert shown.splitlines()[2:] == [
        "| quiet | whole file | 1 of 2 |",
        "| quiet | denied | 1 of 1 |",
        "| quiet | **all** | 2 of 3 |",
        "| speaks | body | 0 of 1 |",
        "| speaks | **all** | 0 of 1 |",
    ]


@pytest.mark.real_model
@pytest.mark.timeout(900)
def test_the_real_model_is_quiet_and_speaks_where_it_should(real_weights: Path) -> None:
    """Before the real server, with its own local model."""
    from qwen_ls.local.lease import acquire

    those = [one for one in every() if one.id in SAMPLE]
    assert len(those) == len(SAMPLE)
    with acquire(real_weights) as lease:
        outcomes = list(played(those, asking(lease.endpoint) | LOCAL))
    wrong = [str(one) for one in outcomes if not one.is_right]
    assert len(wrong) <= 1, "\n".join(wrong)
