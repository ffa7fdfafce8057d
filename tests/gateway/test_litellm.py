"""A fleet behind a gateway: LiteLLM before two llama.cpp servers, one of which is killed.

`make gateway`; installs LiteLLM into a virtual environment of its own.
"""

from __future__ import annotations

import asyncio
import itertools
from typing import TYPE_CHECKING, Any

import pytest

from qwen_ls.backend.connect import connect
from qwen_ls.core.types import Completion, Document, Skip, TriggerKind
from qwen_ls.service import CompletionService
from qwen_ls.settings import Settings

from .engines import GATEWAY_KEY, MODEL, litellm_program, litellm_proxy, llama_server

if TYPE_CHECKING:
    from pathlib import Path

    from qwen_ls.backend.base import Backend

pytestmark = [pytest.mark.gateway, pytest.mark.real_model, pytest.mark.timeout(900)]

BEFORE = "def {name}(a, b):\n    return "
AFTER = "\n\n\nprint({name}(1, 2))\n"


def service_at(url: str, **settings: Any) -> CompletionService:
    """The service as an editor has it, before a gateway."""
    values = {"provider": "openai", "base_url": url, "model": MODEL, "timeout_ms": 60_000, **settings}
    return CompletionService(Settings(**values), connect=connected)


def connected(settings: Settings) -> Backend:
    """A backend with the gateway's key."""
    return connect(settings, environ={"OPENAI_API_KEY": GATEWAY_KEY})


async def completed(service: CompletionService, name: str) -> Completion | Skip:
    """What stands after `return` in a function of this name."""
    before, after = BEFORE.format(name=name), AFTER.format(name=name)
    document = Document(f"file:///{name}.py", 0, "python", before + after)
    return await service.complete(document, len(before), TriggerKind.INVOKED)


async def recovered(service: CompletionService) -> None:
    """Wait until the gateway has seen that an engine is dead, and a pause that it caused is over."""
    async with asyncio.timeout(120):
        for n in itertools.count():
            if isinstance(await completed(service, f"again_{n}"), Completion):
                return
            await asyncio.sleep(0.5)


async def test_one_of_two_engines_dies_while_completions_run(real_weights: Path, tmp_path: Path) -> None:
    """Every request is answered; at most those that were under way at its death have nothing to show."""
    program = litellm_program()
    with (
        llama_server(real_weights) as (first, port),
        llama_server(real_weights) as (second, other_port),
        litellm_proxy(program, [port, other_port], tmp_path) as url,
    ):
        service = service_at(url, session_header="x-litellm-session-id")
        try:
            before = [await completed(service, f"add_{n}") for n in range(3)]
            assert all(isinstance(found, Completion) and found.text for found in before), before

            dying = [asyncio.ensure_future(completed(service, f"sum_{n}")) for n in range(4)]
            await asyncio.sleep(0.3)
            first.kill()
            during = await asyncio.gather(*dying)
            assert len(during) == 4

            await recovered(service)
            after = [await completed(service, f"plus_{n}") for n in range(6)]
            assert all(isinstance(found, Completion) and found.text for found in after), (during, after)
            assert second.poll() is None
        finally:
            await service.aclose()


async def test_a_gateway_without_engines_is_told_once(real_weights: Path, tmp_path: Path) -> None:
    """What the gateway says of its fleet becomes one message with a remedy."""
    with litellm_proxy(litellm_program(), [9], tmp_path) as url:
        notices: list[Any] = []
        values = {"provider": "openai", "base_url": url, "model": MODEL}
        service = CompletionService(Settings(**values), connect=connected, notify=notices.append)
        try:
            found = [await completed(service, f"add_{n}") for n in range(3)]
        finally:
            await service.aclose()
    assert all(isinstance(one, Skip) for one in found)
    assert len(notices) == 1


async def test_partial_mode_through_the_gateway(real_weights: Path, tmp_path: Path) -> None:
    with (
        llama_server(real_weights) as (_, port),
        litellm_proxy(litellm_program(), [port], tmp_path) as url,
    ):
        service = service_at(url, model=f"{MODEL}-chat", strategy="partial")
        try:
            found = await completed(service, "add")
        finally:
            await service.aclose()
    assert isinstance(found, Completion), found
