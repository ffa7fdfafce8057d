"""The engines that can run the weights, how each is started, and what its death means.

Pure but for looking at the machine; `keeper` starts the processes.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from qwen_ls.local.errors import INSTALL_HINT

CONTEXT_TOKENS = 4096
# A call that nobody waits for any more ends at the next micro-batch. On two cores 512 tokens kept the next
# call waiting for 3.3 s, 128 for 1.4 s and 64 for 0.2 s; prompts were read as fast (about 100 tokens/s).
BATCH_TOKENS = 64
# Runs of at least so many tokens are kept when the text before them moves.
REUSE_TOKENS = 64
# Prompts of other documents, to come back to; the default would be 8 GB.
PROMPT_CACHE_MB = 256
LLAMA_SERVER = "llama-server"
XLLAMACPP = "xllamacpp"
_WINDOWS_ILLEGAL_INSTRUCTION = 0xC000001D
_SIGILL, _SIGKILL = 4, 9


@dataclass(frozen=True, slots=True)
class Engine:
    """A program that is here and can serve the weights."""

    kind: str
    path: str = ""


@dataclass(frozen=True, slots=True)
class Death:
    """Why an engine ended, for people."""

    message: str
    remedy: str = ""
    port_taken: bool = False
    """Whether another port would have helped."""


def available() -> tuple[Engine, ...]:
    """The engines on this machine, the preferred one first."""
    engines: list[Engine] = []
    if path := shutil.which(LLAMA_SERVER):
        engines.append(Engine(LLAMA_SERVER, path))
    if importlib.util.find_spec("xllamacpp") is not None:
        engines.append(Engine(XLLAMACPP))
    return tuple(engines)


def no_engine() -> Death:
    """What to say where there is none."""
    return Death(
        "Nothing here can run the local model: neither llama-server on the PATH nor the package xllamacpp",
        f"{INSTALL_HINT}.",
    )


def command(engine: Engine, *, weights: str, name: str, port: int, threads: int) -> list[str]:
    """The arguments of llama-server; only such as versions of years ago know too."""
    return [
        engine.path,
        *("-m", weights),
        *("--alias", name),
        *("--host", "127.0.0.1", "--port", str(port)),
        *("-c", str(CONTEXT_TOKENS), "-np", "1"),
        *("-t", str(threads)),
        *("-b", str(BATCH_TOKENS), "-ub", str(BATCH_TOKENS)),
    ]


def environment(key: str) -> dict[str, str]:
    """The engine's environment: the key, quiet OpenMP, and what an old llama-server may ignore.

    A spinning OpenMP takes nine tenths of the speed where one other program is busy.
    """
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("LLAMA_")}
    return inherited | {
        "OMP_WAIT_POLICY": "passive",
        "GOMP_SPINCOUNT": "0",
        "LLAMA_API_KEY": key,
        "LLAMA_ARG_CACHE_REUSE": str(REUSE_TOKENS),
        "LLAMA_ARG_CACHE_RAM": str(PROMPT_CACHE_MB),
    }


def diagnose(code: int | None, log: str) -> Death:
    """What the end of an engine means.

    Args:
        code: its exit code, with a signal as Python or as a shell writes it; None while it runs.
        log: the last lines of what it wrote.
    """
    lowered = log.lower()
    signal = _signal(code)
    if "couldn't bind" in lowered or "address already in use" in lowered:
        return Death("The port chosen for the local engine is taken", port_taken=True)
    if signal == _SIGILL or code == _WINDOWS_ILLEGAL_INSTRUCTION or "illegal instruction" in lowered:
        return Death(
            "This processor lacks instructions that the local engine was built for",
            "Put a llama-server that was built for this machine on the PATH.",
        )
    if signal == _SIGKILL or re.search(
        r"bad_alloc|out of memory|failed to allocate|cannot allocate", lowered
    ):
        return Death(
            "The local engine ran out of memory", "It needs about 1 GB: close something and try again."
        )
    if missing := re.search(r"(lib[\w.+-]+\.so[\w.]*): cannot open shared object", log):
        package = "libgomp1" if missing[1].startswith("libgomp") else "the package that has it"
        return Death(
            f"The local engine needs the library {missing[1]}, which this machine lacks",
            f"Install it; on Debian and its kin: apt-get install {package}.",
        )
    if re.search(r"invalid magic|gguf_init|failed to load model|tensor .* not within", lowered):
        return Death(
            "The local engine cannot read the model file",
            "Delete it to have it downloaded again, or upgrade the engine.",
        )
    how = f"signal {signal}" if signal else f"exit code {code}"
    return Death(f"The local engine stopped ({how}): {_last_line(log)}")


def _signal(code: int | None) -> int:
    if code is None or code >= 1 << 16:  # Windows writes what it caught in the upper half
        return 0
    return -code if code < 0 else max(0, code - 128)


def _last_line(log: str) -> str:
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    return lines[-1][:200] if lines else "it said nothing"


def physical_cores() -> int:
    """How many cores may be used; hyper-threads are not counted: they slow the engine down."""
    if sys.platform == "linux":
        cores = len({_siblings(cpu) for cpu in os.sched_getaffinity(0)})
        cores = min(cores, _cgroup_cores() or cores)
    else:
        # Two threads a core, or one fast core for every slow one.
        cores = (os.cpu_count() or 1) // 2
    return max(1, cores)


def _siblings(cpu: int) -> str:
    """The hyper-threads that share a core with this one, as the kernel writes them."""
    try:
        return Path(f"/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list").read_text("ascii")
    except OSError:
        return str(cpu)


def _cgroup_cores() -> int:
    """The cores that a container may use; 0: no limit."""
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text("ascii").split()
        return 0 if quota == "max" else max(1, int(quota) // int(period))
    except (OSError, ValueError):
        return 0
