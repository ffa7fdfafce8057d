"""Runs a program that a model wrote, apart: a process of its own with little time, memory and no network.

It keeps accidents in, not an attacker: where the system has no resource limits or network namespaces
(macOS, Windows), Python's audit hook alone denies sockets, processes and files elsewhere.
"""

from __future__ import annotations

import contextlib
import enum
import os
import secrets
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

CHILD = Path(__file__).with_name("sandboxed.py")
TIMEOUT_S = 10.0
_GRACE_S = 10.0
"""The interpreter's own start on a very busy machine, beside the program's time."""


class Verdict(enum.StrEnum):
    """How a program ended."""

    PASSED = "passed"
    FAILED = "failed"
    TIMED_OUT = "timed out"


def run(program: str, *, timeout_s: float = TIMEOUT_S) -> Verdict:
    """Run a Python program to its end.

    Args:
        program: the source.
        timeout_s: how much processor time it has, in seconds; where that cannot be limited, time alone.
    """
    token = secrets.token_hex(16)
    with tempfile.TemporaryDirectory(prefix="qwen-ls-quality-", ignore_cleanup_errors=True) as folder:
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", str(CHILD), token, str(timeout_s)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=folder,
            env={name: os.environ[name] for name in ("SYSTEMROOT",) if name in os.environ},
            start_new_session=True,
        )
        try:
            said, _ = process.communicate(program.encode(), timeout=timeout_s + _GRACE_S)
        except subprocess.TimeoutExpired:
            return Verdict.TIMED_OUT
        finally:
            _end(process)
    # A program that leaves early has not reached its end, whatever its exit code says.
    if said == token.encode():
        return Verdict.PASSED
    return Verdict.TIMED_OUT if said == b"timed out" else Verdict.FAILED


def _end(process: subprocess.Popen[bytes]) -> None:
    """End it with all that it has started."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if sys.platform == "win32":
            process.kill()
        else:
            os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe:
            pipe.close()
