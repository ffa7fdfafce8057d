"""The weights: found, checked, or fetched.

No file is handed out before its SHA-256 agrees with the pinned one, and only one process at a time downloads.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import logging
import os
import shutil
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qwen_ls.backend.base import BackendError, ConfigurationError
from qwen_ls.backend.download import DownloadStoppedError, length
from qwen_ls.local.errors import WeightsError, require_extra
from qwen_ls.local.paths import DATA_DIR_ENV, MODEL_ENV, models_dir, named_model
from qwen_ls.local.sources import OFFICIAL_SOURCES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from qwen_ls.local.sources import Source

    Progress = Callable[[int, int, str], None]
    """Called with the bytes that are there, the bytes of the whole, and what is being done."""

logger = logging.getLogger(__name__)

_CHUNK = 1 << 22
_SPARE_BYTES = 32 << 20
_FULL = (errno.ENOSPC, errno.EDQUOT)


@dataclass(frozen=True, slots=True)
class Model:
    """One file of weights, pinned."""

    name: str
    """The model's id, as the engine answers to it."""
    file_name: str
    size: int
    sha256: str


MODEL = Model(
    name="qwen2.5-coder-0.5b-instruct",
    file_name="qwen2.5-coder-0.5b-instruct-q4_k_m.gguf",
    size=491_400_064,
    sha256="1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32",
)


def megabytes(count: float) -> str:
    """A size for people."""
    return f"{count / 1e6:.0f} MB"


def locate(model: Model = MODEL) -> Path | None:
    """Where the weights lie on this machine, unchecked; None where they do not."""
    path = named_model() or models_dir() / model.file_name
    return path if path.is_file() else None


def is_verified(path: Path, model: Model = MODEL) -> bool:
    """Whether this very file has been found to be the pinned one; reads no more than its entry."""
    with contextlib.suppress(OSError):
        return _remembered().get(str(path.resolve())) == _mark(path, model)
    return False


def find(
    model: Model = MODEL,
    *,
    stop: threading.Event | None = None,
    note: Callable[[str], None] = logger.warning,
) -> Path | None:
    """The weights on this machine, checked; None where they must be downloaded.

    Args:
        model: which weights.
        stop: set to give up soon.
        note: told when a damaged file was set aside.

    Raises:
        ConfigurationError: `QWEN_LS_LOCAL_MODEL` names something else than the pinned file.
        WeightsError: the file cannot be read.
        DownloadStoppedError: `stop` was set.
    """
    stop = stop or threading.Event()
    named = named_model()
    if named is not None:
        return _check_named(named, model, stop)
    path = models_dir() / model.file_name
    try:
        if not path.is_file():
            return None
        if _verify(path, model, stop):
            return path
        damaged = path.with_name(path.name + ".damaged")
        path.replace(damaged)
    except OSError as exc:
        raise WeightsError(
            f"The local model cannot be read: {exc}", remedy=f"Check the rights of {path}."
        ) from exc
    note(f"The local model was damaged (its SHA-256 differs); it was set aside as {damaged}.")
    return None


def ensure(
    model: Model = MODEL,
    *,
    sources: Sequence[Source] = OFFICIAL_SOURCES,
    on_progress: Progress | None = None,
    stop: threading.Event | None = None,
    note: Callable[[str], None] = logger.warning,
) -> Path:
    """The weights, checked; downloaded first where they are missing.

    Args:
        model: which weights.
        sources: where to look, in order.
        on_progress: told how far the download is.
        stop: set to give up soon; what has arrived is kept.
        note: told what went wrong on the way to a source that worked.

    Raises:
        ConfigurationError: the extra is missing, or `QWEN_LS_LOCAL_MODEL` names another file.
        WeightsError: no source has them, or the disk does not take them.
        DownloadStoppedError: `stop` was set.
    """
    require_extra()
    stop = stop or threading.Event()
    progress = on_progress or (lambda done, total, what: None)
    if (path := find(model, stop=stop, note=note)) is not None:
        return path
    folder = models_dir()
    with _plain_words(folder), _only_downloader(folder, model, progress, stop):
        return find(model, stop=stop, note=note) or _download(folder, model, sources, progress, stop, note)


def part_path(model: Model = MODEL) -> Path:
    """Where a download grows."""
    return models_dir() / (model.file_name + ".part")


def _check_named(path: Path, model: Model, stop: threading.Event) -> Path:
    remedy = f"Unset {MODEL_ENV} to have it downloaded, or let it name {model.file_name}."
    try:
        if _verify(path, model, stop):
            return path
        problem = f"is not {model.file_name}: its SHA-256 is not {model.sha256[:12]}…"
    except OSError as exc:
        problem = f"cannot be read: {exc.strerror or exc}"
    raise ConfigurationError(
        f"{MODEL_ENV} names {path}, which {problem}", remedy=remedy, cause="local-weights"
    )


def _verify(path: Path, model: Model, stop: threading.Event) -> bool:
    """Whether the file is the pinned one; a file that was found so is not read again until it changes."""
    mark = _mark(path, model)
    if mark[0] != model.size:
        return False
    if _remembered().get(str(path.resolve())) == mark:
        return True
    if _sha256(path, stop) != model.sha256:
        return False
    _remember(path, mark)
    return True


def _sha256(path: Path, stop: threading.Event) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            if stop.is_set():
                raise DownloadStoppedError
            digest.update(chunk)
    return digest.hexdigest()


def _mark(path: Path, model: Model) -> list[Any]:
    """What tells one file from another, and from itself after a change."""
    stat = path.stat()
    return [stat.st_size, stat.st_mtime_ns, stat.st_ino, model.sha256]


def _remembered() -> dict[str, list[Any]]:
    try:
        entries = json.loads((models_dir() / "verified.json").read_bytes())
    except (OSError, ValueError):
        return {}
    return entries if isinstance(entries, dict) else {}


def _remember(path: Path, mark: list[Any]) -> None:
    """Note a good file; where that cannot be written, it is read again next time."""
    book = models_dir() / "verified.json"
    fresh = book.with_name(f"verified.{os.getpid()}.tmp")
    entries = {name: old for name, old in _remembered().items() if Path(name).is_file()}
    with contextlib.suppress(OSError):
        book.parent.mkdir(parents=True, exist_ok=True)
        fresh.write_text(json.dumps(entries | {str(path.resolve()): mark}), "utf-8")
        fresh.replace(book)


@contextlib.contextmanager
def _plain_words(folder: Path) -> Iterator[None]:
    """Turn the disk's errors into sentences."""
    remedy = f"Make room or rights there, or let {DATA_DIR_ENV} name a folder elsewhere."
    try:
        yield
    except OSError as exc:
        if exc.errno in _FULL:
            message = f"The disk is full: the local model does not fit into {folder}"
            remedy += " What has arrived is kept."
        else:
            message = f"The local model cannot be written to {folder}: {exc.strerror or exc}"
        raise WeightsError(message, remedy=remedy, cause="local-disk") from exc


@contextlib.contextmanager
def _only_downloader(folder: Path, model: Model, progress: Progress, stop: threading.Event) -> Iterator[None]:
    """Hold the download's lock; while another process has it, show how far that one is."""
    from filelock import FileLock, Timeout

    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / "download.lock")
    while True:
        if stop.is_set():
            raise DownloadStoppedError
        try:
            lock.acquire(timeout=0.5)
            break
        except Timeout:
            progress(length(part_path(model)), model.size, "another qwen-ls is downloading it")
    try:
        yield
    finally:
        lock.release()


def _download(
    folder: Path,
    model: Model,
    sources: Sequence[Source],
    progress: Progress,
    stop: threading.Event,
    note: Callable[[str], None],
) -> Path:
    failures: list[str] = []
    for source in sources:
        try:
            _take(source, folder, model, progress, stop)
        except WeightsError:
            raise
        except BackendError as exc:
            failures.append(f"{source.name}: {exc.message}")
            note(f"The local model cannot be had from {source.name}: {exc.message}")
            continue
        target = folder / model.file_name
        part_path(model).replace(target)
        _remember(target, _mark(target, model))
        return target
    raise WeightsError(
        f"The local model could not be downloaded ({'; '.join(failures)})",
        remedy=f"Try again later, or bring {model.file_name} from elsewhere and let {MODEL_ENV} name it.",
        cause="local-download",
    )


def _take(source: Source, folder: Path, model: Model, progress: Progress, stop: threading.Event) -> None:
    """Fill the part file from one source and check it; a part that another source began gets a second try."""
    part = part_path(model)
    while True:
        resumed = length(part) > 0
        missing = model.size - length(part)
        _check_room(folder, missing + source.scratch_bytes + _SPARE_BYTES)
        source.fetch(part, model.size, lambda done: progress(done, model.size, source.name), stop)
        progress(model.size, model.size, "checking it")
        if _sha256(part, stop) == model.sha256:
            return
        part.unlink()
        if not resumed:
            raise BackendError("what it sent is damaged: its SHA-256 differs")


def _check_room(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise WeightsError(
            f"The disk is too full for the local model: {megabytes(needed)} are needed in {folder}, "
            f"{megabytes(needed - free)} more than there are",
            remedy=f"Make room, or let {DATA_DIR_ENV} name a folder on another disk.",
            cause="local-disk",
        )
