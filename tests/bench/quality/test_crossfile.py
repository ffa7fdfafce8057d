"""The cross-file set: what its holes are, and that nothing but the other file tells what stood in them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from qwen_ls.core.budget import room_for_snippets
from qwen_ls.core.retrieval.arrangement import Arrangement
from qwen_ls.search import Copy, Query, Searcher, last_lines
from tests.bench.quality import crossfile
from tests.bench.quality.arms import Through
from tests.bench.quality.crossfile import Module, Tree, holes, lay_out, load
from tests.bench.quality.problems import Problem, spread
from tests.fake_dashscope import FakeDashScope
from tests.marked import context

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


class Opened:
    """The document with the hole."""

    language_id, revision, edits = "python", 1, ()

    def __init__(self, uri: str, text: str) -> None:
        self.uri, self.lines = uri, text.splitlines(keepends=True)


def shown(hole: Problem, root: Path, searcher: Searcher, tokens: int) -> str:
    """What a prompt of so many tokens shows of other files."""
    uri = (root / hole.path).as_uri()
    place = context(f"{hole.before}█{hole.after}", uri=uri)
    own = Copy.of(Opened(uri, hole.before + hole.after), is_own=True)
    found = searcher.search(Query(place, last_lines(place), own, (), ()))
    room = room_for_snippets(place.prefix, place.suffix, tokens, 0.25)
    return "".join(snippet.text for snippet in Arrangement().admit(found, room))


def test_the_prompt_shows_the_wanted_name_in_most_holes(
    everything: tuple[Tree, list[Problem]], tmp_path: Path
) -> None:
    """With no other document open: the class at the cursor is found through the imports."""
    made, found = everything
    root = (tmp_path / "workspace").resolve()
    lay_out(made, root)
    searcher, sample = Searcher((root,), ()), spread([one for one in found if "█" not in one.before], 30)
    names = {one.id: re.match(r"\w+", one.wanted)[0] for one in sample}  # type: ignore[index]
    seen = [one for one in sample if re.search(rf"\b{names[one.id]}\b", shown(one, root, searcher, 1024))]
    assert len(seen) >= 18


@pytest.mark.real_model
@pytest.mark.timeout(900)
def test_the_real_model_uses_another_file(real_weights: Path, tmp_path: Path) -> None:
    """A name that no model can guess, which only the other file says."""
    from qwen_ls.local.lease import acquire

    store = STORE.text.replace("restock", "zorblify")
    till = "from shop.store import Store\n\n\ndef fill(store: Store):\n    store.zorblify(1)\n"
    made = Tree(
        {"shop/store.py": Module("shop/store.py", store), "shop/till.py": Module("shop/till.py", till)}
    )
    lay_out(made, tmp_path / "workspace")
    [hole] = load(made)
    texts = {}
    with acquire(real_weights) as lease:
        for variant in ("spm", "spm/alone"):
            arm = Through.with_local_model(lease.endpoint, variant, root=tmp_path / "workspace")
            try:
                texts[variant] = arm.answer(hole, one_line=True).text
            finally:
                arm.close()
    assert "zorblify" in texts["spm"]
    assert "zorblify" not in texts["spm/alone"]
