r"""Server-sent events: bytes in, events out.

Pure, and more lenient than the specification where servers are (notes: DashScope, one-api, proxies): every
`data:` line is an event, whether or not a blank line follows; there may be a space after the colon; lines
end with LF, CRLF or CR; `:HTTP_STATUS/400` is a comment that says something. Bytes may be split anywhere,
inside a character too.
"""

from __future__ import annotations

from dataclasses import dataclass

from qwen_ls.backend.base import AnswerError

DONE = "[DONE]"
MAX_LINE_BYTES = 1 << 20
_STRAY_BYTES = 1 << 16
_STATUS = ":HTTP_STATUS/"


@dataclass(frozen=True, slots=True)
class Event:
    """One `data:` line, with what the lines before it said about it."""

    data: str
    name: str = ""
    status: int = 0
    """The HTTP status in DashScope's comment line; 0 without one."""

    @property
    def is_done(self) -> bool:
        """Whether it is the marker of the stream's end."""
        return self.data.strip() == DONE

    @property
    def is_error(self) -> bool:
        """Whether the lines before it call it an error, whatever it holds."""
        return self.name == "error" or self.status >= 400


class EventDecoder:
    """Cuts a stream of bytes into events.

    Attributes:
        stray: the beginning of what was no event stream: a gateway's page, or a plain JSON body.
    """

    def __init__(self) -> None:
        self.stray = b""
        self._tail = b""
        self._after_cr = False
        self._at_start = True
        self._name = ""
        self._status = 0

    def feed(self, data: bytes) -> list[Event]:
        """Take bytes; give the events that they complete.

        Raises:
            AnswerError: a line is longer than any answer can be.
        """
        if self._after_cr and data:
            data = data.removeprefix(b"\n")
            self._after_cr = False
        if not data:
            return []
        self._after_cr = data.endswith(b"\r")
        lines = (self._tail + data).splitlines(keepends=True)  # bytes: splits at LF, CRLF and CR only
        self._tail = b"" if lines[-1].endswith((b"\n", b"\r")) else lines.pop()
        if len(self._tail) > MAX_LINE_BYTES:
            raise AnswerError("The endpoint sent a line without an end")
        return [event for line in lines if (event := self._read(line))]

    def close(self) -> list[Event]:
        """End the stream; give the event of a last line without a line end."""
        line, self._tail = self._tail, b""
        event = self._read(line) if line else None
        return [event] if event else []

    def _read(self, raw: bytes) -> Event | None:
        if self._at_start:
            raw = raw.removeprefix(b"\xef\xbb\xbf")
            self._at_start = False
        line = raw.rstrip(b"\r\n").decode("utf-8", "replace")
        if not line:
            return None
        if line.startswith(":"):
            self._read_comment(line)
            return None
        field, colon, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "data" and colon:
            event = Event(value, self._name, self._status)
            self._name, self._status = "", 0
            return event if value.strip() else None
        if field == "event" and colon:
            self._name = value
        elif field not in {"id", "retry"} and len(self.stray) < _STRAY_BYTES:
            self.stray += raw[:_STRAY_BYTES]
        return None

    def _read_comment(self, line: str) -> None:
        status = line.removeprefix(_STATUS).strip()
        if line.startswith(_STATUS) and status.isascii() and status.isdigit() and len(status) == 3:
            self._status = int(status)


class LineDecoder:
    """Cuts a stream of one JSON object a line (NDJSON, as Ollama's own API has it) into events.

    Attributes:
        stray: nothing is: every line is an event.
    """

    def __init__(self) -> None:
        self.stray = b""
        self._tail = b""

    def feed(self, data: bytes) -> list[Event]:
        """Take bytes; give the events that they complete.

        Raises:
            AnswerError: a line is longer than any answer can be.
        """
        *lines, self._tail = (self._tail + data).split(b"\n")
        if len(self._tail) > MAX_LINE_BYTES:
            raise AnswerError("The endpoint sent a line without an end")
        return [Event(line.decode("utf-8", "replace")) for line in lines if line.strip()]

    def close(self) -> list[Event]:
        """End the stream; give the event of a last line without a line end."""
        return self.feed(b"\n")


def looks_like_events(body: bytes) -> bool:
    """Whether a body is an event stream, whatever its label says."""
    head = body.removeprefix(b"\xef\xbb\xbf").lstrip()[:16]
    return head.startswith((b"data:", b"event:", b"id:", b":"))


def events_in(body: bytes) -> list[Event]:
    """All the events of a body that is there as a whole.

    Raises:
        AnswerError: a line is longer than any answer can be.
    """
    decoder = EventDecoder()
    return decoder.feed(body) + decoder.close()
