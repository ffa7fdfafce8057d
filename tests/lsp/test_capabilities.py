"""What `initialize` is answered: one pure function, said early on stdio and by the protocol elsewhere."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lsprotocol import converters, types

from qwen_ls.lsp.capabilities import COMMANDS, initialize_result
from qwen_ls.lsp.handlers import COMMANDS as HANDLERS
from tests.lsp.wire import Wire, notification, request

CLIENTS = Path(__file__).parent.parent / "e2e" / "clients"


def test_every_command_that_is_advertised_is_there() -> None:
    assert set(COMMANDS) == set(HANDLERS)


@pytest.mark.parametrize("editor", ["vscode", "neovim", "emacs"])
def test_the_answer_is_what_lsprotocol_reads(editor: str) -> None:
    params = json.loads((CLIENTS / f"{editor}.json").read_text("utf-8"))
    raw = initialize_result(params)
    read = converters.get_converter().structure(raw, types.InitializeResult)
    wanted = params["capabilities"]["general"]["positionEncodings"][0]
    assert read.capabilities.position_encoding == wanted
    assert (read.capabilities.inline_completion_provider is None) is (editor == "vscode")
    assert (read.capabilities.notebook_document_sync is not None) is (editor == "vscode")


JSON = st.recursive(
    st.none() | st.booleans() | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["general", "positionEncodings", "textDocument", "inlineCompletion"]), inner
        )
    ),
    max_leaves=6,
)


@given(JSON)
def test_no_client_can_break_it(capabilities: Any) -> None:
    answer = initialize_result({"capabilities": capabilities})
    assert answer["capabilities"]["positionEncoding"] in {"utf-8", "utf-16", "utf-32"}


def test_initialize_is_answered_once() -> None:
    """One answer, and then the session goes on as if it had given it."""
    with Wire() as wire:
        wire.send(request("first", "initialize", {"capabilities": {}}))
        assert wire.answer()["id"] == "first"
        wire.send(notification("initialized", {}), request("last", "shutdown"))
        assert wire.answer()["id"] == "last"


def test_what_comes_in_the_same_write_as_initialize_is_not_lost() -> None:
    with Wire() as wire:
        wire.send(
            request(1, "initialize", {"capabilities": {}}),
            notification("initialized", {}),
            request(2, "workspace/executeCommand", {"command": "qwen-ls.status"}),
            request(3, "shutdown"),
        )
        assert [answer["id"] for answer in wire.answers(3)] == [1, 2, 3]


def test_the_early_answer_imports_nothing_heavy() -> None:
    heavy = "{'pygls', 'lsprotocol', 'asyncio', 'httpx'}"
    code = f"import sys, qwen_ls.lsp.greeting; print({heavy} & set(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert loaded.stdout == "set()\n"
