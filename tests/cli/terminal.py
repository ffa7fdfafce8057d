"""A terminal to test programs in: a pty whose screen is kept by pyte."""

import fcntl
import os
import pty
import select
import struct
import subprocess
import termios
import time

import pyte

LIMIT_S = 60.0
"""How long a screen may take to look as expected; generous, for machines with other things to do."""


class Terminal:
    """A program on a screen of its own. Use as a context manager."""

    def __init__(self, command, *, columns=100, rows=30, environ=None, cwd=None):
        self.screen = pyte.Screen(columns, rows)
        self._stream = pyte.ByteStream(self.screen)
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.before = termios.tcgetattr(slave)
        self._slave = slave  # kept open: the program's end is seen by its process, not by its terminal
        self.process = subprocess.Popen(
            command,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            cwd=cwd,
            env={**os.environ, "TERM": "xterm-256color", "PROMPT_TOOLKIT_COLOR_DEPTH": "", **(environ or {})},
            start_new_session=True,
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self.master)
        os.close(self._slave)

    @property
    def lines(self):
        return [line.rstrip() for line in self.screen.display]

    @property
    def text(self):
        return "\n".join(self.lines)

    def send(self, keys):
        os.write(self.master, keys.encode())

    def step(self, wait_s=0.2):
        """Take what the program has written; says whether it was anything."""
        if not select.select([self.master], [], [], wait_s)[0]:
            return False
        self._stream.feed(os.read(self.master, 65536))
        return True

    def wait(self, condition, *, each=lambda: None):
        """Run until the condition holds; `each` is called with every picture on the way."""
        end = time.monotonic() + LIMIT_S
        while not condition():
            assert time.monotonic() < end, f"the screen does not come to look as expected:\n{self.text}"
            assert self.process.poll() is None or self.step(0), f"the program has ended:\n{self.text}"
            if self.step():
                each()

    def see(self, *texts, each=lambda: None):
        """Wait until all these texts are on the screen."""
        self.wait(lambda: all(text in self.text for text in texts), each=each)

    def gone(self, text):
        """Wait until this text is not on the screen."""
        self.wait(lambda: text not in self.text)

    def ended(self):
        """Wait for the program's end; returns its exit code."""
        end = time.monotonic() + LIMIT_S
        while self.process.poll() is None:
            assert time.monotonic() < end, f"the program does not end:\n{self.text}"
            self.step()
        while self.step(0):
            pass
        return self.process.returncode

    def row_of(self, text):
        return next(row for row, line in enumerate(self.lines) if text in line)

    def in_italics(self, row):
        """The characters of a row that are drawn as ghost text."""
        cells = (self.screen.buffer[row][column] for column in range(self.screen.columns))
        return "".join(cell.data for cell in cells if cell.italics).strip()
