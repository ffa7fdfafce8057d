"""What is known of endpoints' streams outlives the server that found it out."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING

import pytest

from qwen_ls.backend.streams import Streams, remember
from qwen_ls.backend.wire.semantics import Semantics

if TYPE_CHECKING:
    from pathlib import Path

URL, MODEL = "https://dashscope.aliyuncs.com/compatible-mode/v1/completions", "qwen-coder-turbo"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "streams.json"


def written() -> None:
    """Wait until the threads that write have ended."""
    for thread in threading.enumerate():
        if thread.name == "qwen-ls-streams":
            thread.join(5)


def test_a_finding_outlives_its_server(path: Path) -> None:
    Streams(path).learn(URL, MODEL, Semantics.CUMULATIVE)
    written()
    assert Streams(path).recall(URL, MODEL) is Semantics.CUMULATIVE


def test_the_latest_finding_stands_and_other_servers_findings_stay(path: Path) -> None:
    one, other = Streams(path), Streams(path)
    one.learn(URL, MODEL, Semantics.CUMULATIVE)
    written()
    other.learn(URL, "another", Semantics.DELTA)
    written()
    one.learn(URL, MODEL, Semantics.DELTA)
    written()
    found = Streams(path)
    assert [found.recall(URL, name) for name in (MODEL, "another")] == [Semantics.DELTA, Semantics.DELTA]
    assert len(json.loads(path.read_text("utf-8"))) == 2


def test_what_is_known_already_is_not_written_again(path: Path) -> None:
    remember(URL, MODEL, Semantics.DELTA, path)
    streams = Streams(path)
    path.unlink()
    streams.learn(URL, MODEL, Semantics.DELTA)
    written()
    assert not path.exists()


@pytest.mark.parametrize("host", ["127.0.0.1:8000", "localhost:8000", "[::1]:8000"])
def test_a_port_of_this_machine_is_remembered_by_the_process_alone(path: Path, host: str) -> None:
    streams = Streams(path)
    streams.learn(f"http://{host}/v1/completions", MODEL, Semantics.DELTA)
    written()
    assert streams.recall(f"http://{host}/v1/completions", MODEL) is Semantics.DELTA
    assert not path.exists()


def test_a_folder_that_cannot_be_written_is_no_trouble(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    streams = Streams(tmp_path / "file" / "streams.json")
    streams.learn(URL, MODEL, Semantics.DELTA)
    written()
    assert streams.recall(URL, MODEL) is Semantics.DELTA
