"""Delta and cumulative streams: the same text from both, and safely told apart."""

from __future__ import annotations

from itertools import accumulate, pairwise

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from qwen_ls.backend.base import AnswerError
from qwen_ls.backend.wire.semantics import Semantics, SemanticsMemory, TextStream

DELTA, CUMULATIVE = Semantics.DELTA, Semantics.CUMULATIVE


def run(stream: TextStream, chunks: list[str], *, tokens: int = 0, finish: str | None = "") -> str:
    given_out = [stream.feed(chunk) for chunk in chunks]
    if finish is not None:
        given_out.append(stream.feed(finish, last=True))
    return "".join(given_out) + stream.close(tokens)


def cumulated(chunks: list[str]) -> list[str]:
    return list(accumulate(chunks))


pieces = st.lists(st.text(min_size=1), min_size=1, max_size=12)
code = st.lists(
    st.text(st.sampled_from(" \n\tabcdef()=:_,'\"#0123中😀"), min_size=1, max_size=8), min_size=1, max_size=12
)


@given(pieces | code)
@example(["\n", "\n    x"])
@example(["na", "na"])
@example(["na", "na", "na"])
@example(["a", "ab", "abc", "abcdefghijk"])
@example(["a\ufffd", "\ufffd"])
def test_a_delta_stream_that_is_known_is_taken_literally(chunks: list[str]) -> None:
    assert run(TextStream(DELTA, certain=True), chunks) == "".join(chunks)


@given(pieces | code, st.sampled_from(["", "all", None]))
@example(["\n", "\n    x"], "all")
@example(["na", "na"], "all")
@example(["\ufffd", "\ufffd"], "")
def test_a_cumulative_stream_that_is_known_is_taken_literally(chunks: list[str], finish: str | None) -> None:
    text = "".join(chunks)
    last = text if finish == "all" else finish
    assert run(TextStream(CUMULATIVE, certain=True), cumulated(chunks), finish=last) == text


def is_chain(chunks: list[str]) -> bool:
    """Whether each chunk begins with the one before: only then both meanings are possible."""
    return all(b.startswith(a.rstrip("\ufffd")) for a, b in pairwise(chunks))


def is_telling(text: str) -> bool:
    signs = "".join(text.split())
    return len(signs) >= 8 and len(set(signs)) >= 3


@given(code)
@example(["\n", "\n    x", " = 1"])
@example(["na", "na", "b"])
def test_a_delta_stream_is_found_out(chunks: list[str]) -> None:
    assume(not is_chain(chunks))
    # For a chain that is long, growing and telling, nobody could know.
    assume(not any(is_chain(chunks[:n]) and is_telling(chunks[n - 1]) for n in range(3, len(chunks))))
    stream = TextStream()
    assert run(stream, chunks) == "".join(chunks)
    assert (stream.semantics, stream.conclusive) == (DELTA, True)


@given(code, st.sampled_from(["", "all", None]))
def test_a_cumulative_stream_is_found_out(chunks: list[str], finish: str | None) -> None:
    text = "".join(chunks)
    assume(len(chunks) >= 3)
    stream = TextStream()
    assert run(stream, cumulated(chunks), finish=text if finish == "all" else finish) == text
    assert stream.semantics is CUMULATIVE
    assert stream.conclusive is is_telling(text)


@pytest.mark.parametrize(
    ("chunks", "text"),
    [
        pytest.param(["\n", "\n    x"], "\n\n    x", id="blank growth"),
        pytest.param(["na", "na"], "nana", id="repeat"),
        pytest.param(["na", "na", "na"], "nanana", id="repeats"),
        pytest.param(["(", "(a"], "((a", id="brackets"),
        pytest.param(['"', '""'], '"""', id="quotes"),
        pytest.param(["return 1"], "return 1", id="one chunk"),
        pytest.param([], "", id="nothing"),
    ],
)
def test_traps_of_delta_streams(chunks: list[str], text: str) -> None:
    stream = TextStream()
    assert run(stream, chunks) == text
    assert not stream.conclusive


def test_the_usage_tells_where_the_chunks_do_not() -> None:
    chunks = ["    words = s.split()", "    words = s.split()\n    return words"]
    assert run(TextStream(), chunks, tokens=6) == chunks[-1]
    assert run(TextStream(), chunks, tokens=0) == "".join(chunks)


@pytest.mark.parametrize("finish", ["repeat", "empty", "none"])
@pytest.mark.parametrize(
    "chunks", [["    return result"], ["    return ", "result.values()"]], ids=["one", "two"]
)
def test_a_finish_chunk_may_repeat_everything(chunks: list[str], finish: str) -> None:
    text = "".join(chunks)
    last = {"repeat": text, "empty": "", "none": None}[finish]
    assert run(TextStream(), chunks, finish=last) == text


def test_a_finish_chunk_may_bring_the_last_text() -> None:
    assert run(TextStream(), ["Can", "ada"], finish=" ") == "Canada "
    assert run(TextStream(CUMULATIVE), ["Can", "Canada"], finish="Canada ") == "Canada "


def test_what_is_certain_is_given_out_at_once() -> None:
    """Even while the meaning is open: the first chunk is the beginning of the text in both."""
    stream = TextStream()
    assert stream.feed("    words") == "    words"
    assert stream.feed(" = s") == " = s"
    stream = TextStream()
    assert stream.feed("def") == "def"
    assert stream.feed("def f") == ""
    assert stream.feed("def foo(x):") == " foo(x):"


@given(code)
def test_what_was_given_out_is_never_taken_back(chunks: list[str]) -> None:
    for sent in (chunks, cumulated(chunks)):
        stream = TextStream()
        text = "".join(stream.feed(chunk) for chunk in sent)
        assert (text + stream.close()).startswith(text)


def test_a_character_cut_in_two_is_not_a_contradiction() -> None:
    """Cumulative streams show the first bytes of a character as U+FFFD until the next chunk."""
    stream = TextStream()
    sent = ["# 中\ufffd", "# 中文注", "# 中文注释：计算总和"]
    assert run(stream, sent) == sent[-1]
    assert stream.semantics is CUMULATIVE


def test_a_remembered_meaning_is_used_from_the_first_chunk() -> None:
    stream = TextStream(CUMULATIVE)
    assert [stream.feed(text) for text in ("a", "ab", "abc")] == ["a", "b", "c"]
    stream = TextStream(DELTA)
    assert [stream.feed(text) for text in ("na", "na", "b")] == ["na", "na", "b"]


def test_an_end_that_was_cut_back_is_let_be() -> None:
    stream = TextStream(CUMULATIVE)
    assert run(stream, ["a", "a\n"], finish="a") == "a\n"
    assert stream.semantics is CUMULATIVE


def test_a_wrong_memory_is_mended_before_wrong_text_is_shown() -> None:
    stream = TextStream(CUMULATIVE)
    assert run(stream, ["foo", "bar"]) == "foobar"
    assert (stream.semantics, stream.conclusive) == (DELTA, True)

    stream = TextStream(DELTA)
    with pytest.raises(AnswerError):
        run(stream, cumulated(["def f", "oo(x):", "\n    return x"]))
    assert (stream.semantics, stream.conclusive) == (CUMULATIVE, True)


def test_a_wrong_setting_loses_no_text() -> None:
    assert run(TextStream(CUMULATIVE, certain=True), ["foo", "bar", "baz"]) == "foobarbaz"


def test_memory() -> None:
    memory = SemanticsMemory()
    assert memory.recall("u", "m") is None
    memory.learn("u", "m", CUMULATIVE)
    assert memory.recall("u", "m") is CUMULATIVE
    assert memory.recall("u", "other") is None
    memory.learn("u", "m", DELTA)
    assert memory.recall("u", "m") is DELTA
