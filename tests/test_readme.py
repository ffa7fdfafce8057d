"""The README says what is so.

`python -m tests.test_readme` writes the settings table anew.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

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


if __name__ == "__main__":
    text = README.read_text("utf-8")
    README.write_text(TABLE.sub(lambda match: match.group(1) + table() + match.group(2), text), "utf-8")
