"""The commands: one module each, with `run(arguments) -> int`. What all of them and `qwen_ls.cli` share."""

from __future__ import annotations

EXIT_DONE = 0
EXIT_NO_SUGGESTION = 1
EXIT_USAGE = 2
EXIT_ENDPOINT = 3
EXIT_INTERRUPTED = 130

STDIN = "<stdin>"
"""How `-` is written where a path is expected."""


class CommandError(Exception):
    """A command cannot go on; the message is one line that names the cause and the remedy.

    Attributes:
        code: the exit code.
    """

    def __init__(self, message: str, code: int = EXIT_USAGE) -> None:
        super().__init__(message)
        self.code = code
