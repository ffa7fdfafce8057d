"""The command `qwen-ls`: arguments, exit codes, one-line errors.

Imports nothing heavy: a command's module is imported when that command runs, and `--version` imports none.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import os
import re
import sys
from typing import TYPE_CHECKING, NoReturn

from qwen_ls import __version__
from qwen_ls.commands import EXIT_INTERRUPTED, EXIT_USAGE, STDIN, CommandError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    _Add = Callable[[str, str, str], argparse.ArgumentParser]
    """Adds a command: its name, one line on it, an example."""

GREETING = f"""\
qwen-ls {__version__}: Qwen's code completions as ghost text in every editor that speaks LSP.

This is a language server: your editor starts it and talks to it on stdin and stdout. To see it work here:

  qwen-ls try                    a playground in this terminal; without a key it uses a local model
  qwen-ls complete FILE:3:10     one completion, printed
  qwen-ls doctor                 checks the settings, the key and the endpoint
  qwen-ls --help                 everything else
"""

EXIT_CODES = """\
exit codes:
  0    done
  1    no suggestion (the reason is on stderr)
  2    wrong usage or settings
  3    the endpoint failed
"""

EXIT_INTERNAL = 70
"""An error of qwen-ls itself (`EX_SOFTWARE` of sysexits.h)."""
EXIT_BROKEN_PIPE = 141
"""Whoever read the output went away: what a shell reports for SIGPIPE."""

_STDIN_PLACE = re.compile(r"^-(?=(:\d+:\d+)?$)")


class _Parser(argparse.ArgumentParser):
    """A parser whose errors are one line that names the remedy."""

    def error(self, message: str) -> NoReturn:
        self.exit(EXIT_USAGE, f"qwen-ls: {message}; see `{self.prog} --help`\n")


def _address(text: str) -> tuple[str, int]:
    """Read `HOST:PORT`; an IPv6 host may stand in brackets, and a bare `:PORT` is loopback."""
    host, colon, port = text.rpartition(":")
    if not colon or not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not HOST:PORT, as in 127.0.0.1:8765")
    return host.strip("[]") or "127.0.0.1", int(port)


def _keys(text: str) -> int:
    """Read how many keys are wanted."""
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= 100_000:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 1 to 100000")
    return int(text)


def _common() -> _Parser:
    """Make the options that every command has."""
    parent = _Parser(add_help=False)
    parent.add_argument(
        "--debug",
        action="store_true",
        default=argparse.SUPPRESS,
        help="show tracebacks and log at level debug",
    )
    return parent


def _with_settings(parent: _Parser) -> _Parser:
    """Make the options of the commands that complete."""
    options = _Parser(add_help=False, parents=[parent])
    options.add_argument(
        "--set",
        dest="overrides",
        metavar="KEY=VALUE",
        action="append",
        default=[],
        help="a setting for this run, as in --set provider=local; may be repeated",
    )
    return options


def _add_commands(parser: _Parser, common: _Parser) -> None:
    commands = parser.add_subparsers(
        dest="command", metavar="COMMAND", title="commands", parser_class=_Parser
    )
    settings = _with_settings(common)

    def add(name: str, summary: str, example: str) -> argparse.ArgumentParser:
        return commands.add_parser(
            name,
            help=summary,
            description=f"{summary[0].upper()}{summary[1:]}.",
            epilog=f"example:\n{example}\n\n{EXIT_CODES}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
            parents=[settings],
            allow_abbrev=False,
        )

    for add_command in (_add_try, _add_complete, _add_doctor, _add_bench, _add_config, _add_stats):
        add_command(add)


def _add_try(add: _Add) -> None:
    playground = add(
        "try", "a playground in the terminal: type, see ghost text, Tab to accept", "  qwen-ls try app.py"
    )
    playground.add_argument(
        "file", metavar="FILE", nargs="?", help="the file to edit (default: a bundled sample)"
    )
    _add_yes(playground)
    playground.add_argument(
        "--plain", "--no-tty", dest="plain", action="store_true", help="print a few completions instead"
    )


def _add_complete(add: _Add) -> None:
    complete = add("complete", "one completion, printed", "  qwen-ls complete app.py:12:5 --json")
    complete.add_argument(
        "place", metavar="FILE:LINE:COL", help="the cursor, counted from 1, in characters; FILE `-` is stdin"
    )
    complete.add_argument(
        "--language", metavar="ID", help="the LSP language id (default: by the file's name)"
    )
    complete.add_argument("--json", action="store_true", help="print the completion and its origin as JSON")
    complete.add_argument(
        "--open",
        action="append",
        default=[],
        metavar="FILE",
        help="a file that counts as open beside it, as in an editor; may be given again",
    )
    complete.add_argument(
        "--explain",
        nargs="?",
        const="answer",
        choices=["answer", "prompt"],
        help="print how it came instead: what the model said, what each step made of it; `prompt`: that too",
    )
    _add_yes(complete)


def _add_doctor(add: _Add) -> None:
    doctor = add("doctor", "check settings, key, host, model and streaming, live", "  qwen-ls doctor")
    doctor.add_argument("--json", action="store_true", help="print the findings as JSON")
    doctor.add_argument(
        "--layouts",
        action="store_true",
        help="compare the ways to ask the model on a dozen written holes: prompt layouts, partial mode",
    )


def _add_bench(add: _Add) -> None:
    bench = add(
        "bench", "type a real file with your endpoint, and print what it was worth", "  qwen-ls bench app.py"
    )
    bench.add_argument(
        "file", metavar="FILE", nargs="?", help="the file that is typed a part of (default: one of Python's)"
    )
    bench.add_argument(
        "--keys",
        metavar="N",
        type=_keys,
        default=300,
        help="how many characters are typed, and calls are made at most (default: 300, about a minute)",
    )
    bench.add_argument("--json", action="store_true", help="print the figures as JSON")
    bench.add_argument(
        "--simulated",
        action="store_true",
        help="ask an endpoint that is not there, in no time",
    )
    _add_yes(bench)


def _add_config(add: _Add) -> None:
    config = add(
        "config", "the settings in force and where each came from", "  qwen-ls config --set region=singapore"
    )
    config.add_argument("--schema", action="store_true", help="print the JSON Schema of the settings instead")
    config.add_argument("--json", action="store_true", help="print the settings as JSON")


def _add_stats(add: _Add) -> None:
    stats = add(
        "stats",
        "what was asked, shown, accepted, dismissed and spent, by model; local only",
        "  qwen-ls stats",
    )
    stats.add_argument("--json", action="store_true", help="print the counts as JSON")
    stats.add_argument("--html", metavar="FILE", help="write a page instead")


def _add_yes(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--yes", action="store_true", help="ask nothing: download the local model if it is needed"
    )


def build_parser() -> argparse.ArgumentParser:
    """Build the parser of the whole command line."""
    common = _common()
    parser = _Parser(
        prog="qwen-ls",
        description="Qwen's code completions as ghost text in every editor that speaks LSP.\n"
        "Without a command it is the language server, on stdin and stdout.",
        epilog=f"example:\n  qwen-ls try\n\n{EXIT_CODES}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        parents=[common],
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"qwen-ls {__version__}")
    transport = parser.add_argument_group("server").add_mutually_exclusive_group()
    transport.add_argument("--stdio", action="store_true", help="talk on stdin and stdout (the default)")
    transport.add_argument("--tcp", metavar="HOST:PORT", type=_address, help="listen on a TCP port")
    transport.add_argument("--ws", metavar="HOST:PORT", type=_address, help="listen for a WebSocket")
    # VS Code's client library adds this to every server's command line.
    parser.add_argument("--clientProcessId", type=int, help=argparse.SUPPRESS)
    _add_commands(parser, common)
    return parser


_MODULES = {"try": "qwen_ls.commands.playground", "complete": "qwen_ls.commands.complete"}


def _serve(arguments: argparse.Namespace) -> int:
    """Run the language server, or, on a terminal and not asked for by name, say what this is."""
    if (
        not (arguments.stdio or arguments.tcp or arguments.ws)
        and sys.stdin is not None
        and sys.stdin.isatty()
    ):
        print(GREETING, end="")
        return 0
    from qwen_ls.lsp import server

    if arguments.tcp:
        return server.run_tcp(*arguments.tcp)
    if arguments.ws:
        return server.run_ws(*arguments.ws)
    if sys.stdin is not None and sys.stdin.isatty():
        print("qwen-ls: waiting for an editor on stdin; Ctrl-C ends it", file=sys.stderr)
    return server.run_stdio()


def _run(arguments: argparse.Namespace) -> int:
    if arguments.command is None:
        return _serve(arguments)
    module = importlib.import_module(_MODULES.get(arguments.command, f"qwen_ls.commands.{arguments.command}"))
    code: int = module.run(arguments)
    sys.stdout.flush()
    return code


def _on_broken_pipe() -> int:
    """Keep the interpreter from complaining about stdout at its end."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return EXIT_BROKEN_PIPE


def _guarded(arguments: argparse.Namespace) -> int:
    """Run, and turn what goes wrong into one line and an exit code."""
    try:
        return _run(arguments)
    except BrokenPipeError:
        return _on_broken_pipe()
    except KeyboardInterrupt:
        print("\nqwen-ls: interrupted", file=sys.stderr)
        return EXIT_INTERRUPTED
    except CommandError as failure:
        if hasattr(arguments, "debug") and failure.__cause__ is not None:
            raise
        print(f"qwen-ls: {failure}", file=sys.stderr)
        return failure.code
    except Exception as error:
        if hasattr(arguments, "debug"):
            raise
        what = f"{type(error).__name__}: {error}".splitlines()[0]
        print(f"qwen-ls: internal error: {what}; run again with --debug for the traceback", file=sys.stderr)
        return EXIT_INTERNAL


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    # argparse would take `-:3:4` for an option.
    words = [_STDIN_PLACE.sub(STDIN, word, count=1) for word in words]
    try:
        arguments = build_parser().parse_args(words)
    except SystemExit as done:
        return done.code if isinstance(done.code, int) else 0
    if hasattr(arguments, "debug"):
        os.environ.setdefault("QWEN_LS_LOG_LEVEL", "debug")
    return _guarded(arguments)
