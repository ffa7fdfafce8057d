"""Bytes to message bodies. Pure: no I/O, no clock.

The header part is read forgivingly (any case, any other header, bare line feeds), and after garbage the next
`Content-Length` is looked for, so that one broken message does not end the session.
"""

from __future__ import annotations

import logging
import re

logger = logging.getLogger(__name__)

MAX_HEADER_BYTES = 64 * 1024
MAX_BODY_BYTES = 1 << 30

_END_OF_HEADERS = re.compile(rb"\r?\n\r?\n")
_LENGTH = re.compile(rb"^[ \t]*content-length[ \t]*:[ \t]*(\d{1,10})[ \t]*\r?$", re.IGNORECASE | re.MULTILINE)
_BURIED_LENGTH = re.compile(rb"content-length[ \t]*:[ \t]*(\d{1,10})[ \t]*\r?$", re.IGNORECASE | re.MULTILINE)


def frame(body: bytes) -> bytes:
    """A body with its header, ready to be written."""
    return b"Content-Length: %d\r\n\r\n%b" % (len(body), body)


class Framer:
    """Collects bytes and gives back whole bodies; `feed` it with whatever a read brought."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._missing: int | None = None
        """The length of the body that is being waited for."""
        self._in_garbage = False

    def feed(self, data: bytes) -> list[bytes]:
        """Take bytes; returns the bodies that are complete now, in order."""
        self._buffer += data
        bodies: list[bytes] = []
        at = 0
        while True:
            if self._missing is None:
                at = self._read_headers(at)
            if self._missing is None or len(self._buffer) - at < self._missing:
                break
            bodies.append(bytes(self._buffer[at : at + self._missing]))
            at += self._missing
            self._missing = None
        del self._buffer[:at]
        return bodies

    def _read_headers(self, at: int) -> int:
        """Read header blocks from `at` until one gives a length; returns where the next unread byte is."""
        while end := _END_OF_HEADERS.search(self._buffer, at):
            block = bytes(self._buffer[at : end.start()])
            at = end.end()
            found = _LENGTH.search(block)
            if found is None:
                self._report_garbage()
                found = _BURIED_LENGTH.search(block)
            if found is not None and int(found[1]) <= MAX_BODY_BYTES:
                self._missing = int(found[1])
                self._in_garbage = False
                return at
        if len(self._buffer) - at > MAX_HEADER_BYTES:
            self._report_garbage()
            at = len(self._buffer) - MAX_HEADER_BYTES // 2
        return at

    def _report_garbage(self) -> None:
        """Log once per stretch of garbage; never its content."""
        if not self._in_garbage:
            self._in_garbage = True
            logger.warning(
                "the client sent bytes that are no LSP message; skipping to the next Content-Length"
            )
