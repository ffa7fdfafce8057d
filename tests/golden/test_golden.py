"""Every golden picture: what is shown for a raw answer, and where. The format is that of `picture`."""

from __future__ import annotations

import pytest

from tests.golden.picture import Case, draw, every

CASES = every()


def parameters(cases: list[Case]) -> list:
    return [
        pytest.param(
            case, id=case.name, marks=pytest.mark.xfail(reason=case.xfail, strict=True) if case.xfail else ()
        )
        for case in cases
    ]


@pytest.mark.parametrize("case", parameters(CASES))
def test_the_item_is_as_drawn(case: Case) -> None:
    assert draw(case) == case.item


@pytest.mark.parametrize("case", parameters(CASES))
def test_a_stream_that_is_cut_shows_the_same(case: Case) -> None:
    assert draw(case, streamed=True) == case.item


def test_there_are_hundreds_of_cases_in_every_language() -> None:
    languages = {case.path.parent.name for case in CASES}
    assert len(CASES) >= 250
    assert languages >= {
        "python", "javascript", "typescript", "go", "rust", "c", "java", "ruby", "shellscript", "yaml",
        "json", "html", "sql", "markdown",
    }  # fmt: skip


@pytest.mark.parametrize("case", parameters([case for case in CASES if "⟪" in case.item and not case.xfail]))
def test_what_is_replaced_comes_again_in_what_is_inserted(case: Case) -> None:
    """Editors hide an item whose text does not hold, in order, what its range replaces."""
    inserted, replaced = case.item.partition("⟦")[2].split("⟧⟪")
    rest = iter(inserted)
    assert all(char in rest for char in replaced.partition("⟫")[0].strip())
