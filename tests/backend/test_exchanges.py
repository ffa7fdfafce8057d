"""Every provider's row against recorded exchanges: what is sent, what is read, what an error means.

A provider is added by a row in `presets.py` and a file in `exchanges/`; each names its source.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from qwen_ls.backend import base
from qwen_ls.backend.connect import connect
from qwen_ls.backend.plan import resolve
from qwen_ls.backend.presets import PROVIDERS
from qwen_ls.call import build_request
from qwen_ls.core.prompt import build_prompt
from qwen_ls.core.types import Chunk, Strategy
from qwen_ls.settings import Settings

from .byteserver import ByteServer, Exchange, chunk, chunked_head, response
from .hole import CONTEXT

if TYPE_CHECKING:
    from qwen_ls.backend.base import Backend

FOLDER = Path(__file__).parent / "exchanges"
FILES = {path.stem: json.loads(path.read_text("utf-8")) for path in sorted(FOLDER.glob("*.json"))}
EXCHANGES = [
    pytest.param(name, exchange, mode, id=f"{name}, {exchange['name']}, {mode}")
    for name, file in FILES.items()
    for exchange in file["exchanges"]
    for mode in ("stream", "whole")
]
ERRORS = [
    pytest.param(name, error, id=f"{name}, {error['name']}")
    for name, file in FILES.items()
    for error in file["errors"]
]
ELSEWHERE = {"dashscope", "local"}
"""Tested against the fake, and against the real engine."""


def backend_of(name: str, server: ByteServer, **settings: Any) -> Backend:
    """A backend for the provider, with the server's host in the place of its own."""
    provider = PROVIDERS[name]
    path = urlsplit(provider.base_url).path if provider.base_url else provider.default_path
    url = f"http://127.0.0.1:{server.port}{path}"
    environ = {provider.key_env: "sk-test"} if provider.key_env else {}
    return connect(Settings(provider=name, base_url=url, **{"model": None, **settings}), environ=environ)


async def asked(backend: Backend, settings: Settings) -> Chunk:
    """Ask for what stands in the hole, as the service does."""
    target = backend.target
    prompt = build_prompt(
        CONTEXT, strategy=target.strategy, layout=target.layout, template=target.template, stop=target.stop
    )
    if target.strategy is Strategy.PARTIAL:
        prompt = prompt.__class__(prompt.strategy, prompt.prefix, prompt.suffix, "Continue.", prompt.stop)
    text, last = "", Chunk("")
    async for last in backend.stream(build_request(settings, target.model, prompt, 64)):
        text += last.text
    return Chunk(text, last.finish_reason, last.usage)


@pytest.mark.parametrize(("name", "exchange", "mode"), EXCHANGES)
async def test_an_exchange(name: str, exchange: dict[str, Any], mode: str) -> None:
    said = exchange[mode]

    async def answer(call: Exchange) -> None:
        if mode == "whole":
            await call.send(response(said["body"].encode()))
            return
        data = said["body"].encode()
        await call.send(chunked_head(said["kind"]))
        for start in range(0, len(data), 50):  # frames and characters are cut anywhere
            await call.send(chunk(data[start : start + 50]))
        await call.send(chunk(b""))

    values = exchange["settings"] | ({"streaming": "off"} if mode == "whole" else {})
    async with ByteServer(answer) as server:
        backend = backend_of(name, server, **values)
        try:
            found = await asked(backend, Settings(**values))
        finally:
            await backend.aclose()
        [call] = server.exchanges
    sent = json.loads(call.body)
    streaming = {key: sent.pop(key) for key in ("stream", "stream_options") if key in sent}
    assert call.head.split(b" ")[1].decode() == exchange["path"]
    assert sent == exchange["sent"]
    assert streaming.get("stream", False) is (mode == "stream")
    usage = found.usage and [
        found.usage.prompt_tokens,
        found.usage.completion_tokens,
        found.usage.cached_tokens,
    ]
    assert {"text": found.text, "finish_reason": found.finish_reason, "usage": usage} == said["expect"]


@pytest.mark.parametrize(("name", "error"), ERRORS)
async def test_an_error(name: str, error: dict[str, Any]) -> None:
    async def answer(call: Exchange) -> None:
        await call.send(response(error["body"].encode(), status=f"{error['status']} No", kind=error["kind"]))

    async with ByteServer(answer) as server:
        backend = backend_of(name, server, **({} if PROVIDERS[name].default_models else {"model": "qwen"}))
        try:
            with pytest.raises(base.BackendError) as caught:
                await asked(backend, Settings())
        finally:
            await backend.aclose()
    assert type(caught.value).__name__ == error["error"], caught.value
    assert error["cause"] in {None, caught.value.cause}
    for word in error["says"]:
        assert word in str(caught.value)


def test_every_provider_has_exchanges_for_each_of_its_ways_and_their_source() -> None:
    assert set(FILES) == set(PROVIDERS) - ELSEWHERE
    for name, file in FILES.items():
        assert file["source"]
        assert file["errors"]
        values = [{"model": None, **exchange["settings"]} for exchange in file["exchanges"]]
        forms = [resolve(Settings(provider=name, base_url="http://127.0.0.1:9", **v)).form for v in values]
        provider = PROVIDERS[name]
        ways = [*provider.fim] if Strategy.FIM in provider.strategies else []
        ways += [provider.chat] if Strategy.PARTIAL in provider.strategies else []
        assert all(way in forms for way in ways), f"{name} has a way without an exchange"
