"""What holds for every step, whatever the text: no error, no change where none is due, each change told."""

from __future__ import annotations

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from qwen_ls.core import postprocess
from qwen_ls.core.postprocess import AFTER_CACHE, BEFORE_CACHE, Change
from qwen_ls.core.postprocess.enclosure import close_once
from qwen_ls.core.postprocess.hole import Hole, Step
from qwen_ls.core.postprocess.limit import is_complete, stop_at_max_lines, stop_at_scope
from qwen_ls.core.postprocess.repetition import is_loop, stop_repetition
from qwen_ls.core.postprocess.special import cut_special_tokens
from qwen_ls.core.postprocess.suffix import balance, covered, trim_overlap
from qwen_ls.core.postprocess.whitespace import drop_typed_blank, trim_end, use_document_eol
from qwen_ls.core.postprocess.worth import drop_dismissed, drop_trifle
from qwen_ls.core.trigger import Ask
from qwen_ls.core.types import Skip, Strategy, TriggerKind
from tests.marked import context

LINE, BLOCK = Ask(False, 1, 64), Ask(True, 24, 256)
GROWING = Ask(False, 1, 256, block_lines=24)
PARAGRAPH = Ask(True, 24, 256, until_blank=True)
STEPS = [*BEFORE_CACHE, *AFTER_CACHE]

WORDS = [
    "x", "value", " = ", "f(", ")", "[", "]", "{", "}", "'", '"', "`", '"""', "/*", "*/", "//", "#", "<!--",
    "-->", "\n", "\n    ", "\n\t", "\r\n", "  ", "if x:", "else:", "} else {", "end", "fi", "```",
    "<|fim_pad|>", "<|im_end|>", "<|cursor|>", "<think>", "Sure! Here is the code:\n", ";", ",", "return 1",
    "汉", "😀", "\\", "@a\n", "- b", "<p>", "</p>", "<<EOF\n", "EOF\n", "def f():", "case 1:", "foo, " * 12,
]  # fmt: skip
TEXT = st.lists(st.sampled_from(WORDS), max_size=14).map("".join)
LANGUAGES = st.sampled_from(
    ["python", "javascript", "go", "rust", "ruby", "shellscript", "yaml", "html", "sql", "markdown", "json"]
)
HOLES = st.builds(
    lambda before, after, language, ask, strategy, finish, trigger: Hole(
        context(before + "█" + after, language=language, trigger=trigger), ask, strategy, finish, (before,)
    ),
    TEXT,
    TEXT,
    LANGUAGES,
    st.sampled_from([LINE, BLOCK, GROWING, PARAGRAPH]),
    st.sampled_from(list(Strategy)),
    st.sampled_from(["stop", "length", "deadline", None]),
    st.sampled_from(list(TriggerKind)),
)


@settings(max_examples=300)
@given(TEXT, HOLES)
def test_no_text_can_break_a_step(text: str, hole: Hole) -> None:
    for step in STEPS:
        assert isinstance(step(text, hole), str | Skip)
    assert isinstance(is_complete(text, hole), bool)
    assert 0 <= covered(text, hole.context) <= len(hole.context.line_suffix)


@pytest.mark.parametrize(
    "step",
    [
        cut_special_tokens,
        stop_repetition,
        close_once,
        stop_at_scope,
        stop_at_max_lines,
        balance,
        use_document_eol,
        drop_trifle,
        drop_dismissed,
    ],
    ids=lambda step: step.__name__,
)
def test_what_a_step_has_done_it_does_not_do_again(step: Step) -> None:
    @settings(max_examples=100)
    @given(TEXT, HOLES)
    def check(text: str, hole: Hole) -> None:
        once = step(text, hole)
        assume(isinstance(once, str) and once.strip())
        assert step(once, hole) == once

    check()


@pytest.mark.parametrize(
    "step",
    [stop_repetition, close_once, stop_at_scope, stop_at_max_lines, drop_trifle, drop_dismissed],
    ids=lambda step: step.__name__,
)
def test_a_step_that_cuts_cuts_the_end_alone(step: Step) -> None:
    @settings(max_examples=100)
    @given(TEXT, HOLES)
    def check(text: str, hole: Hole) -> None:
        kept = step(text, hole)
        assert isinstance(kept, Skip) or text.startswith(kept)

    check()


@pytest.mark.parametrize("language", ["python", "go", "rust", "ruby", "html", "markdown", "yaml", "sql"])
@pytest.mark.parametrize("text", ["value_of(the_thing)", "name", "汉字 😀"])
def test_a_plain_answer_is_left_as_it_is(language: str, text: str) -> None:
    trace: list[Change] = []
    hole = Hole(context("first = 1\nsecond = █\nthird = 3\n", language=language), LINE, finish_reason="stop")
    assert postprocess.run(STEPS, text, hole, trace) == text
    assert not trace


@settings(max_examples=200)
@given(TEXT, HOLES)
def test_the_trace_leads_from_the_answer_to_the_outcome(text: str, hole: Hole) -> None:
    trace: list[Change] = []
    outcome = postprocess.run(STEPS, text, hole, trace)
    for change in trace:
        assert change.before == text
        assert change.after != change.before
        if isinstance(change.after, Skip):
            assert change is trace[-1]
            assert outcome == change.after
        else:
            text = change.after
    assert isinstance(outcome, Skip) or outcome == text


def test_each_step_has_a_name_of_its_own() -> None:
    names = [step.__name__ for step in STEPS]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize(
    ("line", "loops"),
    [
        pytest.param("foo(bar, " * 8, True, id="words"),
        pytest.param("x = a + a + a", False, id="short"),
        pytest.param("-" * 79, False, id="ruler"),
        pytest.param("-" * 400, True, id="endless-ruler"),
        pytest.param("0, " * 16, False, id="zeros"),
        pytest.param("0, " * 100, True, id="endless-zeros"),
        pytest.param("haha" * 4, False, id="four-rounds-of-little"),
        pytest.param("", False, id="nothing"),
    ],
)
def test_when_a_line_is_a_loop(line: str, loops: bool) -> None:
    assert is_loop(line) is loops


def test_a_stream_that_repeats_itself_is_complete_before_its_line_ends() -> None:
    hole = Hole(context("x = 1\ny = █"), LINE)
    assert is_complete("foo(bar, " * 8, hole)
    assert not is_complete("foo(bar, baz)", hole)
    lines = Hole(context("def f():\n    █"), BLOCK)
    assert not is_complete("call(one)\n    call(one)\n", lines)
    assert is_complete("call(one)\n" + "    call(one)\n" * 2, lines)


@pytest.mark.parametrize(
    ("text", "chunks_seen"),
    [
        pytest.param("```python\n1 + 1\nmore\n", "```python\n1 + 1\n", id="a-fence-is-no-line"),
        pytest.param("<think>\nhm\n</think>\n1\n2\n", "<think>\nhm\n</think>\n1\n", id="thinking"),
        pytest.param("Sure! Here is the code:\n1\n2\n", "Sure! Here is the code:\n1\n", id="greeting"),
        pytest.param("1 + 1<|file_sep|>a.py\n", "1 + 1<|file_sep|>", id="a-server-that-ignores-stop"),
        pytest.param("def f():\n    y = 1 + 1\n    z\n", "def f():\n    y = 1 + 1\n", id="an-echo"),
    ],
)  # fmt: skip
def test_a_stream_is_judged_by_what_is_left_of_it(text: str, chunks_seen: str) -> None:
    hole = Hole(context("def f():\n    y = █"), LINE, Strategy.PARTIAL)
    assert next(text[:end] for end in range(1, len(text)) if is_complete(text[:end], hole)) == chunks_seen


@given(TEXT, HOLES)
def test_an_overlap_is_cut_off_and_nothing_is_added(text: str, hole: Hole) -> None:
    trimmed = trim_overlap(text, hole)
    assert isinstance(trimmed, Skip) or text.startswith(trimmed)


@given(TEXT, HOLES)
def test_no_line_ends_in_blanks_but_in_prose(text: str, hole: Hole) -> None:
    trimmed = trim_end(drop_typed_blank(text, hole), hole)
    if isinstance(trimmed, str) and not hole.is_prose:
        if hole.context.line_suffix[:1].isidentifier():
            trimmed = trimmed.removesuffix(" ")  # it keeps the last word from the next
        assert all(line == line.rstrip(" \t") for line in trimmed.split("\n"))
