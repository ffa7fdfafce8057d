"""The real weights, for the tests that need them."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def real_weights() -> Path:
    """The weights, downloaded if they must be; where they cannot be had, the tests are skipped loudly."""
    from qwen_ls.local import weights
    from qwen_ls.local.errors import WeightsError

    try:
        return weights.ensure()
    except WeightsError as error:
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            warnings.warn(f"THE REAL MODEL WAS NOT TESTED: {error}", stacklevel=1)
        pytest.skip(f"THE REAL MODEL WAS NOT TESTED: {error}")
