"""What goes wrong at the endpoint: one clear message with the remedy, no error, and life goes on."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from tests.e2e.conftest import environment
from tests.fake_dashscope import FakeDashScope, Reply
from tests.lsp.wire import Wire, ask, did_change, did_open, edit, notification

URI = "file:///project/a.py"
REQUESTS = 4

# What the endpoint does, and words of the message that the user reads.
TROUBLE = [
    pytest.param("invalid_api_key", ["key", "region"], id="wrong-key-or-region"),
    pytest.param("access_denied", ["qwen-coder-turbo"], id="model-retired-or-not-enabled"),
    pytest.param("free_tier_only", ["free"], id="free-tier-used-up"),
    pytest.param("model_not_found", ["qwen-coder-turbo", "model"], id="unknown-model"),
    pytest.param("arrearage", ["billing"], id="arrears"),
    pytest.param("rate_limit", [], id="too-many-requests"),
    pytest.param("quota", [], id="too-many-tokens"),
    pytest.param("internal_error", [], id="server-error"),
    pytest.param("unavailable", [], id="overload"),
    pytest.param("error_on_200", [], id="error-in-a-200-stream"),
    pytest.param("sse_400", [], id="sse-framed-400"),
    pytest.param("html_502", [], id="gateway-page"),
    pytest.param("bad_json", [], id="malformed-answer"),
    pytest.param("reset", [], id="connection-reset"),
    pytest.param("data_inspection", [], id="content-filter"),
]


def requests(wire: Wire) -> tuple[list[dict[str, Any]], list[str], str]:
    """Type and ask a few times; the answers, what the user was told, and the last status."""
    answers, told, status = [], [], ""
    for n in range(REQUESTS):
        wire.send(did_change(URI, n + 2, edit((0, 4), (0, 4), "x")), ask(n, URI, 0, 5 + n, trigger=1))
        while (message := wire.receive()).get("id") != n:
            if message.get("method") == "window/showMessage":
                told.append(message["params"]["message"])
            elif message.get("method") == "didChangeStatus":
                status = message["params"]["kind"]
        answers.append(message)
    return answers, told, status


@pytest.mark.parametrize(("fault", "words"), TROUBLE)
def test_trouble_is_told_once_and_the_server_lives_on(
    fake: FakeDashScope, fault: str, words: list[str]
) -> None:
    fake.script.extend(Reply(fault=fault) for _ in range(REQUESTS))
    options = {"baseUrl": fake.compat_url, "debounceMs": 0}
    with Wire(sys.executable, "-m", "qwen_ls", "--stdio", env=environment()) as wire:
        wire.initialize(initializationOptions=options)
        wire.send(did_open(URI, "x = \n"))
        answers, told, status = requests(wire)
        assert [answer["result"] for answer in answers] == [{"items": []}] * REQUESTS
        assert len(told) == 1
        assert "\n" not in told[0]
        assert "sk-test" not in told[0]
        for word in words:
            assert word in told[0]
        fake.script.clear()
        fake.answer = "1"
        while status == "Warning":  # what only time mends is told when it is over
            status = wire.until("didChangeStatus")["params"]["kind"]
        wire.send(notification("workspace/didChangeConfiguration", {"settings": {"qwen-ls": {"seed": 7}}}))
        wire.send(ask("after", URI, 0, 4, trigger=1))
        assert wire.answer()["result"]["items"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        pytest.param({"baseUrl": "http://127.0.0.1:9/v1"}, ["127.0.0.1"], id="nobody-listens"),
        pytest.param(
            {"baseUrl": "http://host.invalid/v1", "model": "m"}, ["host.invalid"], id="no-such-host"
        ),
        pytest.param(
            {"region": "singapore", "strategy": "fim"}, ["region", "strategy"], id="fim-outside-beijing"
        ),
        pytest.param({"model": "qwq-plus"}, ["qwq-plus", "model"], id="thinking-only-model"),
        pytest.param(
            {"model": "qwen3-max", "strategy": "fim"}, ["qwen3-max", "strategy"], id="model-lacks-fim"
        ),
        pytest.param({"provider": "openai"}, ["baseUrl"], id="no-address"),
    ],
)
def test_settings_that_cannot_work_are_told_once(options: dict[str, Any], words: list[str]) -> None:
    with Wire(sys.executable, "-m", "qwen_ls", "--stdio", env=environment()) as wire:
        wire.initialize(initializationOptions={"debounceMs": 0} | options)
        wire.send(did_open(URI, "x = \n"))
        answers, told, _ = requests(wire)
        assert [answer["result"] for answer in answers] == [{"items": []}] * REQUESTS
        assert len(told) == 1
        for word in words:
            assert word in told[0]


def test_without_a_key_the_user_reads_what_to_do() -> None:
    with Wire(
        sys.executable, "-m", "qwen_ls", "--stdio", env=environment() | {"DASHSCOPE_API_KEY": ""}
    ) as wire:
        wire.initialize(initializationOptions={"debounceMs": 0})
        wire.send(did_open(URI, "x = \n"))
        _, told, _ = requests(wire)
        assert len(told) == 1
        assert "DASHSCOPE_API_KEY" in told[0]
