"""Real llama.cpp servers, and a real LiteLLM proxy before them, as processes of the tests."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import platformdirs
import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

LITELLM = "litellm[proxy]==1.106.2"
MODEL = "qwen2.5-coder-0.5b"
KEY = "test-key"
GATEWAY_KEY = f"sk-{secrets.token_hex(32)}"
"""LiteLLM does not start with a weak one."""
_PATIENCE_S = 180.0


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextlib.contextmanager
def llama_server(weights: Path) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """A llama.cpp server that is ready: its process and its port."""
    port = free_port()
    config = {
        "command": [], "weights": str(weights), "name": MODEL, "port": port, "key": KEY, "context": 2048,
        "batch": 512, "reuse": 32, "prompt_cache_mb": 64, "threads": 1,
    }  # fmt: skip
    command = [sys.executable, "-m", "qwen_ls.local.serve"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL)
    try:
        assert process.stdin
        process.stdin.write(json.dumps(config).encode() + b"\n")
        process.stdin.flush()
        wait_for(f"http://127.0.0.1:{port}/health", process)
        yield process, port
    finally:
        process.kill()
        process.communicate()


@contextlib.contextmanager
def litellm_proxy(program: Path, ports: list[int], folder: Path) -> Iterator[str]:
    """A LiteLLM proxy before llama.cpp servers on these ports; its base URL."""
    # JSON is YAML. FIM and chat go to the same engines, by one name for each.
    kinds = {MODEL: "text-completion-openai", f"{MODEL}-chat": "openai"}
    deployments = [
        {
            "model_name": name,
            "litellm_params": {
                "model": f"{kind}/{MODEL}",
                "api_base": f"http://127.0.0.1:{port}/v1",
                "api_key": KEY,
            },
            "model_info": {"health_check_max_tokens": 1},
        }
        for name, kind in kinds.items()
        for port in ports
    ]
    routing = {"num_retries": 3, "retry_after": 0, "allowed_fails": 0, "cooldown_time": 60}
    # Without these LiteLLM goes on asking a dead engine: it does not count refused connections as failures.
    general = {
        "background_health_checks": True,
        "health_check_interval": 3,
        "enable_health_check_routing": True,
    }
    config = folder / "litellm.yaml"
    everything = {"model_list": deployments, "router_settings": routing, "general_settings": general}
    config.write_text(json.dumps(everything), "utf-8")
    port = free_port()
    log = (folder / "litellm.log").open("wb")
    process = subprocess.Popen(
        [program, "--config", config, "--host", "127.0.0.1", "--port", str(port), "--telemetry", "False"],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=subprocess.STDOUT,
        env={k: v for k, v in os.environ.items() if "PROXY" not in k.upper()}
        | {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_MASTER_KEY": GATEWAY_KEY},
    )
    try:
        wait_for(f"http://127.0.0.1:{port}/health/liveliness", process)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        process.kill()
        process.communicate()
        log.close()


def wait_for(url: str, process: subprocess.Popen[bytes]) -> None:
    """Wait until a server is ready."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    deadline_s = time.monotonic() + _PATIENCE_S
    while time.monotonic() < deadline_s:
        assert process.poll() is None, "the server has ended"
        with contextlib.suppress(urllib.error.URLError, ConnectionError, TimeoutError):
            if opener.open(url, timeout=5).status == 200:
                return
        time.sleep(0.2)
    raise TimeoutError(url)


def litellm_program() -> Path:
    """LiteLLM's program, installed into the user's cache at first need; `QWEN_LS_LITELLM` names one."""
    if own := os.environ.get("QWEN_LS_LITELLM"):
        return Path(own)
    folder = platformdirs.user_cache_path("qwen-ls", appauthor=False) / "tests" / LITELLM.rpartition("=")[2]
    program = folder / ("Scripts" if os.name == "nt" else "bin") / "litellm"
    if program.exists():
        return program
    try:
        subprocess.run([sys.executable, "-m", "venv", folder], check=True, capture_output=True)
        pip = [program.parent / "python", "-m", "pip", "install", "--quiet", LITELLM]
        subprocess.run(pip, check=True, capture_output=True, timeout=900)
    except (OSError, subprocess.SubprocessError) as error:
        shutil.rmtree(folder, ignore_errors=True)
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            warnings.warn(f"THE GATEWAY WAS NOT TESTED: {LITELLM} cannot be installed", stacklevel=1)
        pytest.skip(f"THE GATEWAY WAS NOT TESTED: {LITELLM} cannot be installed ({type(error).__name__})")
    return program
