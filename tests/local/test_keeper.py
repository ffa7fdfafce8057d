"""One engine for all, with real processes; the engine itself is a script."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import stat
import subprocess
import sys
import threading
import urllib.error
import urllib.request

import psutil
import pytest

from qwen_ls.backend.base import NotReadyError
from qwen_ls.local import engine, handshake
from qwen_ls.local.engine import Engine
from qwen_ls.local.errors import EngineError
from qwen_ls.local.handshake import State
from qwen_ls.local.lease import acquire, lease, running
from qwen_ls.local.paths import DATA_DIR_ENV, log_path
from qwen_ls.local.supervisor import EngineDiedError, Order, Supervisor
from tests.local.conftest import gone

HOLDER = """
import sys, time
from pathlib import Path
from qwen_ls.local.lease import acquire
taken = acquire(Path(sys.argv[1]))
print(taken.endpoint.base_url, flush=True)
time.sleep(600)
"""


@pytest.fixture
def weights(data_dir, fake_engine, tmp_path):
    """A file that the script takes for weights."""
    path = tmp_path / "weights.gguf"
    path.write_bytes(b"no real weights")
    return path


@pytest.fixture
def starts(tmp_path):
    """How the engine was started, each time."""

    def read():
        lines = (tmp_path / "bin" / "starts").read_text("utf-8").splitlines()
        return [json.loads(line) for line in lines]

    return read


@contextlib.contextmanager
def holder(weights):
    """Another process that uses the engine; yields it and the address that it was given."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(weights)], stdout=subprocess.PIPE, text=True
    )
    with process:
        try:
            yield process, process.stdout.readline().strip()
        finally:
            process.kill()


def post(endpoint, path):
    request = urllib.request.Request(
        endpoint.base_url.removesuffix("/v1") + path,
        data=b"{}",
        headers={"Authorization": f"Bearer {endpoint.api_key}"},
    )
    with urllib.request.urlopen(request, timeout=10) as response:
        return response.status


def test_leases_share_one_engine_and_the_last_one_ends_it(weights, starts):
    """Two servers in two processes use one engine; when both are gone, nothing stays."""
    with acquire(weights) as mine, holder(weights) as (_, address):
        assert address == mine.endpoint.base_url
        assert mine.kind == "llama-server"
        assert post(mine.endpoint, "/v1/completions") == 200
        known = running()
        assert known["leases"] == 2
    assert gone(known["pid"])
    assert gone(known["engine"]["pid"])
    assert not handshake.state_path().exists()
    assert len(starts()) == 1
    assert running() is None


def test_a_killed_user_gives_its_lease_back(weights):
    """A server that is killed says no goodbye; the engine ends all the same."""
    with holder(weights) as (process, _):
        known = running()
        process.kill()
        assert gone(known["pid"])
        assert gone(known["engine"]["pid"])


def test_the_engine_outlives_the_process_that_started_it(weights):
    """It is ended by the last user, not with the first."""
    with holder(weights) as (process, address):
        with acquire(weights) as mine:
            process.kill()
            process.wait()
            assert mine.endpoint.base_url == address
            assert post(mine.endpoint, "/v1/completions") == 200
            known = running()
        assert gone(known["pid"])


def test_an_engine_does_not_outlive_its_keeper(weights):
    """Even a keeper that is killed leaves no engine behind, and the next user starts anew."""
    with acquire(weights) as mine:
        known = running()
        engine_processes = psutil.Process(known["engine"]["pid"]).children(recursive=True)
        assert engine_processes
        psutil.Process(known["pid"]).kill()
        assert gone(known["engine"]["pid"])
        assert all(gone(process.pid) for process in engine_processes)
        with acquire(weights) as again:
            assert again.endpoint.api_key != mine.endpoint.api_key


def test_a_dead_engine_is_replaced(weights, starts):
    """A new lease finds a new engine, in the same keeper."""
    with acquire(weights) as first:
        keeper = running()["pid"]
        with pytest.raises((urllib.error.URLError, ConnectionError)):
            post(first.endpoint, "/die")
        with acquire(weights) as second:
            assert second.endpoint.api_key != first.endpoint.api_key
            assert running()["pid"] == keeper
    assert len(starts()) == 2


def test_the_state_is_for_the_user_alone(weights):
    """The token lets a program use the engine; the state file and the status keep secrets."""
    with acquire(weights) as mine:
        assert stat.S_IMODE(handshake.state_path().stat().st_mode) == 0o600
        assert mine.endpoint.api_key not in json.dumps(running())
        keeper = psutil.Process(running()["pid"])
        for process in [keeper, *keeper.children(recursive=True)]:
            assert mine.endpoint.api_key not in " ".join(process.cmdline())
        assert mine.endpoint.api_key not in log_path().read_text("utf-8")


def test_a_stranger_is_turned_away(weights):
    """Without the token there is no lease."""
    with acquire(weights):
        state = handshake.read_state()
        with (
            socket.create_connection(("127.0.0.1", state.port), timeout=20) as link,
            link.makefile("rb") as lines,
        ):
            link.sendall(handshake.encode({"nonce": "1"}))
            answer = json.loads(lines.readline())
            assert handshake.proves(answer, state.token, "keeper", "1")
            link.sendall(handshake.encode({"proof": answer["proof"]}))
            assert lines.readline() == b""
        assert running()["leases"] == 1


@pytest.mark.parametrize(
    "line", [b"", b"hello\n", b'{"proof": "0", "nonce": "1"}\n'], ids=["silent", "other", "liar"]
)
def test_whoever_took_a_dead_keepers_port_is_not_believed(weights, line):
    """A state file that was left behind leads to someone else: a keeper is started all the same."""
    with socket.create_server(("127.0.0.1", 0)) as stranger:

        def answer():
            with contextlib.suppress(OSError):
                while True:
                    link, _ = stranger.accept()
                    with link:
                        link.recv(4096)
                        link.sendall(line)

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        handshake.state_path().parent.mkdir(parents=True)
        handshake.write_state(State("a token", stranger.getsockname()[1], 1))
        assert running() is None
        with acquire(weights) as mine:
            assert post(mine.endpoint, "/v1/completions") == 200
        stranger.shutdown(socket.SHUT_RDWR)
        thread.join(20)


@pytest.mark.parametrize(
    "content",
    [b"", b"{}", b"[]", b'{"token": "t", "port": 1, "pid": 1}'],
    ids=["empty", "bare", "list", "closed port"],
)
def test_a_stale_state_file_is_replaced(weights, content):
    """Whatever it holds."""
    handshake.state_path().parent.mkdir(parents=True)
    handshake.state_path().write_bytes(content)
    with acquire(weights) as mine:
        assert mine.kind == "llama-server"


def test_folders_named_from_here_are_found_by_the_keeper(weights, tmp_path, monkeypatch):
    """The keeper runs in another folder than the server."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(DATA_DIR_ENV, "relative")
    with acquire(weights):
        state = tmp_path / "relative" / "state"
        assert {"engine.lock", "engine.log", "engine-1.json"} <= {path.name for path in state.iterdir()}
        keeper = running()["pid"]
        assert psutil.Process(keeper).cwd() == str(state)
    assert gone(keeper)


async def test_a_lease_can_be_awaited(weights):
    """The way for event loops."""
    told = []
    with await lease(weights, told.append) as mine:
        assert mine.endpoint.model == "qwen2.5-coder-0.5b-instruct"
    assert told == ["starting the local engine", "loading the local model"]


def test_without_weights_there_is_no_engine(data_dir):
    """Nothing is started, and the message says what is missing."""
    with pytest.raises(NotReadyError, match="not been downloaded"):
        acquire()


def test_a_keeper_that_cannot_start_is_explained(weights, monkeypatch):
    """A broken installation ends at once, not after a time-out."""
    monkeypatch.setenv("PYTHONHOME", "/nowhere")
    with pytest.raises(EngineError, match="did not start") as caught:
        acquire(weights)
    assert "keeper.log" in str(caught.value)


def test_a_state_folder_that_cannot_be_made_is_explained(weights, data_dir):
    """A file stands where the folder should be."""
    data_dir.write_text("a file")
    with pytest.raises(EngineError, match=r"cannot be started: .*Check the rights"):
        acquire(weights)


def test_a_file_that_no_engine_can_read_is_explained(weights, fake_engine):
    """llama-server dies, the wheel is tried and says what is wrong; nothing stays behind."""
    pytest.importorskip("xllamacpp")
    fake_engine("dies")
    with pytest.raises(EngineError, match=r"cannot read the model file.*Delete it") as caught:
        acquire(weights)
    assert str(log_path()) in str(caught.value)
    log = log_path().read_text("utf-8")
    assert "something unheard of" in log
    assert "invalid magic" in log


class TestSupervisor:
    """The engine's process, without a keeper."""

    @pytest.fixture
    async def supervisor(self, data_dir, fake_engine):
        """Knows no engine but the script."""
        script = Engine("llama-server", str(fake_engine("well")))
        supervisor = Supervisor(Order("weights", "name", 1), lambda: (script,))
        yield supervisor
        await supervisor.stop()

    async def test_it_waits_until_the_engine_answers(self, supervisor):
        """503 means that it is loading."""
        first = await supervisor.running()
        assert await supervisor.running() == first

    async def test_a_taken_port_is_not_the_end(self, supervisor, fake_engine, starts):
        """The next start has another port."""
        fake_engine("port taken once")
        await supervisor.running()
        ports = [start["arguments"][start["arguments"].index("--port") + 1] for start in starts()]
        assert len(set(ports)) == 2

    @pytest.mark.parametrize(
        ("how", "said"),
        [
            ("dies", r"stopped \(exit code 1\): error: something unheard of"),
            ("out of memory", "ran out of memory"),
            ("killed", "ran out of memory"),
            ("illegal", "processor lacks instructions"),
        ],
    )
    async def test_an_engine_that_dies_is_explained(self, supervisor, fake_engine, how, said):
        """The reason is the engine's own, in words."""
        fake_engine(how)
        with pytest.raises(EngineDiedError, match=said):
            await supervisor.running()

    async def test_an_engine_that_keeps_dying_is_given_up(self, supervisor, starts):
        """It is started again a few times, not for ever."""
        for _ in range(4):
            known = await supervisor.running()
            [program] = psutil.Process(known.pid).children()
            program.kill()
            assert await asyncio.to_thread(gone, known.pid)
        with pytest.raises(EngineDiedError, match="keeps dying"):
            await supervisor.running()
        assert len(starts()) == 4

    async def test_a_program_does_not_outlive_the_process_around_it(self, supervisor):
        """Whichever of the two is killed."""
        known = await supervisor.running()
        around = psutil.Process(known.pid)
        [program] = around.children()
        around.kill()
        assert await asyncio.to_thread(gone, program.pid)

    async def test_without_an_engine_the_user_reads_what_to_install(self, data_dir):
        """Neither program nor wheel."""
        with pytest.raises(EngineDiedError) as caught:
            await Supervisor(Order("weights", "name", 1), tuple).running()
        assert "pip install 'qwen-ls[local]'" in caught.value.death.remedy
        assert caught.value.death == engine.no_engine()
