"""Acceptance inferred from the changes, as the editors send them."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from qwen_ls.core.types import Completion
from tests.lsp import scripted_server
from tests.lsp.wire import Line, did_change, did_open, edit, notification, request

URI = "file:///a.py"
BEFORE = "def f():\n    re\n"


async def turns(count: int = 20) -> None:
    """Let the event loop come round."""
    for _ in range(count):
        await asyncio.sleep(0)


async def accepted(
    client: str, *steps: dict[str, Any], text: str = BEFORE, suggestion: str = "turn 1"
) -> int:
    """How often a suggestion after `re` counts as accepted; each step is a notification of its own."""
    line = Line(scripted_server.create())
    line.initialize(clientInfo={"name": client})
    await turns()
    offset = text.index("re") + 2
    line.server.service.answer = Completion("c1", suggestion, offset, offset, "network")
    ask = {
        "textDocument": {"uri": URI},
        "position": {"line": 1, "character": text.splitlines()[1].index("re") + 2},
        "context": {"triggerKind": 1},
    }
    line.send(did_open(URI, text), request(1, "textDocument/completion", ask))
    await turns()
    assert line.answer_to(1)["result"]["items"]
    for version, step in enumerate(steps, 2):
        line.send(did_change(URI, version, step))
    calls = [call for call in line.server.service.calls if call == ("accepted", "c1")]
    await line.server.aclose()
    return len(calls)


def typed(text: str, column: int = 6) -> list[dict[str, Any]]:
    """A change for each key."""
    return [edit((1, at), (1, at), key) for at, key in enumerate(text, column)]


WORD_FIRST = [edit((1, 4), (1, 6), ""), edit((1, 4), (1, 4), "return 1")]
"""Helix takes the word away and puts all of the item in."""


@pytest.mark.parametrize(
    ("client", "steps", "count"),
    [
        pytest.param("helix", WORD_FIRST, 1, id="Helix"),
        pytest.param("helix", [edit((1, 4), (1, 6), "return 1")], 1, id="with the word, at once"),
        pytest.param("Eglot", [edit((1, 6), (1, 6), "turn 1")], 1, id="the rest of it"),
        pytest.param("helix", typed("turn 1"), 0, id="typed through"),
        pytest.param(
            "helix", [*typed("tur"), edit((1, 4), (1, 9), "return 1")], 1, id="typed, then accepted"
        ),
        pytest.param("helix", [edit((1, 6), (1, 6), "member")], 0, id="another word"),
        pytest.param("helix", [edit((0, 0), (0, 0), "return 1")], 0, id="elsewhere"),
        pytest.param("helix", [edit((1, 6), (1, 6), "turn")], 0, id="the language's own item"),
        pytest.param("Eglot", [edit((1, 6), (1, 6), "turn")], 1, id="a part, where there is such a thing"),
        pytest.param("Eglot", [edit((1, 6), (1, 6), "\n    ")], 0, id="an indentation"),
        pytest.param("helix", [], 0, id="nothing"),
        pytest.param("helix", [{"text": "return 1"}], 0, id="the whole document anew"),
    ],
)
async def test_what_counts(client: str, steps: list[dict[str, Any]], count: int) -> None:
    assert await accepted(client, *steps) == count


@pytest.mark.parametrize(
    ("text", "suggestion", "change", "count"),
    [
        pytest.param(
            BEFORE, "turn (\n  1,\n)", edit((1, 4), (1, 6), "return (\n  1,\n)"), 1, id="some lines"
        ),
        pytest.param(
            "x\r\n    re\r\n", "turn 1\r\n# é", edit((1, 4), (1, 6), "return 1\r\n# é"), 1, id="CRLF"
        ),
        pytest.param("x\n'🦙' re\n", "turn 1", edit((1, 5), (1, 7), "return 1"), 1, id="UTF-16 columns"),
        pytest.param(BEFORE, "turn\n\n    ", edit((1, 6), (1, 6), "\n    "), 0, id="blanks alone"),
    ],
)
async def test_what_counts_in_any_text(
    text: str, suggestion: str, change: dict[str, Any], count: int
) -> None:
    assert await accepted("any", change, text=text, suggestion=suggestion) == count


async def test_an_offer_goes_with_its_document() -> None:
    line = Line(scripted_server.create())
    line.initialize()
    await turns()
    ask = {"textDocument": {"uri": URI}, "position": {"line": 1, "character": 6}}
    line.send(did_open(URI, BEFORE), request(1, "textDocument/completion", ask))
    await turns()
    assert line.server.offers
    line.send(notification("textDocument/didClose", {"textDocument": {"uri": URI}}))
    assert not line.server.offers
    await line.server.aclose()
