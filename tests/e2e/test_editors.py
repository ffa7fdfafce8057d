"""The main job, end to end, as VS Code, Neovim and Emacs declare themselves."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from lsprotocol import types
from pygls.exceptions import JsonRpcRequestCancelled
from pytest_lsp import LanguageClient

from tests.e2e.conftest import TIMEOUT_S, Buffer
from tests.fake_dashscope import Behaviour, FakeDashScope, Reply


async def until(condition: Any) -> None:
    """Wait for what the server does by itself."""
    async with asyncio.timeout(TIMEOUT_S):
        while not condition():
            await asyncio.sleep(0.01)


async def test_inline_completion_is_advertised_once(client: LanguageClient, fake: FakeDashScope) -> None:
    advertised = client.initialized_with.capabilities.inline_completion_provider is not None
    if client.editor == "vscode":
        await until(lambda: client.registrations)
    registered = [item.method for item in client.registrations].count("textDocument/inlineCompletion")
    assert advertised + registered == 1


async def test_the_encoding_is_the_editor_s_first_choice(client: LanguageClient) -> None:
    expected = {"neovim": "utf-8", "vscode": "utf-16", "emacs": "utf-32"}
    assert client.initialized_with.capabilities.position_encoding == expected[client.editor]


async def test_fill_in_the_middle_from_key_to_edit(client: LanguageClient, fake: FakeDashScope) -> None:
    fake.answer = "sum(numbers)\n    print(total)"
    buffer = Buffer(client, "def add(numbers):\n    total = █\n    return total\n")
    item = await buffer.item()
    assert item
    assert await buffer.accept(item) == "def add(numbers):\n    total = sum(numbers)\n    return total\n"
    request = fake.requests[0]
    assert request.path.endswith("/completions")
    assert request.body["prompt"] == (
        "<|fim_prefix|>def add(numbers):\n    total = <|fim_suffix|>\n    return total\n<|fim_middle|>"
    )


async def test_partial_mode_sends_the_prefix_byte_for_byte(
    client: LanguageClient, fake: FakeDashScope
) -> None:
    client.workspace_did_change_configuration(types.DidChangeConfigurationParams({}))
    client.set_configuration({"qwen-ls": {"strategy": "partial", "model": "qwen3-coder-plus"}})
    client.workspace_did_change_configuration(types.DidChangeConfigurationParams({}))
    prefix = "def fib(n):\r\n\tif n <= 1:\r\n\t\treturn n\r\n\telse:\r\n\t\t"
    fake.answer = "return fib(n - 1) + fib(n - 2)"
    buffer = Buffer(client, prefix + "█\r\n")
    async with asyncio.timeout(TIMEOUT_S):
        while not (fake.requests and fake.requests[-1].path.endswith("/chat/completions")):
            item = await buffer.item(invoked=True)
    assert item
    last = fake.requests[-1].body["messages"][-1]
    assert last == {"role": "assistant", "content": prefix, "partial": True}
    assert await buffer.accept(item) == prefix + "return fib(n - 1) + fib(n - 2)\r\n"


async def test_typing_along_costs_one_call_across_astral_characters(
    client: LanguageClient, fake: FakeDashScope
) -> None:
    fake.answer = "'😀汉字', len('é'))"
    buffer = Buffer(client, "x = ['😀'] # é\nprint(█)\n")
    first = await buffer.item()
    assert first
    assert first.insert_text.startswith("'😀汉字', len('é')")
    for key in "'😀汉":
        buffer.type(key)
        rest = await buffer.item()
        assert rest
    assert await buffer.accept(rest) == "x = ['😀'] # é\nprint('😀汉字', len('é'))\n"
    assert len(fake.requests) == 1


async def test_edits_after_a_form_feed_land_where_the_editor_put_them(
    client: LanguageClient, fake: FakeDashScope
) -> None:
    fake.answer = "10"
    buffer = Buffer(client, "a = 1\f\v\x85\u2028b\nc = █\n")
    for key in "d + ":
        buffer.type(key)
    assert await buffer.item()
    assert "a = 1\f\v\x85\u2028b\nc = d + <|fim_suffix|>" in fake.requests[-1].body["prompt"]


async def test_cancelling_is_answered_at_once_and_closes_the_connection(
    client: LanguageClient, fake: FakeDashScope
) -> None:
    fake.behaviour = Behaviour(hold=True)
    buffer = Buffer(client, "the_values = █")
    params = buffer.params(types.InlineCompletionTriggerKind.Invoked)
    task = asyncio.ensure_future(
        client.protocol.send_request_async(types.TEXT_DOCUMENT_INLINE_COMPLETION, params, msg_id="r1")
    )
    await fake.wait_for_requests(1)
    client.cancel_request(types.CancelParams(id="r1"))
    with pytest.raises(JsonRpcRequestCancelled):
        await asyncio.wait_for(task, TIMEOUT_S)
    await asyncio.wait_for(asyncio.to_thread(fake.requests[0].cancelled.wait_sync, TIMEOUT_S), TIMEOUT_S)
    fake.behaviour = Behaviour()
    fake.answer = "10"
    assert await buffer.item()


async def test_a_newer_request_supersedes_the_older_one(client: LanguageClient, fake: FakeDashScope) -> None:
    fake.script.append(Reply(behaviour=Behaviour(hold=True)))
    fake.answer = "10"
    buffer = Buffer(client, "the_values = █")
    older = asyncio.ensure_future(buffer.ask(invoked=True))
    await fake.wait_for_requests(1)
    buffer.type("y")
    assert await buffer.item(invoked=True)
    assert await asyncio.wait_for(older, TIMEOUT_S) is None


@pytest.mark.parametrize("name", ["untitled:Untitled-1", "my file (1) ü.py"])
async def test_documents_of_any_name(client: LanguageClient, fake: FakeDashScope, name: str) -> None:
    fake.answer = "10"
    assert await Buffer(client, "the_values = █", name=name).item()


async def test_a_denied_file_is_never_sent(client: LanguageClient, fake: FakeDashScope) -> None:
    buffer = Buffer(client, "KEY=█", name=".env", language="dotenv")
    assert await buffer.item() is None
    assert await buffer.item(invoked=True) is None
    assert not fake.requests


async def test_explain_says_why(client: LanguageClient, fake: FakeDashScope) -> None:
    fake.answer = "10"
    await Buffer(client, "the_values = █").item()
    story = await client.workspace_execute_command_async(types.ExecuteCommandParams("qwen-ls.explain"))
    assert (story["outcome"], story["strategy"]) == ("shown", "fim")


async def test_a_wrong_setting_is_told_and_changes_nothing(
    client: LanguageClient, fake: FakeDashScope
) -> None:
    fake.answer = "10"
    client.set_configuration({"qwen-ls": {"debounceMs": "fast", "modle": "x"}})
    client.workspace_did_change_configuration(types.DidChangeConfigurationParams({}))
    await until(lambda: len(client.messages) >= 2)
    assert await Buffer(client, "the_values = █").item()
    said = " ".join(message.message for message in client.messages)
    assert "debounceMs" in said
    assert "model" in said
