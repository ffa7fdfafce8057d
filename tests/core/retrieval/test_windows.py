"""Windows like what is being written: the words compared, and the fast count beside a plain one."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwen_ls.core.retrieval.windows import LEAST_COMMON, Index, best_windows, common_words
from qwen_ls.core.retrieval.words import are_relatives, bag, words


@pytest.mark.parametrize(
    ("line", "found"),
    [
        pytest.param("parseHTTPHeader", ["parse", "http", "header"], id="camel case"),
        pytest.param("parse_http_header", ["parse", "http", "header"], id="snake case"),
        pytest.param("MAX_LINE_CHARS = 3", ["max", "line", "chars"], id="constants, no numbers"),
        pytest.param("for x in range(n): return self", ["range"], id="no words of every file"),
        pytest.param("count + count", ["count", "count"], id="as often as they occur"),
        pytest.param("# 价格表", ["价", "格", "表"], id="chinese, by character"),
        pytest.param("", [], id="empty"),
    ],
)
def test_words(line: str, found: list[str]) -> None:
    assert words(line) == found


def test_the_end_of_a_very_long_line_costs_nothing() -> None:
    assert len(words("word " * 100_000)) < 100


@pytest.mark.parametrize(
    ("one", "other", "related"),
    [
        ("typescript", "javascriptreact", True),
        ("c", "cpp", True),
        ("python", "python", True),
        ("nobody-knows", "nobody-knows", True),
        ("python", "javascript", False),
        ("html", "python", False),
    ],
)
def test_language_families(one: str, other: str, related: bool) -> None:
    assert are_relatives(one, other) is are_relatives(other, one) is related


def plain(lines: list[str], query: Counter[str], size: int) -> list[tuple[int, float]]:
    """The words in common with each window and its Jaccard similarity, counted anew each time."""
    found = []
    for start in range(max(1, len(lines) - size + 1)):
        window = bag("\n".join(lines[start : start + size]))
        both, either = (window & query).total(), (window | query).total()
        found.append((both, both / either if either else 0.0))
    return found


COLOURS = st.sampled_from(["red", "green", "blue", "gold"])
LINES = st.lists(st.lists(COLOURS, max_size=5).map(" ".join), max_size=40)
QUERY = st.lists(st.sampled_from(["red", "green", "gold", "grey"]), max_size=12).map(Counter)


@given(LINES, QUERY, st.integers(1, 9))
def test_common_words_are_those_of_a_plain_count(lines: list[str], query: Counter[str], size: int) -> None:
    index = Index.of(tuple(line + "\n" for line in lines))
    assert common_words(index, query, size) == [common for common, _ in plain(lines, query, size)]


@given(LINES, QUERY, st.integers(1, 9))
def test_the_best_windows_do_not_overlap_and_none_beside_them_is_better(lines, query, size) -> None:
    chosen = best_windows(Index.of(tuple(line + "\n" for line in lines)), query, most=3, size=size)
    taken = [line for window in chosen for line in window.lines]
    assert len(taken) == len(set(taken))
    allowed = {
        start: similarity
        for start, (common, similarity) in enumerate(plain(lines, query, size))
        if common and common >= LEAST_COMMON * query.total() and lines[start].strip()
    }
    assert all(window.similarity == pytest.approx(allowed[window.lines.start]) for window in chosen)
    assert max(allowed.values(), default=0) == pytest.approx(chosen[0].similarity if chosen else 0)


def test_the_window_that_is_like_the_query_is_found() -> None:
    lines = ["    filler.one(two, three)\n"] * 200
    lines[120:123] = ["def total_price(order):\n", "    return order.price\n", "\n"]
    (best, *_) = best_windows(Index.of(tuple(lines)), bag("def order_price_total(orders):"))
    assert 120 in best.lines
    assert len(best.lines) == 50


@pytest.mark.parametrize("lines", [(), ("\n",), ("", ""), ("one\n",)])
def test_small_documents(lines: tuple[str, ...]) -> None:
    for window in best_windows(Index.of(lines), Counter({"one": 1})):
        assert window.lines == range(len(lines))
