"""JSON-RPC: every request has exactly one answer, whatever it looks like, and errors are one line."""

from __future__ import annotations

import asyncio
import json
import logging
from typing import Any

import pytest

from tests.lsp import scripted_server
from tests.lsp.wire import INITIALIZE, Line, ask, did_open, notification, request


@pytest.fixture
async def line() -> Any:
    line = Line(scripted_server.create())
    yield line
    await line.server.aclose()


def error_of(answer: dict[str, Any]) -> tuple[Any, int]:
    assert "\n" not in answer["error"]["message"]
    assert set(answer["error"]) == {"code", "message"}
    return answer["id"], answer["error"]["code"]


def nested(depth: int) -> bytes:
    return b'{"jsonrpc":"2.0","id":1,"method":"shutdown","params":' + b"[" * depth + b"]" * depth + b"}"


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        pytest.param(b"{nonsense", (None, -32700), id="no JSON"),
        pytest.param(b"\xff\xfe{}", (None, -32700), id="no UTF-8"),
        pytest.param(b"", (None, -32700), id="empty"),
        pytest.param(nested(200_000), (None, -32700), id="nested beyond reason"),
        pytest.param([], (None, -32600), id="a batch"),
        pytest.param(7, (None, -32600), id="a number"),
        pytest.param({"id": 1, "method": "shutdown"}, (1, -32600), id="not 2.0"),
        pytest.param({"jsonrpc": "2.0", "id": 1}, (1, -32600), id="no method"),
        pytest.param({"jsonrpc": "2.0", "id": {}, "method": "shutdown"}, (None, -32600), id="odd id"),
        pytest.param(request(1, "no/such"), (1, -32601), id="unknown method"),
        pytest.param(request(1, "$/no/such", []), (1, -32601), id="unknown optional method"),
        pytest.param(request(1, "workspace/executeCommand", {}), (1, -32602), id="no command"),
        pytest.param(
            request(1, "workspace/executeCommand", {"command": "rm"}), (1, -32602), id="no such command"
        ),
        pytest.param(request(1, "textDocument/inlineCompletion"), (1, -32602), id="no params"),
        pytest.param(
            request(1, "textDocument/inlineCompletion", [1]), (1, -32602), id="params of another type"
        ),
        pytest.param(request(1, "initialize", INITIALIZE), (1, -32600), id="initialize again"),
    ],
)
async def test_errors(line: Line, message: Any, expected: tuple[Any, int]) -> None:
    line.initialize()
    line.send(message)
    assert error_of(line.answers()[-1]) == expected
    assert len(line.answers()) == 2
    line.send(request("after", "workspace/executeCommand", {"command": "qwen-ls.status"}))
    assert line.answer_to("after")["result"] == {"kind": "ready", "text": ""}


@pytest.mark.parametrize(
    "message",
    [
        pytest.param(notification("no/such", {"a": 1}), id="unknown"),
        pytest.param(notification("$/progress", {"token": 1}), id="misfit of a known one"),
        pytest.param(notification("$/setTrace", {"value": 7}), id="unknown enum"),
        pytest.param(notification("$/cancelRequest", None), id="cancel of nothing"),
        pytest.param(notification("$/cancelRequest", {"id": []}), id="cancel of an odd id"),
        pytest.param(notification("textDocument/didOpen", {}), id="open without a document"),
        pytest.param(notification("textDocument/didOpen", 3), id="open with a number"),
        pytest.param(
            notification("textDocument/didClose", {"textDocument": {"uri": "x"}}), id="close unopened"
        ),
        pytest.param(notification("notebookDocument/didChange", {"change": {"cells": None}}), id="no cells"),
        pytest.param(notification("textDocument/didShowCompletion", {"item": {}}), id="Copilot's shown"),
        pytest.param(
            notification("textDocument/didPartiallyAcceptCompletion", {"item": {}, "acceptedLength": 2}),
            id="Copilot's partial accept",
        ),
        pytest.param(notification("workspace/didChangeConfiguration", None), id="configuration of nothing"),
        pytest.param({"jsonrpc": "2.0", "id": "nobody", "result": 1}, id="answer to nobody"),
        pytest.param({"jsonrpc": "2.0", "id": [], "error": 1}, id="odd answer"),
    ],
)
async def test_notifications_are_never_answered(line: Line, message: Any) -> None:
    line.initialize()
    written = len(line.written)
    line.send(message)
    await asyncio.sleep(0)
    assert line.written[written:] == []


async def test_before_initialize(line: Line) -> None:
    line.send(did_open("file:///a", "x"), ask(1, "file:///a", 0, 1), request("two", "shutdown"))
    assert [error_of(answer) for answer in line.answers()] == [(1, -32002), ("two", -32002)]
    line.initialize()
    assert "file:///a" not in line.server.documents


async def test_exit_without_shutdown(line: Line) -> None:
    line.initialize()
    line.send(notification("exit"))
    assert line.exit_code == 1


async def test_a_nested_key_jsonrpc_harms_nothing(line: Line) -> None:
    result = line.initialize(capabilities={"experimental": {"jsonrpc": "2.0", "id": 3}})
    assert result["serverInfo"]["name"] == "qwen-ls"
    arguments = [{"jsonrpc": "2.0", "method": "exit"}]
    line.send(request(1, "workspace/executeCommand", {"command": "qwen-ls.status", "arguments": arguments}))
    assert "result" in line.answer_to(1)


KINDS = {"symbolKind": {"valueSet": [1, 99]}}


@pytest.mark.parametrize(
    "params",
    [
        pytest.param({"trace": "compact"}, id="trace compact"),
        pytest.param({"capabilities": {"textDocument": {"documentSymbol": KINDS}}}, id="later symbol kinds"),
        pytest.param(
            {"capabilities": {"workspace": {"workspaceEdit": {"failureHandling": "hope"}}}},
            id="failureHandling",
        ),
        pytest.param({"capabilities": {"textDocument": {"hover": {"contentFormat": 7}}}}, id="a wrong type"),
        pytest.param(
            {"capabilities": {"textDocument": 7, "general": {"positionEncodings": None}}}, id="wrong"
        ),
        pytest.param({"capabilities": None, "clientInfo": 7, "workspaceFolders": "x"}, id="all wrong"),
        pytest.param({"processId": "12", "locale": 3, "rootUri": ""}, id="small things wrong"),
    ],
)
async def test_initialize_never_fails(line: Line, params: dict[str, Any]) -> None:
    capabilities = line.initialize(**params)["capabilities"]
    assert capabilities["inlineCompletionProvider"] == {"workDoneProgress": False}
    assert capabilities["textDocumentSync"]["change"] == 2


async def test_what_can_be_read_of_initialize_is_kept(line: Line) -> None:
    broken = {"hover": {"contentFormat": 7}, "inlineCompletion": {"dynamicRegistration": True}}
    result = line.initialize(
        clientInfo={"name": "Neovim"},
        capabilities={"textDocument": broken, "general": {"positionEncodings": ["utf-7", "utf-8"]}},
    )
    assert result["capabilities"]["positionEncoding"] == "utf-8"
    assert "inlineCompletionProvider" not in result["capabilities"]
    assert line.server.client.line_feeds_only


@pytest.mark.parametrize(
    ("offered", "chosen"),
    [
        (["utf-8", "utf-16"], "utf-8"),
        (["utf-32", "utf-8"], "utf-32"),
        (["utf-16"], "utf-16"),
        (["x"], "utf-16"),
        (None, "utf-16"),
    ],
)
async def test_position_encodings(line: Line, offered: Any, chosen: str) -> None:
    result = line.initialize(capabilities={"general": {"positionEncodings": offered}} if offered else {})
    assert result["capabilities"]["positionEncoding"] == line.server.documents.encoding == chosen


async def test_a_failing_command_is_one_line(line: Line, caplog: pytest.LogCaptureFixture) -> None:
    line.initialize()

    def fail() -> None:
        raise KeyError("the user's text")

    line.server.service.explain = fail
    line.send(request(1, "workspace/executeCommand", {"command": "qwen-ls.explain"}))
    assert error_of(line.answer_to(1)) == (1, -32603)
    assert "user's text" not in json.dumps(line.written) + caplog.text
    assert "KeyError" in caplog.text


async def test_a_result_that_is_no_json_is_answered(line: Line) -> None:
    line.initialize()
    line.server.service.explain = lambda: {"circle": {1, 2}}
    line.send(request(1, "workspace/executeCommand", {"command": "qwen-ls.explain"}))
    assert error_of(line.answer_to(1)) == (1, -32603)


async def test_halves_of_pairs_encoded_one_by_one_are_put_together(line: Line) -> None:
    line.initialize()
    body = json.dumps(did_open("file:///a", "HERE")).encode()
    line.send(body.replace(b"HERE", "\ud83d\ude00".encode("utf-8", "surrogatepass")))
    assert line.server.documents.get("file:///a").text == "😀"


async def test_nothing_of_initialize_is_logged(line: Line, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        line.initialize(initializationOptions={"model": "sk-secret"})
    assert "sk-secret" not in caplog.text
