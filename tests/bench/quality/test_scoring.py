"""What a hand-made answer is worth, and what many are together."""

from __future__ import annotations

import pytest

from tests.bench.quality.problems import Problem
from tests.bench.quality.sandbox import Verdict
from tests.bench.quality.scoring import Answer, record, score, summed_up, table

DOUBLE = Problem(
    id="Test/double",
    before="def double(n):\n",
    after="\n# the end\n",
    wanted="    return 2 * n\n",
    test="def check(candidate):\n    assert candidate(4) == 8\n",
    entry_point="double",
)


def filled(text: str) -> Answer:
    """The hole filled with a text."""
    return Answer(
        DOUBLE.before + text + DOUBLE.after, text, prompt_tokens=10, completion_tokens=4, seconds=2.0
    )


@pytest.mark.parametrize(
    ("text", "exact", "verdict"),
    [
        pytest.param("    return 2 * n\n", True, Verdict.PASSED, id="the-same"),
        pytest.param("    return 2 * n  \n\n", True, Verdict.PASSED, id="but-for-blanks-at-its-end"),
        pytest.param("    return n + n\n", False, Verdict.PASSED, id="another-way"),
        pytest.param("    return n\n", False, Verdict.FAILED, id="wrong"),
        pytest.param("  return 2 * n\n", False, Verdict.PASSED, id="other-indentation"),
        pytest.param("", False, Verdict.FAILED, id="nothing"),
    ],
)
def test_an_answer_s_worth(text: str, exact: bool, verdict: Verdict) -> None:
    worth = score(DOUBLE, filled(text))
    assert (worth.exact, worth.verdict) == (exact, verdict)


def test_similarity_is_by_characters_in_common() -> None:
    assert score(DOUBLE, filled("return 2 * n")).similarity == 1.0
    assert score(DOUBLE, filled("")).similarity == 0.0
    assert 0.5 < score(DOUBLE, filled("    return 2 + n\n")).similarity < 1.0


def test_figures_are_shares_of_all_holes_and_means() -> None:
    answers = [filled("    return 2 * n\n"), filled("    return n + n\n"), filled(""), filled("    pass\n")]
    rows = [record("arm", DOUBLE, answer, score(DOUBLE, answer)) for answer in answers]
    figures = summed_up(rows)
    assert (figures["n"], figures["exact"], figures["pass@1"], figures["shown"]) == (4, 25, 50, 75)
    assert (figures["prompt tokens"], figures["seconds"]) == (10, 2)


def test_the_table_has_a_row_an_arm() -> None:
    rows = [record("arm", DOUBLE, filled("x"), score(DOUBLE, filled("x")))]
    head, _, one, two = table({"one": summed_up(rows), "two": summed_up([])}).splitlines()
    assert head.count("|") == one.count("|") == two.count("|")
