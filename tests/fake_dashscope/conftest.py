"""A fresh fake for every test, and clients that ignore the machine's proxies."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest

from . import FakeDashScope

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

KEY = {"authorization": "Bearer sk-test"}


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setenv("DASHSCOPE_API_KEY", "sk-test")


@pytest.fixture
async def fake() -> AsyncIterator[FakeDashScope]:
    """A fake in the test's own loop."""
    async with FakeDashScope() as made:
        yield made


@pytest.fixture
async def client(fake: FakeDashScope) -> AsyncIterator[httpx.AsyncClient]:
    """A client of ``fake`` with the right key."""
    async with httpx.AsyncClient(
        base_url=fake.base_url, headers=KEY, timeout=30, verify=False, trust_env=False
    ) as made:
        yield made


@pytest.fixture
def threaded() -> Iterator[FakeDashScope]:
    """A fake in a thread, for synchronous clients."""
    with FakeDashScope.in_thread() as made:
        yield made
