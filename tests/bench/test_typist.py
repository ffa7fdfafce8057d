"""The typist and the passages: whatever is typed, the file is whole at the end."""

from __future__ import annotations

import itertools
import statistics

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qwen_ls.commands import CommandError
from qwen_ls.commands.bench import passage
from qwen_ls.commands.bench.passage import Passage, cut
from qwen_ls.commands.bench.typist import Habits, Typist, keys_alone
from tests.bench.replay import FILES, passages

PASSAGES = {text.name: text for seed in (0, 1) for texts in passages(900, seed).values() for text in texts}


def typed(text: Passage, seed: int = 0, habits: Habits | None = None) -> list[str]:
    """What is written after each key."""
    typist, written, states = Typist(text, seed=seed, habits=habits), "", []
    while (key := typist.next_key(written)) is not None:
        assert key.n_deleted <= len(written)
        written = written[: len(written) - key.n_deleted] + key.text
        states.append(written)
        assert len(states) < 20 * len(text.text) + 100
    return states


@pytest.mark.parametrize("name", PASSAGES)
@pytest.mark.parametrize("seed", range(3))
def test_typing_ends_with_exactly_the_text(name: str, seed: int) -> None:
    text = PASSAGES[name]
    assert typed(text, seed, Habits(slips=0.1))[-1] == text.text


@settings(max_examples=200, deadline=None)
@given(st.text(st.sampled_from("ab (:{\n\t 你好"), min_size=1), st.integers(0, 5))
def test_any_text_can_be_typed(text: str, seed: int) -> None:
    states = typed(Passage("a.py", "python", "if x:\n", text, "\n"), seed, Habits(slips=0.3))
    assert states[-1].startswith(text)


def test_the_same_seed_types_the_same_keys() -> None:
    text = PASSAGES["textwrap.py"]
    assert typed(text, 1) == typed(text, 1) != typed(text, 2)


def test_slips_are_put_right_one_key_at_a_time() -> None:
    text = PASSAGES["textwrap.py"]
    states = typed(text, habits=Habits(slips=0.2))
    wrong = [state for state in states if state.strip() and not text.text.startswith(state.rstrip(" "))]
    assert wrong
    assert (
        len(states) == keys_alone(text, habits=Habits(slips=0.2)) > keys_alone(text, habits=Habits(slips=0))
    )


def test_enter_brings_the_indentation() -> None:
    text = Passage("a.py", "python", "", "if x:\n    y\n\nz", "\n")
    assert typed(text, habits=Habits(slips=0)) == [
        "i", "if", "if ", "if x", "if x:", "if x:\n    ", "if x:\n    y", "if x:\n    y\n    ",
        "if x:\n    y\n\n    ", "if x:\n    y\n\n", "if x:\n    y\n\nz",
    ]  # fmt: skip


def test_an_input_method_brings_words() -> None:
    text = Passage("a.py", "python", "", "# 把一本书借给一位读者", "\n")
    assert keys_alone(text) < len(text.text)


def test_keys_come_in_bursts_and_pauses() -> None:
    text = PASSAGES["textwrap.py"]
    typist = Typist(text)
    gaps = [typist.gap_s(text.text[:size]) for size in range(1, len(text.text))]
    in_bursts = sum(0.09 <= gap <= 0.18 for gap in gaps)
    assert in_bursts > 0.5 * len(gaps)
    after_lines = [gap for before, gap in zip(text.text[:-2], gaps, strict=False) if before == "\n"]
    assert statistics.median(after_lines) > 2 * statistics.median(gaps)


def test_only_a_part_of_what_is_shown_may_be_accepted() -> None:
    text = Passage("a.py", "python", "", "x" * 400, "")
    shown = "alpha(beta,\n    gamma)"
    sizes = {Typist(text).takes("x" * place, shown) for place in range(400)}
    assert sizes == {0, len("alpha"), len("alpha(beta,"), len(shown)}
    assert {Typist(text).takes("x" * place, ")") for place in range(400)} == {0}


@pytest.mark.parametrize("file", sorted(FILES.iterdir()), ids=lambda file: file.name)
@pytest.mark.parametrize("n_characters", [1, 300, 100_000])
def test_a_passage_is_cut_out_of_its_file(file, n_characters: int) -> None:
    text = file.read_text("utf-8")
    for seed in range(5):
        found = passage.of_file(str(file), n_characters=n_characters, seed=seed)
        assert found.whole == text
        assert found.text.strip()
        assert not found.before or found.before.endswith("\n")
        assert found.after.startswith("\n") or not found.after


def test_code_stands_above_and_below() -> None:
    for text in PASSAGES.values():
        assert len(text.before.splitlines()) > 10 < len(text.after.splitlines()), text.name


def test_indentation_is_the_files_own() -> None:
    assert {name: PASSAGES[name].indent for name in ("go.go", "javascript.js", "rust.rs", "chinese.py")} == {
        "go.go": "\t", "javascript.js": "  ", "rust.rs": "    ", "chinese.py": "    ",
    }  # fmt: skip


def test_line_ends_become_line_feeds() -> None:
    assert "\r" not in cut("a", "python", "def f():\r\n    return 1\r\n" * 9, n_characters=40).whole


def test_a_file_without_code_cannot_be_typed(tmp_path) -> None:
    file = tmp_path / "empty.py"
    file.write_text("\n\n", "utf-8")
    with pytest.raises(CommandError, match="nothing to type"):
        passage.of_file(str(file), n_characters=100)


def test_draws_depend_on_the_place_alone() -> None:
    text = PASSAGES["shlex.py"]
    places = [text.text[:size] for size in range(1, 200)]
    one, other = Typist(text, seed=3), Typist(text, seed=3)
    there = [one.gap_s(written) for written in places]
    back = [other.gap_s(written) for written in reversed(places)]
    assert there == back[::-1]
    assert len(set(itertools.chain(there))) > 150
