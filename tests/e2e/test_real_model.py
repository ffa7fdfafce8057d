"""The whole way: an editor's request, the server, the engine, the real Qwen2.5-Coder-0.5B, code that works.

Needs the weights: `QWEN_LS_LOCAL_MODEL` or the data folder has them, else they are downloaded. Only where
they cannot be had at all is this skipped, with a warning.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.conftest import environment
from tests.lsp.wire import Wire, ask, did_change, did_open, edit
from tests.marked import CURSOR

pytestmark = [pytest.mark.real_model, pytest.mark.timeout(900)]

ONLY_FIM = pytest.mark.parametrize("editor", ["fim"], indirect=True, scope="module")
BOTH = pytest.mark.parametrize("editor", ["fim", "partial"], indirect=True, scope="module")
PATIENCE_S = 600.0
URI = "file:///project/real.py"

REVERSE_WORDS = '''\
def reverse_words_with_special_chars(s):
    """
    Reverse each word in the string (preserving the position of non-alphabetic characters) and maintain the word order.
        Example:
        reverse_words_with_special_chars("Hello, world!") -> "olleH, dlrow!"
        Parameters:
            s (str): The input string, which may contain punctuation.
        Returns:
            str: The processed string, where words are reversed but non-alphabetic characters remain in their original positions.
    """
    █
    return result
'''  # noqa: E501 - as it stands in the documents
QUICK_SORT = "# Write a Python quick sort function\ndef quick_sort(arr):\n    █\n"
FIBONACCI = "def calculate_fibonacci(n):\n    if n <= 1:\n        return n\n    else:\n█"


@pytest.fixture(scope="module")
def editor(request: Any, real_weights: Any) -> Iterator[Any]:
    """A session with the local engine, for each strategy."""
    options = {"provider": "local", "strategy": request.param, "timeoutMs": 600_000}
    with Wire(sys.executable, "-m", "qwen_ls", "--stdio", env=environment()) as wire:
        wire.timeout_s = PATIENCE_S
        wire.initialize(initializationOptions=options)
        wire.strategy = request.param  # type: ignore[attr-defined]
        yield wire
        wire.call("bye", "shutdown")


def position(text: str, offset: int) -> tuple[int, int]:
    """Line and character, for ASCII."""
    return text.count("\n", 0, offset), offset - text.rfind("\n", 0, offset) - 1


def completed(wire: Wire, picture: str) -> str:
    """Open the document, ask at the mark, accept what comes; the document then."""
    offset, text = picture.index(CURSOR), picture.replace(CURSOR, "")
    line, character = position(text, offset)
    wire.send(did_open(URI, text))
    try:
        wire.send(ask("ask", URI, line, character, trigger=1))
        [item] = wire.answer()["result"]["items"]
        end = item["range"]["end"]["character"] - character
        wire.send(did_change(URI, 2, edit((line, character), (line, character + end), item["insertText"])))
        story = wire.call("why", "workspace/executeCommand", {"command": "qwen-ls.explain"})
        assert story["strategy"] == wire.strategy  # type: ignore[attr-defined]
        return text[:offset] + item["insertText"] + text[offset + end :]
    finally:
        wire.send(
            {"jsonrpc": "2.0", "method": "textDocument/didClose", "params": {"textDocument": {"uri": URI}}}
        )


def function(source: str, name: str) -> Any:
    """Parse and run the code; the function of that name."""
    names: dict[str, Any] = {}
    exec(compile(source, "completed.py", "exec"), names)
    return names[name]


@ONLY_FIM
def test_reverse_words_is_filled_in(editor: Any) -> None:
    """The documents' example of a prefix and a suffix."""
    source = completed(editor, REVERSE_WORDS)
    assert function(source, "reverse_words_with_special_chars")("Hello world") == "olleH dlrow"


@ONLY_FIM
def test_quick_sort_is_filled_in(editor: Any) -> None:
    """The documents' example of a prefix alone."""
    source = completed(editor, QUICK_SORT)
    assert function(source, "quick_sort")([3, 6, 8, 10, 1, 2, 1]) == [1, 1, 2, 3, 6, 8, 10]


@BOTH
def test_fibonacci_is_continued(editor: Any) -> None:
    """The documents' example of partial mode; fill-in-the-middle does it as well."""
    source = completed(editor, FIBONACCI)
    assert function(source, "calculate_fibonacci")(10) == 55
