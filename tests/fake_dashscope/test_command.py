"""The fake for other processes: the header, the admin routes, the command."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from . import Behaviour, FakeDashScope
from .__main__ import made_behaviour, parser
from .ask import COMPLETIONS, ask, fim
from .conftest import KEY

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]

HEADERS = [
    ("stream_semantics=cumulative,crlf=true", {"stream_semantics": "cumulative", "crlf": True}),
    ("crlf, no_done=0", {"crlf": True, "no_done": False}),
    ("ttfb_ms=1.5,tokens_per_chunk=2", {"ttfb_ms": 1.5, "tokens_per_chunk": 2}),
    (
        "fault=quota@200,retry_after=3,sloppy=fences+cursor",
        {"fault": "quota@200", "retry_after": "3", "sloppy": "fences+cursor"},
    ),
    ("", {}),
]


@pytest.mark.parametrize(("text", "changes"), HEADERS)
def test_behaviour_as_text(text: str, changes: dict[str, Any]) -> None:
    """``key=value,...`` changes exactly these switches, each with its own type."""
    assert Behaviour().with_text(text) == Behaviour(**changes)


@pytest.mark.parametrize(
    "text",
    ["nonsense=1", "stream_semantics=both", "ttfb_ms=soon", "fault=nonsense", "sloppy=very", "_FIELDS=1"],
)
async def test_wrong_behaviour(client: httpx.AsyncClient, text: str) -> None:
    """A switch that does not exist is an error that says so, not a silent nothing."""
    answer = await ask(client, COMPLETIONS, x_fake_behaviour=text)
    assert answer.status == 400
    assert "x-fake-behaviour" in answer.json["error"]["message"]


async def test_behaviour_by_header(fake: FakeDashScope, client: httpx.AsyncClient) -> None:
    """The header changes the server's own behaviour for one request."""
    fake.behaviour = Behaviour(sloppy="cursor")
    header = "stream_semantics=cumulative,tokens_per_chunk=1"
    answer = await ask(client, COMPLETIONS, fim(stream=True), x_fake_behaviour=header)
    assert answer.texts == ["pass", "pass<|cursor|>", ""]
    assert (await ask(client, COMPLETIONS, x_fake_behaviour="fault=arrearage")).status == 400
    assert (await ask(client, COMPLETIONS)).status == 200


async def admin(client: httpx.AsyncClient, verb: str, data: Any = None) -> Any:
    answer = await client.post(f"/_fake/{verb}", json=data, headers={"authorization": ""})
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_admin_routes(fake: FakeDashScope, client: httpx.AsyncClient) -> None:
    """Script, behaviour, configuration, records and reset, without a key and without leaving records."""
    script = [{"text": "one", "behaviour": {"sloppy": "cursor"}}, {"fault": "quota"}, {"pieces": ["a", "b"]}]
    await admin(client, "script", script)
    await admin(client, "script", {"text": "two", "behaviour": "sloppy=fim_pad"})
    await admin(
        client, "config", {"answer": "standing", "keys": ["sk-test", "sk-other"], "region": "beijing"}
    )
    await admin(client, "behaviour", {"sloppy": "fences"})
    answers = [await ask(client, COMPLETIONS) for _ in range(5)]
    texts = [answer.json["choices"][0]["text"] for answer in answers if answer.status == 200]
    assert texts == ["one<|cursor|>", "ab", "two" + "<|fim_pad|>" * 5, "```python\nstanding\n```"]
    assert (await ask(client, COMPLETIONS, authorization="Bearer sk-other")).status == 200
    records = await admin(client, "requests")
    assert [record["status"] for record in records] == [200, 429, 200, 200, 200, 200]
    assert records[0]["body"] == fim()
    assert (await client.get("/_fake/requests")).json() == records
    await admin(client, "reset")
    assert await admin(client, "requests") == []
    assert fake.behaviour == Behaviour()


@pytest.mark.parametrize(
    ("verb", "data", "status"),
    [
        ("nonsense", {}, 404),
        ("script", {"texxt": "x"}, 400),
        ("script", {"fault": "nonsense"}, 400),
        ("behaviour", {"crlff": True}, 400),
        ("config", {"colour": "red"}, 400),
        ("script", "text", 400),
    ],
)
async def test_wrong_admin_requests(client: httpx.AsyncClient, verb: str, data: Any, status: int) -> None:
    """Mistakes are answered with their reason."""
    answer = await client.post(f"/_fake/{verb}", json=data)
    assert answer.status_code == status
    assert answer.json()["error"]


async def test_admin_refuse(fake: FakeDashScope, client: httpx.AsyncClient) -> None:
    """Connections are refused for a while, then accepted again."""
    await admin(client, "refuse", {"ms": 50})
    refused = False
    while True:
        try:
            answer = await ask(client, COMPLETIONS)
        except httpx.TransportError:
            refused = True
            continue
        if refused:
            break
    assert answer.status == 200


async def test_admin_release(fake: FakeDashScope, client: httpx.AsyncClient) -> None:
    """A held stream is released from outside."""
    fake.behaviour = Behaviour(hold=True)
    async with client.stream("POST", "/_fake/release"):
        pass
    await admin(client, "behaviour", {"hold": False, "hold_after": 1})
    async with client.stream("POST", COMPLETIONS, json=fim(stream=True)) as got:
        await admin(client, "release")
        assert b"[DONE]" in await got.aread()


def test_command_line() -> None:
    """The options of the command describe a behaviour; what is given by name wins over ``--realistic``."""
    options = parser().parse_args(["--realistic", "--ttfb-ms", "5", "--behaviour", "crlf=1"])
    assert made_behaviour(options) == Behaviour.realistic(ttfb_ms=5.0, crlf=True)
    assert made_behaviour(parser().parse_args([])) == Behaviour()


@pytest.fixture
def command(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    truth = tmp_path / "truth.py"
    truth.write_text("def f(n):\n    return n\n", encoding="utf-8")
    words = [
        "-m",
        "tests.fake_dashscope",
        "--port",
        "0",
        "--truth",
        str(truth),
        "--key",
        "sk-mine",
        "--with-stdin",
    ]
    with subprocess.Popen(
        [sys.executable, *words], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield process
        if process.poll() is None:
            process.kill()


@pytest.mark.parametrize("way", ["terminate", "stdin"])
def test_command(command: subprocess.Popen[str], way: str) -> None:
    """``python -m tests.fake_dashscope`` prints its address, serves, and ends cleanly."""
    assert command.stdout is not None
    assert command.stdin is not None
    address = command.stdout.readline().strip()
    assert address.startswith("http://127.0.0.1:")
    body = fim(prompt="<|fim_prefix|>def f(n):\n<|fim_suffix|>")
    assert httpx.post(address + COMPLETIONS, json=body, headers=KEY, timeout=30).status_code == 401
    key = {"authorization": "Bearer sk-mine"}
    answer = httpx.post(address + COMPLETIONS, content=json.dumps(body), headers=key, timeout=30)
    assert answer.json()["choices"][0]["text"] == "    return n\n"
    if way == "terminate":
        command.terminate()
    else:
        command.stdin.close()
    assert command.wait(30) == 0
