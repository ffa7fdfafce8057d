"""Each workaround is still needed, and works.

A test has two halves: the fault as stock pygls has it, and ours without it. When the first half fails, a new
pygls has mended the fault: the row, and what works around it, can go.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
import subprocess
import sys
import threading
from typing import Any

import pytest
from lsprotocol import types
from pygls.exceptions import FeatureNotificationError
from pygls.io_ import run_async
from pygls.lsp.server import LanguageServer
from pygls.workspace import TextDocument, Workspace

from qwen_ls.lsp.documents import DocumentStore, Position
from qwen_ls.lsp.workarounds import WORKAROUNDS, quiet_loggers
from tests.lsp import scripted_server
from tests.lsp.wire import (
    INITIALIZE,
    ROOT,
    TIMEOUT_S,
    Line,
    Wire,
    did_change,
    did_open,
    edit,
    frame,
    notification,
    request,
)

URI = "file:///a.py"
INIT = request("init", "initialize", INITIALIZE)
COMMAND = "workspace/executeCommand"


class Stock:
    """A server as pygls makes it, fed from memory."""

    def __init__(self, **options: Any) -> None:
        self.server = LanguageServer("stock", "1", **options)
        self.written: list[dict[str, Any]] = []
        self.server.protocol.set_writer(self, include_headers=False)

    def write(self, data: bytes) -> None:
        self.written.append(json.loads(data))

    def close(self) -> None:
        """Called by pygls at exit."""

    async def send(self, *messages: Any) -> list[dict[str, Any]]:
        """Feed messages, as bytes or to be framed; gives back all that was written."""
        reader = asyncio.StreamReader()
        for message in messages:
            reader.feed_data(message if isinstance(message, bytes) else frame(message))
        reader.feed_eof()
        stop = threading.Event()
        with quiet():
            await run_async(stop, reader, self.server.protocol, error_handler=self.server.report_server_error)
            for _ in range(20):
                await asyncio.sleep(0)
        return self.written

    def answers(self) -> dict[Any, dict[str, Any]]:
        return {one["id"]: one for one in self.written if "method" not in one}


class quiet:  # noqa: N801  (used like a function)
    """Keep the expected complaints of stock pygls out of the report."""

    def __enter__(self) -> None:
        logging.disable(logging.CRITICAL)

    def __exit__(self, *_: object) -> None:
        logging.disable(logging.NOTSET)


@pytest.fixture
async def ours() -> Any:
    line = Line(scripted_server.create())
    line.initialize()
    yield line
    await line.server.aclose()


def place(text: str, line: int, character: int) -> tuple[int, int]:
    """Where our documents see a position: line, and characters from its beginning."""
    store = DocumentStore()
    store.open(URI, language_id="", version=1, text=text)
    document = store.get(URI)
    assert document is not None
    return document.place(Position(line, character), "utf-16")[:2]


def test_every_row_has_its_test() -> None:
    names = {name.removeprefix("test_") for name in globals() if name.startswith("test_")}
    assert {name.replace(" ", "_") for name in WORKAROUNDS} <= names


def test_line_ends() -> None:
    assert len(TextDocument(URI, "a\fb\n").lines) == 2
    store = DocumentStore()
    store.open(URI, language_id="", version=1, text="a\fb\n")
    document = store.get(URI)
    assert document is not None
    assert document.lines == ["a\fb\n", ""]


def test_end_of_last_line() -> None:
    assert TextDocument(URI, "abc").offset_at_position(types.Position(0, 9)) == 2
    assert place("abc", 0, 9) == (0, 3)


def test_mutated_position() -> None:
    position = types.Position(0, 9)
    TextDocument(URI, "abc").offset_at_position(position)
    assert position != types.Position(0, 9)
    ours = Position(0, 9)
    assert place("abc", *ours) == (0, 3)
    assert ours == (0, 9)


def test_linear_edits() -> None:
    document = TextDocument(URI, "a\n" * 3)
    assert document.lines is not document.lines
    store = DocumentStore()
    store.open(URI, language_id="", version=1, text="a\n" * 3)
    ours = store.get(URI)
    assert ours is not None
    untouched = ours.lines
    store.change(URI, version=2, changes=[])
    assert ours.lines is untouched


async def test_unopened_change(ours: Line) -> None:
    change = types.TextDocumentContentChangeWholeDocument(text="x")
    with pytest.raises(KeyError):
        Workspace(None).update_text_document(types.VersionedTextDocumentIdentifier(1, URI), change)
    ours.send(did_change(URI, 2, {"text": "x"}))
    assert ours.sent("window/showMessage") == []


async def test_leaked_futures(ours: Line) -> None:
    changes = [did_change(URI, number, edit((0, 0), (0, 0), "x")) for number in range(10)]
    stock = Stock()
    await stock.send(INIT, did_open(URI, ""), *changes)
    assert len(stock.server.protocol._request_futures) >= 10
    ours.send(did_open(URI, ""), *changes, *[notification("$/setTrace", {"value": "off"})] * 10)
    assert not ours.server.protocol._request_futures


async def test_unanswered_params(ours: Line) -> None:
    bad = request(1, COMMAND, {"command": 7, "arguments": 7})
    stock = Stock()
    await stock.send(INIT, bad)
    assert set(stock.answers()) == {"init"}
    ours.send(bad)
    assert ours.answer_to(1)["error"]["code"] == -32602


async def test_nested_jsonrpc() -> None:
    nested = request("init", "initialize", INITIALIZE | {"initializationOptions": {"jsonrpc": "2.0"}})
    stock = Stock()
    await stock.send(nested)
    assert not stock.answers()
    line = Line(scripted_server.create(load=lambda **_: scripted_server.Loaded(scripted_server.Settings())))
    line.send(nested)
    assert "result" in line.answer_to("init")
    await line.server.aclose()


async def test_unknown_enums() -> None:
    compact = request("init", "initialize", INITIALIZE | {"trace": "compact"})
    stock = Stock()
    await stock.send(compact)
    assert not stock.answers()
    line = Line(scripted_server.create())
    line.send(compact)
    assert "result" in line.answer_to("init")
    await line.server.aclose()


async def test_header_case() -> None:
    lower = frame(INIT).replace(b"Content-Length", b"content-length")
    stock = Stock()
    await stock.send(lower)
    assert not stock.answers()
    with Wire() as wire:
        wire.send_bytes(lower)
        assert wire.answer()["id"] == "init"


async def test_parse_error(ours: Line) -> None:
    stock = Stock()
    await stock.send(frame(b"{broken"))
    assert not stock.answers()
    ours.send(b"{broken")
    assert ours.answers()[-1]["error"]["code"] == -32700


async def test_not_initialized() -> None:
    early = request(1, COMMAND, {"command": "none"})
    stock = Stock()
    await stock.send(request(2, "textDocument/hover"), did_open(URI, ""), early)
    assert stock.answers()[1]["error"]["code"] != -32002
    line = Line(scripted_server.create())
    line.send(early)
    assert line.answer_to(1)["error"]["code"] == -32002


async def test_after_shutdown(ours: Line) -> None:
    late = request(2, COMMAND, {"command": "none"})
    stock = Stock()
    await stock.send(INIT, request(1, "shutdown"), late)
    assert set(stock.answers()) == {"init", 1}
    ours.send(request(1, "shutdown"), late)
    assert ours.answer_to(2)["error"]["code"] == -32600


def test_exit_code() -> None:
    script = "from pygls.lsp.server import LanguageServer; LanguageServer('stock', '1').start_io()"
    leave = b"".join(map(frame, (INIT, notification("exit"))))
    stock = subprocess.run([sys.executable, "-c", script], input=leave, capture_output=True, cwd=ROOT)
    assert stock.returncode == 0
    with Wire() as wire:
        wire.send_bytes(leave)
        assert wire.wait() == 1


async def test_shutdown_in_flight(ours: Line) -> None:
    stock = Stock()

    @stock.server.command("slow")
    async def slow() -> None:
        await asyncio.sleep(0)

    await stock.send(INIT, request(1, COMMAND, {"command": "slow"}), request(2, "shutdown"))
    assert "dictionary changed size" in stock.answers()[2]["error"]["message"]
    for task in asyncio.all_tasks() - {asyncio.current_task()}:
        await asyncio.wait([task])
    ours.send(did_open(URI, "wait"), request(1, "shutdown"))
    while len(ours.answers()) < 2:
        await asyncio.sleep(0)
    assert ours.answer_to(1)["result"] is None


async def test_traceback(ours: Line) -> None:
    stock = Stock()

    @stock.server.command("fail")
    def fail() -> None:
        raise KeyError("text")

    await stock.send(INIT, request(1, COMMAND, {"command": "fail"}))
    assert "traceback" in stock.answers()[1]["error"]["data"]
    ours.server.service.explain = fail
    ours.send(request(1, COMMAND, {"command": "qwen-ls.explain"}))
    assert set(ours.answer_to(1)["error"]) == {"code", "message"}


async def test_late_answer(ours: Line, caplog: pytest.LogCaptureFixture) -> None:
    stock = Stock()
    question = asyncio.ensure_future(stock.server.protocol.send_request_async("custom", None, msg_id="q"))
    question.cancel()
    await asyncio.sleep(0)
    await stock.send({"jsonrpc": "2.0", "id": "q", "result": None})
    assert stock.written[-1]["method"] == "window/showMessage"
    task = asyncio.ensure_future(ours.server.protocol.ask("custom", None))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.sleep(0)
    (asked,) = ours.sent("custom")
    ours.send({"jsonrpc": "2.0", "id": asked["id"], "result": None})
    assert caplog.text == ""
    assert ours.sent("window/showMessage") == []


async def test_stale_questions(ours: Line) -> None:
    stock = Stock()
    with quiet(), pytest.raises(TimeoutError):
        await asyncio.wait_for(stock.server.protocol.send_request_async("custom"), 0)
    assert stock.server.protocol._request_futures
    task = asyncio.ensure_future(ours.server.protocol.ask("custom", None))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    assert not ours.server.protocol._request_futures
    assert not ours.server.protocol._result_types


async def test_logged_bodies(caplog: pytest.LogCaptureFixture) -> None:
    secret = request("init", "initialize", INITIALIZE | {"initializationOptions": {"model": "sk-secret"}})
    stock = Stock()
    logging.getLogger("pygls").setLevel(logging.INFO)
    with caplog.at_level(logging.INFO):
        stock.server.protocol.handle_message(
            json.loads(json.dumps(secret), object_hook=stock.server.protocol.structure_message)
        )
    assert "sk-secret" in caplog.text
    caplog.clear()
    with caplog.at_level(logging.DEBUG):
        line = Line(scripted_server.create())
        line.send(secret)
    assert "sk-secret" not in caplog.text
    assert logging.getLogger("pygls").level == logging.WARNING
    await line.server.aclose()


async def test_popups(ours: Line) -> None:
    stock = Stock()
    with quiet():
        stock.server.report_server_error(ValueError("x"), FeatureNotificationError)
        ours.server.report_server_error(ValueError("x"), FeatureNotificationError)
    assert stock.written[-1]["method"] == "window/showMessage"
    assert ours.sent("window/showMessage") == []


async def test_silent_capability(ours: Line) -> None:
    stock = Stock()

    @stock.server.feature(types.TEXT_DOCUMENT_INLINE_COMPLETION)
    def complete(params: types.InlineCompletionParams) -> None: ...

    await stock.send(INIT)
    assert "inlineCompletionProvider" not in stock.answers()["init"]["result"]["capabilities"]
    assert ours.answer_to("init")["result"]["capabilities"]["inlineCompletionProvider"]


STOLEN = """
from pygls.lsp.server import LanguageServer
import asyncio, sys
class Server(LanguageServer): pass
import logging; logging.basicConfig(level=logging.INFO, stream=sys.stderr)
Server("stock", "1").start_tcp("127.0.0.1", 0)
"""


async def test_stolen_writer() -> None:
    """Ours: `test_network.test_tcp_a_second_client_is_turned_away`."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", STOLEN, stderr=asyncio.subprocess.PIPE, cwd=ROOT
    )
    assert process.stderr is not None
    try:
        while not (found := re.search(rb"Serving on .*?(\d+)\)", await process.stderr.readline())):
            assert process.returncode is None
        clients = [await asyncio.open_connection("127.0.0.1", int(found[1])) for _ in range(2)]
        # The second connection has been served once it has an answer.
        for number in (1, 0):
            clients[number][1].write(frame(request(number, "initialize", INITIALIZE)))
            header = await asyncio.wait_for(clients[1][0].readuntil(b"\r\n\r\n"), TIMEOUT_S)
            (length,) = re.findall(rb"Content-Length: (\d+)", header)
            assert json.loads(await clients[1][0].readexactly(int(length)))["id"] == number
        for _, writer in clients:
            writer.close()
            await writer.wait_closed()
    finally:
        process.kill()
        await process.communicate()


async def test_custom_params(ours: Line) -> None:
    stock = Stock()
    message = stock.server.protocol.structure_message(notification("custom/x", {"a": {"b": 1}}))
    assert not isinstance(message.params, dict)
    assert ours.server.protocol._structure("custom/x", {"class": 1}) == {"class": 1}


async def test_command_arguments(ours: Line) -> None:
    stock = Stock()

    @stock.server.command("maybe")
    def maybe(value: int = 3) -> int:
        return value

    await stock.send(INIT, request(1, COMMAND, {"command": "maybe", "arguments": []}))
    assert stock.answers()[1]["error"]["code"] == -32602
    ours.send(request(1, COMMAND, {"command": "qwen-ls.accepted", "arguments": []}))
    assert ours.answer_to(1)["result"] is None


def test_other_packages_stay_quiet() -> None:
    logging.getLogger("httpcore").setLevel(logging.DEBUG)
    quiet_loggers()
    assert logging.getLogger("httpcore").getEffectiveLevel() == logging.WARNING
