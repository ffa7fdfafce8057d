"""`qwen-ls try` without a terminal, with a real process for a server that follows a script."""

import io
import json
import subprocess

import pytest

from qwen_ls.commands.playground.ghost import Shown
from qwen_ls.commands.playground.opened import open_sample
from qwen_ls.commands.playground.plain import drawn
from tests.cli.conftest import PLAY


def play(script, *words, **options):
    command = [*PLAY, json.dumps(script), "--plain", *words]
    return subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, encoding="utf-8", timeout=120, **options
    )


def test_every_hole_of_the_sample_is_filled_and_drawn():
    done = play({"": "one\n    two"})
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert done.stdout.count("⟦one") == len(open_sample().cursors)
    assert done.stdout.count("two⟧") == len(open_sample().cursors)
    assert "fim, stub, " in done.stdout
    assert "83 + 14 tokens, from the model" in done.stdout


def test_the_samples_own_text_has_no_marks():
    opened = open_sample()
    assert "<|>" not in opened.text
    assert all(0 < cursor < len(opened.text) for cursor in opened.cursors)
    compile(opened.text.replace("    return \n", "    return 0\n"), opened.name, "exec")


def test_a_file_is_completed_at_its_end(tmp_path):
    (tmp_path / "mine.py").write_text("x = 1\ny = ", "utf-8")
    done = play({"y = ": "2"}, "mine.py", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "   2 │ y = ⟦2⟧" in done.stdout


def test_a_failing_endpoint_is_one_message_and_exit_code_3():
    done = play({"": "!error The key was refused. Set DASHSCOPE_API_KEY."})
    assert done.returncode == 3
    assert done.stderr == "qwen-ls: The key was refused. Set DASHSCOPE_API_KEY.\n"
    assert done.stdout == ""


def test_no_suggestion_anywhere_is_exit_code_1():
    done = play({})
    assert done.returncode == 1
    assert done.stderr.count("no suggestion: the script has nothing here") == len(open_sample().cursors)


def test_output_that_cannot_draw_brackets_gets_ascii(monkeypatch):
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    done = play({"": "one"})
    assert done.returncode == 0, done.stderr
    assert "[[one]]" in done.stdout


class AFile(io.StringIO):
    encoding = "utf-8"


class ATerminal(AFile):
    def isatty(self):
        return True


@pytest.mark.parametrize(
    ("text", "view", "expected"),
    [
        pytest.param("f(<|>)", Shown("a", 0), "   1 │ f(⟦a⟧)", id="mid-line"),
        pytest.param("f(<|>)x", Shown("a)", 1), "   1 │ f(⟦a)⟧x", id="replaces its tail"),
        pytest.param(
            "a\n<|>\nb", Shown("1\n2", 0), "   1 │ a\n   2 │ ⟦1\n     │ 2⟧\n   3 │ b", id="two lines"
        ),
    ],
)
def test_drawn(text, view, expected):
    plain = AFile()
    cursor = text.index("<|>")
    text = text.replace("<|>", "")
    assert drawn(text, cursor, view, plain) == expected
    in_colour = drawn(text, cursor, view, ATerminal())
    assert "⟦" not in in_colour
    assert in_colour.count("\x1b[1;32m") == view.text.count("\n") + 1
