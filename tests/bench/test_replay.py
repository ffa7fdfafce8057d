"""The replay, with its counts, in virtual time: what is asserted is counted, never timed."""

from __future__ import annotations

import functools
from typing import Any

import pytest

from qwen_ls.commands.bench import passage, virtual_time
from qwen_ls.commands.bench.editor import Editor
from qwen_ls.commands.bench.figures import FIGURES, Tally, table
from qwen_ls.commands.bench.passage import Passage
from qwen_ls.commands.bench.replay import Replay
from qwen_ls.commands.bench.typist import Habits, Key, Typist
from qwen_ls.core.types import Completion, Document, Reason, Skip, TriggerKind
from tests.bench.replay import CLIENTS, NAMES, Setup, added_up, compare, figures, passages

N_CHARACTERS = 700


@functools.cache
def typed_with(client: str) -> dict[str, dict[str, Tally]]:
    """All passages, typed with both servers."""
    setup = Setup(client=CLIENTS[client])
    return {language: compare(texts, setup) for language, texts in passages(N_CHARACTERS).items()}


@pytest.fixture(scope="module", params=CLIENTS)
def tallies(request: Any) -> dict[str, dict[str, Tally]]:
    """By language and server."""
    return typed_with(request.param)


@pytest.fixture(scope="module")
def vscode() -> dict[str, dict[str, Any]]:
    """All languages together, as figures by server."""
    return figures(added_up(typed_with("vscode").values()))


def test_no_item_is_ever_stale_or_misplaced(tallies: dict[str, dict[str, Tally]]) -> None:
    assert {language: tally["qwen-ls"].stale for language, tally in tallies.items()} == dict.fromkeys(
        tallies, 0
    )


def test_what_is_shown_and_agrees_is_never_replaced(tallies: dict[str, dict[str, Tally]]) -> None:
    assert {language: tally["qwen-ls"].flicker for language, tally in tallies.items()} == dict.fromkeys(
        tallies, 0
    )


def test_every_text_is_written_to_its_end(tallies: dict[str, dict[str, Tally]]) -> None:
    for language, texts in passages(N_CHARACTERS).items():
        size = sum(len(text.text) for text in texts)
        for name in NAMES:
            tally = tallies[language][name]
            assert tally.characters == size
            assert 0 < tally.keys < tally.keys_alone
            assert tally.traffic.open == 0
            assert tally.traffic.failed == 0


def test_the_counts_beside_a_naive_server(vscode: dict[str, dict[str, Any]]) -> None:
    ours, naive = vscode["qwen-ls"], vscode["naive"]
    assert ours["ghost_share"] > 1.2 * naive["ghost_share"]
    assert ours["saved_share"] > 1.2 * naive["saved_share"]
    assert ours["calls"] < 1.15 * naive["calls"]
    assert ours["unreusable_tokens"] < 1.15 * naive["unreusable_tokens"]
    assert ours["output_tokens"] < 1.15 * naive["output_tokens"]


def test_right_text_is_there_three_times_as_often(vscode: dict[str, dict[str, Any]]) -> None:
    assert vscode["qwen-ls"]["ghost_share"] >= 3 * vscode["naive"]["ghost_share"]


def test_a_third_of_the_calls(vscode: dict[str, dict[str, Any]]) -> None:
    assert vscode["qwen-ls"]["calls"] <= vscode["naive"]["calls"] / 3


def test_half_of_the_tokens_that_no_cache_could_reuse(vscode: dict[str, dict[str, Any]]) -> None:
    assert vscode["qwen-ls"]["unreusable_tokens"] <= vscode["naive"]["unreusable_tokens"] / 2


def test_a_replay_is_the_same_each_time() -> None:
    texts = [passage.of_module("textwrap", n_characters=300)]
    one, two = ({name: counted(tally) for name, tally in compare(texts).items()} for _ in range(2))
    assert one == two
    assert one != {name: counted(tally) for name, tally in compare(texts, Setup(seed=1)).items()}


def counted(tally: Tally) -> dict[str, Any]:
    """The figures of one server but for those of the machine."""
    machine = {"own_p50_ms", "own_p99_ms", "cpu_ms_per_key", "grown_mib"}
    return {key: value for key, value in figures({"": tally})[""].items() if key not in machine}


def test_the_table_has_every_figure_and_the_ratios(vscode: dict[str, dict[str, Any]]) -> None:
    text = table(vscode, base="naive")
    assert all(figure.name in text for figure in FIGURES)
    assert text.splitlines()[0].split("  ")[-1].strip() == "qwen-ls ÷ naive"


# --- the editor's side, with servers that are scripted ------------------------------------------------------

TYPED = Passage("a.py", "python", "def f():\n", "    return alpha + beta", "\n\nf()\n")


class Scripted:
    """Answers with what a function makes of the text left of the cursor."""

    def __init__(self, answer: Any) -> None:
        self.answer, self.accepted_ids = answer, []

    async def complete(
        self, document: Document, offset: int, trigger: TriggerKind, *, waited_s: float = 0.0
    ) -> Completion | Skip:
        found = self.answer(document.text[:offset])
        if isinstance(found, str):
            return Completion("id", found, offset, offset, "network") if found else Skip(Reason.EMPTY)
        return found or Skip(Reason.SUPERSEDED)

    def accepted(self, completion_id: str) -> None:
        self.accepted_ids.append(completion_id)

    def explain(self) -> dict[str, Any]:
        return {}


def played(answer: Any, seed: int = 0) -> Tally:
    tally = Tally()

    async def play() -> None:
        await Replay(Scripted(answer), TYPED, tally, seed=seed).run()

    virtual_time.run(play())
    return tally


def rest(before: str) -> str:
    """What is still to be typed."""
    whole = TYPED.before + TYPED.text
    return whole[len(before) :] if whole.startswith(before) else ""


def test_a_server_that_always_knows() -> None:
    tally = played(rest)
    assert tally.keys_with_ghost == tally.keys - 1  # nothing was shown before the first key
    assert (tally.flicker, tally.stale, tally.keys_with_wrong_ghost) == (0, 0, 0)
    assert set(tally.delays_s) == {0.0}


def test_a_server_that_never_knows() -> None:
    tally = played(lambda before: None)
    assert tally.keys == tally.keys_alone
    assert (tally.keys_with_ghost, tally.accepted, tally.delays_s) == (0, 0, [])


def test_shown_text_that_changes_while_it_agrees_is_flicker() -> None:
    whims = iter(range(1000))
    tally = played(lambda before: rest(before)[:5] + str(next(whims)) if rest(before) else None)
    assert tally.flicker > 5
    assert tally.keys_with_ghost == 0 < tally.keys_with_wrong_ghost


def test_shown_text_that_vanishes_is_flicker_too() -> None:
    whims = iter(range(1000))
    tally = played(lambda before: rest(before) if next(whims) % 2 else "")
    assert tally.flicker > 1


@pytest.mark.parametrize(
    ("start", "end", "text"),
    [(-1, 0, "x"), (0, 1, "x"), (0, 0, ""), (-2, 0, "x")],
    ids=["loses what is typed", "covers a line end", "changes nothing", "begins otherwise"],
)
def test_an_item_that_does_not_fit_is_stale(start: int, end: int, text: str) -> None:
    tally = played(lambda before: Completion("id", text, len(before) + start, len(before) + end, "cache"))
    assert tally.stale >= tally.keys - 1


def test_a_server_that_fails_ends_the_replay() -> None:
    def fail(before: str) -> str:
        raise LookupError

    with pytest.raises(LookupError):
        played(fail)


# --- an editor that closes brackets -------------------------------------------------------------------------

CALL = Passage("a.py", "python", "", 'x = f(g(1), ")")\ny = [\n    2,\n]', "\n")


def test_brackets_are_closed_and_typed_over() -> None:
    editor, typist, seen = Editor(CALL, closes_brackets=True), Typist(CALL, habits=Habits(slips=0)), []
    while key := typist.next_key(editor.written):
        editor.press(key)
        seen.append(editor.text[: editor.cursor] + "█" + editor.text[editor.cursor :].removesuffix("\n"))
    first_line = [state for state in seen if "\n" not in state]
    assert first_line[5:13] == [
        "x = f(█)", "x = f(g█)", "x = f(g(█))", "x = f(g(1█))", "x = f(g(1)█)", "x = f(g(1),█)",
        "x = f(g(1), █)", 'x = f(g(1), "█)',
    ]  # fmt: skip
    assert any(state.endswith("\ny = [█") for state in seen)  # it is closed on another line
    assert editor.text == CALL.whole


@pytest.mark.parametrize(
    ("text", "covers", "right", "misplaced"),
    [
        ('g(1), ")"', 0, True, False),
        ('g(1), ")")', 1, True, False),
        ('g(1), ")")', 0, False, True),
        ('g(1), ")"', 1, False, True),
        ("h(1)", 0, False, False),
    ],
    ids=["inside", "covers the closer", "doubles it", "loses it", "other code"],
)
def test_a_suggestion_beside_a_closer(text: str, covers: int, right: bool, misplaced: bool) -> None:
    editor = Editor(CALL, closes_brackets=True)
    editor.press(Key("x = f("))
    document, at = editor.document(), editor.cursor
    assert editor.show(Completion("id", text, at, at + covers, "network"), document)
    assert (bool(editor.right_suggestion()), editor.is_misplaced()) == (right, misplaced)
    if right:
        editor.take(len(text))
        assert editor.text in {'x = f(g(1), ")"' + ")\n", 'x = f(g(1), ")")' + "\n"}
