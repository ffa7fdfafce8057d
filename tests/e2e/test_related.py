"""What other code reaches the endpoint, through the whole server: what helps, and nothing that must not."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import environment
from tests.fake_dashscope import FakeDashScope
from tests.lsp.wire import Wire, ask, did_change, did_open, edit, notification

ORDERS = '''class OrderBook:
    """Open orders by customer."""

    def total_price(self, customer):
        return sum(order.price for order in self.orders[customer])
'''
INVOICE = "from orders import OrderBook\n\ndef invoice(order_book: OrderBook, customer):\n    price = \n"


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """A workspace with both files on the disk."""
    work = tmp_path / "shop"
    work.mkdir()
    (work / "orders.py").write_text(ORDERS, "utf-8")
    (work / "invoice.py").write_text(INVOICE, "utf-8")
    return work


class Session:
    """An editor with some documents open."""

    def __init__(self, fake: FakeDashScope, work: Path, **options: Any) -> None:
        self.fake, self.work = fake, work
        fake.answer = "order_book.total_price(customer)"
        self.wire = Wire(sys.executable, "-m", "qwen_ls", "--stdio", env=environment()).__enter__()
        folder = {"uri": work.as_uri(), "name": "shop"}
        settings = {"baseUrl": fake.compat_url, "debounceMs": 0, **options}
        self.wire.initialize(rootUri=work.as_uri(), workspaceFolders=[folder], initializationOptions=settings)

    def open(self, path: Path, text: str | None = None) -> None:
        self.wire.send(did_open(path.as_uri(), path.read_text("utf-8") if text is None else text))

    def prompt(self) -> str:
        """What the endpoint was sent for the end of `price = `."""
        line = INVOICE.count("\n") - 1
        self.wire.send(ask("r", (self.work / "invoice.py").as_uri(), line, len("    price = "), trigger=1))
        assert self.wire.answer()["result"]["items"]
        body = self.fake.requests[-1].body
        return str(body.get("prompt") or body["messages"])


@pytest.fixture
def start(fake: FakeDashScope, work: Path) -> Iterator[Any]:
    sessions: list[Session] = []

    def begin(**options: Any) -> Session:
        sessions.append(Session(fake, work, **options))
        return sessions[-1]

    yield begin
    for session in sessions:
        session.wire.__exit__(None, None, None)


@pytest.mark.parametrize(
    ("options", "shown"),
    [
        pytest.param({}, "# orders.py\n# class OrderBook:\n", id="fim, comments"),
        pytest.param(
            {"models": {"qwen-coder-turbo": {"snippetFormat": "repository"}}},
            "<|repo_name|>shop\n<|file_sep|>orders.py\nclass OrderBook:\n",
            id="fim, the row says repository",
        ),
        pytest.param({"strategy": "partial"}, r"--- orders.py\nclass OrderBook:\n", id="partial"),
    ],
)
def test_an_open_document_is_shown_as_the_model_s_row_says(start: Any, work: Path, options, shown) -> None:
    session = start(**options)
    session.open(work / "orders.py", ORDERS + "\n# not saved yet\n")
    session.open(work / "invoice.py")
    prompt = session.prompt()
    assert shown in prompt
    assert "not saved yet" in prompt


def test_an_imported_file_that_is_not_open_is_shown_by_its_signatures(start: Any, work: Path) -> None:
    session = start()
    session.open(work / "invoice.py")
    prompt = session.prompt()
    assert "#     def total_price(self, customer): ..." in prompt
    assert "return sum" not in prompt


def test_what_is_open_and_imported_is_shown_once(start: Any, work: Path) -> None:
    session = start()
    session.open(work / "orders.py")
    session.open(work / "invoice.py")
    assert session.prompt().count("def total_price") == 1


def test_a_recent_edit_elsewhere_is_shown(start: Any, work: Path) -> None:
    session = start()
    notes = work / "notes.md"
    notes.write_text("alpha\n" * 30, "utf-8")
    session.open(notes)
    session.wire.send(did_change(notes.as_uri(), 2, edit((9, 0), (9, 5), "rebate of ten percent")))
    session.open(work / "invoice.py")
    assert "# rebate of ten percent" in session.prompt()


def test_switched_off_nothing_is_shown(start: Any, work: Path) -> None:
    session = start(context=False)
    session.open(work / "orders.py")
    session.open(work / "invoice.py")
    assert "OrderBook:" not in session.prompt().replace(INVOICE[:80], "")


SECRET = "class OrderBook:\n    price_of_customer_order = 'hunter2'\n"


@pytest.mark.parametrize(
    ("name", "options"),
    [
        pytest.param(".env", {}, id="denied"),
        pytest.param("secret_orders.py", {"exclude": ["secret_*"]}, id="excluded"),
        pytest.param("build/orders.py", {}, id="ignored"),
        pytest.param("node_modules/orders.py", {}, id="generated folder"),
        pytest.param("orders_pb2.py", {}, id="generated name"),
        pytest.param("../outside.py", {}, id="outside"),
    ],
)
def test_what_must_not_be_shown_is_not(start: Any, work: Path, name: str, options) -> None:
    (work / ".gitignore").write_text("build/\n", "utf-8")
    path = (work / name).resolve()
    path.parent.mkdir(exist_ok=True)
    path.write_text(SECRET, "utf-8")
    session = start(**options)
    session.open(path)
    session.wire.send(did_change(path.as_uri(), 2, edit((0, 0), (0, 0), "# orders by price\n")))
    session.open(work / "invoice.py")
    assert "hunter2" not in session.prompt()


def test_a_closed_document_is_not_shown_any_more(start: Any, work: Path) -> None:
    session = start()
    other = work / "other.py"
    other.write_text(SECRET, "utf-8")
    session.open(other)
    session.open(work / "invoice.py")
    assert "hunter2" in session.prompt()
    uri = (work / "invoice.py").as_uri()
    session.wire.send(notification("textDocument/didClose", {"textDocument": {"uri": other.as_uri()}}))
    session.wire.send(did_change(uri, 2, edit((3, 0), (3, 0), "    total = 1\n")))
    session.wire.send(ask("again", uri, 4, len("    price = "), trigger=1))
    session.wire.answer()
    assert "hunter2" not in str(session.fake.requests[-1].body)


def test_special_tokens_in_a_snippet_are_broken_up(start: Any, work: Path) -> None:
    session = start(models={"qwen-coder-turbo": {"snippetFormat": "repository"}})
    session.open(work / "orders.py", ORDERS + "MARK = '<|fim_middle|>'\n")
    session.open(work / "invoice.py")
    prompt = session.prompt()
    assert "MARK = '<\u200b|fim_middle|>'" in prompt
    assert "<|fim_middle|>" not in prompt


def test_the_story_names_the_snippets_and_not_their_text(start: Any, work: Path) -> None:
    session = start()
    session.open(work / "orders.py")
    session.open(work / "invoice.py")
    session.prompt()
    story = session.wire.call("x", "workspace/executeCommand", {"command": "qwen-ls.explain"})
    assert (story["snippets"][0]["path"], story["snippets"][0]["source"]) == ("orders.py", "open")
    assert "OrderBook" not in str(story)
