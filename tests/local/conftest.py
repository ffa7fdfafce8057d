"""Every test here has a data folder of its own, and leaves no process behind."""

from __future__ import annotations

import contextlib
import sys
import threading
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import psutil
import pytest

from qwen_ls.local import handshake
from qwen_ls.local.paths import DATA_DIR_ENV, MODEL_ENV, STATE_DIR_ENV
from qwen_ls.local.spawn import GRACE_ENV

FAKE_ENGINE = Path(__file__).with_name("fake_llama_server.py")
WAIT_S = 60


@pytest.fixture
def data_dir(tmp_path, monkeypatch):
    """An empty data folder; whatever engine a test leaves running in it is ended."""
    monkeypatch.setenv(DATA_DIR_ENV, str(tmp_path / "data"))
    monkeypatch.delenv(STATE_DIR_ENV, raising=False)
    monkeypatch.delenv(MODEL_ENV, raising=False)
    monkeypatch.setenv(GRACE_ENV, "0.2")
    yield tmp_path / "data"
    state = handshake.read_state()
    if state is not None and state.pid:
        with contextlib.suppress(psutil.Error):
            family = [psutil.Process(state.pid), *psutil.Process(state.pid).children(recursive=True)]
            for process in family:
                with contextlib.suppress(psutil.Error):
                    process.kill()
            psutil.wait_procs(family, timeout=WAIT_S)


@pytest.fixture
def fake_engine(tmp_path, monkeypatch):
    """Puts a `llama-server` on the PATH; the function that is returned says how it behaves."""
    if sys.platform == "win32":
        pytest.skip("a script cannot pose as a program on Windows")
    folder = tmp_path / "bin"
    folder.mkdir()
    program = folder / "llama-server"
    program.write_text(f"#!{sys.executable}\n{FAKE_ENGINE.read_text('utf-8')}", "utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=":")
    monkeypatch.setenv("FAKE_ENGINE_FOLDER", str(folder))

    def behave(how: str) -> Path:
        monkeypatch.setenv("FAKE_ENGINE", how)
        return program

    behave("well")
    return behave


def gone(pid: int) -> bool:
    """Whether a process ends in time."""
    try:
        process = psutil.Process(pid)
    except psutil.NoSuchProcess:
        return True
    _, alive = psutil.wait_procs([process], timeout=WAIT_S)
    return not alive


@dataclass
class FileServer:
    """Serves one file at any path, with faults.

    Attributes:
        content: the file.
        ranges: what the `Range` headers of the requests were.
        cuts: after how many bytes each next connection breaks.
        ignores_range: whether it always sends the whole file.
        status: answered instead of the file, when it is not 200.
    """

    content: bytes = b""
    ranges: list[str | None] = field(default_factory=list)
    cuts: list[int] = field(default_factory=list)
    ignores_range: bool = False
    status: int = 200
    url: str = ""


class _Handler(BaseHTTPRequestHandler):
    def __init__(self, files: FileServer, *args):
        self.files = files
        super().__init__(*args)

    def do_GET(self):
        files, asked = self.files, self.headers.get("Range")
        files.ranges.append(asked)
        if files.status != 200:
            self.send_response(files.status)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        start = 0
        if asked and not files.ignores_range:
            start = int(asked.removeprefix("bytes=").rstrip("-"))
            if start >= len(files.content):
                self.send_response(416)
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            self.send_response(206)
            total = len(files.content)
            self.send_header("Content-Range", f"bytes {start}-{total - 1}/{total}")
        else:
            self.send_response(200)
        body = files.content[start:]
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: files.cuts.pop(0)] if files.cuts else body)

    def log_message(self, *_):
        pass


@pytest.fixture
def file_server():
    """A `FileServer` that answers on loopback."""
    files = FileServer()
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, files)) as server:
        files.url = f"http://127.0.0.1:{server.server_address[1]}/weights.gguf"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield files
        server.shutdown()
        thread.join()
