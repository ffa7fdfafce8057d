import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
PLAY = [sys.executable, str(HERE / "play_with_stub.py")]


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch, tmp_path):
    """No settings and no key of whoever runs the tests."""
    for name in [name for name in os.environ if name.startswith("QWEN_LS_")]:
        monkeypatch.delenv(name)
    monkeypatch.delenv("DASHSCOPE_API_KEY", raising=False)
    monkeypatch.setenv("QWEN_LS_CONFIG", str(tmp_path / "no-such-config.toml"))
    monkeypatch.setenv("QWEN_LS_LEDGER_DIR", str(tmp_path / "ledger"))
    monkeypatch.setenv("QWEN_LS_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.null.Keyring")


@pytest.fixture
def qwen_ls():
    """Run the command in a process of its own."""

    def run(*words, stdin="", **options):
        command = [sys.executable, "-m", "qwen_ls", *words]
        return subprocess.run(
            command, input=stdin, capture_output=True, encoding="utf-8", timeout=120, **options
        )

    return run


@pytest.fixture
def stub_log(monkeypatch, tmp_path):
    """What the stub server hears: a function that reads it."""
    path = tmp_path / "stub.log"
    monkeypatch.setenv("STUB_LOG", str(path))

    def read(method=None):
        if not path.exists():
            return []
        messages = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
        return [message for message in messages if method in (None, message["method"])]

    return read
