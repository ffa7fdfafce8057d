"""What an endpoint says when it fails: both JSON shapes, in bodies and in streams, and gateways' pages.

Pure. Codes are brought to lower case without `.`, `_` and `-`: `InvalidApiKey` is `invalid_api_key`.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from qwen_ls.backend.base import AnswerError
from qwen_ls.backend.wire.sse import events_in, looks_like_events

if TYPE_CHECKING:
    from collections.abc import Mapping

_LONGEST_PAUSE_S = 3600.0
_FIRST_OWN_CODE = 1000
_SEPARATORS = re.compile(r"[._\s-]+")


@dataclass(frozen=True, slots=True)
class Failure:
    """What an answer says about why it is none."""

    status: int
    code: str = ""
    """In normal form."""
    kind: str = ""
    """The `type` of the compatible protocol, in normal form; less telling than the code."""
    message: str = ""
    request_id: str = ""


def read_failure(status: int, body: bytes, *, request_id: str = "") -> Failure:
    """Read the body of an answer whose status is an error.

    Args:
        status: the HTTP status.
        body: the body: JSON of either shape, the same inside an event, a gateway's page, or nothing.
        request_id: from the header, for bodies that have none.
    """
    said = Failure(status, request_id=request_id)
    try:
        texts = (
            [event.data for event in events_in(body)] if looks_like_events(body) else [body.decode("utf-8")]
        )
    except (UnicodeDecodeError, AnswerError):
        return said
    for text in texts:
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            continue
        if isinstance(value, dict) and (failure := failure_in(value, status=status, request_id=request_id)):
            return failure
    return said


def failure_in(answer: dict[str, Any], *, status: int = 200, request_id: str = "") -> Failure | None:
    """The error in an answer's object, in either shape; None where it holds none."""
    error = answer.get("error")
    if isinstance(error, str) and error:
        error = {"message": error}  # Ollama
    if not isinstance(error, dict) or not error:
        is_answer = answer.get("choices") is not None or bool(answer.get("output"))
        if is_answer or not answer.get("code") or "message" not in answer:
            return None
        error = answer  # DashScope's native shape, and old vLLM's
    code = error.get("code")
    if isinstance(code, int) and 400 <= code <= 599 and status == 200:
        status = code
    return Failure(
        status,
        _normal(code),
        _normal(error.get("type")),
        str(error.get("message") or ""),
        str(answer.get("request_id") or request_id or answer.get("id") or ""),
    )


def retry_after_s(headers: Mapping[str, str], now_s: float) -> float | None:
    """How long the endpoint asks to wait, in seconds, at most an hour; None where it does not say.

    Args:
        headers: the answer's, with names in lower case or a mapping that does not mind.
        now_s: the time, in seconds since 1970, for answers that name a date.
    """
    for name, scale in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        text = headers.get(name, "").strip()
        try:
            seconds = float(text) * scale
        except ValueError:
            try:
                seconds = parsedate_to_datetime(text).timestamp() - now_s
            except (ValueError, TypeError, OverflowError):
                continue
        if math.isfinite(seconds):
            return min(max(seconds, 0.0), _LONGEST_PAUSE_S)
    return None


def _normal(word: object) -> str:
    if isinstance(word, int) and not isinstance(word, bool) and word >= _FIRST_OWN_CODE:
        return str(word)  # a number of the vendor's own, not the HTTP status once more
    return _SEPARATORS.sub("", word.lower()) if isinstance(word, str) else ""
