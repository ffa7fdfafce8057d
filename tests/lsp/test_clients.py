"""Items as each client needs them."""

from __future__ import annotations

import pytest

from qwen_ls.core.types import Completion
from qwen_ls.lsp.clients import CLIENTS, client_named
from qwen_ls.lsp.convert import completion_list
from qwen_ls.lsp.documents import DocumentStore, Position
from tests.marked import CURSOR


def item(client: str, line: str, text: str, covered: int = 0) -> tuple[str, int, int] | None:
    """The item for a text that takes in so many characters right of the cursor: its text and columns."""
    store = DocumentStore(clock=lambda: 0.0)
    store.open("file:///a.py", language_id="python", version=1, text=line.replace(CURSOR, ""))
    cursor = line.index(CURSOR)
    snapshot = store.snapshot("file:///a.py", Position(0, cursor), before_chars=999, after_chars=999)
    assert snapshot
    completion = Completion("c1", text, snapshot.offset, snapshot.offset + covered, "network")
    items = completion_list(completion, snapshot, client_named(client))["items"]
    if not items:
        return None
    columns = items[0]["range"]
    return items[0]["insertText"], columns["start"]["character"], columns["end"]["character"]


@pytest.mark.parametrize(
    ("client", "expected"),
    [
        pytest.param("Visual Studio Code", ("a, b)", 4, 5), id="covers-the-closer"),
        pytest.param("Neovim", ("a, b", 4, 4), id="draws-over-what-it-covers"),
        pytest.param("Eglot", ("a, b", 4, 4), id="hides-what-it-covers"),
        pytest.param("some other", ("a, b)", 4, 5), id="unknown"),
    ],
)
def test_a_closer_that_the_item_brings_itself(client: str, expected: tuple[str, int, int]) -> None:
    assert item(client, "add(█);", "a, b)", covered=1) == expected


def test_nothing_but_the_closer_is_nothing_to_draw() -> None:
    assert item("Neovim", "add(a█)", ")", covered=1) is None
    assert item("Visual Studio Code", "add(a█)", ")", covered=1) == (")", 5, 6)


def test_a_closer_inside_the_text_stays_covered() -> None:
    assert item("Neovim", "add(█)", "a)\nsub(b", covered=1) == ("a)\nsub(b", 4, 5)


def test_a_carriage_return_reaches_only_those_who_understand_it() -> None:
    for name, client in CLIENTS.items():
        shown = item(name, "x = █", "1\r\ny = 2")
        assert shown
        assert ("\r" in shown[0]) is not client.line_feeds_only
