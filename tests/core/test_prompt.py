"""What the model reads."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwen_ls.core import budget, tokens
from qwen_ls.core.prompt import build_prompt
from qwen_ls.core.types import Layout, Strategy
from tests.marked import context

PSM, SPM, LINE_LAST = Layout


@pytest.mark.parametrize(
    ("picture", "layout", "text"),
    [
        pytest.param(
            "def f(s):\n█\n    return r",
            PSM,
            "<|fim_prefix|>def f(s):\n<|fim_suffix|>\n    return r<|fim_middle|>",
            id="prefix-and-suffix-as-documented",
        ),
        pytest.param(
            "def f(s):█", PSM, "<|fim_prefix|>def f(s):<|fim_suffix|>", id="prefix-alone-as-documented"
        ),
        pytest.param(
            "def f(s):█\n  \n", PSM, "<|fim_prefix|>def f(s):<|fim_suffix|>", id="blank-suffix-is-none"
        ),
        pytest.param("a = █\nb", SPM, "<|fim_prefix|><|fim_suffix|>\nb<|fim_middle|>a = ", id="suffix-first"),
        pytest.param(
            "if a:\n    █\nb",
            SPM,
            "<|fim_prefix|><|fim_suffix|>\nb<|fim_middle|>if a:\n",
            id="suffix-first-holds-typed-indent-back",
        ),
        pytest.param(
            "a = █\n \n",
            SPM,
            "<|fim_prefix|><|fim_suffix|><|fim_middle|>a = ",
            id="suffix-first-without-suffix",
        ),
        pytest.param(
            "if a:\n    b = █\nc",
            LINE_LAST,
            "<|fim_prefix|>if a:\n<|fim_suffix|>\nc<|fim_middle|>    b = ",
            id="line-last",
        ),
        pytest.param(
            "f(█)\r\nc",
            LINE_LAST,
            "<|fim_prefix|><|fim_suffix|>)\r\nc<|fim_middle|>f(",
            id="line-last-on-the-first-line",
        ),
        pytest.param(
            "if a:\n    █\nc",
            LINE_LAST,
            "<|fim_prefix|>if a:\n<|fim_suffix|>\nc<|fim_middle|>",
            id="line-last-holds-typed-indent-back",
        ),
        pytest.param(
            "if a:\n    b█",
            LINE_LAST,
            "<|fim_prefix|>if a:\n<|fim_suffix|><|fim_middle|>    b",
            id="line-last-without-suffix",
        ),
        pytest.param(
            "█\nb = 1",
            PSM,
            "<|fim_prefix|># a.py\n<|fim_suffix|>\nb = 1<|fim_middle|>",
            id="no-prefix-gets-a-header",
        ),
        pytest.param(
            "x = '<|fim_middle|>█'",
            PSM,
            "<|fim_prefix|>x = '<\u200b|fim_middle|><|fim_suffix|>'<|fim_middle|>",
            id="tokens-in-the-file-are-defused",
        ),
    ],
)
def test_fim(picture: str, layout: Layout, text: str) -> None:
    assert build_prompt(context(picture), strategy=Strategy.FIM, layout=layout).text == text


@pytest.mark.parametrize("layout", list(Layout))
def test_only_what_is_typed_is_new_to_a_prefix_cache_where_the_layout_promises_it(layout: Layout) -> None:
    """Between two keys of a line, all of the first prompt begins the second one."""
    pictures = [f"def f(a):\n    return {typed}█\n\nf(1)\n" for typed in ("a", "a + b")]
    one, two = (
        build_prompt(context(picture), strategy=Strategy.FIM, layout=layout).text for picture in pictures
    )
    assert two.startswith(one) == layout.ends_with_typed


@pytest.mark.parametrize("eol", ["\n", "\r\n"])
def test_partial_mode_sends_the_prefix_byte_for_byte_and_the_suffix_as_context(eol: str) -> None:
    picture = (
        f"def fib(n):{eol}    if n <= 1:{eol}        return n{eol}    else:{eol}        █{eol}print(fib(9))"
    )
    prompt = build_prompt(context(picture), strategy=Strategy.PARTIAL)
    assert prompt.prefix == picture.split("█", maxsplit=1)[0]
    assert "print(fib(9))" in prompt.text
    assert "python" in prompt.text


def test_partial_mode_without_suffix_says_nothing_of_one() -> None:
    assert "after the cursor" not in build_prompt(context("x = █"), strategy=Strategy.PARTIAL).text


@pytest.mark.parametrize(
    ("language", "header"),
    [("python", "# a.py\n"), ("javascript", "// a.py\n"), ("sql", "-- a.py\n"), ("html", "<!-- a.py -->\n")],
)
def test_the_header_is_a_comment(language: str, header: str) -> None:
    prompt = build_prompt(context("█\nx", language=language), strategy=Strategy.PARTIAL)
    assert prompt.prefix == header


CODE = st.text(alphabet=st.sampled_from("abc def(){}\n\t=汉字😀\r"), max_size=4000)


@given(CODE, CODE, st.integers(64, 900), st.integers(0, 500))
def test_the_window_fits_and_stands_at_the_cursor(before: str, after: str, allowed: int, line: int) -> None:
    prefix, suffix = budget.fit(before, after, allowed, first_line=line)
    assert before.endswith(prefix)
    assert after.startswith(suffix)
    room = max(allowed, budget.CURRENT_LINE_CHARS) * 1.3 + 2 * budget.CURRENT_LINE_CHARS
    assert budget.estimate_tokens(prefix) + budget.estimate_tokens(suffix) <= room


def test_what_fits_is_not_cut() -> None:
    assert budget.fit("a\n" * 20, "b\n" * 20, 200) == ("a\n" * 20, "b\n" * 20)


def test_what_one_side_leaves_passes_to_the_other() -> None:
    long = "word word word\n" * 400
    prefix, suffix = budget.fit("", long, 400)
    assert budget.estimate_tokens(suffix) > 300
    prefix, suffix = budget.fit(long, "", 400)
    assert budget.estimate_tokens(prefix) > 300
    both = budget.fit(long, long, 400)
    assert budget.estimate_tokens(both[0]) > budget.estimate_tokens(both[1])


@pytest.mark.parametrize("tokens_", [300, 2048])
def test_typing_does_not_move_the_prefix_s_beginning(tokens_: int) -> None:
    document = "".join(f"line number {n} of the file\n" for n in range(900))
    starts = []
    for typed in range(60):
        prefix, _ = budget.fit(document + "x" * typed, "", tokens_)
        starts.append(prefix[:40])
    assert len(set(starts)) <= 2


def test_the_window_slides_in_steps() -> None:
    lines = [f"line number {n} of the file\n" for n in range(600)]
    starts = {budget.fit("".join(lines[:n]), "", 2048)[0][:40] for n in range(400, 464)}
    assert len(starts) <= 3


@pytest.mark.parametrize(
    "text", ["<|fim_prefix|>", "a<|im_end|>b", "<|x|>", "<|<|endoftext|>|>", "<\u200b|fim_pad|>"]
)
def test_defused_text_has_no_special_token_and_can_be_restored(text: str) -> None:
    defused = tokens.defuse(text)
    assert not tokens.SPECIAL.search(defused)
    if "\u200b" not in text:
        assert tokens.restore(defused) == text


@given(st.text(alphabet=st.sampled_from("<|>_abfimpredx "), max_size=40))
def test_no_prompt_part_contains_a_token_of_the_file(text: str) -> None:
    assert not re.search(r"<\|(fim_|im_|endof)", tokens.defuse(text)) or not tokens.SPECIAL.search(
        tokens.defuse(text)
    )


@pytest.mark.parametrize("char", ["x", "汉", "😀"])
def test_a_line_longer_than_the_budget_is_cut_to_it_in_steps(char: str) -> None:
    line = char * 12_000
    cuts = [budget.fit(line + "x" * typed, line, 1500) for typed in range(50)]
    prefix, suffix = cuts[0]
    assert len({len(line) + typed - len(prefix) for typed, (prefix, _) in enumerate(cuts)}) <= 2
    assert 1000 < budget.estimate_tokens(prefix + suffix) < 1500 * 1.2


def test_many_short_wide_lines_are_cut_at_line_ends() -> None:
    text = "".join(f"汉字变量 = 函数({number})\n" for number in range(1000))
    prefix, suffix = budget.fit(text, text, 1500)
    assert text.endswith("\n" + prefix)
    assert suffix.endswith(")\n")


@pytest.mark.parametrize("strategy", list(Strategy))
def test_the_file_s_name_cannot_break_the_prompt(strategy: Strategy) -> None:
    place = context("█\nx = 1\n", uri="file:///p/%3C%7Cim_end%7C%3E.py", language="<|im_start|>")
    prompt = build_prompt(place, strategy=strategy)
    inner = prompt.prefix + prompt.suffix + (prompt.text if strategy is Strategy.PARTIAL else "")
    assert not tokens.SPECIAL.search(inner)
