"""`qwen-ls bench`, whole: in real time against a fake endpoint, and simulated."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from qwen_ls.commands.bench.figures import FIGURES
from tests.fake_dashscope import FakeDashScope

SOURCE = (
    "def f():\n    return 1\n\n\ndef g():\n    a = 1\n    b = 2\n    return a\n\n\ndef h():\n    return 3\n"
)


@pytest.fixture
def fake(monkeypatch):
    """An endpoint, and an environment in which the command asks it."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setenv("DASHSCOPE_API_KEY", "sk-test")
    with FakeDashScope.in_thread(answer=" = 1") as made:
        monkeypatch.setenv("QWEN_LS_BASE_URL", made.compat_url)
        yield made


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "app.py"
    path.write_text(SOURCE, "utf-8")
    return path


def test_a_file_is_typed_with_the_users_endpoint(qwen_ls, fake, source):
    done = qwen_ls("bench", source, "--keys", "9", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["asked"] == "dashscope qwen-coder-turbo"
    assert found["file"] == "app.py"
    assert 0 < len(fake.requests) <= found["calls"]  # one may be taken back before it has left
    assert 0 < found["keys"] <= found["characters"]
    assert (found["stale"], found["interrupted"]) == (0, False)
    assert source.read_text("utf-8") == SOURCE  # it is typed in memory
    (most,) = [line for line in done.stderr.splitlines() if "at most" in line]
    assert int(most.split("at most ")[1].split()[0]) >= found["calls"]


def test_the_users_limits_hold(qwen_ls, fake, source, monkeypatch, tmp_path):
    config = tmp_path / "config.toml"
    config.write_text("[limits]\nrequests_per_minute = 1\n", "utf-8")
    monkeypatch.setenv("QWEN_LS_CONFIG", str(config))
    done = qwen_ls("bench", source, "--keys", "9", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["calls"] == len(fake.requests) == 1


@pytest.fixture
def ctrl_c_counts():
    """Also where the tests run in the background, with the signal ignored: a child would ignore it too."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.skipif(sys.platform == "win32", reason="there, Ctrl-C goes to all processes of a console")
def test_ctrl_c_prints_what_there_is(fake, ctrl_c_counts):
    command = [sys.executable, "-m", "qwen_ls", "bench", "--keys", "3000"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8", env=os.environ
    ) as bench:
        deadline_s = time.monotonic() + 30
        while not fake.requests and time.monotonic() < deadline_s:
            time.sleep(0.05)
        bench.send_signal(signal.SIGINT)
        printed, said = bench.communicate(timeout=30)
    assert bench.returncode == 130, said
    assert all(figure.name in printed for figure in FIGURES)
    assert "Traceback" not in said


def test_simulated_it_costs_nothing_and_is_the_same_each_time(qwen_ls):
    one, other = (json.loads(qwen_ls("bench", "--simulated", "--json").stdout) for _ in range(2))
    machine = {"own_p50_ms", "own_p99_ms", "cpu_ms_per_key", "grown_mib"}
    assert {key: one[key] for key in one.keys() - machine} == {
        key: other[key] for key in one.keys() - machine
    }
    assert (one["asked"], one["stale"]) == ("a simulated endpoint", 0)
    assert one["ghost_share"] > 0.1


def test_a_denied_file_is_not_even_read(qwen_ls, tmp_path):
    (tmp_path / ".env").mkdir()  # reading it would fail, and say so
    done = qwen_ls("bench", tmp_path / ".env", "--simulated")
    assert done.returncode == 1
    assert "deny list" in done.stderr


def test_without_a_key_nothing_is_typed(qwen_ls, source):
    done = qwen_ls("bench", source)
    assert (done.returncode, done.stdout) == (2, "")
    assert "DASHSCOPE_API_KEY" in done.stderr.splitlines()[-1]


@pytest.mark.parametrize("keys", ["0", "x", "-3", "100001"])
def test_a_wrong_number_of_keys_is_refused(qwen_ls, keys):
    done = qwen_ls("bench", "--keys", keys)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
