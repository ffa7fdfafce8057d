"""A terminal with an editor in it; ghost text is told from text by how it is drawn."""

from __future__ import annotations

import re
import subprocess
import time
from typing import TYPE_CHECKING, Any

from tests.cli.picture import screen_as_svg
from tests.cli.terminal import LIMIT_S, Terminal

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

COLUMNS, ROWS = 80, 20
KEY_S = 0.03
"""Between two keys of a quick typist."""

# What editors ask and tell a terminal, and pyte takes for text or for something else: strings (DCS, APC, PM,
# SOS), mode requests, and private sequences like xterm's modifyOtherKeys, which look like colours to it.
_NOT_FOR_PYTE = re.compile(
    rb"\x1b[P_^X].*?\x1b\\|\x1b\[\??[\d;]*\$p|\x1b\[[<>=][\d;]*[a-zA-Z]|\x1b\[\d+ q|\x1b\[\?\d+n",
    re.DOTALL,
)
_UNFINISHED = re.compile(rb"\x1b(?:[P_^X][^\x1b]*(?:\x1b)?|\[[?<>=\d;$ ]*)?$", re.DOTALL)
_QUESTIONS = {b"\x1b[c": b"\x1b[?62;22c", b"\x1b[6n": b"\x1b[1;1R", b"\x1b[5n": b"\x1b[0n"}
"""What is answered, as terminals do; an editor that waits for an answer would start late."""


class EditorScreen(Terminal):
    """An editor on a screen of its own. Use as a context manager.

    Args:
        command: the editor.
        is_ghost: whether a cell of pyte's screen is drawn as ghost text.
        environ: all of the environment but TERM.
    """

    def __init__(
        self, command: list[str], *, is_ghost: Callable[[Any], bool], environ: dict[str, str], cwd: Path
    ) -> None:
        self._is_ghost = is_ghost
        self._unread = b""

        program = [
            "env",
            "-i",
            "TERM=xterm-256color",
            *(f"{name}={value}" for name, value in environ.items()),
        ]
        super().__init__([*program, *command], columns=COLUMNS, rows=ROWS, cwd=cwd)
        feed = self._stream.feed
        self._stream.feed = lambda data: feed(self._readable(data))

    def _readable(self, data: bytes) -> bytes:
        """The data without what pyte misunderstands; answers the editor's questions."""
        for question, answer in _QUESTIONS.items():
            if question in data:
                self.send(answer.decode())
        data = _NOT_FOR_PYTE.sub(b"", self._unread + data)
        if unfinished := _UNFINISHED.search(data):
            self._unread, data = unfinished.group(), data[: unfinished.start()]
        else:
            self._unread = b""
        return data

    def type(self, text: str) -> None:
        """Press a key for each character."""
        for key in text:
            self.send(key)
            self.rest(KEY_S)

    def run(self, command: list[Any], environ: dict[str, str]) -> tuple[int, str]:
        """A program that asks the editor: its exit status, and what it prints.

        An editor does not answer while its screen is not read.
        """
        asking = subprocess.Popen(
            command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, encoding="utf-8"
        )
        end = time.monotonic() + LIMIT_S
        while asking.poll() is None:
            if time.monotonic() > end:
                asking.kill()
            self.step(0.01)
        printed, _ = asking.communicate()
        return asking.returncode, printed

    def rest(self, seconds: float) -> None:
        """Keep the screen up to date for a time."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self.step(left)

    @property
    def ghost(self) -> str:
        """What is drawn as ghost text, by rows; blanks at a row's beginning count where they are drawn so."""
        return "\n".join(self.ghost_rows()).strip("\n")

    def ghost_rows(self, count: int = ROWS) -> list[str]:
        """What is drawn as ghost text in each of the first rows."""
        rows = []
        for row in range(count):
            cells = [self.screen.buffer[row][column] for column in range(self.screen.columns)]
            rows.append("".join(cell.data for cell in cells if self._is_ghost(cell)).rstrip())
        return rows

    def save_picture(self, path: Path, title: str) -> None:
        """Write the screen as SVG."""
        path.with_suffix(".svg").write_text(screen_as_svg(self.screen, title), "utf-8")
