"""Fixtures for all tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.fake_dashscope import FakeDashScope
from tests.weights import real_weights  # noqa: F401 - a fixture


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Tests that install a gateway run only where they are asked for by name."""
    if "gateway" in str(config.option.markexpr):
        return
    for item in items:
        if item.get_closest_marker("gateway"):
            item.add_marker(pytest.mark.skip(reason="THE GATEWAY WAS NOT TESTED: opt in with -m gateway"))


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
