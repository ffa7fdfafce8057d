"""Related code is gathered within its time, costs nothing that it need not, and troubles nobody."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from qwen_ls.core.retrieval.windows import MAX_LINES
from qwen_ls.core.types import CompletionContext
from qwen_ls.lsp.documents import Change, DocumentStore, Position, Range
from qwen_ls.related import LIMIT_S, Related
from qwen_ls.search import Searcher
from qwen_ls.settings import Settings
from tests.marked import context
from tests.service.scripted import FakeClock, settle, until

ORDERS = "def total_price(order):\n    return sum(item.price for item in order.items)\n"
SETTINGS = Settings()


class Desk:
    """A workspace with some documents open, and a clock that stands still."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = FakeClock()
        self.store = DocumentStore(clock=self.clock)
        self.related = Related(clock=self.clock, sleep=self.clock.sleep)
        self.related.look_at(self.store, (folder,))

    def open(self, name: str, text: str = ORDERS) -> str:
        path = self.folder / name
        path.write_text(text, "utf-8")
        self.store.open(path.as_uri(), language_id="python", version=1, text=text)
        return path.as_uri()

    def at(self, picture: str, name: str = "a.py") -> CompletionContext:
        return context(picture, uri=(self.folder / name).as_uri())

    async def paths(self, picture: str, settings: Settings = SETTINGS) -> list[str]:
        """Whose code a prompt shows."""
        place = self.at(picture)
        return [one.path for one in (await self.related.gather(place, settings)).around(place, 2048).snippets]


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


class Searches:
    """What the searcher was asked; it can be held up, and made to fail."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.queries: list[Any] = []
        self.may_go_on = threading.Event()
        self.may_go_on.set()
        self.error: Exception | None = None
        real = Searcher.search

        def search(searcher: Searcher, query: Any) -> Any:
            self.queries.append(query)
            self.may_go_on.wait(30)
            if self.error:
                raise self.error
            return real(searcher, query)

        monkeypatch.setattr(Searcher, "search", search)


@pytest.fixture
def searches(monkeypatch: pytest.MonkeyPatch) -> Iterator[Searches]:
    searches = Searches(monkeypatch)
    yield searches
    searches.may_go_on.set()


PICTURE = "def order_total(order):\n    price = total_█\n"


async def test_what_is_found_in_time_is_shown(desk: Desk) -> None:
    desk.open("orders.py")
    assert await desk.paths(PICTURE) == ["orders.py"]


async def test_what_comes_late_serves_the_next_request(desk: Desk, searches: Searches) -> None:
    desk.open("orders.py")
    searches.may_go_on.clear()
    first = asyncio.create_task(desk.paths(PICTURE))
    await desk.clock.advance(LIMIT_S - 0.01)
    assert not first.done()
    await desk.clock.advance(0.01)
    assert await first == []
    searches.may_go_on.set()
    async with asyncio.timeout(5):
        while await desk.paths(PICTURE) != ["orders.py"]:
            await asyncio.sleep(0.001)
    assert len(searches.queries) == 1


async def test_the_wait_for_the_next_key_counts(desk: Desk, searches: Searches) -> None:
    desk.open("orders.py")
    searches.may_go_on.clear()
    desk.related.begin(desk.at(PICTURE), SETTINGS)
    await desk.clock.advance(LIMIT_S)
    gathering = asyncio.create_task(desk.paths(PICTURE))
    await settle()
    assert gathering.done()
    searches.may_go_on.set()


async def test_the_event_loop_goes_on_while_a_search_takes_its_time(desk: Desk, searches: Searches) -> None:
    desk.open("orders.py")
    searches.may_go_on.clear()
    gathering = asyncio.create_task(desk.paths(PICTURE))
    await until(lambda: searches.queries)
    assert not gathering.done()
    searches.may_go_on.set()
    assert await gathering == ["orders.py"]


async def test_a_waiter_that_is_cancelled_leaves_the_search_to_the_next(
    desk: Desk, searches: Searches
) -> None:
    desk.open("orders.py")
    searches.may_go_on.clear()
    first = asyncio.create_task(desk.paths(PICTURE))
    await settle()
    first.cancel()
    await asyncio.wait([first])
    searches.may_go_on.set()
    assert await desk.paths(PICTURE) == ["orders.py"]
    assert len(searches.queries) == 1


async def test_a_search_that_fails_is_no_trouble_and_tells_no_text(
    desk: Desk, searches: Searches, caplog: pytest.LogCaptureFixture
) -> None:
    desk.open("orders.py")
    searches.error = RuntimeError("my_secret_code")
    with caplog.at_level(logging.DEBUG):
        assert await desk.paths(PICTURE) == []
    assert "RuntimeError" in caplog.text
    assert "my_secret_code" not in caplog.text
    searches.error = None
    assert await desk.paths(PICTURE.replace("price =", "other =")) == ["orders.py"]


async def test_switched_off_or_without_documents_nothing_is_searched(desk: Desk, searches: Searches) -> None:
    desk.open("orders.py")
    assert await desk.paths(PICTURE, Settings(context=False)) == []
    desk.related = Related()
    assert await desk.paths(PICTURE) == []
    assert not searches.queries


async def test_a_search_serves_all_keys_of_a_word(desk: Desk, searches: Searches) -> None:
    desk.open("orders.py")
    word = "total_price"
    for n in range(len(word)):
        await desk.paths(f"x = 1\ny = {word[:n]}█\n")
    assert len(searches.queries) == 1
    await desk.paths(f"x = 1\ny = {word}(█\n")
    assert len(searches.queries) == 2


async def test_another_document_s_change_is_searched(desk: Desk, searches: Searches) -> None:
    uri = desk.open("orders.py")
    await desk.paths(PICTURE)
    at = Position(0, 0)
    desk.store.change(uri, version=2, changes=[Change(Range(at, at), "# total price of an order\n")])
    place = desk.at(PICTURE)
    shown = (await desk.related.gather(place, SETTINGS)).around(place, 2048).snippets
    assert "total price of an order" in shown[-1].text
    assert len(searches.queries) == 2


async def test_what_is_closed_is_forgotten(desk: Desk) -> None:
    uri = desk.open("orders.py")
    assert await desk.paths(PICTURE)
    desk.store.close(uri)
    desk.related.forget(uri)
    assert await desk.paths(PICTURE) == []


async def test_what_is_excluded_from_now_on_is_not_shown_any_more(desk: Desk) -> None:
    desk.open("orders.py")
    assert await desk.paths(PICTURE)
    desk.related.clear()  # as the service does when the settings change
    assert await desk.paths(PICTURE, Settings(exclude=("orders.py",))) == []


async def test_a_file_without_a_workspace_has_its_own_folder(desk: Desk) -> None:
    (desk.folder / "far").mkdir()
    desk.open("orders.py")
    desk.open("far/orders.py")
    desk.related.look_at(desk.store, ())
    place = context(PICTURE, uri=(desk.folder / "far" / "a.py").as_uri())
    shown = (await desk.related.gather(place, SETTINGS)).around(place, 2048).snippets
    assert [one.path for one in shown] == ["orders.py"]
    assert set(await desk.paths(PICTURE)) == {"orders.py", "far/orders.py"}


async def test_cells_of_a_notebook_are_told_apart(desk: Desk) -> None:
    (desk.folder / "n.ipynb").write_text("{}", "utf-8")
    cell = "vscode-notebook-cell:" + (desk.folder / "n.ipynb").as_uri().removeprefix("file://")
    for name, text in (("W1", ORDERS), ("W2", "price = total_price(order)\n" * 3), ("W3", "")):
        desk.store.open(f"{cell}#{name}", language_id="python", version=1, text=text)
    place = context(PICTURE, uri=f"{cell}#W3")
    shown = (await desk.related.gather(place, SETTINGS)).around(place, 2048).snippets
    assert {one.path for one in shown} == {"n.ipynb#W1", "n.ipynb#W2"}


async def test_documents_of_another_language_are_not_shown(desk: Desk) -> None:
    path = desk.folder / "orders.rb"
    path.write_text(ORDERS, "utf-8")
    desk.store.open(path.as_uri(), language_id="ruby", version=1, text=ORDERS)
    assert await desk.paths(PICTURE) == []


async def test_what_the_window_shows_is_not_shown_again(desk: Desk) -> None:
    lines = "".join(f"total_{n} = order_price({n})\n" for n in range(20))
    desk.open("orders.py", lines + "order = price\n" * 5)
    assert await desk.paths(lines + PICTURE) == []


# --- what a key costs ---------------------------------------------------------------------------------------


class Watched(list[str]):
    """Lines that count how many of them are read."""

    def __init__(self, lines: list[str]) -> None:
        super().__init__(lines)
        self.n_read = 0

    def __getitem__(self, item: Any) -> Any:
        found = super().__getitem__(item)
        self.n_read += len(found) if isinstance(item, slice) else 1
        return found

    def __iter__(self) -> Iterator[str]:
        self.n_read += len(self)
        return super().__iter__()


def watched(desk: Desk, name: str, lines: list[str]) -> Watched:
    document = desk.store.get(desk.open(name, "".join(lines)))
    assert document
    document.lines = Watched(lines)
    return document.lines


async def test_an_unchanged_document_is_read_once(desk: Desk) -> None:
    lines = watched(desk, "orders.py", ORDERS.splitlines(keepends=True) * 500)
    await desk.paths("x = 1\ny = █\n")
    first = lines.n_read
    for word in ("price", "order", "items"):
        await desk.paths(f"x = 1\ny = {word}(█\n")
    assert lines.n_read == first


@pytest.mark.parametrize("name", ["a.py", "other.py"], ids=["one's own", "another"])
async def test_of_a_very_long_document_a_key_reads_a_part(desk: Desk, name: str) -> None:
    desk.open("orders.py")
    lines = watched(desk, name, ["x = 1\n"] * (10 * MAX_LINES))
    document = desk.store.get((desk.folder / name).as_uri())
    assert document
    for n in range(20):
        at = Position(n * 100, 0)
        desk.store.change(document.uri, version=n, changes=[Change(Range(at, at), "y")])
        lines.n_read = 0
        await desk.paths(f"x = {n}\nprice(█\n")
        assert lines.n_read < MAX_LINES / 2
