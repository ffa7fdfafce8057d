"""Arguments, exit codes and messages of the command itself."""

import argparse
import subprocess
import sys

import pytest

from qwen_ls import __version__, cli
from qwen_ls.commands import CommandError

if sys.platform != "win32":
    from tests.cli.terminal import Terminal

HEAVY = "pygls lsprotocol httpx asyncio prompt_toolkit rich keyring json qwen_ls.service qwen_ls.settings"


def test_version_is_said_and_nothing_heavy_is_imported():
    program = (
        "import sys; from qwen_ls import cli; code = cli.main(['--version']); "
        f"print(code, sorted(set({HEAVY.split()!r}) & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, encoding="utf-8", timeout=60)
    assert done.stdout == f"qwen-ls {__version__}\n0 []\n"
    assert done.stderr == ""


@pytest.mark.parametrize("words", [[], ["try"], ["complete"], ["doctor"], ["config"]], ids=" ".join)
def test_every_help_has_an_example_and_the_exit_codes(words, capsys):
    assert cli.main([*words, "--help"]) == 0
    out = capsys.readouterr().out
    assert "example:\n  qwen-ls" in out
    assert "exit codes:" in out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        pytest.param(["frobnicate"], "invalid choice: 'frobnicate'", id="unknown command"),
        pytest.param(["--tcp", "nowhere"], "'nowhere' is not HOST:PORT", id="address"),
        pytest.param(["--tcp", "h:99999"], "is not HOST:PORT", id="port"),
        pytest.param(["--stdio", "--tcp", "h:1"], "not allowed with argument", id="two transports"),
        pytest.param(["complete"], "required: FILE:LINE:COL", id="no place"),
        pytest.param(["--vers"], "unrecognized arguments: --vers", id="no abbreviations"),
    ],
)
def test_wrong_arguments_are_one_line_and_exit_code_2(words, said, capsys):
    assert cli.main(words) == 2
    err = capsys.readouterr().err
    assert said in err
    assert err.count("\n") == 1
    assert "--help`" in err


@pytest.mark.parametrize(
    ("text", "address"),
    [("127.0.0.1:80", ("127.0.0.1", 80)), (":0", ("127.0.0.1", 0)), ("[::1]:8765", ("::1", 8765))],
)
def test_addresses(text, address):
    assert cli.build_parser().parse_args(["--tcp", text]).tcp == address


def test_what_vs_code_adds_to_every_servers_arguments_is_taken():
    arguments = cli.build_parser().parse_args(["--stdio", "--clientProcessId=123"])
    assert arguments.stdio


@pytest.mark.parametrize(
    ("word", "place"), [("-", "<stdin>"), ("-:3:4", "<stdin>:3:4"), ("-x:3:4", None), ("a-:3:4", "a-:3:4")]
)
def test_stdin_is_no_option(word, place, monkeypatch):
    seen = []
    monkeypatch.setattr(cli, "_run", lambda arguments: seen.append(arguments.place) or 0)
    cli.main(["complete", word])
    assert seen == ([place] if place else [])


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pty")
def test_on_a_terminal_it_says_what_it_is():
    with Terminal([sys.executable, "-m", "qwen_ls"]) as terminal:
        assert terminal.ended() == 0
        assert "qwen-ls try" in terminal.text
        assert "your editor starts it" in terminal.text


def failing(error):
    def run(arguments: argparse.Namespace) -> int:
        raise error

    return run


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        pytest.param(
            CommandError("no such thing; do this"), 2, "qwen-ls: no such thing; do this", id="usage"
        ),
        pytest.param(CommandError("it failed", 3), 3, "qwen-ls: it failed", id="endpoint"),
        pytest.param(KeyboardInterrupt(), 130, "qwen-ls: interrupted", id="ctrl-c"),
        pytest.param(
            ValueError("a\nb"), 70, "internal error: ValueError: a; run again with --debug", id="bug"
        ),
    ],
)
def test_errors_are_one_line(error, code, said, monkeypatch, capsys):
    monkeypatch.setattr(cli, "_run", failing(error))
    assert cli.main(["config"]) == code
    err = capsys.readouterr().err
    assert said in err
    assert len(err.strip().splitlines()) == 1


def test_debug_shows_the_traceback(monkeypatch):
    monkeypatch.setenv("QWEN_LS_LOG_LEVEL", "warning")
    monkeypatch.setattr(cli, "_run", failing(ValueError("deep down")))
    with pytest.raises(ValueError, match="deep down"):
        cli.main(["config", "--debug"])


@pytest.mark.skipif(sys.platform == "win32", reason="needs a shell")
def test_a_reader_that_goes_away_is_no_error():
    command = f"{sys.executable} -m qwen_ls config --schema 2>&1 >&3 | cat"
    line = f"({command}) 3>&1 | true"
    done = subprocess.run(["bash", "-c", line], capture_output=True, encoding="utf-8", timeout=60)
    assert done.stderr == ""
    assert "Traceback" not in done.stdout


def test_the_module_is_the_command(qwen_ls):
    done = qwen_ls("--version")
    assert (done.returncode, done.stdout) == (0, f"qwen-ls {__version__}\n")
