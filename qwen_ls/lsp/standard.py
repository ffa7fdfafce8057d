"""Standard input and output, kept for the protocol alone."""

from __future__ import annotations

import os
import sys


def take_standard_streams() -> tuple[int, int]:
    """Descriptors of stdin and stdout for our use alone.

    Whatever else prints goes to stderr from now on, and a child process finds an empty stdin.
    """
    reading, writing = os.dup(0), os.dup(1)
    os.dup2(2, 1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    if sys.platform == "win32":
        import msvcrt

        msvcrt.setmode(reading, os.O_BINARY)
        msvcrt.setmode(writing, os.O_BINARY)
    return reading, writing
