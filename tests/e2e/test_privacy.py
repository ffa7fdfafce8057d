"""The user's code and key stay where they belong, whatever happens and however much is logged."""

from __future__ import annotations

import sys

import pytest

from tests.e2e.conftest import environment
from tests.fake_dashscope import FakeDashScope, Reply
from tests.lsp.wire import Wire, ask, did_change, did_open, edit

URI = "file:///project/private.py"
KEY = "sk-test"
DOCUMENT, ANSWER = "my_secret_variable", "my_secret_answer"
FAULTS = [
    "401",
    "403",
    "404",
    "arrearage",
    "429",
    "500",
    "error_on_200",
    "sse_400",
    "html_502",
    "bad_json",
    "reset",
]


@pytest.mark.parametrize("level", ["info", "debug"])
@pytest.mark.parametrize("fault", ["", *FAULTS])
def test_logs_and_messages_hold_no_key_no_code_and_no_answer(
    fake: FakeDashScope, fault: str, level: str
) -> None:
    fake.answer = ANSWER
    if fault:
        fake.script.append(Reply(fault=fault))
    command = (sys.executable, "-m", "qwen_ls", "--stdio", *(["--debug"] if level == "debug" else []))
    options = {"baseUrl": fake.compat_url, "debounceMs": 0, "logLevel": level, "extraHeaders": {"X-Key": KEY}}
    said: list[str] = []
    with Wire(*command, env=environment()) as wire:
        wire.initialize(initializationOptions=options)
        wire.send(did_open(URI, f"{DOCUMENT} = \n"))
        wire.send(did_change(URI, 2, edit((0, 0), (0, 0), "# ")))
        end = len(DOCUMENT) + 5
        wire.send(ask("r", URI, 0, end, trigger=1))
        while (message := wire.receive()).get("id") != "r":
            said.append(str(message))
        wire.call("explain", "workspace/executeCommand", {"command": "qwen-ls.explain"})
        wire.call("bye", "shutdown")
    told = "".join(said) + wire.stderr
    assert KEY not in told
    assert ANSWER not in told
    assert DOCUMENT not in told
    assert fake.requests


def test_a_project_s_file_cannot_send_the_key_elsewhere(fake: FakeDashScope, tmp_path) -> None:
    """A project names another host: it gets nothing, and the user is told."""
    with FakeDashScope.in_thread() as thief:
        (tmp_path / ".qwen-ls.toml").write_text(f'base_url = "{thief.compat_url}"\nmax_lines = 3\n', "utf-8")
        with Wire(sys.executable, "-m", "qwen_ls", "--stdio", env=environment()) as wire:
            folder = {"uri": tmp_path.as_uri(), "name": "p"}
            wire.initialize(
                rootUri=tmp_path.as_uri(),
                workspaceFolders=[folder],
                initializationOptions={"baseUrl": fake.compat_url, "debounceMs": 0},
            )
            assert "baseUrl" in wire.until("window/showMessage")["params"]["message"]
            wire.send(did_open(URI, "x = \n"), ask("r", URI, 0, 4, trigger=1))
            assert wire.answer()["result"]["items"]
        assert fake.requests
        assert not thief.requests


@pytest.mark.parametrize("switched", [True, False], ids=["images on", "images off"])
def test_an_image_of_the_workspace_leaves_only_where_images_are_on(
    fake: FakeDashScope, tmp_path, switched: bool
) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "cat.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(8))
    (tmp_path / ".qwen-ls.toml").write_text("images = true\n", "utf-8")  # a project cannot say so
    uri, fake.answer = (tmp_path / "docs/a.md").as_uri(), "a sofa"
    options = {"baseUrl": fake.compat_url, "debounceMs": 0, "model": "qwen3-vl-flash", "images": switched}
    with Wire(sys.executable, "-m", "qwen_ls", "--stdio", env=environment()) as wire:
        folder = {"uri": tmp_path.as_uri(), "name": "p"}
        wire.initialize(rootUri=tmp_path.as_uri(), workspaceFolders=[folder], initializationOptions=options)
        assert "images is ignored" in wire.until("window/showMessage")["params"]["message"]
        wire.send(
            did_open(uri, "![A cat on ](../cat.png)\n", language="markdown"), ask("r", uri, 0, 11, trigger=1)
        )
        assert wire.answer()["result"]["items"]
    (request,) = fake.requests
    content = request.body["messages"][0]["content"]
    assert ("image_url" in str(content)) is switched
