"""The playground's own client: what it says to a server, and what it makes of odd servers."""

import asyncio
import json
import sys

import pytest

from qwen_ls.commands.playground.rpc import ServerGoneError
from qwen_ls.commands.playground.session import Session, read_explanation
from qwen_ls.core.types import TriggerKind
from tests.cli.conftest import HERE

AUTOMATIC = TriggerKind.AUTOMATIC


def stub(script):
    return (sys.executable, str(HERE / "stub_server.py"), json.dumps(script))


def program(code):
    return (sys.executable, "-c", code)


async def started(script, text="", **options):
    session = Session(
        "untitled:x.py", "python", options={}, on_message=options.pop("on_message", print), **options
    )
    return await session.start(text, stub(script))


async def test_changes_are_incremental_and_positions_right(stub_log):
    session = await started({}, "a\nb🎉c\nd")
    session.change("a\nb🎉你c\nd")
    session.change("a\nb🎉你c\nd")
    await session.complete(5, AUTOMATIC)
    await session.close()
    (change,) = stub_log("textDocument/didChange")
    place = {"line": 1, "character": 2}
    assert change["params"]["contentChanges"] == [{"range": {"start": place, "end": place}, "text": "你"}]
    (ask,) = stub_log("textDocument/inlineCompletion")
    assert ask["params"]["position"] == {"line": 1, "character": 3}
    assert ask["params"]["context"] == {"triggerKind": 2}
    assert [message["method"] for message in stub_log()][-3:] == ["textDocument/didClose", "shutdown", "exit"]


async def test_settings_travel_as_initialization_options(stub_log):
    session = Session("untitled:x", "python", options={"provider": "local"}, on_message=print)
    await session.start("", stub({}))
    await session.close()
    assert stub_log("initialize")[0]["params"]["initializationOptions"] == {"provider": "local"}


async def test_a_cancelled_question_is_taken_back(stub_log, monkeypatch):
    monkeypatch.setenv("STUB_DELAY_S", "0.3")
    session = await started({"": "x"})
    asking = asyncio.create_task(session.complete(0, AUTOMATIC))
    await asyncio.sleep(0)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    answer = await session.complete(0, AUTOMATIC)
    assert answer.ghost.text == "x"
    await session.close()
    (asked, _) = stub_log("textDocument/inlineCompletion")
    assert stub_log("$/cancelRequest")[0]["params"]["id"] == 2
    assert asked


async def test_null_keeps_and_nothing_clears():
    session = await started({"k": "!keep"}, "k\n")
    assert (await session.complete(1, AUTOMATIC)).keep
    answer = await session.complete(2, AUTOMATIC)
    assert (answer.keep, answer.ghost) == (False, None)
    await session.close()


async def test_messages_are_passed_on():
    messages = []
    session = await started({"": "!error Mind this."}, on_message=messages.append)
    await session.complete(0, AUTOMATIC)
    await session.close()
    assert [(message.level, message.text) for message in messages] == [("error", "Mind this.")]


async def test_a_server_that_dies_ends_every_wait():
    ends = []
    session = await started({"": "!die"}, on_end=ends.append)
    with pytest.raises(ServerGoneError, match=r"exit code 7.: stub: told to die"):
        await session.complete(0, AUTOMATIC)
    with pytest.raises(ServerGoneError):
        await session.complete(0, AUTOMATIC)
    await session.close()
    assert len(ends) == 1


@pytest.mark.parametrize(
    ("command", "said"),
    [
        pytest.param(("/no/such/program",), "cannot start /no/such/program", id="no program"),
        pytest.param(program("raise SystemExit('bad day')"), "exit code 1.: bad day", id="ends at once"),
        pytest.param(program("print('hello'); input()"), "has ended", id="speaks no LSP"),
        pytest.param(program("print('Content-Length: x\\n')"), "has ended", id="bad header"),
    ],
)
async def test_what_is_no_server(command, said):
    session = Session("untitled:x", "python", options={}, on_message=print)
    with pytest.raises(ServerGoneError, match=said):
        await session.start("", command)
    await session.close()


@pytest.mark.parametrize("answer", [None, [], "text", {"usage": 3}, {"usage": {"prompt_tokens": "many"}}])
def test_an_explanation_of_another_shape_is_taken_for_none(answer):
    said = read_explanation(answer)
    assert (said.reason, said.prompt_tokens, said.model) == ("", 0, "")


@pytest.mark.parametrize(("encoding", "character"), [("utf-8", 7), ("utf-16", 4), ("utf-32", 3)])
async def test_every_encoding_counts_its_own_units(encoding, character):
    session = Session("untitled:x", "python", options={}, on_message=print)
    session._encoding = encoding
    session.text = "x\na🎉é!\n"
    assert session._position(5) == {"line": 1, "character": character}
    assert session._offset(session.text, {"line": 1, "character": character}) == 5
    assert session._offset(session.text, {"line": 1, "character": 99}) == 6
    assert session._offset(session.text, {"line": 9, "character": 0}) == 7
