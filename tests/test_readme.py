"""The README says what is so.

`python -m tests.test_readme` writes the settings table anew.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from qwen_ls.backend.presets import PROVIDERS
from qwen_ls.core.types import Strategy
from qwen_ls.settings import OPTIONS, camel

README = Path(__file__).parent.parent / "README.md"
TABLE = re.compile(r"(<!-- settings:.*?-->\n).*?(<!-- /settings -->)", re.DOTALL)


def table() -> str:
    """The settings as a Markdown table."""
    rows = ["| key | default | meaning |", "|---|---|---|"]
    for name, spec in OPTIONS.items():
        project = " P" if spec.metadata["project"] else ""
        default = spec.default
        shown = (
            ""
            if default is None or not isinstance(default, bool | int | float | str)
            else f"`{default}`".lower()
        )
        rows.append(f"| `{camel(name)}`{project} | {shown} | {meaning(spec.metadata)} |")
    return "\n".join(rows) + "\n"


def meaning(metadata: dict) -> str:
    """The option's sentence, with what is allowed."""
    doc = metadata["doc"]
    if metadata["choices"] and not all(
        f"`{choice}`" in doc for choice in metadata["choices"] if choice != "auto"
    ):
        doc += " " + ", ".join(f"`{choice}`" for choice in metadata["choices"]) + "."
    if metadata["minimum"] is not None:
        doc += f" {metadata['minimum']} to {metadata['maximum']}."
    if parts := metadata["parts"]:
        doc += " " + "; ".join(f"`{camel(name)}`: {lowered(part.doc)}" for name, part in parts.items()) + "."
    return doc


def lowered(sentence: str) -> str:
    """A sentence as a part of another one."""
    return sentence[0].lower() + sentence[1:].removesuffix(".")


@pytest.mark.skipif(not README.exists(), reason="the README is not beside the tests")
def test_the_settings_table_is_up_to_date() -> None:
    match = TABLE.search(README.read_text("utf-8"))
    assert match
    assert match.group() == match.group(1) + table() + match.group(2)


def rows_of_providers() -> dict[str, list[tuple[str, str]]]:
    """By provider: the strategies of the table, and what each was tested with."""
    text = README.read_text("utf-8").partition("| provider | strategy |")[2].partition("\n\n")[0]
    found: dict[str, list[tuple[str, str]]] = {}
    name = ""
    for line in text.splitlines()[2:]:
        provider, strategy, _, tested_with = (cell.strip() for cell in line.strip("|").split("|"))
        name = provider.split("`")[1] if provider else name
        found.setdefault(name, []).append((strategy, tested_with))
    return found


@pytest.mark.skipif(not README.exists(), reason="the README is not beside the tests")
def test_the_table_of_providers_has_every_way_and_what_it_was_tested_with() -> None:
    rows = rows_of_providers()
    assert set(rows) == set(PROVIDERS)
    for name, provider in PROVIDERS.items():
        fim = [strategy for strategy, _ in rows[name] if strategy.startswith("fill-in-the-middle")]
        partial = [strategy for strategy, _ in rows[name] if strategy.startswith("partial mode")]
        assert len(fim) == (len(provider.fim) if Strategy.FIM in provider.strategies else 0), name
        assert bool(partial) is (Strategy.PARTIAL in provider.strategies), name
        assert all(tested_with for _, tested_with in rows[name])


if __name__ == "__main__":
    text = README.read_text("utf-8")
    README.write_text(TABLE.sub(lambda match: match.group(1) + table() + match.group(2), text), "utf-8")
