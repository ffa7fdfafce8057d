"""What the tests of the service share."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from qwen_ls.core import trigger
from qwen_ls.core.postprocess import worth
from tests.service.scripted import Stage


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    stage = Stage(look_ahead=False)
    yield stage
    await stage.service.aclose()
    assert stage.backend.live == 0


@pytest.fixture(autouse=True)
def short_texts_are_worth_completing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The documents and answers of these tests are as short as can be: `x = █`, `1`."""
    monkeypatch.setattr(trigger, "MIN_DOCUMENT_CHARS", 1)
    monkeypatch.setattr(worth, "MIN_CHARS", 1)
