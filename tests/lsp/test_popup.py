"""Items of the completion list, for the clients that have no inline completion."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from qwen_ls.core.types import Completion
from qwen_ls.lsp import clients
from qwen_ls.lsp.capabilities import initialize_result
from qwen_ls.lsp.clients import client_named
from qwen_ls.lsp.completions import Completions, Kind
from qwen_ls.lsp.documents import DocumentStore, Position
from qwen_ls.lsp.popup import completion_list, offered
from tests.lsp import scripted_server
from tests.lsp.wire import Line, cancel, did_change, did_open, edit, notification, request
from tests.marked import CURSOR

URI = "file:///a.py"
HERE = Path(__file__).parent / "clients"
E2E = Path(__file__).parent.parent / "e2e" / "clients"
NOTHING = {"isIncomplete": False, "items": []}
UNFINISHED = {"isIncomplete": True, "items": []}


def recorded(path: Path, **capabilities: Any) -> dict[str, Any]:
    """A client's own `initialize`, with some of `textDocument`'s capabilities replaced."""
    params: dict[str, Any] = json.loads(path.read_text("utf-8"))
    params["capabilities"]["textDocument"] |= capabilities
    return params


@pytest.mark.parametrize(
    ("params", "popup"),
    [
        pytest.param(recorded(HERE / "helix.json"), True, id="Helix"),
        pytest.param(recorded(HERE / "eglot.json"), True, id="Eglot"),
        pytest.param(recorded(E2E / "emacs.json"), False, id="Eglot with inline completion"),
        pytest.param(recorded(E2E / "neovim.json"), False, id="Neovim 0.12"),
        pytest.param(recorded(E2E / "neovim.json", inlineCompletion=None), False, id="Neovim 0.11"),
        pytest.param(recorded(E2E / "vscode.json"), False, id="VS Code"),
        pytest.param(
            recorded(E2E / "vscode.json", inlineCompletion=None), True, id="VS Code, an old library"
        ),
        pytest.param(
            recorded(HERE / "eglot.json", inlineCompletion=None) | {"clientInfo": {"name": "emacs"}},
            False,
            id="lsp-mode, which says null and has it",
        ),
        pytest.param({"capabilities": {}}, False, id="no completion list"),
        pytest.param({"capabilities": {"textDocument": {"completion": {}}}, "clientInfo": 1}, True, id="any"),
    ],
)
def test_who_has_items_in_its_list(params: dict[str, Any], popup: bool) -> None:
    assert ("completionProvider" in initialize_result(params)["capabilities"]) is popup


def shaped(client: str, text: str, suggestion: str, *, covered: int = 0, language: str = "python") -> Any:
    """The item for a suggestion at the mark that takes in so many characters right of it, if there is one."""
    store = DocumentStore(clock=lambda: 0.0)
    store.open(URI, language_id=language, version=1, text=text.replace(CURSOR, ""))
    before = text[: text.index(CURSOR)]
    place = Position(before.count("\n"), len(before.rpartition("\n")[2].encode("utf-16-le")) // 2)
    snapshot = store.snapshot(URI, place, before_chars=999, after_chars=999)
    assert snapshot
    found = Completion("c1", suggestion, snapshot.offset, snapshot.offset + covered, "network")
    offer = offered(found, snapshot, client_named(client))
    answer = completion_list(offer, snapshot, client_named(client))
    assert answer["isIncomplete"] is bool(answer["items"])
    return answer["items"][0] if answer["items"] else None


def replaced(item: Any) -> tuple[int, int]:
    """The columns that an item replaces."""
    columns = item["textEdit"]["range"]
    return columns["start"]["character"], columns["end"]["character"]


def test_the_item_is_the_last_of_the_list_and_plain_text() -> None:
    item = shaped("helix", "def f():\n    re█\n", "turn 1\n    # two\n    # three")
    assert item["label"] == "return 1 ⏎ +2"
    assert item["kind"] == 1
    assert item["sortText"] > "zzzz"
    assert "preselect" not in item
    assert "insertTextFormat" not in item
    assert item["filterText"] == "return 1"
    assert item["textEdit"]["newText"] == "return 1\n    # two\n    # three"
    assert item["command"]["arguments"] == ["c1"]


@pytest.mark.parametrize(
    ("client", "suggestion", "documentation"),
    [
        pytest.param("any", "turn 1\n    # two", "```python\nreturn 1\n    # two\n```", id="all lines"),
        pytest.param("any", "turn 1", None, id="one line: the label has it"),
        pytest.param("helix", "turn 1\n    # two", None, id="Helix has all lines in the document"),
    ],
)
def test_what_is_said_beside_the_list(client: str, suggestion: str, documentation: str | None) -> None:
    item = shaped(client, "    re█", suggestion)
    assert item.get("documentation", {}).get("value") == documentation
    assert ("detail" in item) is (client == "any")


def test_a_long_label_is_cut() -> None:
    item = shaped("any", "x = █", "1" * 500)
    assert item["label"].endswith("…")
    assert len(item["label"]) <= 60
    assert "1" * 500 in item["documentation"]["value"]


def test_a_block_of_code_that_holds_a_fence() -> None:
    item = shaped("any", "█", "```sh\nls\n```", language="markdown")
    assert item["documentation"]["value"] == "````markdown\n```sh\nls\n```\n````"


@pytest.mark.parametrize(
    ("client", "text", "suggestion", "covered", "inserted", "columns"),
    [
        pytest.param("helix", "    re█", "turn", 0, "return", (4, 6), id="from the word's beginning"),
        pytest.param("helix", "x = █", "1", 0, "1", (4, 4), id="no word"),
        pytest.param("helix", "f(v█)", "al)", 1, "val)", (2, 4), id="to the end of what it covers"),
        pytest.param("helix", "'🦙é', n█", "ame", 0, "name", (7, 8), id="in the client's units"),
        pytest.param("helix", "x = 1█", "\r\ny = 2", 0, "1\r\ny = 2", (4, 5), id="line ends as they are"),
        pytest.param("Eglot", "    re█", "turn", 0, "return", None, id="Eglot replaces the symbol"),
        pytest.param("Eglot", "f(v█)", "al)", 1, "val", None, id="Eglot leaves the closer where it is"),
    ],
)
def test_what_goes_in(
    client: str, text: str, suggestion: str, covered: int, inserted: str, columns: tuple[int, int] | None
) -> None:
    item = shaped(client, text, suggestion, covered=covered)
    assert item["insertText"] == inserted
    if columns is None:
        assert "textEdit" not in item
    else:
        assert item["textEdit"]["newText"] == inserted
        assert replaced(item) == columns


@pytest.mark.parametrize(
    ("language", "text", "inserted"),
    [
        pytest.param("python", "x-re█", "re!", id="python"),
        pytest.param("emacs-lisp", "(save-ex█)", "save-ex!", id="lisp"),
        pytest.param("css", "a { font-si█", "font-si!", id="css"),
    ],
)
def test_a_symbol_is_what_the_language_takes_for_one(language: str, text: str, inserted: str) -> None:
    assert shaped("Eglot", text, "!", language=language)["insertText"] == inserted


def test_where_the_symbol_alone_is_replaced_nothing_right_of_it_can_be() -> None:
    assert shaped("Eglot", "f(█)", "a)\ng(b", covered=1) is None


@pytest.mark.parametrize(
    ("text", "suggestion", "filter_text"),
    [
        pytest.param("re█", "turn 1\nx", "return 1", id="the word and its line"),
        pytest.param("x = 1█", " + 2", "1 + 2", id="a word that is whole"),
        pytest.param("x = (█", "\n    1,\n)", "1,", id="what comes after a line end"),
        pytest.param("def f():█", "\n    pass", "pass", id="a line of blanks"),
    ],
)
def test_it_is_found_by_what_stands_before_the_cursor(text: str, suggestion: str, filter_text: str) -> None:
    assert shaped("helix", text, suggestion)["filterText"] == filter_text


# Requests


async def turns(count: int = 20) -> None:
    """Let the event loop come round."""
    for _ in range(count):
        await asyncio.sleep(0)


@pytest.fixture
async def line() -> Any:
    line = Line(scripted_server.create())
    line.initialize(**recorded(HERE / "helix.json"))
    await turns()
    (wanted,) = line.sent("workspace/configuration")
    line.send({"jsonrpc": "2.0", "id": wanted["id"], "result": [None]})
    await turns()
    yield line
    await line.server.aclose()
    assert len(line.server.completions) == 0
    assert line.server.completions.n_tasks == 0


def ask(request_id: int, column: int, *, trigger: int = 1, uri: str = URI) -> dict[str, Any]:
    """`textDocument/completion`, as Helix sends it."""
    params = {
        "textDocument": {"uri": uri},
        "position": {"line": 0, "character": column},
        "context": {"triggerKind": trigger},
    }
    return request(request_id, "textDocument/completion", params)


def results(line: Line) -> list[tuple[Any, Any]]:
    return [(one["id"], one.get("result", one.get("error"))) for one in line.answers()[1:]]


async def test_an_item(line: Line) -> None:
    line.send(did_open(URI, "x = é😀\n"), ask(1, 10))
    await turns()
    ((_, result),) = results(line)
    assert result["isIncomplete"] is True
    (item,) = result["items"]
    assert item["textEdit"] == {
        "range": {"start": {"line": 0, "character": 10}, "end": {"line": 0, "character": 10}},
        "newText": "!",
    }


@pytest.mark.parametrize("trigger", [1, 2, 3])
async def test_every_request_is_one_that_came_by_itself(line: Line, trigger: int) -> None:
    """1 is said of a key and of a command alike: it must not lift the limits of what comes by itself."""
    line.send(did_open(URI, "x"), ask(1, 1, trigger=trigger))
    await turns()
    assert line.server.service.asked[0]["trigger"].name == "AUTOMATIC"


@pytest.mark.parametrize(
    ("script", "result"),
    [
        pytest.param("skip", NOTHING, id="nothing to say"),
        pytest.param("superseded", None, id="superseded"),
        pytest.param("crash", NOTHING, id="a crash of the service"),
    ],
)
async def test_answers_without_a_suggestion(line: Line, script: str, result: Any) -> None:
    line.send(did_open(URI, script), ask(1, 99))
    await turns()
    assert results(line) == [(1, result)]


async def test_an_unopened_document_has_nothing(line: Line) -> None:
    line.send(ask(1, 0, uri="file:///never"))
    assert results(line) == [(1, NOTHING)]


async def test_a_newer_request_supersedes_and_closing_clears(line: Line) -> None:
    line.send(did_open(URI, "wait"), ask(1, 4))
    await turns()
    line.send(did_change(URI, 2, edit((0, 4), (0, 4), "")), ask(2, 4))
    await turns()
    assert results(line) == [(1, None)]
    line.send(notification("textDocument/didClose", {"textDocument": {"uri": URI}}))
    assert results(line) == [(1, None), (2, NOTHING)]
    await turns()
    assert line.server.service.running == 0


async def test_a_cancel(line: Line) -> None:
    line.send(did_open(URI, "wait"), ask(1, 4))
    await turns()
    line.send(cancel(1))
    assert line.answer_to(1)["error"]["code"] == -32800
    await turns()
    assert line.server.service.unwound == 1


async def test_others_do_not_wait_for_a_slow_model_and_its_work_goes_on(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    line.server.client = replace(clients.OTHER, item_patience_s=0.0)
    line.send(did_open(URI, "wait"), ask(1, 4))
    while not results(line):
        await asyncio.sleep(0)
    assert results(line) == [(1, UNFINISHED)]
    assert line.server.service.running == 1
    line.send(ask(2, 4))
    await turns()
    assert line.server.service.unwound == 1


async def test_an_answer_that_was_out_of_patience_is_given_once() -> None:
    answered: list[tuple[Any, Any]] = []
    completions = Completions(lambda request_id, result: answered.append((request_id, result)))
    done = asyncio.Event()

    async def work() -> str:
        await done.wait()
        return "late"

    completions.start(1, URI, work, Kind({}, UNFINISHED, 0.0))
    while not answered:
        await asyncio.sleep(0)
    assert completions.n_tasks == 1
    done.set()
    await completions.wait(1.0)
    await turns()
    assert answered == [(1, UNFINISHED)]
    assert completions.n_tasks == 0


async def test_shutdown_ends_work_that_was_answered() -> None:
    answered: list[Any] = []
    completions = Completions(lambda request_id, result: answered.append(request_id))
    completions.start(1, URI, asyncio.Event().wait, Kind({}, UNFINISHED, 0.0))
    while not answered:
        await asyncio.sleep(0)
    completions.settle_all(None)
    await completions.wait(1.0)
    assert completions.n_tasks == 0
    assert answered == [1]
