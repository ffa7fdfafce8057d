"""The gate: whether to ask, for how much, after what wait."""

from __future__ import annotations

from typing import Any

import pytest

from qwen_ls.core.trigger import Ask, Moment, decide, why_block
from qwen_ls.core.types import CompletionContext, Reason, Skip, TriggerKind
from qwen_ls.settings import Settings
from tests.marked import context as marked_context


def place(picture: str, **more: Any) -> CompletionContext:
    """The context at the mark, in a document that says something beside, unless it is blank."""
    above = "import os, sys\n\n" if picture.strip("█ \n") else ""
    return marked_context(above + picture, **more)


QUIET = [
    pytest.param("pr█int(x)", {}, Reason.MID_WORD, id="inside-a-word"),
    pytest.param("x = █ + 1", {}, Reason.TAIL, id="code-to-the-right"),
    pytest.param("x = █", {"enabled": False}, Reason.DISABLED, id="disabled"),
    pytest.param("x = █", {"trigger": "manual"}, Reason.MANUAL, id="manual"),
    pytest.param("x = █", {"languages": ("go",)}, Reason.LANGUAGE_OFF, id="not-listed"),
    pytest.param("x = █", {"languages": ("!python",)}, Reason.LANGUAGE_OFF, id="listed-as-off"),
    pytest.param(" \n█\n", {}, Reason.EMPTY_DOCUMENT, id="blank-document"),
]


@pytest.mark.parametrize(("picture", "settings", "reason"), QUIET)
def test_quiet_places(picture: str, settings: dict, reason: Reason) -> None:
    assert decide(place(picture), Settings(**settings)) == Skip(
        reason, "python" if "LANG" in reason.name else ""
    )


@pytest.mark.parametrize(
    "picture",
    [
        "x = █",
        "print(█)",
        "print('█')",
        "f(a, [█]);",
        "if x:█",
        "for (█) {",
        "def f():\n    █\n",
        "x = {'a': █},",
    ],
)
def test_speaking_places(picture: str) -> None:
    assert isinstance(decide(place(picture), Settings()), Ask)


@pytest.mark.parametrize(("picture", "settings", "_"), QUIET[:6])
def test_an_explicit_request_passes_the_gate(picture: str, settings: dict, _: Reason) -> None:
    ask = decide(place(picture, trigger=TriggerKind.INVOKED), Settings(**settings))
    assert isinstance(ask, Ask)


@pytest.mark.parametrize("trigger", TriggerKind)
@pytest.mark.parametrize(
    ("uri", "exclude"),
    [
        ("file:///p/.env", ()),
        ("file:///p/.env.local", ()),
        ("file:///p/ID_RSA", ()),
        ("file:///home/u/.ssh/config", ()),
        ("file:///home/u/.aws/credentials", ()),
        ("file:///p/server.pem", ()),
        ("file:///p/%2Eenv", ()),
        ("file:///c%3A/p/.ENV", ()),
        ("file:///p/prod.tfvars", ()),
        ("file:///p/gen/a.py", ("gen",)),
        ("file:///p/gen/deep/a.py", ("gen/**",)),
        ("file:///p/a.gen.py", ("*.gen.py",)),
        ("file:///p/x/private/a.py", ("**/private/*",)),
        ("file:///p/src/secret.txt", ("src/**/secret.txt",)),
        ("file:///p/src/a/b/secret.txt", ("src/**/secret.txt",)),
        ("file:///c%3A/p/private/a.py", ("private\\*",)),
        ("file:///p/.env-production", ()),
        ("file:///p/google-credentials.json", ()),
        ("file:///home/u/.bash_history", ()),
        ("file://[p/.env", ()),
    ],
)
def test_denied_files_are_denied_to_everybody(
    uri: str, exclude: tuple[str, ...], trigger: TriggerKind
) -> None:
    decision = decide(place("KEY=█", trigger=trigger, uri=uri), Settings(exclude=exclude))
    assert decision == Skip(Reason.DENIED)


@pytest.mark.parametrize(
    ("uri", "exclude"),
    [
        ("file:///p/secrets.py", ()),
        ("file:///p/environment.py", ()),
        ("file:///p/keyboard.py", ()),
        ("untitled:Untitled-1", ()),
        ("vscode-notebook-cell:/p/n.ipynb#W0", ()),
        ("file:///p/general/a.py", ("gen",)),
        ("file:///p/srcs/secret.txt", ("src/**/secret.txt",)),
        ("file://[p/a.py", ()),
    ],
)
def test_ordinary_files_are_not_denied(uri: str, exclude: tuple[str, ...]) -> None:
    assert isinstance(decide(place("x = █", uri=uri), Settings(exclude=exclude)), Ask)


@pytest.mark.parametrize(
    ("picture", "multiline"),
    [
        pytest.param("def f(x):█", True, id="after-an-opener"),
        pytest.param("def f(x):\n    █\n\nclass A: pass", True, id="empty-body"),
        pytest.param("def f(x):\n    █\n    return x", False, id="body-goes-on"),
        pytest.param("x = █", False, id="inside-a-statement"),
        pytest.param("call(█)", False, id="closers-to-the-right"),
        pytest.param("function f() {█\n}", True, id="brace-block"),
    ],
)
def test_a_block_is_asked_for_where_one_is_missing(picture: str, multiline: bool) -> None:
    ask = decide(place(picture), Settings())
    assert isinstance(ask, Ask)
    assert ask.multiline is multiline


MOMENTS = [
    pytest.param("x = █", Moment(deleted=True), "deletion", Reason.DELETED, id="after-deleting"),
    pytest.param(
        "x = █", Moment(dismissed=True), "dismissed", Reason.DISMISSED, id="where-one-was-dismissed"
    ),
    pytest.param("pr█int(x)", Moment(), "word,tail", Reason.MID_WORD, id="inside-a-word"),
    pytest.param("x = █ + 1", Moment(), "tail", Reason.TAIL, id="code-to-the-right"),
]


@pytest.mark.parametrize(("picture", "moment", "rules", "reason"), MOMENTS)
def test_each_rule_of_silence_can_be_switched_off(
    picture: str, moment: Moment, rules: str, reason: Reason
) -> None:
    assert decide(place(picture), Settings(), moment=moment) == Skip(reason)
    others = tuple(rule for rule in Settings().quiet if rule not in rules.split(","))
    assert isinstance(decide(place(picture), Settings(quiet=others), moment=moment), Ask)


@pytest.mark.parametrize(("picture", "moment", "rules", "reason"), MOMENTS)
def test_an_explicit_request_passes_each_rule(
    picture: str, moment: Moment, rules: str, reason: Reason
) -> None:
    asked = place(picture, trigger=TriggerKind.INVOKED)
    assert isinstance(decide(asked, Settings(), moment=moment), Ask)


def test_a_short_document_says_too_little() -> None:
    for picture in ("x = █", "\n\n  im█\n"):
        assert decide(marked_context(picture), Settings()) == Skip(Reason.SHORT_DOCUMENT)
        assert isinstance(decide(marked_context(picture), Settings(quiet=())), Ask)
    assert isinstance(decide(marked_context("def usage█"), Settings()), Ask)


WHY = [
    pytest.param("python", "def f(x):█", Moment(), "empty", id="opened"),
    pytest.param("python", "def f(x):\n    █\n\nf(1)", Moment(), "empty", id="empty-body"),
    pytest.param("python", "def f(x,\n      y):█\n\nf(1)", Moment(), "empty", id="header-over-lines"),
    pytest.param("python", "def f(x):█\n    return 1", Moment(), "", id="body-is-there"),
    pytest.param("python", "# Sort them.\n█", Moment(), "comment", id="comment"),
    pytest.param("python", 'def f():\n    """Sort."""\n    █', Moment(), "comment", id="docstring"),
    pytest.param("c", "/* Sort them. */\n█", Moment(), "comment", id="block-comment"),
    pytest.param("python", "x = 1\n█\n\n\ny = 2", Moment(), "blank", id="blank-line"),
    pytest.param("python", "x = 1█", Moment(accepted=True), "accepted", id="line-accepted"),
    pytest.param("python", "x = █", Moment(), "", id="inside-a-statement"),
    pytest.param("go", "func f() {█\n}", Moment(), "empty", id="braces"),
    pytest.param("ruby", "def f█\nend", Moment(), "empty", id="def-without-a-colon"),
    pytest.param("markdown", "Some text:█", Moment(), "", id="prose"),
]


@pytest.mark.parametrize(("language", "picture", "moment", "why"), WHY)
def test_why_a_block_is_asked_for(language: str, picture: str, moment: Moment, why: str) -> None:
    at = place(picture, language=language)
    assert why_block(at, moment) == why
    ask = decide(at, Settings(), moment=moment)
    assert isinstance(ask, Ask)
    assert ask.multiline is bool(why)
    line = decide(at, Settings(blocks=tuple(set(Settings().blocks) - {why})), moment=moment)
    assert isinstance(line, Ask)
    assert not line.multiline


def test_a_line_may_grow_unless_that_is_switched_off() -> None:
    grows, stays = decide(place("x = █"), Settings()), decide(place("x = █"), Settings(blocks=()))
    assert isinstance(grows, Ask)
    assert isinstance(stays, Ask)
    assert (grows.block_lines, stays.block_lines) == (24, 0)
    assert grows.max_tokens > stays.max_tokens
    one = decide(place("x = █"), Settings(max_lines=1))
    assert isinstance(one, Ask)
    assert not one.block_lines


@pytest.mark.parametrize(
    ("picture", "moment", "until_blank"),
    [
        pytest.param("x = 1█", Moment(accepted=True), True, id="after-a-line"),
        pytest.param("# Sort them.\n█", Moment(), True, id="below-a-comment"),
        pytest.param('def f():\n    """Sort."""\n    █', Moment(), False, id="below-a-docstring"),
        pytest.param("def f(x):█", Moment(), False, id="a-body"),
    ],
)
def test_where_a_block_ends_at_a_blank_line(picture: str, moment: Moment, until_blank: bool) -> None:
    ask = decide(place(picture), Settings(), moment=moment)
    assert isinstance(ask, Ask)
    assert ask.until_blank is until_blank
