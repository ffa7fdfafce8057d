"""What the tests of the service share."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.service.scripted import Stage


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    stage = Stage(look_ahead=False)
    yield stage
    await stage.service.aclose()
    assert stage.backend.live == 0
