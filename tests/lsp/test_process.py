"""A server process on its pipes: exit codes, end of input, storms, and who may write to stdout."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.lsp.wire import (
    INITIALIZE,
    ROOT,
    TIMEOUT_S,
    Wire,
    ask,
    cancel,
    did_change,
    did_open,
    edit,
    frame,
    notification,
    request,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

URI = "file:///a.py"
NOTHING = {"items": []}


@pytest.fixture
def wire() -> Iterator[Wire]:
    with Wire() as wire:
        yield wire


def explain(wire: Wire) -> dict[str, Any]:
    return wire.call("explain", "workspace/executeCommand", {"command": "qwen-ls.explain"})


def test_shutdown_and_exit(wire: Wire) -> None:
    wire.initialize()
    wire.send(did_open(URI, "wait"), ask(1, URI, 0, 4))
    wire.send(request(2, "shutdown"), request(3, "workspace/executeCommand", {"command": "qwen-ls.status"}))
    answers = wire.answers(3)
    assert [answer["id"] for answer in answers] == [1, 3, 2]
    assert answers[0]["result"] is None
    assert answers[1]["error"]["code"] == -32600
    assert answers[2]["result"] is None
    wire.send(notification("exit"))
    assert wire.wait() == 0


def test_shutdown_and_exit_in_one_write_are_both_obeyed(wire: Wire) -> None:
    wire.initialize()
    wire.send(request(2, "shutdown"), notification("exit"))
    assert wire.answer() == {"jsonrpc": "2.0", "id": 2, "result": None}
    assert wire.wait() == 0


def test_exit_without_shutdown(wire: Wire) -> None:
    wire.initialize()
    wire.send(notification("exit"))
    assert wire.wait() == 1


@pytest.mark.parametrize("initialized", [False, True])
def test_end_of_input(wire: Wire, initialized: bool) -> None:
    if initialized:
        wire.initialize()
        wire.send(did_open(URI, "wait"), ask(1, URI, 0, 4))
    wire.close_input()
    assert wire.wait() == 0
    assert "Traceback" not in wire.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGTERM to catch")
def test_sigterm_ends_the_session_in_order(wire: Wire) -> None:
    wire.initialize()
    wire.send(did_open(URI, "wait"), ask(1, URI, 0, 4))
    while explain(wire)["running"] == 0:
        pass
    wire.process.terminate()
    assert wire.answer() == {"jsonrpc": "2.0", "id": 1, "result": None}
    assert wire.wait() == 143
    assert "Traceback" not in wire.stderr


def test_headers_and_garbage(wire: Wire) -> None:
    wire.initialize()
    status = request(1, "workspace/executeCommand", {"command": "qwen-ls.status"})
    lower = frame(status).replace(b"Content-Length", b"content-length")
    typed = b"Content-Type: application/vscode-jsonrpc; charset=utf-8\r\n" + frame(status | {"id": 2})
    wire.send_bytes(lower + b"noise\r\n\r\n" + typed + frame(b"{broken") + frame(status | {"id": 3}))
    answers = wire.answers(4)
    assert [answer["id"] for answer in answers] == [1, 2, None, 3]
    assert answers[2]["error"]["code"] == -32700
    assert wire.has_said("no LSP message")


def test_a_cancel_in_the_same_write_never_starts_the_service(wire: Wire) -> None:
    wire.initialize()
    wire.send(did_open(URI, "wait"), ask(1, URI, 0, 4), cancel(1))
    assert wire.answer()["error"]["code"] == -32800
    assert explain(wire)["asked"] == 0


def test_a_running_request_is_cancelled_at_once(wire: Wire) -> None:
    wire.initialize()
    wire.send(did_open(URI, "wait"), ask(1, URI, 0, 4))
    while explain(wire)["running"] == 0:
        pass
    wire.send(cancel(1))
    assert wire.answer()["error"]["code"] == -32800
    while explain(wire)["running"] == 1:
        pass


def test_a_burst_is_answered_in_order(wire: Wire) -> None:
    wire.initialize()
    messages = [did_open(URI, "x = 1\n" * 1000)]
    for number in range(2500):
        messages += [did_change(URI, number + 2, edit((500, 0), (500, 0), "y")), ask(number, URI, 500, 1)]
    wire.send(*messages)
    answers = wire.answers(2500)
    assert [answer["id"] for answer in answers] == list(range(2500))
    assert answers[-1]["result"]["items"]
    assert all(answer["result"] is None or answer["result"]["items"] for answer in answers)


def test_more_answers_than_a_pipe_holds(wire: Wire) -> None:
    wire.initialize()
    wire.send(did_open(URI, "x"))
    wire.send(*[ask(number, "file:///none", 0, 0) for number in range(20_000)])
    assert [answer["id"] for answer in wire.answers(20_000)] == list(range(20_000))


def run_with(data: bytes, path: Path, *, out: Path | None = None) -> tuple[int, bytes]:
    """A server whose stdin, and perhaps stdout, are files."""
    path.write_bytes(data)
    with path.open("rb") as stdin:
        if out is None:
            done = subprocess.run(
                [sys.executable, "-m", "tests.lsp.scripted_server"],
                stdin=stdin,
                capture_output=True,
                cwd=ROOT,
                timeout=TIMEOUT_S,
            )
            return done.returncode, done.stdout
        with out.open("wb") as stdout:
            code = subprocess.run(
                [sys.executable, "-m", "tests.lsp.scripted_server"],
                stdin=stdin,
                stdout=stdout,
                stderr=subprocess.DEVNULL,
                cwd=ROOT,
                timeout=TIMEOUT_S,
            ).returncode
    return code, out.read_bytes()


@pytest.mark.parametrize("to_file", [False, True], ids=["to a pipe", "to a file"])
def test_input_from_a_file(tmp_path: Path, to_file: bool) -> None:
    messages = [request(1, "initialize", INITIALIZE), request(2, "shutdown"), notification("exit")]
    data = b"".join(map(frame, messages))
    code, output = run_with(data, tmp_path / "in", out=tmp_path / "out" if to_file else None)
    assert code == 0
    assert output.count(b"Content-Length") == 2
    assert output.endswith(b'{"jsonrpc":"2.0","id":2,"result":null}')


def test_nothing_else_reaches_stdout() -> None:
    """What is printed, by Python or a child process, goes to stderr."""
    noisy = (
        "import subprocess, sys\n"
        "from tests.lsp import scripted_server\n"
        "from qwen_ls.lsp import server\n"
        "def create():\n"
        "    print('printed', flush=True)\n"
        "    subprocess.run([sys.executable, '-c', 'print(\"child\", input() if False else \"\")'])\n"
        "    return scripted_server.create()\n"
        "sys.exit(server.run_stdio(create))\n"
    )
    with Wire(sys.executable, "-c", noisy) as wire:
        wire.initialize()
        wire.send(request(1, "shutdown"), notification("exit"))
        assert wire.wait() == 0
    assert "printed" in wire.stderr
    assert "child" in wire.stderr


def test_importing_the_entry_point_is_cheap() -> None:
    script = (
        "import sys, qwen_ls.lsp.server; print(sorted({'pygls', 'lsprotocol', 'httpx'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT, check=True
    )
    assert done.stdout.strip() == "[]"
