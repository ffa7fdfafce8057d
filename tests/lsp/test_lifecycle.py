"""A session's settings, messages and status, and the questions it asks its client."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from qwen_ls.core.types import Document, TriggerKind
from qwen_ls.lsp import session
from qwen_ls.lsp.clients import client_named, counts_triggers_from_zero
from qwen_ls.report import Level, Notice, Status
from tests.lsp import scripted_server
from tests.lsp.wire import Line, ask, did_open, notification, request

CONFIGURATION = {
    "workspace": {"configuration": True, "didChangeConfiguration": {"dynamicRegistration": True}}
}


@pytest.fixture
async def line() -> Any:
    line = Line(scripted_server.create())
    yield line
    await line.server.aclose()
    assert not line.server.protocol._request_futures
    assert not line.server.protocol._result_types


async def turns() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


def reply(line: Line, method: str, result: Any) -> dict[str, Any]:
    """Answer the server's last question of this method."""
    question = line.sent(method)[-1]
    line.send({"jsonrpc": "2.0", "id": question["id"], "result": result})
    return question


def messages(line: Line) -> list[str]:
    return [one["params"]["message"] for one in line.sent("window/showMessage")]


async def test_settings_are_asked_for_after_initialized(line: Line) -> None:
    line.initialize(capabilities=CONFIGURATION, initializationOptions={"model": "one"})
    assert line.server.service.settings.model == "one"
    await turns()
    assert reply(line, "workspace/configuration", [{"model": "two"}])["params"] == {
        "items": [{"section": "qwen-ls"}]
    }
    await turns()
    assert line.server.service.settings.model == "two"
    line.send(notification("workspace/didChangeConfiguration", {"settings": None}))
    await turns()
    reply(line, "workspace/configuration", [None])
    await turns()
    assert line.server.service.settings.model == "one"
    assert line.server.service.calls == ["reconfigure", "warm", "reconfigure", "warm"]
    reply(line, "client/registerCapability", None)
    await turns()


async def test_settings_that_are_pushed(line: Line) -> None:
    line.initialize()
    line.send(
        notification("workspace/didChangeConfiguration", {"settings": {"qwen-ls": {"model": "pushed"}}})
    )
    assert line.server.service.settings.model == "pushed"


async def test_each_problem_is_told_once_and_after_initialized(line: Line) -> None:
    line.send(
        request(0, "initialize", {"capabilities": {}, "initializationOptions": {"problems": ["a", "b"]}})
    )
    assert messages(line) == []
    line.send(notification("initialized", {}))
    assert messages(line) == ["a", "b"]
    for problems in (["a"], [], ["a"]):
        line.send(notification("workspace/didChangeConfiguration", {"settings": {"problems": problems}}))
    assert messages(line) == ["a", "b", "a"]


async def test_settings_that_cannot_be_read_stop_nothing() -> None:
    def fail(**_: Any) -> Any:
        raise OSError("no")

    line = Line(scripted_server.create(load=fail))
    line.initialize()
    assert line.server.service.settings.provider == "dashscope"
    await line.server.aclose()


async def test_a_client_that_refuses_to_answer(line: Line, caplog: pytest.LogCaptureFixture) -> None:
    line.initialize(capabilities=CONFIGURATION)
    await turns()
    for method in ("workspace/configuration", "client/registerCapability"):
        question = line.sent(method)[-1]
        line.send({"jsonrpc": "2.0", "id": question["id"], "error": {"code": -32601, "message": "no"}})
    await turns()
    assert "did not tell its settings" in caplog.text
    assert "warm" in line.server.service.calls


async def test_a_late_answer_to_a_question_is_harmless(line: Line, caplog: pytest.LogCaptureFixture) -> None:
    line.initialize(capabilities=CONFIGURATION)
    await turns()
    for task in list(line.server._tasks):
        task.cancel()
    reply(line, "workspace/configuration", [{}])
    await turns()
    reply(line, "workspace/configuration", [{}])
    assert caplog.text == ""


@pytest.mark.parametrize(
    ("declared", "registered"),
    [
        pytest.param({"dynamicRegistration": True}, True, id="dynamic"),
        pytest.param({"dynamicRegistration": False}, False, id="static"),
        pytest.param(None, False, id="declares nothing, as lsp-mode"),
    ],
)
async def test_inline_completion_is_registered_in_one_way_only(
    line: Line, declared: Any, registered: bool
) -> None:
    result = line.initialize(capabilities={"textDocument": {"inlineCompletion": declared}})
    await turns()
    asked = [
        one["method"]
        for question in line.sent("client/registerCapability")
        for one in question["params"]["registrations"]
    ]
    assert ("textDocument/inlineCompletion" in asked) == registered
    assert ("inlineCompletionProvider" in result["capabilities"]) == (not registered)
    if registered:
        reply(line, "client/registerCapability", None)
        await turns()


async def test_notebooks_are_synced_where_the_client_can(line: Line) -> None:
    result = line.initialize(capabilities={"notebookDocument": {"synchronization": {}}})
    assert result["capabilities"]["notebookDocumentSync"] == {"notebookSelector": [{"notebook": "*"}]}


async def test_the_first_request_waits_for_the_settings(line: Line) -> None:
    line.initialize(capabilities=CONFIGURATION)
    line.send(did_open("file:///a", "x"), ask(1, "file:///a", 0, 1))
    await turns()
    assert line.server.service.calls == line.server.service.asked == []
    reply(line, "workspace/configuration", [{"model": "two"}])
    await turns()
    assert line.server.service.calls == ["reconfigure", "warm"]
    assert line.answer_to(1)["result"]["items"]


async def test_a_client_that_never_tells_its_settings(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "SETTINGS_TIMEOUT_S", 0.01)
    line.initialize(capabilities=CONFIGURATION)
    line.send(did_open("file:///a", "x"), ask(1, "file:///a", 0, 1))
    while not [one for one in line.answers() if one["id"] == 1]:
        await asyncio.sleep(0.001)
    assert line.answer_to(1)["result"]["items"]


async def test_the_first_document_warms_up(line: Line) -> None:
    line.send(request(0, "initialize", {"capabilities": {}}), did_open("file:///a", "x"))
    await turns()
    assert line.server.service.calls == ["warm"]


async def test_status_and_notices(line: Line) -> None:
    line.initialize()
    service = line.server.service
    for status in (
        Status("thinking"),
        Status("thinking"),
        Status("limited", "until noon"),
        Status("off", "x"),
    ):
        service.on_status(status)
    assert [one["params"] for one in line.sent("didChangeStatus")] == [
        {"busy": False, "kind": "Normal", "message": ""},
        {"busy": True, "kind": "Normal", "message": ""},
        {"busy": False, "kind": "Warning", "message": "until noon"},
        {"busy": False, "kind": "Inactive", "message": "x"},
    ]
    service.notify(Notice(Level.ERROR, "key", "wrong key"))
    assert line.sent("window/showMessage")[0]["params"] == {"type": 1, "message": "wrong key"}


async def test_lsp_mode_is_not_bothered_with_status(line: Line) -> None:
    line.initialize(clientInfo={"name": "emacs"})
    assert line.sent("didChangeStatus") == []


@pytest.mark.parametrize(
    ("command", "result"),
    [
        ("qwen-ls.accepted", None),
        ("qwen-ls.dismissed", None),
        ("qwen-ls.explain", {"asked": 0, "running": 0, "calls": []}),
        ("qwen-ls.status", {"kind": "ready", "text": ""}),
        ("qwen-ls.toggle", False),
        ("qwen-ls.clearCache", None),
    ],
)
async def test_commands(line: Line, command: str, result: Any) -> None:
    capabilities = line.initialize()["capabilities"]
    assert command in capabilities["executeCommandProvider"]["commands"]
    line.send(request(1, "workspace/executeCommand", {"command": command, "arguments": []}))
    assert line.answer_to(1)["result"] == result


@pytest.mark.parametrize(("ending", "result"), [("counted", {"model": "scripted"}), ("shutdown", None)])
async def test_usage_is_answered_once_when_it_is_known_or_the_session_ends(
    line: Line, ending: str, result: Any
) -> None:
    line.initialize()
    line.send(request(1, "workspace/executeCommand", {"command": "qwen-ls.usage"}))
    await turns()
    assert [answer["id"] for answer in line.answers()] == ["init"]
    if ending == "shutdown":
        line.send(request(2, "shutdown"))
    else:
        line.server.service.counted.set()
    await turns()
    assert line.answer_to(1)["result"] == result


async def test_the_real_service_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DASHSCOPE_API_KEY", raising=False)
    line = Line(scripted_server.create(make_service=None))
    line.initialize(initializationOptions={"enabled": False})
    await line.server.service.complete(Document("file:///a", 1, "python", "x"), 1, TriggerKind.INVOKED)
    await line.server.aclose()


@pytest.mark.parametrize(
    ("name", "capabilities", "expected"),
    [
        pytest.param(
            "Visual Studio Code", {"textDocument": {"typeHierarchy": {}}, "workspace": {}}, True, id="9"
        ),
        pytest.param(
            "Visual Studio Code",
            {"textDocument": {"typeHierarchy": {}}, "workspace": {"textDocumentContent": {}}},
            False,
            id="10 and later",
        ),
        pytest.param("Visual Studio Code", {"textDocument": {}, "workspace": {}}, False, id="an imitation"),
        pytest.param("Neovim", {"textDocument": {"typeHierarchy": {}}, "workspace": {}}, False, id="others"),
    ],
)
def test_who_counts_triggers_from_zero(name: str, capabilities: dict[str, Any], expected: bool) -> None:
    assert counts_triggers_from_zero(client_named(name), capabilities) == expected
