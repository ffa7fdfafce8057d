"""Completion requests: one answer each, in order, and what cancelling, superseding and closing do."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

from qwen_ls.core.types import Completion, TriggerKind
from tests.lsp import scripted_server
from tests.lsp.wire import Line, ask, cancel, did_change, did_open, edit, notification, request

URI = "file:///a.py"
NOTHING = {"items": []}


async def turns(count: int = 20) -> None:
    """Let the event loop come round."""
    for _ in range(count):
        await asyncio.sleep(0)


@pytest.fixture
async def line() -> Any:
    line = Line(scripted_server.create())
    line.initialize()
    await turns()
    yield line
    await line.server.aclose()
    assert len(line.server.completions) == 0
    assert line.server.completions.n_tasks == 0
    assert not line.server.protocol._request_futures


def results(line: Line) -> list[tuple[Any, Any]]:
    return [(one["id"], one.get("result", one.get("error"))) for one in line.answers()[1:]]


async def test_a_completion(line: Line) -> None:
    line.send(did_open(URI, "x = é😀\n"), ask(1, URI, 0, 7))
    await turns()
    ((_, result),) = results(line)
    (item,) = result["items"]
    assert item["insertText"] == item["filterText"] == "!"
    assert item["range"] == {"start": {"line": 0, "character": 7}, "end": {"line": 0, "character": 7}}
    assert item["command"]["command"] == "qwen-ls.accepted"
    line.send(request(2, "workspace/executeCommand", item["command"]))
    assert ("accepted", item["command"]["arguments"][0]) in line.server.service.calls


async def test_a_part_that_was_taken_is_told_with_its_completion(line: Line) -> None:
    line.send(did_open(URI, "x = \n"), ask(1, URI, 0, 4))
    await turns()
    ((_, result),) = results(line)
    (item,) = result["items"]
    line.send(notification("textDocument/didPartiallyAcceptCompletion", {"item": item, "acceptedLength": 1}))
    assert ("accepted", item["command"]["arguments"][0]) in line.server.service.calls


async def test_a_dismissal_is_told_with_the_arguments_of_the_item_s_command(line: Line) -> None:
    line.send(did_open(URI, "x = \n"), ask(1, URI, 0, 4))
    await turns()
    ((_, result),) = results(line)
    arguments = result["items"][0]["command"]["arguments"]
    command = {"command": "qwen-ls.dismissed", "arguments": arguments}
    line.send(request(2, "workspace/executeCommand", command))
    assert ("dismissed", arguments[0]) in line.server.service.calls


@pytest.mark.parametrize(
    ("script", "result"),
    [
        pytest.param("skip", NOTHING, id="nothing to say clears"),
        pytest.param("superseded", None, id="superseded keeps"),
        pytest.param("crash", NOTHING, id="a crash of the service clears"),
    ],
)
async def test_answers_without_a_suggestion(line: Line, script: str, result: Any) -> None:
    line.send(did_open(URI, script), ask(1, URI, 0, 99))
    await turns()
    assert results(line) == [(1, result)]


async def test_a_crash_is_logged_without_the_users_text(line: Line, caplog: pytest.LogCaptureFixture) -> None:
    line.send(did_open(URI, "crash"), ask(1, URI, 0, 5))
    await turns()
    assert "ValueError" in caplog.text
    assert "user's own text" not in caplog.text


async def test_an_unopened_document_has_nothing(line: Line) -> None:
    line.send(ask(1, "file:///never", 0, 0))
    assert results(line) == [(1, NOTHING)]
    assert not line.server.service.asked


async def test_a_cancel_is_answered_before_the_work_is_unwound(line: Line) -> None:
    line.send(did_open(URI, "wait"), ask("one", URI, 0, 4))
    await turns()
    assert line.server.service.running == 1
    line.send(cancel("one"))
    assert line.answer_to("one")["error"]["code"] == -32800
    assert line.server.service.unwound == 0
    await turns()
    assert line.server.service.unwound == 1


async def test_a_cancel_in_the_same_read_never_starts_the_service(line: Line) -> None:
    line.send(did_open(URI, "x"), ask(1, URI, 0, 1), cancel(1))
    assert line.answer_to(1)["error"]["code"] == -32800
    await turns()
    assert not line.server.service.asked
    assert len(results(line)) == 1


async def test_late_and_unknown_cancels_are_ignored(line: Line) -> None:
    line.send(did_open(URI, "x"), ask(1, URI, 0, 1))
    await turns()
    line.send(cancel(1), cancel(7), cancel("no"))
    await turns()
    assert len(results(line)) == 1


async def test_a_newer_request_supersedes_the_older_one_of_its_document(line: Line) -> None:
    other = "file:///b.py"
    line.send(did_open(URI, "wait"), did_open(other, "wait"), ask(1, URI, 0, 4), ask(2, other, 0, 4))
    await turns()
    line.send(ask(3, URI, 0, 4))
    assert results(line) == [(1, None)]
    line.send(did_change(URI, 2, {"text": "skip"}), ask(4, URI, 0, 4))
    await turns()
    assert results(line) == [(1, None), (3, None), (4, NOTHING)]
    assert line.server.service.running == 1


async def test_answers_of_a_document_leave_in_the_order_of_its_requests(line: Line) -> None:
    line.send(did_open(URI, "turn"))
    for number in range(50):
        line.send(ask(number, URI, 0, 4))
        await turns(number % 4)
    await turns()
    assert [request_id for request_id, _ in results(line)] == list(range(50))


async def test_the_snapshot_is_taken_when_the_request_comes(line: Line) -> None:
    line.send(
        did_open(URI, "old"), ask(1, URI, 0, 3), did_change(URI, 2, edit((0, 0), (0, 3), "new and longer"))
    )
    await turns()
    (asked,) = line.server.service.asked
    assert asked["document"].text == "old"
    assert asked["document"].version == 1


async def test_closing_a_document_answers_and_forgets(line: Line) -> None:
    line.send(did_open(URI, "wait"), ask(1, URI, 0, 4))
    await turns()
    line.send(notification("textDocument/didClose", {"textDocument": {"uri": URI}}))
    assert results(line) == [(1, NOTHING)]
    assert ("forget", URI) in line.server.service.calls
    await turns()
    assert line.server.service.running == 0


async def test_an_id_that_is_pending_is_refused(line: Line) -> None:
    line.send(did_open(URI, "wait"), ask(1, URI, 0, 4), ask(1, URI, 0, 4))
    assert results(line)[0][1]["code"] == -32600
    line.send(cancel(1))
    assert len(results(line)) == 2


async def test_shutdown_with_work_in_flight(line: Line) -> None:
    line.send(did_open(URI, "wait"), ask(1, URI, 0, 4))
    await turns()
    line.send(request(2, "shutdown"), ask(3, URI, 0, 4))
    while len(results(line)) < 3:
        await asyncio.sleep(0)
    assert [(one[0], (one[1] or {}).get("code")) for one in results(line)] == [
        (1, None),
        (3, -32600),
        (2, None),
    ]
    assert "aclose" in line.server.service.calls
    line.send(notification("exit"))
    assert line.exit_code == 0


@pytest.mark.parametrize(
    ("kinds", "expected"),
    [
        pytest.param([1, 2, 1], [1, 2, 1], id="LSP"),
        pytest.param([0, 1, 2, 0], [1, 2, 2, 1], id="VS Code's own, since a 0 was seen"),
        pytest.param([None, 7, "x"], [2, 2, 2], id="unknown ones are automatic"),
    ],
)
async def test_trigger_kinds(line: Line, kinds: list[Any], expected: list[int]) -> None:
    line.send(did_open(URI, "x"))
    for number, kind in enumerate(kinds):
        line.send(ask(number, URI, 0, 1, trigger=kind))
        await turns()
    assert [asked["trigger"] for asked in line.server.service.asked] == [
        TriggerKind(kind) for kind in expected
    ]


async def test_the_selected_row_in_offsets(line: Line) -> None:
    message = ask(1, URI, 1, 4)
    message["params"]["context"]["selectedCompletionInfo"] = {
        "range": {"start": {"line": 1, "character": 2}, "end": {"line": 1, "character": 4}},
        "text": "print",
    }
    line.send(did_open(URI, "a\n😀pr\n"), message)
    await turns()
    selected = line.server.service.asked[0]["selected"]
    assert (selected.start, selected.end, selected.text) == (3, 5, "print")


async def test_bad_params_leave_the_pending_request_alone(line: Line) -> None:
    line.send(did_open(URI, "wait"), ask(1, URI, 0, 4))
    line.send(request(2, "textDocument/inlineCompletion", {"textDocument": {"uri": URI}}))
    await turns()
    ((request_id, error),) = results(line)
    assert (request_id, error["code"]) == (2, -32602)
    assert line.server.service.running == 1


@pytest.mark.parametrize(
    ("client", "text", "waited_s"),
    [
        pytest.param("Neovim", "a\nb", 0.2, id="Neovim"),
        pytest.param("anyone", "a\r\nb", 0.0, id="others"),
    ],
)
async def test_rows_of_clients(client: str, text: str, waited_s: float) -> None:
    line = Line(scripted_server.create(clock=lambda: 0.0))
    line.initialize(clientInfo={"name": client})
    line.server.service.answer = Completion("1", "a\r\nb", 0, 0, "cache")
    line.send(did_open(URI, "x\r\n"), ask(1, URI, 0, 0))
    await turns()
    assert line.answer_to(1)["result"]["items"][0]["insertText"] == text
    assert line.server.service.asked[0]["waited_s"] == waited_s
    await line.server.aclose()


async def test_nothing_stays_behind(line: Line) -> None:
    line.send(did_open(URI, "wait"))
    for number in range(500):
        line.send(did_change(URI, number, edit((0, 4), (0, 4), "")), ask(number, URI, 0, 4))
        if number % 2:
            line.send(cancel(number))
        if number % 7 == 0:
            await turns(2)
    line.send(cancel(498))
    await turns()
    assert len(results(line)) == 500
    assert line.server.completions.n_tasks == 0
    assert line.server.service.running == 0
    assert not line.server.protocol._request_futures
    assert not line.server._tasks


async def test_a_change_that_cannot_be_read_drops_the_document(
    line: Line, caplog: pytest.LogCaptureFixture
) -> None:
    """A copy that is not the editor's any more is worse than none."""
    line.send(did_open(URI, "x"), did_change(URI, 2, {"range": {"start": None}, "text": "y"}))
    assert URI not in line.server.documents
    line.send(did_change(URI, 3, {"text": "y"}))
    assert "not open" in caplog.text
    assert not line.sent("window/showMessage")


async def test_notebook_cells_are_documents(line: Line) -> None:
    cell = "vscode-notebook-cell:/a.ipynb#1"
    notebook = {"uri": "file:///a.ipynb", "version": 1, "notebookType": "jupyter-notebook", "cells": []}
    item = {"uri": cell, "languageId": "python", "version": 1, "text": "x"}
    line.send(
        notification("notebookDocument/didOpen", {"notebookDocument": notebook, "cellTextDocuments": [item]}),
        notification(
            "notebookDocument/didChange",
            {
                "notebookDocument": {"uri": "file:///a.ipynb", "version": 2},
                "change": {
                    "cells": {
                        "structure": {
                            "array": {"start": 1, "deleteCount": 0, "cells": []},
                            "didOpen": [item | {"uri": cell + "2", "text": "second"}],
                        },
                        "textContent": [
                            {"document": {"uri": cell, "version": 2}, "changes": [edit((0, 1), (0, 1), "yz")]}
                        ],
                    }
                },
            },
        ),
        ask(1, cell, 0, 3),
        ask(2, cell + "2", 0, 6),
    )
    await turns()
    assert [asked["script"] for asked in line.server.service.asked] == ["xyz", "second"]
    line.send(
        notification(
            "notebookDocument/didClose",
            {"notebookDocument": {"uri": "file:///a.ipynb"}, "cellTextDocuments": [{"uri": cell}]},
        )
    )
    assert cell not in line.server.documents


async def test_debug_logs_hold_no_text(line: Line, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        line.send(did_open(URI, "secret"), ask(1, URI, 0, 6))
        await turns()
    assert "secret" not in caplog.text
