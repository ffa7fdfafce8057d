"""Who may import what: the invariants of ARCHITECTURE.md that a machine can check."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import qwen_ls

PACKAGE = Path(qwen_ls.__file__).parent

SHELL = {
    "asyncio",
    "socket",
    "subprocess",
    "threading",
    "time",
    "os",
    "pathlib",
    "logging",
    "random",
    "urllib.request",
}
LSP = {"pygls", "lsprotocol"}
FORBIDDEN = {
    "core": SHELL | LSP | {"httpx", "qwen_ls.backend", "qwen_ls.lsp", "qwen_ls.local", "qwen_ls.service"},
    "backend": LSP | {"qwen_ls.lsp", "qwen_ls.service", "qwen_ls.commands"},
    "backend/wire": SHELL | LSP | {"httpx"},
    "lsp": {"httpx", "qwen_ls.local", "qwen_ls.commands"},
    "local": LSP | {"httpx", "qwen_ls.lsp", "qwen_ls.service", "qwen_ls.commands"},
    "service.py": LSP | {"httpx", "qwen_ls.backend.http", "qwen_ls.lsp", "qwen_ls.local", "qwen_ls.commands"},
    "call.py": LSP | {"httpx", "qwen_ls.backend.http", "qwen_ls.lsp", "qwen_ls.local", "time"},
    "endpoint.py": LSP | {"httpx", "qwen_ls.backend.http", "qwen_ls.lsp", "qwen_ls.local", "time"},
    "books.py": LSP | {"httpx", "qwen_ls.backend.http", "qwen_ls.lsp", "qwen_ls.local", "sqlite3"},
    "ledger.py": LSP | {"httpx", "asyncio", "qwen_ls.backend", "qwen_ls.lsp", "qwen_ls.service"},
    "entries.py": SHELL | LSP | {"httpx", "qwen_ls.backend"},
    "usage.py": SHELL | LSP | {"httpx"},
    "alarm.py": LSP | {"httpx", "time"},
    "files.py": LSP | {"httpx", "asyncio", "socket", "qwen_ls.backend", "qwen_ls.lsp", "qwen_ls.service"},
    "ignored.py": LSP | {"httpx", "asyncio", "socket", "qwen_ls.backend", "qwen_ls.lsp", "qwen_ls.core"},
    "search.py": LSP | {"httpx", "asyncio", "socket", "qwen_ls.backend", "qwen_ls.lsp", "qwen_ls.service"},
    "related.py": LSP | {"httpx", "os", "pathlib", "qwen_ls.backend", "qwen_ls.lsp", "qwen_ls.service"},
    "caller.py": LSP | {"httpx", "time"},
    "screen.py": SHELL | LSP | {"httpx", "qwen_ls.backend"},
    "flight.py": LSP | {"httpx", "time", "qwen_ls.backend"},
    "flights.py": LSP | {"httpx", "time", "qwen_ls.backend"},
    "sums.py": LSP | {"httpx", "asyncio", "qwen_ls.backend", "qwen_ls.lsp", "qwen_ls.service"},
    "images.py": LSP | {"httpx", "asyncio", "socket", "qwen_ls.backend", "qwen_ls.lsp", "qwen_ls.service"},
    "model_rows.py": SHELL | LSP | {"httpx", "qwen_ls.core", "qwen_ls.backend"},
    "explanation.py": SHELL | LSP | {"httpx", "qwen_ls.backend"},
    "report.py": SHELL | LSP | {"httpx"},
    "settings.py": SHELL | LSP | {"httpx", "qwen_ls.core", "qwen_ls.backend"},
    "sources.py": LSP | {"httpx", "asyncio", "socket"},
}
MODULES = sorted(path.relative_to(PACKAGE) for path in PACKAGE.rglob("*.py"))


def imports(path: Path) -> set[str]:
    """The modules that a file imports when it runs; imports for type checkers only do not count."""
    tree = ast.parse((PACKAGE / path).read_text("utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) in {"TYPE_CHECKING", "typing.TYPE_CHECKING"}:
            node.body = []
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    # os.path's functions on strings touch no file.
    return {name for name in names if not name.startswith("os.path")}


@pytest.mark.parametrize("path", MODULES, ids=str)
def test_layers(path: Path) -> None:
    found = imports(path)
    for layer, forbidden in FORBIDDEN.items():
        if path.as_posix() == layer or path.as_posix().startswith(layer + "/"):
            wrong = {name for name in found for bad in forbidden if name == bad or name.startswith(bad + ".")}
            assert not wrong, f"{path} may not import {wrong}"


@pytest.mark.parametrize(
    ("library", "rooms"),
    [
        ("httpx", {"backend"}),
        ("pygls", {"lsp"}),
        ("lsprotocol", {"lsp"}),
        ("prompt_toolkit", {"commands"}),
        ("sqlite3", {"ledger.py"}),
        ("pathspec", {"ignored.py"}),
    ],
)
def test_a_library_lives_in_one_room(library: str, rooms: set[str]) -> None:
    users = {
        path.parts[0]
        for path in MODULES
        if any(name == library or name.startswith(library + ".") for name in imports(path))
    }
    assert users <= rooms


def test_modules_stay_small() -> None:
    """A module beyond 400 lines holds two things."""
    long = {
        str(path): lines
        for path in MODULES
        if (lines := (PACKAGE / path).read_text("utf-8").count("\n")) > 400
    }
    assert not long
