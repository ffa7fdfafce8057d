"""One answer from bytes to chunks: a stream, a whole body, or one labelled as the other.

Pure: it is fed what arrives, and says what that is.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from qwen_ls.backend.base import AnswerError
from qwen_ls.backend.wire.answer import read_body, read_event, read_json
from qwen_ls.backend.wire.characters import Characters, whole
from qwen_ls.backend.wire.failures import failure_in, read_failure
from qwen_ls.backend.wire.shapes import in_choices
from qwen_ls.backend.wire.sse import EventDecoder, LineDecoder, looks_like_events
from qwen_ls.core.types import Chunk

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from qwen_ls.backend.base import BackendError
    from qwen_ls.backend.forms import Shape
    from qwen_ls.backend.wire.failures import Failure
    from qwen_ls.backend.wire.semantics import TextStream
    from qwen_ls.backend.wire.sse import Event
    from qwen_ls.core.types import Usage

MAX_BODY_BYTES = 8 << 20


class AnswerReader:
    """Reads one answer.

    Args:
        text: puts a stream's text together.
        error_of: makes the exception for an error inside an answer.
        kind: the answer's media type, as its label has it.
        echoed_prefix: what the server repeats at the beginning of a whole body's text.
        shape: where things are in its answers, if not in `choices`.

    Attributes:
        is_done: whether the stream has said that it is over; what follows is dropped.
        n_events: how many events have come, the one that ends the stream included; comments are none.
    """

    def __init__(
        self,
        text: TextStream,
        error_of: Callable[[Failure], BackendError],
        *,
        kind: str,
        echoed_prefix: str = "",
        shape: Shape | None = None,
    ) -> None:
        self.is_done = False
        self.n_events = 0
        self._text = text
        self._characters = Characters()
        self._error_of = error_of
        self._echoed_prefix = echoed_prefix
        self._shape = shape
        self._events: EventDecoder | LineDecoder | None = None
        if "event-stream" in kind:
            self._events = EventDecoder()
        elif "ndjson" in kind:
            self._events = LineDecoder()
        self._body = bytearray()
        self._finish_reason: str | None = None
        self._usage: Usage | None = None

    @property
    def is_over(self) -> bool:
        """Whether all the text is here, by the stream's word or the model's; usage may follow."""
        return self.is_done or self._finish_reason is not None

    def feed(self, data: bytes) -> list[Chunk]:
        """Take bytes; give the chunks of text that they complete.

        Raises:
            BackendError: the answer holds an error, or is none.
        """
        if self.is_done:
            return []
        if self._events is not None:
            return list(self._read(self._events.feed(data)))
        self._body += data
        if len(self._body) > MAX_BODY_BYTES:
            raise AnswerError("The endpoint's answer is too long to be one")
        return []

    def close(self) -> Chunk:
        """End the answer; give what is left of its text, why it ended, and the usage.

        Raises:
            BackendError: the answer holds an error, or is none.
        """
        decoder = self._events
        body = bytes(self._body)
        if decoder is None and looks_like_events(body):
            decoder = EventDecoder()
            pieces = [*self._read(decoder.feed(body)), *self._read(decoder.close())]
        elif decoder is not None:
            pieces = list(self._read(decoder.close()))
        else:
            return self._whole(body)
        if not self.n_events:
            return self._whole(decoder.stray)
        rest = self._text.close(self._usage.completion_tokens if self._usage else 0)
        text = "".join(piece.text for piece in pieces) + rest
        return Chunk(text, self._finish_reason, self._usage)

    def _read(self, events: Iterable[Event]) -> Iterable[Chunk]:
        for event in events:
            if self.is_done:
                return
            self.n_events += 1
            if event.is_done:
                self.is_done = True
                return
            if event.is_error:
                raise self._error_of(_told(read_failure(event.status or 200, event.data.encode())))
            answer = in_choices(read_json(event.data), self._shape)
            if failure := failure_in(answer, status=event.status or 200):
                raise self._error_of(_told(failure))
            chunk = read_event(answer)
            self._finish_reason = chunk.finish_reason or self._finish_reason
            self._usage = chunk.usage or self._usage
            new = self._characters.feed(chunk.text)
            if text := self._text.feed(new, last=chunk.finish_reason is not None):
                yield Chunk(text, None, chunk.usage)  # the native API counts in every event

    def _whole(self, body: bytes) -> Chunk:
        answer = in_choices(read_json(body), self._shape)
        if failure := failure_in(answer):
            raise self._error_of(_told(failure))
        chunk = read_body(answer, echoed_prefix=self._echoed_prefix)
        return replace(chunk, text=whole(chunk.text))


def _told(failure: Failure) -> Failure:
    """The failure; one that comes with HTTP 200 and says nothing of its cause is the server's own."""
    is_told = failure.code or failure.kind or failure.status >= 400
    return failure if is_told else replace(failure, status=500)
