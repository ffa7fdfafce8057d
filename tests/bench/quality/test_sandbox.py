"""The sandbox: what a program may do, and how it ends."""

from __future__ import annotations

import sys
import time

import pytest

from tests.bench.quality import sandbox
from tests.bench.quality.sandbox import Verdict

PASSED, FAILED, TIMED_OUT = Verdict


@pytest.mark.parametrize(
    ("program", "verdict"),
    [
        pytest.param("assert sum([1, 2]) == 3", PASSED, id="right"),
        pytest.param("assert sum([1, 2]) == 4", FAILED, id="wrong"),
        pytest.param("def f(:", FAILED, id="no-python"),
        pytest.param("import math, re, random, copy, hashlib, typing", PASSED, id="imports"),
        pytest.param("print('x' * 100_000)", PASSED, id="prints-a-lot"),
        pytest.param(
            "open('notes.txt', 'w').write('x')\nassert open('notes.txt').read()", PASSED, id="own-file"
        ),
        pytest.param("import sys\nsys.exit(0)", FAILED, id="leaves-early"),
        pytest.param("import os\nos._exit(0)", FAILED, id="leaves-very-early"),
        pytest.param("while True:\n    pass", TIMED_OUT, id="endless-loop"),
        pytest.param("def f():\n    f()\nf()", FAILED, id="endless-recursion"),
        pytest.param("import socket\nsocket.create_connection(('127.0.0.1', 9))", FAILED, id="network"),
        pytest.param("import subprocess, sys\nsubprocess.run([sys.executable, '-V'])", FAILED, id="process"),
        pytest.param("import os\nassert not os.environ.get('DASHSCOPE_API_KEY')", PASSED, id="no-key"),
        pytest.param("import os\nos.remove(__import__('sys').executable)", FAILED, id="deletes"),
    ],
)
def test_a_program_ends(program: str, verdict: Verdict, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DASHSCOPE_API_KEY", "sk-test")
    assert sandbox.run(program, timeout_s=1.0) is verdict


def test_a_program_cannot_write_elsewhere(tmp_path) -> None:
    file = tmp_path / "outside.txt"
    assert sandbox.run(f"open({str(file)!r}, 'w')") is FAILED
    assert not file.exists()


@pytest.mark.skipif(sys.platform == "win32", reason="no limits on memory there")
@pytest.mark.skipif(sys.platform == "darwin", reason="the kernel does not keep to RLIMIT_AS")
def test_a_program_cannot_take_all_memory() -> None:
    assert sandbox.run("x = bytearray(3 << 30)") is FAILED


def test_a_program_that_only_waits_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox, "_GRACE_S", 1.0)
    started_s = time.monotonic()
    assert sandbox.run("import time\ntime.sleep(600)", timeout_s=1.0) is TIMED_OUT
    assert time.monotonic() - started_s < 300
