"""How the fake behaves: the switches of one answer, and the scripted replies of the next requests.

Everything here is plain data.  A :class:`Behaviour` can be set for the whole server, for one request (by the
header ``x-fake-behaviour: key=value,...``) and for one scripted :class:`Reply`; the nearer one wins.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, Literal

from .errors import parse_fault

SLOPPY = frozenset(
    {
        "fences",
        "special_tokens",
        "fim_pad",
        "next_file",
        "repeat_suffix",
        "repeat_prefix_line",
        "chatter",
        "cursor",
        "endless",
    }
)
"""The ways in which an answer can be untidy; several are joined with ``+``."""

CHOICES: dict[str, tuple[str, ...]] = {
    "stream_semantics": ("delta", "cumulative"),
    "finish_chunk": ("empty", "with_text", "repeat"),
    "usage_placement": ("own_chunk", "inline", "absent"),
}


@dataclass(frozen=True, slots=True)
class Behaviour:
    """The switches of one answer.  The defaults: a well-behaved DashScope without its delays."""

    stream_semantics: Literal["delta", "cumulative"] = "delta"
    """Compat streams: new text per chunk, or all text so far (native ones obey ``incremental_output``)."""
    ignores_incremental: bool = False
    """Native streams: all text so far in every event, though ``incremental_output`` asks for new text."""
    finish_chunk: Literal["empty", "with_text", "repeat"] = "empty"
    """The finish chunk is empty, carries the last text, or (cumulative streams) repeats the whole text."""
    usage_placement: Literal["own_chunk", "inline", "absent"] = "own_chunk"
    """Where the usage goes when the client asked for it."""
    tokens_per_chunk: int = 4
    """How many tokens one chunk brings."""
    crlf: bool = False
    """SSE lines end in CR LF."""
    no_blank_lines: bool = False
    """SSE events follow each other without an empty line."""
    no_space: bool = False
    """``data:{`` instead of ``data: {`` (compat streams)."""
    keepalive_comments: bool = False
    """A comment line before every event."""
    split_utf8: bool = False
    """Every event is cut inside its multi-byte characters."""
    split_frames: bool = False
    """Every event is sent in pieces of seven bytes."""
    coalesce: bool = False
    """The whole stream is sent as one piece."""
    no_done: bool = False
    """Compat streams end without ``data: [DONE]``."""
    close_midstream: int = 0
    """Close the connection in the middle of the stream, after this many text events (0: never)."""
    reset_midstream: int = 0
    """The same with a TCP reset."""
    stall_ms: float = 0.0
    """Silence after ``stall_after`` text events."""
    stall_after: int = 1
    ttfb_ms: float = 0.0
    """Wait before the first byte of a good answer."""
    inter_chunk_ms: float = 0.0
    """Wait between chunks; an answer that is not streamed waits for all its chunks together."""
    error_ms: float = 0.0
    """Wait before an error."""
    hold: bool = False
    """Send nothing until ``fake.release()`` is called or the client goes away."""
    hold_after: int = 0
    """The same in the middle of a stream, after this many text events (0: never)."""
    partialresponse: bool = False
    """The server's time ran out: half the text, with the header ``x-dashscope-partialresponse: true``."""
    gzip: bool = False
    """Compress, when the client accepts it."""
    special_stops: bool = True
    """Special tokens work as stop strings."""
    fault: str = ""
    """``name`` or ``name@carrier``; see :mod:`.errors`."""
    retry_after: str = ""
    """The value of a ``Retry-After`` header on errors."""
    sloppy: str = ""
    """Any of :data:`SLOPPY`, joined with ``+``."""

    def __post_init__(self) -> None:
        for key, allowed in CHOICES.items():
            if getattr(self, key) not in allowed:
                raise ValueError(f"{key} must be one of {', '.join(allowed)}, not {getattr(self, key)!r}")
        if unknown := self.sloppiness - SLOPPY:
            raise ValueError(f"unknown sloppy output: {', '.join(sorted(unknown))}")
        if self.fault:
            parse_fault(self.fault)

    @property
    def sloppiness(self) -> frozenset[str]:
        """The single words of ``sloppy``."""
        return frozenset(word for word in self.sloppy.split("+") if word)

    @classmethod
    def realistic(cls, **changes: Any) -> Behaviour:
        """The delays seen from outside: 350 ms to the first byte, 16 tokens in 670 ms (notes §1.4)."""
        return cls(**{"ttfb_ms": 350.0, "inter_chunk_ms": 80.0, "error_ms": 90.0, **changes})

    def with_text(self, text: str) -> Behaviour:
        """A copy changed by ``key=value,key=value``, as the header and the command line give it."""
        changes: dict[str, Any] = {}
        for item in text.split(","):
            key, _, value = item.strip().partition("=")
            if key:
                changes[key] = self._parsed(key, value)
        return dataclasses.replace(self, **changes)

    def _parsed(self, key: str, value: str) -> Any:
        if key not in _FIELDS:
            raise ValueError(f"unknown behaviour: {key}")
        current: bool | int | float | str = getattr(self, key)
        if isinstance(current, bool):
            return value.lower() in {"", "1", "true", "yes", "on"}
        return type(current)(value)


_FIELDS = frozenset(field.name for field in dataclasses.fields(Behaviour))


@dataclass(frozen=True, slots=True)
class Reply:
    """The scripted answer to one coming request.  What is not given comes from the server's own settings."""

    text: str | None = None
    """What the model says; stop strings and ``max_tokens`` still apply."""
    pieces: tuple[str, ...] | list[str] | None = None
    """The exact texts of the chunks; nothing is cut from them."""
    fault: str = ""
    """As :attr:`Behaviour.fault`."""
    behaviour: Behaviour | None = None
    """Replaces the server's behaviour and the header's for this request."""
    finish_reason: str | None = None
    """Instead of the true one."""
    route: str = ""
    """Only for paths that end with this; without it, for any generation request (never ``/models``)."""

    def __post_init__(self) -> None:
        if self.fault:
            parse_fault(self.fault)

    def fits(self, path: str) -> bool:
        """Whether this reply is meant for a request to ``path``."""
        return path.endswith(self.route) if self.route else not path.endswith("/models")

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Reply:
        """A reply as the admin route receives it; ``behaviour`` is an object or ``key=value,...``."""
        behaviour = data.get("behaviour")
        if isinstance(behaviour, str):
            behaviour = Behaviour().with_text(behaviour)
        elif isinstance(behaviour, dict):
            behaviour = Behaviour(**behaviour)
        return cls(**{**data, "behaviour": behaviour})
