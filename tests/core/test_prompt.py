"""What the model reads."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwen_ls.core import budget, tokens
from qwen_ls.core.prompt import build_prompt
from qwen_ls.core.templates import template_named
from qwen_ls.core.types import Layout, Prompt, Snippet, SnippetFormat, Strategy, Surroundings
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


@pytest.mark.parametrize(
    ("picture", "layout", "text", "held_back"),
    [
        pytest.param(
            "for i in r█\nb",
            SPM,
            "<|fim_prefix|><|fim_suffix|>\nb<|fim_middle|>for i in",
            " r",
            id="half-a-word",
        ),
        pytest.param(
            "a = 1\nfor i in r█\nb",
            LINE_LAST,
            "<|fim_prefix|>a = 1\n<|fim_suffix|>\nb<|fim_middle|>for i in",
            " r",
            id="line-last",
        ),
        pytest.param(
            "if a:\n    █\nb",
            SPM,
            "<|fim_prefix|><|fim_suffix|>\nb<|fim_middle|>if a:\n",
            "    ",
            id="indentation",
        ),
        pytest.param(
            "a = 1█", SPM, "<|fim_prefix|><|fim_suffix|><|fim_middle|>a = 1", "", id="nothing-is-unfinished"
        ),
        pytest.param(
            "retu█",
            SPM,
            "<|fim_prefix|><|fim_suffix|><|fim_middle|>retu",
            "",
            id="but-not-all-there-is",
        ),
        pytest.param(
            "for i in r█",
            PSM,
            "<|fim_prefix|>for i in<|fim_suffix|>",
            " r",
            id="also-where-the-suffix-is-last",
        ),
    ],
)
def test_half_a_token_is_left_to_a_model_that_can_be_held_to_it(
    picture: str, layout: Layout, text: str, held_back: str
) -> None:
    prompt = build_prompt(context(picture), strategy=Strategy.FIM, layout=layout, can_begin_with=True)
    assert (prompt.text, prompt.held_back) == (text, held_back)


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


# --- with code from elsewhere -------------------------------------------------------------------------------

ORDERS = Snippet("shop/orders.py", "def total(order):\n    return 1\n", "open", lines=range(2))
UTILS = Snippet("shop/rates.py", "RATE = 2", "import")
AROUND = Surroundings("shop", "shop/a.py", (ORDERS, UTILS))
REPOSITORY, COMMENTS = SnippetFormat.REPOSITORY, SnippetFormat.COMMENTS
FILES = (
    "<|repo_name|>shop\n<|file_sep|>shop/orders.py\ndef total(order):\n    return 1\n"
    "<|file_sep|>shop/rates.py\nRATE = 2\n<|file_sep|>shop/a.py\n"
)
REMARKS = "# shop/orders.py\n# def total(order):\n#     return 1\n# shop/rates.py\n# RATE = 2\n\n"


@pytest.mark.parametrize(
    ("layout", "snippet_format", "text"),
    [
        pytest.param(
            PSM, REPOSITORY, FILES + "<|fim_prefix|>a = <|fim_suffix|>\nb<|fim_middle|>", id="psm, repository"
        ),
        pytest.param(
            PSM, COMMENTS, f"<|fim_prefix|>{REMARKS}a = <|fim_suffix|>\nb<|fim_middle|>", id="psm, comments"
        ),
        pytest.param(
            SPM, REPOSITORY, FILES + "<|fim_prefix|><|fim_suffix|>\nb<|fim_middle|>a = ", id="spm, repository"
        ),
        pytest.param(
            SPM, COMMENTS, f"<|fim_prefix|><|fim_suffix|>\nb<|fim_middle|>{REMARKS}a = ", id="spm, comments"
        ),
    ],
)
def test_fim_with_snippets(layout: Layout, snippet_format: SnippetFormat, text: str) -> None:
    assert with_snippets("a = █\nb", layout=layout, snippet_format=snippet_format).text == text


def with_snippets(picture: str, around: Surroundings = AROUND, **more: object) -> Prompt:
    """The prompt at a place, with some snippets."""
    language = more.pop("language", "python")
    more = {"strategy": Strategy.FIM, "around": around} | more
    return build_prompt(context(picture, language=language), **more)


def test_without_snippets_a_prompt_is_as_documented() -> None:
    prompt = with_snippets("a = █\nb", Surroundings("shop", "a.py"), snippet_format=REPOSITORY)
    assert prompt.text == "<|fim_prefix|>a = <|fim_suffix|>\nb<|fim_middle|>"


@pytest.mark.parametrize("family", ["starcoder", "codestral", "deepseek"])
def test_other_families_have_comments(family: str) -> None:
    template = template_named(family)
    prompt = with_snippets("a = █\nb", template=template, snippet_format=REPOSITORY)
    assert REMARKS + "a = " in prompt.text
    assert "<|file_sep|>" not in prompt.text


def test_a_server_that_lays_the_prompt_out_has_comments_in_the_prefix() -> None:
    prompt = with_snippets("a = █\nb", template=None)
    assert prompt.text == prompt.prefix == REMARKS + "a = "
    assert prompt.suffix == "\nb"


def test_partial_mode_has_snippets_in_the_user_s_message_before_the_suffix() -> None:
    prompt = with_snippets("a = █\nlast_line", strategy=Strategy.PARTIAL)
    assert prompt.prefix == "a = "
    text = prompt.text
    assert "--- shop/orders.py\ndef total(order):" in text
    assert text.index("def total") < text.index("RATE") < text.index("last_line")


@pytest.mark.parametrize(
    ("language", "line"),
    [("python", "# "), ("rust", "// "), ("sql", "-- "), ("html", "<!-- ")],
)
def test_comments_are_those_of_the_language(language: str, line: str) -> None:
    snippet = Snippet("x", "one\u2028two -->\r\nthree", "open")
    prompt = with_snippets("a█", Surroundings(snippets=(snippet,)), language=language, strategy=Strategy.FIM)
    remarks = prompt.prefix.removesuffix("a").splitlines()[:-1]
    assert len(remarks) == 4
    assert all(remark.startswith(line) for remark in remarks)
    assert language != "html" or all(remark.count("-->") == 1 for remark in remarks)


@pytest.mark.parametrize("strategy", list(Strategy))
@pytest.mark.parametrize("snippet_format", list(SnippetFormat))
def test_special_tokens_of_snippets_are_defused(strategy: Strategy, snippet_format: SnippetFormat) -> None:
    token = "<|fim_middle|>"
    around = Surroundings(token, token, (Snippet(token, f"x = '{token}'\n", "open"),))
    plain = with_snippets("a = █\nb", snippet_format=snippet_format, strategy=strategy)
    prompt = with_snippets("a = █\nb", around, snippet_format=snippet_format, strategy=strategy)
    assert prompt.text.count(token) == plain.text.count(token)
    assert "<\u200b|fim_middle|>" in prompt.text


def test_snippets_take_their_room_from_the_code_and_the_current_line_stays() -> None:
    above = "".join(f"line number {n} of the file\n" for n in range(900))
    snippet = Snippet("b.py", "".join(f"value_{n} = {n}\n" for n in range(100)), "open")
    picture = f"{above}    current = [{'1, ' * 50}█\n{above}"
    alone = with_snippets(picture, Surroundings())
    beside = with_snippets(picture, Surroundings(snippets=(snippet,)), snippet_format=REPOSITORY)
    assert len(beside.prefix + beside.suffix) < len(alone.prefix + alone.suffix)
    assert beside.prefix.endswith("    current = [" + "1, " * 50)
    assert budget.estimate_tokens(beside.text) < 2048
