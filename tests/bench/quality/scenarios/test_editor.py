"""What a scenario's user does, before a real server and the fake endpoint."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.bench.quality.arms import environment
from tests.bench.quality.scenarios.editor import Editor, NothingShownError
from tests.bench.wire import PYTHON, Server
from tests.fake_dashscope import FakeDashScope
from tests.marked import marked

LINE = "value = compute(█)\nother = 1\n"
"""A document of some length: in one of a few characters nothing is shown."""


@pytest.fixture(scope="module")
def server(endpoint: FakeDashScope) -> Iterator[Server]:
    """A server before the fake endpoint."""
    with Server([PYTHON, "-m", "qwen_ls", "--stdio"], environment()) as server:
        server.initialize({"baseUrl": endpoint.compat_url, "debounceMs": 0, "lookAhead": False})
        yield server


@pytest.fixture
def opened(server: Server, fake: FakeDashScope, request: pytest.FixtureRequest) -> Editor:
    """An editor with the document of its own name."""
    fake.answer = "first, second)"
    document, offset = marked(LINE)
    return Editor(server, f"file:///project/{request.node.name}.py", "python", document.text, offset)


@pytest.mark.parametrize(
    ("events", "line", "shown"),
    [
        ([], "value = compute(", "first, second)"),
        ([("ask", "")], "value = compute(", "first, second)"),
        ([("ask", ""), ("escape", "")], "value = compute(", ""),
        ([("ask", ""), ("escape", ""), ("type", "f")], "value = compute(f", ""),
        ([("ask", ""), ("escape", ""), ("type", "x")], "value = compute(x", "first, second)"),
        ([("ask", ""), ("escape", ""), ("invoke", "")], "value = compute(", "first, second)"),
        ([("ask", ""), ("see", ""), ("follow", "3")], "value = compute(fir", "st, second)"),
        ([("type", "x"), ("backspace", "1")], "value = compute(", ""),
        ([("type", "x"), ("backspace", "1"), ("invoke", "")], "value = compute(", "first, second)"),
    ],
    ids=[
        "nothing",
        "ask",
        "escape",
        "escape-and-type-along",
        "escape-and-type-on",
        "escape-and-invoke",
        "follow",
        "backspace",
        "invoke",
    ],
)
def test_events(opened: Editor, events: list[tuple[str, str]], line: str, shown: str) -> None:
    opened.play(events)
    assert (opened.line, opened.shown) == (line, shown)


def test_each_key_is_a_change_and_a_question(opened: Editor, fake: FakeDashScope) -> None:
    opened.play([("type", "zx")])
    assert [call.prefix.rpartition("\n")[2] for call in fake.requests] == [
        "value = compute(z",
        "value = compute(zx",
    ]


def test_what_is_typed_along_is_no_new_call(opened: Editor, fake: FakeDashScope) -> None:
    opened.play([("ask", ""), ("follow", "5")])
    assert len(fake.requests) == 1


def test_after_accepting_the_editor_asks_from_there(opened: Editor, fake: FakeDashScope) -> None:
    """The bracket that stood there is covered, not doubled; the server is told by the item's command."""
    opened.play([("ask", ""), ("accept", "")])
    assert opened.text == "value = compute(first, second)\nother = 1\n"
    assert fake.requests[-1].prefix.endswith("compute(first, second)")


def test_what_is_dismissed_is_not_asked_for_again(opened: Editor, fake: FakeDashScope) -> None:
    opened.play([("ask", ""), ("escape", ""), ("ask", "")])
    assert len(fake.requests) == 1


@pytest.mark.parametrize("action", ["see", "follow", "accept", "escape"])
def test_nobody_goes_on_with_what_is_not_shown(opened: Editor, action: str) -> None:
    with pytest.raises(NothingShownError):
        opened.play([(action, "1")])


def test_an_event_that_nobody_knows(opened: Editor) -> None:
    with pytest.raises(ValueError, match="nobody can dance"):
        opened.play([("dance", "")])


def test_characters_beyond_the_plane_count_twice(server: Server, fake: FakeDashScope) -> None:
    fake.answer = "here, now)"
    document, offset = marked('greet("🦀🦀", █)\nother = 1\n')
    editor = Editor(server, "file:///project/crab.py", "python", document.text, offset)
    editor.play([("ask", ""), ("accept", ""), ("type", "!")])
    assert editor.line == 'greet("🦀🦀", here, now)!'
    assert fake.requests[-1].prefix.endswith(editor.line)
