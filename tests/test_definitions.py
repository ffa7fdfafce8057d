"""What the object at the cursor is, is found in the files that the document imports."""

from __future__ import annotations

from pathlib import Path

import pytest

from qwen_ls.core.retrieval.imports import imports_of
from qwen_ls.definitions import Definitions
from qwen_ls.files import WorkspaceFiles
from tests.marked import context

FILES = {
    "shop/__init__.py": "from shop.store import Store, open_store\n",
    "shop/base.py": "class Base:\n    def close(self, when): ...\n",
    "shop/store.py": (
        "from shop.base import Base\n\n"
        "class Store(Base):\n    def sell(self, item): ...\n\n"
        "def open_store(name) -> Store: ...\n"
    ),
    "shop/secret.py": "class Secret:\n    def reveal(self): ...\n",
    ".gitignore": "secret.py\n",
}


@pytest.fixture
def definitions(tmp_path: Path) -> Definitions:
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, "utf-8")
    top = tmp_path.resolve()
    return Definitions(WorkspaceFiles((top,)), top, "python")


def found(definitions: Definitions, picture: str) -> list[tuple[str, str]]:
    """The path of each extract, and what it says."""
    place = context(picture, uri=(definitions.top / "main.py").as_uri())
    imports = imports_of(place.document.text, "python", "main.py")
    snippets = definitions.snippets(place, imports, place.prefix)
    assert all(snippet.source == "type" for snippet in snippets)
    return [(snippet.path, snippet.text) for snippet in snippets]


@pytest.mark.parametrize(
    "picture",
    [
        pytest.param("from shop.store import Store\nstore = Store()\nstore.█", id="made-by-its-class"),
        pytest.param("from shop import Store\ndef f(store: Store):\n    store.█", id="through-the-package"),
        pytest.param("from shop.store import open_store\ns = open_store('a')\ns.█", id="by-what-makes-it"),
        pytest.param("import shop.store\ndef f(the_store):\n    the_store.█", id="by-its-name-alone"),
    ],
)
def test_a_class_is_found_with_what_it_inherits(definitions: Definitions, picture: str) -> None:
    path, text = found(definitions, picture)[0]
    assert path == "shop/store.py"
    assert text.startswith("class Store(Base):\n")
    assert "def sell(item)" in text
    assert "def close(when)" in text


def test_a_function_that_is_called_is_found(definitions: Definitions) -> None:
    said = found(definitions, "from shop.store import open_store\nopen_store(█")
    assert ("shop/store.py", "def open_store(name) -> Store:\n") in said


@pytest.mark.parametrize(
    "picture",
    [
        pytest.param("from shop.secret import Secret\nsecret = Secret()\nsecret.█", id="ignored"),
        pytest.param("import os\nos.path.█", id="not-of-the-workspace"),
        pytest.param("x = █", id="nothing-is-written-on"),
    ],
)
def test_what_may_not_be_shown_or_is_not_there_is_not(definitions: Definitions, picture: str) -> None:
    assert not found(definitions, picture)


def test_modules_that_import_each_other_end(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("from b import Thing\nclass A(Thing): ...\n", "utf-8")
    (tmp_path / "b.py").write_text("from a import Thing, A\nclass B(A): ...\nclass C(C): ...\n", "utf-8")
    top = tmp_path.resolve()
    definitions = Definitions(WorkspaceFiles((top,)), top, "python")
    for name in ("Thing", "A", "B", "C"):
        found(definitions, f"from a import {name}\nfrom b import {name}\nx = {name}()\nx.█")


def test_what_was_shown_is_shown_until_it_changes(definitions: Definitions) -> None:
    picture = "from shop.store import Store\nstore = Store()\nstore.█"
    place = context(picture, uri=(definitions.top / "main.py").as_uri())
    imports = imports_of(place.document.text, "python", "main.py")
    [shown, *_] = definitions.snippets(place, imports, "sell")
    assert definitions.still_says(shown)
    (definitions.top / "shop/store.py").write_text("class Store:\n    def buy(self): ...\n", "utf-8")
    fresh = Definitions(definitions.files, definitions.top, "python")
    fresh.snippets(place, imports, "sell")
    assert not fresh.still_says(shown)
