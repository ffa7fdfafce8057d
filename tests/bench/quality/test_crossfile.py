"""The cross-file set: what its holes are, and that nothing but the other file tells what stood in them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.bench.quality import crossfile
from tests.bench.quality.arms import Through
from tests.bench.quality.crossfile import Module, Tree, holes, lay_out, load
from tests.bench.quality.problems import Problem
from tests.fake_dashscope import FakeDashScope

STORE = Module(
    "shop/store.py",
    "class Store:\n"
    "    capacity: int = 9\n\n"
    "    def __init__(self):\n"
    "        self.shelves = []\n\n"
    "    def restock(self, thing, count=1):\n"
    "        self.shelves.append(thing)\n",
)


def tree(*lines: str) -> Tree:
    """A package of two files, of which the other one has these lines below its import."""
    text = "from shop.store import Store\nimport asyncio\n\n" + "".join(f"{line}\n" for line in lines)
    return Tree({"shop/store.py": STORE, "shop/till.py": Module("shop/till.py", text)})


@pytest.mark.parametrize(
    ("line", "picture"),
    [
        pytest.param("store.restock(1, 2)", "store.█restock(1, 2)", id="a-method"),
        pytest.param("print(store.capacity)", "print(store.█capacity)", id="a-field"),
        pytest.param("n = len(store.shelves)", "n = len(store.█shelves)", id="what-is-assigned-to-self"),
        pytest.param("store.reorder(1, 2)", None, id="no-member-of-the-other-file"),
        pytest.param("asyncio.restock(1)", None, id="of-a-module-from-elsewhere"),
        pytest.param('store.restock("a cup")', None, id="a-string"),
        pytest.param("# store.restock(1)", None, id="a-comment"),
        pytest.param('"""store.restock(1)"""', None, id="a-docstring"),
        pytest.param('print(f"{store.restock(1)}")', None, id="inside-of-a-formatted-string"),
        pytest.param("store.restock(1); store.restock(2)", None, id="said-by-this-file-already"),
    ],
)
def test_a_hole_begins_before_a_member_that_only_the_other_file_has(line: str, picture: str | None) -> None:
    made = tree(line)
    found = list(holes(made.modules["shop/till.py"], made))
    assert [one.before.splitlines()[-1] + "█" + one.wanted for one in found] == ([picture] if picture else [])


def test_the_files_that_it_imports_first_are_open_beside_it() -> None:
    made = tree("store.restock(1)")
    [one] = load(made)
    assert (one.path, one.beside) == ("shop/till.py", ("shop/store.py",))


@pytest.fixture(scope="module")
def everything() -> tuple[Tree, list[Problem]]:
    """The set as this environment has it."""
    found = crossfile.installed()
    return found, load(found)


def test_the_set_is_the_same_each_time(everything: tuple[Tree, list[Problem]]) -> None:
    first, found = everything
    again = crossfile.installed()
    assert again.title == first.title
    assert load(again) == found
    assert len(found) == crossfile.N_HOLES == len({one.id for one in found})


def test_what_was_cut_out_stands_nowhere_else(everything: tuple[Tree, list[Problem]]) -> None:
    made, found = everything
    for one in found:
        assert one.before + one.wanted + one.after == made.modules[one.path].text
        name = re.match(r"\w+", one.wanted)
        assert name
        assert not re.search(rf"\b{name[0]}\b", one.before + one.after), one.id
        assert one.path not in one.beside
        assert len(one.beside) <= crossfile.MOST_OPEN


@pytest.mark.parametrize(("options", "is_shown"), [({}, True), ({"context": False}, False)])
def test_the_other_file_is_shown_and_never_the_file_itself(
    options: dict[str, bool], is_shown: bool, fake: FakeDashScope, tmp_path: Path
) -> None:
    """The file lies on the disk with the line in it; the prompt must not have it from there."""
    made = tree("def fill(store):", "    store.restock(1, 2)")
    lay_out(made, tmp_path / "workspace")
    [one] = load(made)
    fake.answer = "restock(1, 2)"
    settings = {"baseUrl": fake.compat_url, "debounceMs": 0, "lookAhead": False} | options
    arm = Through("qwen-ls", settings, root=tmp_path / "workspace")
    try:
        answer = arm.answer(one, one_line=True)
    finally:
        arm.close()
    assert answer.document == one.before + one.wanted + one.after
    prompt = fake.requests[-1].body["prompt"]
    assert one.wanted not in prompt
    assert ("class Store" in prompt, answer.snippets > 0) == (is_shown, is_shown)
