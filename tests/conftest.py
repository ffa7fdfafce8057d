"""Fixtures for all tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.fake_dashscope import FakeDashScope
from tests.weights import real_weights  # noqa: F401 - a fixture


@pytest.fixture(scope="session")
def endpoint() -> Iterator[FakeDashScope]:
    """The fake endpoint, for all tests."""
    with FakeDashScope.in_thread() as fake:
        yield fake


@pytest.fixture
def fake(endpoint: FakeDashScope) -> FakeDashScope:
    """The fake endpoint, as new."""
    endpoint.reset()
    return endpoint
