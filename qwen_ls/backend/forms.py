"""How one strategy is asked, and where its answer is, as rows of data. Pure."""

from __future__ import annotations

import enum
import types
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

EMPTY: Mapping[str, Any] = types.MappingProxyType({})


def row(**values: Any) -> Mapping[str, Any]:
    """A table that nobody can change."""
    return types.MappingProxyType(values)


class SuffixIn(enum.StrEnum):
    """Where the code after the cursor goes in a fill-in-the-middle call."""

    PROMPT = "prompt"
    """Into the prompt, between the tokens of the model's family."""
    PARAMETER = "parameter"
    """Into the parameter `suffix`; the server lays out the prompt."""
    INFILL = "infill"
    """Into llama.cpp's `input_prefix` and `input_suffix`; the server lays out the prompt."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """Where things are in an answer that has no `choices`; dotted paths."""

    text: str
    done: str
    """True in the answer's last, or only, object."""
    reason: str
    """Why it ended, in the server's word."""
    reasons: Mapping[str, str] = field(default_factory=lambda: EMPTY)
    """The server's words that do not mean `stop`."""
    prompt_tokens: str
    completion_tokens: str
    cached_tokens: str = ""


# llama.cpp, tools/server/README.md, "POST /infill" and "POST /completion"; recorded from b11549.
INFILL_SHAPE = Shape(
    text="content",
    done="stop",
    reason="stop_type",
    reasons=row(limit="length"),
    prompt_tokens="tokens_evaluated",
    completion_tokens="tokens_predicted",
    cached_tokens="timings.cache_n",
)


# github.com/ollama/ollama, docs/api.md, "Generate a completion"; a stream is a JSON object a line.
GENERATE_SHAPE = Shape(
    text="response",
    done="done",
    reason="done_reason",
    reasons=row(length="length"),
    prompt_tokens="prompt_eval_count",
    completion_tokens="eval_count",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """One way to ask."""

    path: str
    """Appended to the base URL."""
    at_root: bool = False
    """Whether the path belongs to the host itself: the base URL's `/v1` is left out."""
    suffix_in: SuffixIn = SuffixIn.PROMPT
    names: Mapping[str, str] = field(default_factory=lambda: EMPTY)
    """Fields of the body that the server calls otherwise; the empty name: it is not sent."""
    options: str = ""
    """The field of the body that holds the sampling parameters; empty: they stand in the body itself."""
    fixed: Mapping[str, Any] = field(default_factory=lambda: EMPTY)
    """Fields of every body."""
    grammar: str = ""
    """The field that takes a grammar which the answer must follow, as llama.cpp writes them."""
    says_no_stream: bool = False
    """Whether it streams unless it is told not to."""
    shape: Shape | None = None
    """None: `choices`, with the text in `text`, `delta.content` or `message.content`."""

    def url(self, base_url: str) -> str:
        """Where calls of this form go."""
        return (base_url.removesuffix("/v1") if self.at_root else base_url) + self.path


COMPLETIONS = Form(path="/completions")
# llama.cpp, tools/server/README.md, "grammar", and grammars/README.md.
LLAMA_COMPLETIONS = Form(path="/completions", grammar="grammar")
SUFFIX_PARAMETER = Form(path="/completions", suffix_in=SuffixIn.PARAMETER)
INFILL = Form(
    path="/infill",
    at_root=True,
    suffix_in=SuffixIn.INFILL,
    names=row(max_tokens="n_predict", stream_options=""),
    shape=INFILL_SHAPE,
)
GENERATE = Form(
    path="/api/generate",
    at_root=True,
    names=row(max_tokens="num_predict", stream_options=""),
    options="options",
    fixed=row(raw=True),
    says_no_stream=True,
    shape=GENERATE_SHAPE,
)
CHAT = Form(path="/chat/completions")
