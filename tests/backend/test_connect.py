"""Composition: settings in, a backend out, and nothing heavy imported."""

from __future__ import annotations

import subprocess
import sys
import types

import pytest

from qwen_ls.backend.base import ConfigurationError
from qwen_ls.backend.connect import connect
from qwen_ls.backend.http import HttpBackend
from qwen_ls.backend.presets import LocalEndpoint
from qwen_ls.settings import Settings


def test_a_backend_knows_its_target() -> None:
    backend = connect(Settings(), environ={"DASHSCOPE_API_KEY": "sk-x"})
    assert backend.target.model == "qwen-coder-turbo"


def test_no_key_is_said_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "keyring", None)
    with pytest.raises(ConfigurationError, match="DASHSCOPE_API_KEY"):
        connect(Settings(), environ={})


@pytest.mark.parametrize(
    "settings",
    [
        pytest.param({"provider": "llama.cpp"}, id="llama.cpp"),
        pytest.param({"base_url": "http://127.0.0.1:9"}, id="dashscope's protocol on this machine"),
    ],
)
def test_a_server_on_this_machine_needs_no_key(settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "keyring", None)
    assert connect(Settings(**settings), environ={})


def test_connecting_imports_no_http_library() -> None:
    """Start-up waits for it; the import is for the background."""
    code = (
        "import sys; from qwen_ls.backend.connect import connect; from qwen_ls.settings import Settings\n"
        "connect(Settings(), environ={'DASHSCOPE_API_KEY': 'sk-x'})\n"
        "print([m for m in ('httpx', 'httpcore', 'anyio', 'keyring', 'certifi') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_local_engine_gets_a_way_to_be_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    module = types.ModuleType("qwen_ls.local.backend")
    module.LocalBackend = lambda settings, make_http, on_status: make_http  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "qwen_ls.local.backend", module)
    make_http = connect(Settings(provider="local"), environ={})
    backend = make_http(LocalEndpoint("http://127.0.0.1:4711/v1", "random", "m"))  # type: ignore[operator]
    assert isinstance(backend, HttpBackend)
    assert backend.target.base_url == "http://127.0.0.1:4711/v1"
