"""What is being written on: by the shape of the text before the cursor."""

from __future__ import annotations

import pytest

from qwen_ls.core.retrieval.target import hints, is_like, target_at


@pytest.mark.parametrize(
    ("before", "chain", "called"),
    [
        pytest.param("server.", ("server",), "", id="an-object"),
        pytest.param("server.sta", ("server",), "", id="a-member-begun"),
        pytest.param("self.console.", ("self", "console"), "", id="an-attribute"),
        pytest.param("open(path).read().", ("open", "read"), "", id="calls-in-a-row"),
        pytest.param("rows[0].", ("rows",), "", id="an-element"),
        pytest.param("user?.", ("user",), "", id="perhaps-nothing"),
        pytest.param("std::", ("std",), "", id="a-path"),
        pytest.param("node->", ("node",), "", id="a-pointer"),
        pytest.param("send(", (), "send", id="a-call"),
        pytest.param("send(a, b", (), "send", id="in-a-call"),
        pytest.param("client.send(a, ", ("client",), "send", id="in-a-method-s-call"),
        pytest.param("send(a, client.", ("client",), "", id="an-object-in-a-call"),
    ],
)
def test_the_target(before: str, chain: tuple[str, ...], called: str) -> None:
    target = target_at(before)
    assert target is not None
    assert (target.chain, target.called) == (chain, called)


@pytest.mark.parametrize("before", ["", "x = ", "if a", "[1, 2, ", "(a, "])
def test_there_is_none(before: str) -> None:
    assert target_at(before) is None


@pytest.mark.parametrize(
    ("before", "first"),
    [
        pytest.param("server = Server(port)\nserver.", ["server", "Server"], id="made-by-its-class"),
        pytest.param("async with connect(host) as link:\n    link.", ["link", "connect"], id="made-by-with"),
        pytest.param("def run(client: Client):\n    client.", ["client", "Client"], id="a-parameter"),
        pytest.param("self.out = Console()\nself.out.", ["out", "Console"], id="an-attribute"),
        pytest.param("class Shop(Base):\n    def f(self):\n        self.", ["Base"], id="oneself"),
        pytest.param("const shop = new Shop();\nshop.", ["shop", "Shop"], id="new"),
        pytest.param("a = make()\nb = a\nb.", ["b", "a", "make"], id="through-another-name"),
        pytest.param("Client(", ["Client"], id="what-is-called"),
    ],
)
def test_what_it_may_be_is_said_by_what_it_was_bound_to(before: str, first: list[str]) -> None:
    target = target_at(before)
    assert target is not None
    assert hints(target, before)[: len(first)] == first


@pytest.mark.parametrize(
    ("hint", "declared", "likeness"),
    [
        ("Server", "Server", 3),
        ("text_buffer", "TextBuffer", 2),
        ("my_server", "LanguageServer", 1),
        ("a", "B", 0),
    ],
)
def test_names_are_compared(hint: str, declared: str, likeness: int) -> None:
    assert is_like(hint, declared) == likeness


@pytest.mark.timeout(20)
@pytest.mark.parametrize("before", ["(" * 50_000, ")" * 50_000 + ".", "a." * 50_000, "x = " * 20_000 + "x."])
def test_hostile_text_costs_little(before: str) -> None:
    if (target := target_at(before)) is not None:
        assert len(hints(target, before)) < 100
