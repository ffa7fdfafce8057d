"""What can go wrong on this machine, as branches of the backends' error tree.

Both are retried after a while, later each time: a disk is emptied, a program is closed, a network returns.
What only a change of settings mends is a `ConfigurationError`.
"""

from __future__ import annotations

import importlib.util

from qwen_ls.backend.base import Action, BackendError, ConfigurationError

INSTALL_HINT = "Install it with: pip install 'qwen-ls[local]'"


class WeightsError(BackendError):
    """The weights cannot be had now."""

    action = Action.COOL_DOWN
    cause = "local-weights"


class EngineError(BackendError):
    """The engine cannot be started, or died."""

    action = Action.COOL_DOWN
    cause = "local-engine"


def require_extra() -> None:
    """Check that the extra `local` is installed.

    Raises:
        ConfigurationError: it is not.
    """
    if importlib.util.find_spec("filelock") is None:
        raise ConfigurationError(
            "The local engine is not installed", remedy=f"{INSTALL_HINT}.", cause="local-extra"
        )
