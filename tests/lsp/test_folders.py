"""The workspace's folders: images may come from every one of them, and only from those that are open."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.lsp import scripted_server
from tests.lsp.wire import Line, notification

if TYPE_CHECKING:
    from pathlib import Path


def folder(path: Path) -> dict[str, str]:
    return {"uri": path.as_uri(), "name": path.name}


def changed(added: Any = (), removed: Any = ()) -> dict[str, Any]:
    event = {"added": added, "removed": removed}
    return notification("workspace/didChangeWorkspaceFolders", {"event": event})


@pytest.fixture
async def line() -> Any:
    line = Line(scripted_server.create())
    yield line
    await line.server.aclose()


async def test_every_folder_counts_and_so_do_those_that_come_and_go(line: Line, tmp_path: Path) -> None:
    a, b, c = (tmp_path / name for name in "abc")
    line.initialize(workspaceFolders=[folder(a), folder(b)])
    assert line.server.service.roots == (a, b)
    line.send(changed(added=[folder(c), folder(b)], removed=[folder(a)]))
    assert line.server.service.roots == (b, c)


async def test_without_folders_the_root_is_one(line: Line, tmp_path: Path) -> None:
    line.initialize(rootUri=tmp_path.as_uri(), workspaceFolders=None)
    assert line.server.service.roots == (tmp_path,)


@pytest.mark.parametrize("nonsense", [None, 3, [None], [{"uri": 3}], [{}], [{"uri": "untitled:a"}]])
async def test_nonsense_changes_nothing(line: Line, tmp_path: Path, nonsense: Any) -> None:
    line.initialize(workspaceFolders=[folder(tmp_path)])
    line.send(changed(added=nonsense, removed=nonsense))
    assert tmp_path in line.server.service.roots
