"""Fixtures for all tests."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator

import hypothesis
import pytest

from tests.fake_dashscope import FakeDashScope
from tests.weights import real_weights  # noqa: F401 - a fixture

hypothesis.settings.register_profile("patient", deadline=None)  # a busy machine is no fault
hypothesis.settings.load_profile("patient")


def pytest_configure(config: pytest.Config) -> None:
    """Nothing that a test asks is counted in the tester's own ledger, whatever process asks it."""
    os.environ["QWEN_LS_LEDGER_DIR"] = tempfile.mkdtemp(prefix="qwen-ls-ledger-")


def pytest_unconfigure(config: pytest.Config) -> None:
    """Remove it."""
    shutil.rmtree(os.environ.pop("QWEN_LS_LEDGER_DIR", ""), ignore_errors=True)


OPT_IN = {
    "gateway": "THE GATEWAY WAS NOT TESTED: opt in with -m gateway",
    "editors": "THE EDITORS WERE NOT TESTED: opt in with make test-editors",
}


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Tests that install other programs run only where they are asked for by name."""
    left_out = {marker: why for marker, why in OPT_IN.items() if marker not in str(config.option.markexpr)}
    for item in items:
        for marker, why in left_out.items():
            if item.get_closest_marker(marker):
                item.add_marker(pytest.mark.skip(reason=why))


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
