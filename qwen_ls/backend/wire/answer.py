"""Answers, of either protocol, as chunks: a whole body or one event of a stream.

Pure. Lenient where servers differ: the text may be in `text`, `delta` or `message`, as a string or in
parts; usage may come in a chunk of its own, in the last one, or never; a finish reason may be the word
"null". Thinking (`reasoning_content`) is no part of the text.
"""

from __future__ import annotations

import json
from typing import Any

from qwen_ls.backend.base import AnswerError
from qwen_ls.core.types import Chunk, Usage

_MOST_TOKENS = 1_000_000_000
"""A count above this is none; the ledger could not hold it."""


def read_json(text: str | bytes) -> dict[str, Any]:
    """An answer's JSON object.

    Raises:
        AnswerError: it is no JSON, or no object.
    """
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        raise _malformed() from None
    if not isinstance(value, dict):
        raise _malformed()
    return value


def read_event(answer: dict[str, Any]) -> Chunk:
    """One event of a stream. An event without a choice has no text, whatever else it is.

    Raises:
        AnswerError: its choices are not what the protocol says.
    """
    choice = _choice(answer)
    usage = read_usage(answer.get("usage"))
    if choice is None:
        return Chunk("", None, usage)
    return Chunk(_text(choice), _finish_reason(choice.get("finish_reason")), usage)


def read_body(answer: dict[str, Any], *, echoed_prefix: str = "") -> Chunk:
    """A whole answer.

    Args:
        answer: the body.
        echoed_prefix: what the server repeats before its own text, as llama.cpp does in chat.

    Raises:
        AnswerError: there is no answer in it.
    """
    if _choice(answer) is None:
        raise _malformed()
    chunk = read_event(answer)
    return Chunk(chunk.text.removeprefix(echoed_prefix), chunk.finish_reason, chunk.usage)


def read_usage(value: object) -> Usage | None:
    """Tokens, under the names that DashScope's two protocols, OpenAI and DeepSeek have for them.

    None where nothing was counted: every prompt has tokens, and whoever says 0 has not looked.
    """
    if not isinstance(value, dict):
        return None
    details = value.get("prompt_tokens_details")
    details = details if isinstance(details, dict) else {}
    usage = Usage(
        _count(value.get("prompt_tokens"), value.get("input_tokens")),
        _count(value.get("completion_tokens"), value.get("output_tokens")),
        _count(
            details.get("cached_tokens"), value.get("cached_tokens"), value.get("prompt_cache_hit_tokens")
        ),
    )
    return usage if usage.prompt_tokens or usage.completion_tokens else None


def _choice(answer: dict[str, Any]) -> dict[str, Any] | None:
    """The first choice; choices of a higher index are alternatives that nobody asked for.

    DashScope's native API has them in `output`; its older models have the one answer there, without choices.
    """
    if isinstance(output := answer.get("output"), dict):
        if isinstance(output.get("text"), str) and output.get("choices") is None:
            return output
        answer = output
    choices = answer.get("choices")
    if choices is None:
        return None
    if not isinstance(choices, list):
        raise _malformed()
    for choice in choices:
        if not isinstance(choice, dict):
            raise _malformed()
        if not choice.get("index"):
            return choice
    return None


def _text(choice: dict[str, Any]) -> str:
    for name in ("delta", "message"):
        if isinstance(message := choice.get(name), dict):
            return _content(message.get("content"))
    return _content(choice.get("text"))


def _content(content: object) -> str:
    if content is None:
        return ""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        texts = (part.get("text") if isinstance(part, dict) else part for part in content)
        return "".join(text for text in texts if isinstance(text, str))
    raise _malformed()


def _finish_reason(value: object) -> str | None:
    return value if isinstance(value, str) and value not in {"", "null"} else None


def _count(*values: object) -> int:
    for value in values:
        if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MOST_TOKENS:
            return value
    return 0


def _malformed() -> AnswerError:
    return AnswerError(
        "The endpoint's answer is not one of an OpenAI-compatible server",
        remedy="Check baseUrl; qwen-ls doctor shows what answers there.",
    )
