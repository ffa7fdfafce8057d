"""The ways to a hole's text, before the fake endpoint: what is asked, and what becomes of the answer."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from qwen_ls.backend.presets import LocalEndpoint
from tests.bench.quality.arms import Raw, Through, forget
from tests.bench.quality.problems import Problem
from tests.fake_dashscope import FakeDashScope

LINE = Problem("Test/line", "def f(a):\n", "    return b\n", "    b = a\n", "", "f")
INSIDE = Problem("Test/inside", "def f(a):\n    return g(", ")\n", "a, 1", "", "f")


@pytest.mark.parametrize(
    ("layout", "prompt"),
    [
        ("prefix", "def f(a):\n    return g("),
        ("psm", "<|fim_prefix|>def f(a):\n    return g(<|fim_suffix|>)\n<|fim_middle|>"),
        ("spm", "<|fim_prefix|><|fim_suffix|>)\n<|fim_middle|>def f(a):\n    return g("),
        ("line-last", "<|fim_prefix|>def f(a):\n<|fim_suffix|>)\n<|fim_middle|>    return g("),
    ],
)
def test_the_bare_prompt(layout: str, prompt: str, fake: FakeDashScope) -> None:
    fake.answer = "a, 1"
    arm = Raw(layout, LocalEndpoint(fake.compat_url, "sk-test", "qwen-coder-turbo"))
    answer = arm.answer(INSIDE, one_line=False)
    assert fake.requests[-1].body["prompt"] == prompt
    assert answer.document == "def f(a):\n    return g(a, 1)\n"
    assert answer.prompt_tokens > 0


def test_no_arm_profits_from_another_s_prompt(fake: FakeDashScope) -> None:
    """An engine's cache would make what the second arm reads, and so what it says, depend on the first."""
    endpoint = LocalEndpoint(fake.compat_url, "sk-test", "qwen-coder-turbo")
    Raw("psm", endpoint).answer(INSIDE, one_line=True)
    assert fake.requests[-1].body["cache_prompt"] is False
    calls = len(fake.requests)
    arm = Through("qwen-ls", {"enabled": False}, before=lambda: forget(endpoint))
    try:
        arm.answer(INSIDE, one_line=True)
    finally:
        arm.close()
    assert len(fake.requests) == calls + 1
    assert "fim" not in fake.requests[-1].body["prompt"]


def test_a_bare_line_ends_where_it_was_stopped(fake: FakeDashScope) -> None:
    fake.answer = "    b = a"
    arm = Raw("psm", LocalEndpoint(fake.compat_url, "sk-test", "qwen-coder-turbo"))
    answer = arm.answer(LINE, one_line=True)
    assert fake.requests[-1].body["stop"][0] == "\n"
    assert answer.document == "def f(a):\n    b = a\n    return b\n"


@pytest.fixture
def server(fake: FakeDashScope) -> Iterator[Through]:
    """A server before the fake endpoint."""
    arm = Through("qwen-ls", {"baseUrl": fake.compat_url, "debounceMs": 0, "lookAhead": False})
    yield arm
    arm.close()


def test_through_the_server_what_is_shown_is_accepted(server: Through, fake: FakeDashScope) -> None:
    fake.answer = "    b = a"
    assert server.answer(LINE, one_line=True).document == "def f(a):\n    b = a\n    return b\n"
    fake.answer = "a, 1)"
    answer = server.answer(INSIDE, one_line=False)
    assert answer.document == "def f(a):\n    return g(a, 1)\n"
    assert not answer.note


def test_through_the_server_no_answer_leaves_the_document_and_says_why(server: Through) -> None:
    inside_a_word = Problem("Test/word", "def f(a):\n    ret", "urn a\n", "", "", "f")
    answer = server.answer(inside_a_word, one_line=True)
    assert (answer.text, answer.document) == ("", "def f(a):\n    return a\n")
    assert "word" in answer.note
