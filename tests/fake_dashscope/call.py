"""A generation request as the fake understands it, whichever protocol it came by."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from .tokens import SPECIAL_TOKENS, count_tokens

Protocol = Literal["completions", "chat", "native"]
Kind = Literal["fim", "raw", "partial", "chat"]
Layout = Literal["", "prefix_only", "prefix_suffix", "suffix_first"]

ROUTES: dict[str, tuple[Protocol, bool]] = {
    "/compatible-mode/v1/completions": ("completions", False),
    "/compatible-mode/v1/chat/completions": ("chat", False),
    "/api/v1/services/aigc/text-generation/generation": ("native", False),
    "/api/v1/services/aigc/multimodal-generation/generation": ("native", True),
}
"""Path → protocol, and whether it is the multimodal path."""

IMAGE_TOKENS = 258
_COMMON = frozenset(
    (
        "model",
        "max_tokens",
        "temperature",
        "top_p",
        "stream",
        "stream_options",
        "stop",
        "seed",
        "presence_penalty",
    )
)
DOCUMENTED = {
    "completions": _COMMON | {"prompt"},
    "chat": _COMMON | {"messages", "top_k", "repetition_penalty", "n", "enable_thinking", "response_format"},
}


@dataclass(slots=True)
class Call:
    """The parsed request."""

    protocol: Protocol
    multimodal: bool
    body: dict[str, Any]
    stream: bool
    model: str = ""
    kind: Kind = "raw"
    layout: Layout = ""
    prefix: str = ""
    """The text to continue."""
    suffix: str = ""
    context: str = ""
    """What stands before it: repository context of a FIM prompt, the other messages of a chat."""
    messages: list[dict[str, Any]] = field(default_factory=list)
    params: dict[str, Any] = field(default_factory=dict)
    images: int = 0
    _text_tokens: int = -1

    @property
    def undocumented(self) -> frozenset[str]:
        """Parameters that the compat documents do not name."""
        known = DOCUMENTED.get(self.protocol)
        return frozenset(self.body) - known if known is not None else frozenset()

    @property
    def prompt(self) -> str:
        """The whole prompt as one text, for counting and for the context cache."""
        return f"{self.context}{self.prefix}{self.suffix}"

    @property
    def text_tokens(self) -> int:
        """Tokens of the prompt, the template's own included."""
        if self._text_tokens < 0:
            self._text_tokens = count_tokens(self.prompt) + 3 * max(1, len(self.messages))
        return self._text_tokens

    @property
    def usage_wanted(self) -> bool:
        """``stream_options.include_usage``."""
        options = self.params.get("stream_options")
        return isinstance(options, dict) and bool(options.get("include_usage"))

    @property
    def incremental(self) -> bool:
        """Native streams: new text per event instead of all text so far."""
        return self.params.get("incremental_output") is True

    @property
    def as_message(self) -> bool:
        """Native answers: ``output.choices`` instead of ``output.text``."""
        return self.multimodal or self.params.get("result_format") == "message"

    def stops(self, *, special: bool) -> list[str]:
        """The stop strings; known token ids become their text, others are ignored."""
        stop = self.params.get("stop")
        flat: list[Any] = []
        for item in stop if isinstance(stop, list) else [stop]:
            flat.extend(item if isinstance(item, list) else [item])
        texts = [SPECIAL_TOKENS.get(item, "") if isinstance(item, int) else item for item in flat]
        known = set(SPECIAL_TOKENS.values())
        return [text for text in texts if isinstance(text, str) and text and (special or text not in known)]


def text_of(content: Any) -> str:
    """The text of a message's content, which is a string or a list of parts."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "".join(part.get("text", "") for part in content if isinstance(part, dict))
    return ""


def images_in(content: Any) -> int:
    """How many images and videos a message's content has."""
    parts = content if isinstance(content, list) else []
    return sum(
        1 for part in parts if isinstance(part, dict) and {"image", "image_url", "video"} & part.keys()
    )


def parse_fim(prompt: str) -> tuple[Layout, str, str, str] | None:
    """Layout, context, prefix and suffix of a FIM prompt; None when it has no FIM tokens."""
    context, token, rest = prompt.partition("<|fim_prefix|>")
    if not token:
        return None
    before, token, after = rest.partition("<|fim_suffix|>")
    if not token:
        return "prefix_only", context, before, ""
    suffix, token, tail = after.partition("<|fim_middle|>")
    if not token:
        return "prefix_only", context, before, suffix
    if tail and not before:
        return "suffix_first", context, tail, suffix
    return "prefix_suffix", context, before, suffix


def read_call(path: str, headers: dict[str, str], body: Any) -> Call:
    """Understand a request body.  Never raises: what is wrong with it is the validation's business."""
    protocol, multimodal = ROUTES[path]
    data: dict[str, Any] = body if isinstance(body, dict) else {}
    if protocol == "native":
        sse = headers.get("x-dashscope-sse", "").lower() == "enable"
        stream = sse or "text/event-stream" in headers.get("accept", "")
        params = data.get("parameters") if isinstance(data.get("parameters"), dict) else {}
        source = data.get("input") if isinstance(data.get("input"), dict) else {}
    else:
        stream, params, source = data.get("stream") is True, data, data
    model = data.get("model")
    call = Call(
        protocol, multimodal, data, stream, model if isinstance(model, str) else "", params=params or {}
    )
    _read_prompt(call, source or {})
    return call


def _read_prompt(call: Call, source: dict[str, Any]) -> None:
    messages = source.get("messages")
    if call.protocol != "completions" and isinstance(messages, list):
        call.messages = [message for message in messages if isinstance(message, dict)]
        _read_messages(call)
        return
    prompt = source.get("prompt")
    _read_text(call, prompt if isinstance(prompt, str) else "", "raw")


def _read_messages(call: Call) -> None:
    if not call.messages:
        return
    *others, last = call.messages
    call.context = "".join(
        f"{message.get('role')}: {text_of(message.get('content'))}\n" for message in others
    )
    call.images = sum(images_in(message.get("content")) for message in call.messages)
    text = text_of(last.get("content"))
    if last.get("role") == "assistant" and last.get("partial") is True:
        call.kind, call.prefix = "partial", text
    else:
        _read_text(call, text, "chat")


def _read_text(call: Call, text: str, kind: Kind) -> None:
    call.kind, call.prefix = kind, text
    if fim := parse_fim(text):
        call.kind = "fim"
        call.layout, context, call.prefix, call.suffix = fim
        call.context += context
