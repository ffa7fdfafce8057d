"""Where the weights and the engine's state are kept.

`QWEN_LS_DATA_DIR` moves all of it, to another disk for instance; `QWEN_LS_STATE_DIR` moves the state alone.
"""

from __future__ import annotations

import os
from pathlib import Path

DATA_DIR_ENV = "QWEN_LS_DATA_DIR"
STATE_DIR_ENV = "QWEN_LS_STATE_DIR"
MODEL_ENV = "QWEN_LS_LOCAL_MODEL"


def models_dir() -> Path:
    """The folder of downloaded weights; it may not exist yet."""
    if override := os.environ.get(DATA_DIR_ENV):
        return Path(override).expanduser() / "models"
    import platformdirs

    return platformdirs.user_data_path("qwen-ls", appauthor=False) / "models"


def state_dir() -> Path:
    """The folder of the running engine's address, lock and log; it may not exist yet."""
    if own := os.environ.get(STATE_DIR_ENV):
        return Path(own).expanduser()
    if override := os.environ.get(DATA_DIR_ENV):
        return Path(override).expanduser() / "state"
    import platformdirs

    return platformdirs.user_state_path("qwen-ls", appauthor=False)


def log_path() -> Path:
    """Where the keeper and the engine write what they have to say; no prompts."""
    return state_dir() / "engine.log"


def lock_path() -> Path:
    """The lock that is held while a keeper is started."""
    return state_dir() / "engine.lock"


def named_model() -> Path | None:
    """The weights that the user named in `QWEN_LS_LOCAL_MODEL`, if any; the file may not exist."""
    value = os.environ.get(MODEL_ENV, "").strip()
    return Path(value).expanduser() if value else None
