"""A real server process before the fake endpoint, spoken to by pytest-lsp as each editor declares itself."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest_lsp
from lsprotocol import converters, types
from pytest_lsp import ClientServerConfig, LanguageClient, make_test_lsp_client

from tests.fake_dashscope import FakeDashScope
from tests.lsp.wire import neutral_environment
from tests.marked import CURSOR

CLIENTS = Path(__file__).parent / "clients"
TIMEOUT_S = 60.0
KEY = "sk-test"


def environment() -> dict[str, str]:
    """The tester's own settings and proxies do not count."""
    return neutral_environment() | {
        "QWEN_LS_CONFIG": os.devnull,
        "DASHSCOPE_API_KEY": KEY,
        "NO_PROXY": "127.0.0.1",
    }


def make_client() -> LanguageClient:
    """A client that also understands what pytest-lsp's own does not."""
    client = make_test_lsp_client()
    client.statuses = []  # type: ignore[attr-defined]
    client.registrations = []  # type: ignore[attr-defined]

    @client.feature(types.CLIENT_REGISTER_CAPABILITY)
    def register(params: types.RegistrationParams) -> None:
        client.registrations.extend(params.registrations)  # type: ignore[attr-defined]

    @client.feature("didChangeStatus")
    def status(params: Any) -> None:
        client.statuses.append(params)  # type: ignore[attr-defined]

    return client


def init_params(editor: str, options: dict[str, Any] | None) -> types.InitializeParams:
    """The editor's own parameters, as recorded on the wire."""
    recorded = json.loads((CLIENTS / f"{editor}.json").read_text("utf-8"))
    params = recorded | {"processId": None, "rootUri": None, "initializationOptions": options}
    return converters.get_converter().structure(params, types.InitializeParams)


@pytest_lsp.fixture(
    params=["neovim", "vscode", "emacs"],
    config=ClientServerConfig(
        server_command=[sys.executable, "-m", "qwen_ls", "--stdio"],
        client_factory=make_client,
        server_env=environment(),
    ),
)
async def client(request: Any, lsp_client: LanguageClient, fake: FakeDashScope) -> AsyncIterator[None]:
    """A session with an editor."""
    options = {"baseUrl": fake.compat_url, "debounceMs": 0}
    lsp_client.set_configuration({"qwen-ls": {}})
    lsp_client.editor = request.param  # type: ignore[attr-defined]
    lsp_client.initialized_with = await asyncio.wait_for(  # type: ignore[attr-defined]
        lsp_client.initialize_session(init_params(request.param, options)), TIMEOUT_S
    )
    yield
    await asyncio.wait_for(lsp_client.shutdown_session(), TIMEOUT_S)


class Buffer:
    """A document as an editor has it: it edits, tells the server, and asks at its cursor."""

    def __init__(
        self, client: LanguageClient, picture: str, *, name: str = "a.py", language: str = "python"
    ) -> None:
        """Open the document of the picture."""
        self.client = client
        self.uri = name if ":" in name else f"file:///project/{name}"
        self.cursor = picture.index(CURSOR)
        self.text = picture.replace(CURSOR, "")
        self.version = 1
        client.text_document_did_open(
            types.DidOpenTextDocumentParams(types.TextDocumentItem(self.uri, language, 1, self.text))
        )

    @property
    def encoding(self) -> str:
        """The unit of characters that was negotiated."""
        encoding = self.client.initialized_with.capabilities.position_encoding  # type: ignore[attr-defined]
        return str(getattr(encoding, "value", encoding))

    def position(self, offset: int) -> types.Position:
        """An offset as LSP says it."""
        before = self.text[:offset].replace("\r\n", "\n").replace("\r", "\n")
        line = before.rpartition("\n")[2]
        width = {"utf-8": 1, "utf-16": 2, "utf-32": 4}[self.encoding]
        codec = self.encoding if width == 1 else f"{self.encoding}-le"
        return types.Position(before.count("\n"), len(line.encode(codec)) // width)

    def type(self, text: str, *, delete_after: int = 0) -> None:
        """Type at the cursor."""
        end = self.position(self.cursor + delete_after)
        start = self.position(self.cursor)
        self.version += 1
        self.text = self.text[: self.cursor] + text + self.text[self.cursor + delete_after :]
        self.cursor += len(text)
        self.client.text_document_did_change(
            types.DidChangeTextDocumentParams(
                types.VersionedTextDocumentIdentifier(self.version, self.uri),
                [types.TextDocumentContentChangePartial(types.Range(start, end), text)],
            )
        )

    def params(self, kind: types.InlineCompletionTriggerKind) -> types.InlineCompletionParams:
        """The request at the cursor."""
        return types.InlineCompletionParams(
            types.InlineCompletionContext(kind),
            types.TextDocumentIdentifier(self.uri),
            self.position(self.cursor),
        )

    async def ask(self, *, invoked: bool = False) -> Any:
        """What the server answers: a list, or None."""
        kind = types.InlineCompletionTriggerKind
        params = self.params(kind.Invoked if invoked else kind.Automatic)
        return await asyncio.wait_for(self.client.text_document_inline_completion_async(params), TIMEOUT_S)

    async def item(self, *, invoked: bool = False) -> types.InlineCompletionItem | None:
        """The suggestion, if there is one, checked as every client needs it."""
        answer = await self.ask(invoked=invoked)
        assert answer is not None
        if not answer.items:
            return None
        [item] = answer.items
        at = self.position(self.cursor)
        assert isinstance(item.insert_text, str)
        assert item.insert_text.strip()
        assert item.range.start.line == item.range.end.line == at.line
        assert item.range.start.character <= at.character <= item.range.end.character
        assert item.command.command == "qwen-ls.accepted"
        return item

    def offset(self, position: types.Position) -> int:
        """An LSP position as an offset."""
        return next(o for o in range(len(self.text) + 1) if self.position(o) == position)

    async def accept(self, item: types.InlineCompletionItem) -> str:
        """Insert the item as an editor does, and return the document."""
        start, end = self.offset(item.range.start), self.offset(item.range.end)
        self.cursor = start
        self.type(item.insert_text, delete_after=end - start)  # type: ignore[arg-type]
        command = types.ExecuteCommandParams(item.command.command, item.command.arguments)
        await asyncio.wait_for(self.client.workspace_execute_command_async(command), TIMEOUT_S)
        return self.text
