"""From the raw answer to text that fits: the document after accepting, or silence."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qwen_ls.core import postprocess
from qwen_ls.core.postprocess.hole import Hole
from qwen_ls.core.postprocess.limit import is_broken_off, is_complete
from qwen_ls.core.postprocess.suffix import covered
from qwen_ls.core.postprocess.whitespace import without_held_back
from qwen_ls.core.tokens import SPECIAL
from qwen_ls.core.trigger import Ask
from qwen_ls.core.types import Reason, Skip, Strategy, TriggerKind
from tests.marked import context

LINE, BLOCK = Ask(False, 1, 64), Ask(True, 24, 256)
FIM, PARTIAL = Strategy.FIM, Strategy.PARTIAL


def accept(
    picture: str,
    raw: str,
    *,
    ask: Ask = LINE,
    strategy: Strategy = FIM,
    language: str = "python",
    finish_reason: str | None = "stop",
) -> str | Reason:
    """The document after accepting what becomes of `raw`, the cursor drawn in; or why there is nothing."""
    place = context(picture, language=language, trigger=TriggerKind.INVOKED)
    hole = Hole(place, ask, strategy, finish_reason)
    text = postprocess.run(postprocess.BEFORE_CACHE, raw, hole)
    if not isinstance(text, Skip):
        text = postprocess.run(postprocess.AFTER_CACHE, text, hole)
    if isinstance(text, Skip):
        return text.reason
    return place.prefix + text + "█" + place.suffix[covered(text, place) :]


@pytest.mark.parametrize(
    ("picture", "raw", "after"),
    [
        pytest.param("x = █", "1", "x = 1█", id="plain"),
        pytest.param("x = █", "1\ny = 2", "x = 1█", id="one-line-of-two"),
        pytest.param("x = █", "1<|endoftext|>junk", "x = 1█", id="special-token"),
        pytest.param("x = █", "1<|fim_pad|><|fim_pad|>", "x = 1█", id="fim-pad-run"),
        pytest.param("x = █", "<|fim_middle|>1", "x = 1█", id="begins-with-a-token"),
        pytest.param("x = █", "1<|fim_p", "x = 1█", id="half-a-token-at-the-end"),
        pytest.param("x = █", "1<|file_sep|>other.py\nimport os", "x = 1█", id="invents-the-next-file"),
        pytest.param("x = █", "<|cursor|>1", "x = 1█", id="cursor-token"),
        pytest.param("x = █", "<|endoftext|>", Reason.ONLY_SPECIAL_TOKENS, id="only-tokens"),
        pytest.param("x = █", "  \n ", Reason.EMPTY, id="blank"),
        pytest.param("return █", " x", "return x█", id="blank-typed-already"),
        pytest.param("x = len(█)", " s)", "x = len(s)█", id="a-blank-after-a-bracket"),
        pytest.param("f( a )\ng(█)", " b )", "f( a )\ng( b )█", id="the-document-has-blanks-after-brackets"),
        pytest.param("if a:\n    █", "    return 1", "if a:\n    return 1█", id="indent-typed-already"),
        pytest.param(
            "if a:\n    b()\n  █", "  c()", "if a:\n    b()\n    c()█", id="half-an-indent-is-gone-on-with"
        ),
        pytest.param("if a:\n    █", " return 1", "if a:\n    return 1█", id="one-blank-too-many"),
        pytest.param("x = 1\ny = fo█", "x = 1\ny = foo()", "x = 1\ny = foo()█", id="echo-of-lines"),
        pytest.param("total = su█", "total = sum(xs)", "total = sum(xs)█", id="echo-of-the-line"),
        pytest.param("x = x█", "x + 1", "x = xx + 1█", id="a-short-likeness-is-no-echo"),
        pytest.param("total = sum█", "total = sum", Reason.ECHO, id="nothing-but-an-echo"),
        pytest.param("print(█)", "'x')", "print('x')█", id="closer-covered"),
        pytest.param("print(█)", "f(x)", "print(f(x)█)", id="balanced-brackets-cover-nothing"),
        pytest.param("print(█)", "f(x))", "print(f(x))█", id="the-unbalanced-one-covers"),
        pytest.param("print('█')", "hello')", "print('hello')█", id="quote-and-bracket-covered"),
        pytest.param("print('█')", "hello", "print('hello█')", id="closers-kept"),
        pytest.param("print('a█)", "b', c)", "print('ab', c)█", id="a-string-that-the-editor-left-open"),
        pytest.param("f([█])", "1, 2]", "f([1, 2]█)", id="the-inner-closer-only"),
        pytest.param("foo(█);", "a, b);", "foo(a, b);█", id="closer-and-semicolon"),
        pytest.param("x = [█]", "1, 2, 3", "x = [1, 2, 3█]", id="no-closer-in-the-answer"),
        pytest.param("x = f(█) + rest", "a) + rest", "x = f(a█) + rest", id="overlap-with-the-rest"),
        pytest.param(
            "def f():\n    a = 1█\n    return a\n",
            "\n    return a\n",
            Reason.ECHO,
            id="nothing-but-the-line-below-after-a-line-end",
        ),
        pytest.param("a = █\nb = 2\n", "1\nb = 2\n", "a = 1█\nb = 2\n", id="next-line-repeated"),
        pytest.param("f(█, bar)", "a, b", "f(a, b█, bar)", id="half-a-word-is-no-overlap"),
        pytest.param("f(█, bar)", "a, ", "f(a█, bar)", id="the-comma-is-there"),
        pytest.param("f'{x█}'", ".y}!'", "f'{x.y}!'█", id="a-field-in-a-string"),
        pytest.param("f'{x█}'", ".y", "f'{x.y█}'", id="a-field-that-is-closed-already"),
        pytest.param(
            "print(f'{x.█})",
            "y} of {z}')",
            "print(f'{x.y} of {z}')█",
            id="two-fields-in-a-string-that-is-open",
        ),
        pytest.param(
            "f(f\"({'█})",
            ", '.join(x)})\")",
            "f(f\"({', '.join(x)})\")█",
            id="a-string-in-a-field-in-a-string",
        ),
        pytest.param('"""f(x: [█])', "int] = y", '"""f(x: [int] = y█)', id="a-bracket-in-a-docstring"),
        pytest.param("  end\n█", "end\n", "  end\nend█", id="a-closer-after-its-like"),
        pytest.param("  });\n█", "});\n", "  });\n});█", id="a-closer-of-brackets-after-its-like"),
        pytest.param("  </div>\n█", "</div>\n", "  </div>\n</div>█", id="a-tag-after-its-like"),
        pytest.param("[\n  null,\n█", "  null,\n", "[\n  null,\n  null,█", id="data-after-its-like"),
        pytest.param(
            "a = 1\nb = 2\n█", "a = 1\nb = 2\nc = 3", "a = 1\nb = 2\nc = 3█", id="echo-of-two-lines"
        ),
    ],
)
def test_one_line(picture: str, raw: str, after: str | Reason) -> None:
    assert accept(picture, raw) == after


@pytest.mark.parametrize(
    ("picture", "raw", "after"),
    [
        pytest.param(
            "def f(x):\n    █\n\nprint(f(1))",
            "return x\n\n# Test cases\nprint(f(2))",
            "def f(x):\n    return x█\n\nprint(f(1))",
            id="stops-at-dedent",
        ),
        pytest.param(
            "if a:█", " \n    b() \n    c()\t\n", "if a:\n    b()\n    c()█", id="blanks-at-line-ends"
        ),
        pytest.param(
            "def f(x):\n    █\n",
            " y = []\n     for z in x:\n         y.append(z)\n     return y\n",
            "def f(x):\n    y = []\n    for z in x:\n        y.append(z)\n    return y█\n",
            id="one-column-off",
        ),
        pytest.param(
            "def f(x):█\n\nprint(f(1))",
            "\n    y = x\n    return y\n\nprint(f(1))\n",
            "def f(x):\n    y = x\n    return y█\n\nprint(f(1))",
            id="block-after-an-opener",
        ),
        pytest.param(
            "def f(x):\n█",
            "    if x:\n        return 1\n    else:\n        return 2\n\ndef g():\n    pass",
            "def f(x):\n    if x:\n        return 1\n    else:\n        return 2█",
            id="else-belongs-to-the-block",
        ),
        pytest.param(
            "function f() {█\n}\n",
            "\n  return 1;\n}\n",
            "function f() {\n  return 1;█\n}\n",
            id="closer-is-there",
        ),
        pytest.param(
            "function f() {█\n",
            "\n  return 1;\n}\nfunction g() {\n}\n",
            "function f() {\n  return 1;\n}█\n",
            id="closer-is-missing",
        ),
        pytest.param(
            "def f():\n    █\n    return result",
            "words = s.split()\n    result = ' '.join(words)\n    return result",
            "def f():\n    words = s.split()\n    result = ' '.join(words)█\n    return result",
            id="repeats-the-line-below",
        ),
        pytest.param(
            "def f():\n    █\n    b = second_thing(a)\n    return b\n",
            "a = first_thing()\n    b = second_thing(a)\n    return b\n    c = 3",
            "def f():\n    a = first_thing()█\n    b = second_thing(a)\n    return b\n",
            id="runs-through-the-lines-below",
        ),
        pytest.param(
            "def f():\n    █\n    return 1\n", "return 1\n", Reason.ECHO, id="nothing-but-the-line-below"
        ),
    ],
)
def test_blocks(picture: str, raw: str, after: str | Reason) -> None:
    assert accept(picture, raw, ask=BLOCK) == after


@pytest.mark.parametrize(
    ("language", "picture", "raw", "after"),
    [
        pytest.param(
            "javascript",
            "setTimeout(() => {█\n",
            "\n  foo();\n}, 1000);\nbar();\n",
            "setTimeout(() => {\n  foo();\n}, 1000);█\n",
            id="a-closer-with-more-behind-it",
        ),
        pytest.param(
            "c",
            "do {█\n",
            "\n  foo();\n} while (x);\nbar();\n",
            "do {\n  foo();\n} while (x);█\n",
            id="do-while",
        ),
        pytest.param(
            "python",
            "def f(█\n",
            "\n    a,\n) -> None:\n    pass\nx = 1\n",
            "def f(\n    a,\n) -> None:\n    pass█\n",
            id="a-closer-that-opens-the-body",
        ),
        pytest.param(
            "csharp",
            "void F()█\n",
            "\n{\n    G();\n}\nvoid H()\n",
            "void F()\n{\n    G();\n}█\n",
            id="allman",
        ),
        pytest.param(
            "yaml",
            "jobs:\n  steps:█",
            "\n  - run: a\n    if: b\n  - run: c\nd: 1\n",
            "jobs:\n  steps:\n  - run: a\n    if: b\n  - run: c█",
            id="a-list-that-is-not-indented",
        ),
        pytest.param(
            "sql",
            "SELECT a█",
            "\nFROM t\nWHERE b = 1;\n",
            "SELECT a\nFROM t\nWHERE b = 1;█",
            id="clauses-below-each-other",
        ),
        pytest.param(
            "c",
            "switch (x) {█\n",
            "\ncase 1:\n  a();\ndefault:\n  b();\n}\n",
            "switch (x) {\ncase 1:\n  a();\ndefault:\n  b();\n}█\n",
            id="labels-as-deep-as-the-switch",
        ),
        pytest.param(
            "c",
            "int f() {█\n}",
            "\n  a();\n#ifdef X\n  b();\n#endif\n  c();\n}\n",
            "int f() {\n  a();\n#ifdef X\n  b();\n#endif\n  c();█\n}",
            id="preprocessor",
        ),
        pytest.param(
            "java",
            "class A {\n    /**\n    █\n    int f() {}\n",
            " * Text.\n     * @return x\n     */\n",
            "class A {\n    /**\n     * Text.\n     * @return x\n     */█\n    int f() {}\n",
            id="block-comment",
        ),
        pytest.param(
            "markdown", "# T\n\n█", "```sh\nls\n```\n", "# T\n\n```sh\nls\n```█", id="fence-in-markdown"
        ),
    ],
)
def test_languages(language: str, picture: str, raw: str, after: str) -> None:
    assert accept(picture, raw, ask=BLOCK, language=language) == after


@pytest.mark.parametrize(
    ("raw", "after"),
    [
        pytest.param("```python\n1\n```", "x = 1█", id="fenced"),
        pytest.param("Here you are:\n```python\n1\n```\nEnjoy!", "x = 1█", id="fenced-with-chatter"),
        pytest.param("```\n1", "x = 1█", id="fence-not-closed"),
        pytest.param("1\n```", "x = 1█", id="closing-fence-only"),
        pytest.param("<think>hm</think>\n\n1", "x = 1█", id="thinking"),
        pytest.param("x = 1", "x = 1█", id="echo"),
    ],
)
def test_chat_answers(raw: str, after: str) -> None:
    assert accept("x = █", raw, strategy=PARTIAL) == after


@pytest.mark.parametrize(
    ("answer", "held_back", "text"),
    [
        pytest.param("    x\n    y", "    ", "x\n    y", id="as-expected"),
        pytest.param("        x", "    ", "    x", id="deeper"),
        pytest.param("  x", "    ", "x", id="less-deep-the-user-s-indent-stands"),
        pytest.param("\tx", "    ", "x", id="tabs-the-user-s-indent-stands"),
        pytest.param("\n    x", "    ", "\n    x", id="a-new-line-first"),
        pytest.param("  x", "", "  x", id="nothing-held-back"),
        pytest.param(" range(n)", " ra", "nge(n)", id="half-a-word"),
        pytest.param(" r", " ra", "", id="half-a-word-not-all-there-yet"),
        pytest.param(" list(n)", " ra", "", id="another-word"),
    ],
)
def test_what_the_prompt_held_back_is_taken_off_the_answer(answer: str, held_back: str, text: str) -> None:
    assert without_held_back(answer, held_back) == text


def test_a_fence_inside_a_markdown_answer_stays() -> None:
    raw = "text:\n\n```sh\nls\n```\n"
    assert (
        accept("Some █", raw, strategy=PARTIAL, language="markdown", ask=BLOCK)
        == "Some text:\n\n```sh\nls\n```█"
    )


def test_a_hard_break_in_prose_stays() -> None:
    assert accept("Some █", "words  \nand more", language="markdown", ask=BLOCK) == "Some words  \nand more█"


def test_a_fence_that_is_closed_below_is_not_closed_again() -> None:
    after = accept("```python\n█\n```\n", "x = 1\n```\nmore", language="markdown", ask=BLOCK)
    assert after == "```python\nx = 1█\n```\n"


def test_text_at_column_0_inside_a_docstring_does_not_end_the_block() -> None:
    raw = '\n    """Doc.\n\nText at column 0.\n    """\n    return 1\n'
    assert accept("def f():█", raw, ask=BLOCK) == "def f():" + raw.rstrip() + "█"


@pytest.mark.parametrize("eol", ["\n", "\r\n", "\r"])
def test_the_text_arrives_with_the_document_s_line_ends(eol: str) -> None:
    assert (
        accept(f"if a:{eol}    █{eol}b", "c()\n    d()", ask=BLOCK) == f"if a:{eol}    c(){eol}    d()█{eol}b"
    )


@pytest.mark.parametrize(
    ("picture", "answer", "broken_off"),
    [
        pytest.param("def f():\n    █", "a = (1,", True, id="inside brackets"),
        pytest.param("def f():\n    █", "a = (1,\n", True, id="inside brackets, after a line end"),
        pytest.param("def f():\n    █", "a = 1\n    b =", True, id="inside a line"),
        pytest.param("def f():\n    █", "a = 1\n    b = 2\n", False, id="after a line end"),
        pytest.param("def f():\n    █", "a = 1\nprint(", False, id="outside of the block"),
        pytest.param("def f():\n    █", "a = 1\nprint(2)\nprint(", False, id="the block is complete"),
        pytest.param("def f():\n    █", "a = ')'\n    b = '(", True, id="brackets in strings are none"),
        pytest.param("def f():\n    █", "a = 1<|fim_pad|>", False, id="a special token"),
        pytest.param("def f():\n    █", " \n ", False, id="blank"),
        pytest.param("def f():\n    █", "", False, id="nothing"),
    ],
)
def test_whether_an_answer_was_cut_inside_a_statement(picture: str, answer: str, broken_off: bool) -> None:
    at = context(picture)
    assert is_broken_off(answer, Hole(at, BLOCK, finish_reason="length")) is broken_off
    assert not is_broken_off(answer, Hole(at, BLOCK, finish_reason="stop"))
    assert not is_broken_off(answer, Hole(at, BLOCK, finish_reason="deadline"))
    assert not is_broken_off(answer, Hole(at, LINE, finish_reason="length"))


def test_the_broken_last_line_of_an_answer_cut_by_length_is_dropped() -> None:
    assert accept("if a:\n    █", "b()\n    c(", ask=BLOCK, finish_reason="length") == "if a:\n    b()█"
    assert accept("if a:\n    █", "b(", ask=BLOCK, finish_reason="length") == "if a:\n    b(█"


def test_no_more_lines_than_asked_for() -> None:
    assert (
        accept("if a:\n    █", "\n    ".join("bcdef"), ask=Ask(True, 3, 256)) == "if a:\n    b\n    c\n    d█"
    )


@pytest.mark.parametrize(
    ("picture", "text", "ask", "complete"),
    [
        pytest.param("x = █", "1", LINE, False, id="the-line-may-grow"),
        pytest.param("x = █", "1\n", LINE, True, id="line-ended"),
        pytest.param("x = █", "\n", LINE, False, id="blank-line-first"),
        pytest.param("def f():█", "\n    a\n    b\n", BLOCK, False, id="block-may-grow"),
        pytest.param("def f():█", "\n    a\n    b\nc", BLOCK, False, id="dedented-line-not-whole"),
        pytest.param("def f():█", "\n    a\n    b\nc\n", BLOCK, True, id="dedented"),
        pytest.param("def f():█", "\n" + "    a\n" * 24, BLOCK, True, id="enough-lines"),
    ],
)
def test_the_stream_is_cut_when_it_holds_enough(picture: str, text: str, ask: Ask, complete: bool) -> None:
    assert is_complete(text, Hole(context(picture), ask)) is complete


CODE = st.text(alphabet=st.sampled_from("ab  \n\n\r()[]{}'\":;,x=\t<|>`#汉😀\\"), max_size=50)
RAW = st.lists(
    st.one_of(
        CODE, st.sampled_from(["<|fim_pad|>", "<|im_end|>", "```", "<think>", "</think>", "    ", "\n"])
    ),
    max_size=8,
).map("".join)


@settings(max_examples=300)
@given(CODE, CODE, RAW, st.sampled_from([LINE, BLOCK]), st.sampled_from(list(Strategy)))
def test_no_text_can_break_the_steps(before: str, after: str, raw: str, ask: Ask, strategy: Strategy) -> None:
    """Whatever comes: no exception, no special token, no blank item, a range on the cursor's line."""
    place = context(before + "█" + after)
    hole = Hole(place, ask, strategy, "stop")
    text = postprocess.run(postprocess.BEFORE_CACHE, raw, hole)
    if isinstance(text, Skip):
        return
    text = postprocess.run(postprocess.AFTER_CACHE, text, hole)
    if isinstance(text, Skip):
        return
    assert text.strip()
    assert not SPECIAL.search(text)
    assert 0 <= covered(text, place) <= len(place.line_suffix)
    if place.eol == "\n":
        assert "\r" not in text


@pytest.mark.parametrize(
    ("picture", "after"),
    [
        pytest.param("def f(x):\n    █\n    return x\n", "if x > 1:\n        x = 1", id="no-body-below"),
        pytest.param("def f(x):\n    █\n        return x\n", "if x > 1:", id="the-body-is-there"),
    ],
)
def test_a_line_grows_into_a_block_unless_its_body_is_there(picture: str, after: str) -> None:
    grows = Ask(False, 1, 256, block_lines=24)
    raw = "if x > 1:\n        x = 1\n"
    assert accept(picture, raw, ask=grows) == picture.replace("█", after + "█")
