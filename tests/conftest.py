"""Fixtures for all tests."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator

import pytest

from tests.fake_dashscope import FakeDashScope
from tests.weights import real_weights  # noqa: F401 - a fixture


def pytest_configure(config: pytest.Config) -> None:
    """Nothing that a test asks is counted in the tester's own ledger, whatever process asks it."""
    os.environ["QWEN_LS_LEDGER_DIR"] = tempfile.mkdtemp(prefix="qwen-ls-ledger-")


def pytest_unconfigure(config: pytest.Config) -> None:
    """Remove it."""
    shutil.rmtree(os.environ.pop("QWEN_LS_LEDGER_DIR", ""), ignore_errors=True)


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
