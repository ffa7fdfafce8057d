"""The local engine on the command line."""

from __future__ import annotations

import io
import json

import pytest
from rich.console import Console

from qwen_ls.backend.base import NotReadyError
from qwen_ls.local import command
from qwen_ls.local.paths import models_dir
from tests.local.test_weights import CONTENT, SMALL, hub


class Terminal(Console):
    """A console that someone sits at, or not."""

    def __init__(self, *, is_terminal=True, answer=""):
        super().__init__(file=io.StringIO(), force_terminal=is_terminal, width=200)
        self.answer = answer

    def input(self, prompt="", **options):
        self.print(prompt, **options)
        return self.answer

    @property
    def shown(self):
        return self.file.getvalue()


@pytest.fixture(autouse=True)
def _own_folder(data_dir):
    """No test here sees the real weights."""


@pytest.fixture
def source(file_server):
    """A hub with the file."""
    file_server.content = CONTENT
    return hub(file_server)


def fetch(console, source, *, ask=True, yes=False):
    return command.fetch(ask=ask, yes=yes, console=console, model=SMALL, sources=[source])


def test_on_a_terminal_the_user_is_asked(source):
    """The size and the place come first; a bar shows the rest."""
    console = Terminal(answer="y")
    assert fetch(console, source).read_bytes() == CONTENT
    assert "has to be downloaded first: 0 MB" in console.shown
    assert str(models_dir()) in console.shown
    assert "━" in console.shown


@pytest.mark.parametrize("answer", ["", "n", "what?"])
def test_anything_but_yes_is_no(source, file_server, answer):
    """Nothing is fetched, and the user reads how to go on."""
    with pytest.raises(NotReadyError, match="was not downloaded"):
        fetch(Terminal(answer=answer), source)
    assert not file_server.ranges


def test_who_said_yes_is_not_asked(source):
    """`--yes`."""
    console = Terminal(answer="n")
    fetch(console, source, yes=True)
    assert "[y/N]" not in console.shown


def test_off_a_terminal_lines_are_printed(source):
    """The size first, then every tenth; nobody is asked."""
    console = Terminal(is_terminal=False)
    fetch(console, source, ask=False)
    lines = console.shown.splitlines()
    assert "has to be downloaded first" in lines[0]
    assert lines[-1].startswith("100 %")
    assert len(lines) <= 12
    fetch(again := Terminal(is_terminal=False), source, ask=False)
    assert not again.shown


def test_an_interrupted_download_is_kept(source, monkeypatch):
    """Ctrl-C: one polite sentence, and the part stays."""

    def interrupted(model, **options):
        part = models_dir() / "small.gguf.part"
        part.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(CONTENT[:200_000])
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(command.weights, "ensure", interrupted)
        with pytest.raises(NotReadyError, match=r"interrupted; 0 MB of 0 MB are kept.*go on from there"):
            fetch(Terminal(answer="y"), source)
    console = Terminal(answer="y")
    fetch(console, source)
    assert "of them are here already" in console.shown


def test_describe_starts_nothing(data_dir):
    """What `doctor` prints can be written as JSON."""
    described = command.describe()
    assert json.loads(json.dumps(described)) == described
    assert described["weights"] is None
    assert described["running"] is None
    assert described["weights_verified"] is False
    assert not data_dir.exists()
