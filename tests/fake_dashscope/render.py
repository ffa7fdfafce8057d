"""The bodies and stream events of good answers, keys ordered as recorded (notes §2.3, §2.4, §3.3-§3.7)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .http import dumps

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from .answers import Outcome
    from .behaviour import Behaviour
    from .call import Call


@dataclass(frozen=True, slots=True)
class Event:
    """One stream event: the JSON, and whether it brings text."""

    data: str
    is_text: bool = False
    kind: str = "result"
    status: int = 200


def usage(call: Call, outcome: Outcome) -> dict[str, Any]:
    """The usage object of the call's protocol."""
    n_in, n_out, cached = outcome.input_tokens, outcome.output_tokens, outcome.cached_tokens
    if call.protocol == "completions":
        return {"prompt_tokens": n_in, "completion_tokens": n_out, "total_tokens": n_in + n_out}
    if call.protocol == "chat":
        details = {} if cached is None else {"cache_type": "implicit", "cached_tokens": cached}
        return {
            "prompt_tokens": n_in,
            "completion_tokens": n_out,
            "total_tokens": n_in + n_out,
            "prompt_tokens_details": details or {"cached_tokens": 0},
        }
    if call.multimodal:
        return {
            "total_tokens": n_in + n_out,
            "input_tokens_details": {
                "image_tokens": outcome.image_tokens,
                "text_tokens": n_in - outcome.image_tokens,
            },
            "output_tokens": n_out,
            "input_tokens": n_in,
            "output_tokens_details": {"text_tokens": n_out},
            "image_tokens": outcome.image_tokens,
        }
    found: dict[str, Any] = {"total_tokens": n_in + n_out, "output_tokens": n_out, "input_tokens": n_in}
    return found if cached is None else {**found, "prompt_tokens_details": {"cached_tokens": cached}}


def body(call: Call, outcome: Outcome) -> dict[str, Any]:
    """The body of an answer that is not streamed."""
    if call.protocol == "completions":
        return _completion(call, outcome, outcome.text, outcome.finish_reason, usage(call, outcome))
    if call.protocol == "native":
        return _native(call, outcome, outcome.text, outcome.finish_reason, usage(call, outcome))
    message = {"content": outcome.text, "role": "assistant"}
    if outcome.reasoning is not None:
        message = {"content": outcome.text, "reasoning_content": outcome.reasoning, "role": "assistant"}
    choice = {"message": message, "finish_reason": outcome.finish_reason, "index": 0, "logprobs": None}
    return _chat([choice], "chat.completion", call, outcome, usage(call, outcome))


def _completion(
    call: Call, outcome: Outcome, text: str, finish: str | None, used: dict[str, Any] | None
) -> dict[str, Any]:
    return {
        "id": f"cmpl-{outcome.request_id}",
        "object": "text_completion",
        "created": outcome.created,
        "model": call.model,
        "system_fingerprint": None,
        "choices": [{"index": 0, "text": text, "finish_reason": finish, "logprobs": None}],
        "usage": used,
    }


def _chat(
    choices: list[dict[str, Any]], kind: str, call: Call, outcome: Outcome, used: dict[str, Any] | None
) -> dict[str, Any]:
    return {
        "choices": choices,
        "object": kind,
        "usage": used,
        "created": outcome.created,
        "system_fingerprint": None,
        "model": call.model,
        "id": f"chatcmpl-{outcome.request_id}",
    }


def _native(call: Call, outcome: Outcome, text: str, finish: str, used: dict[str, Any]) -> dict[str, Any]:
    if call.as_message:
        content: Any = [{"text": text}] if call.multimodal else text
        output: dict[str, Any] = {
            "choices": [{"message": {"content": content, "role": "assistant"}, "finish_reason": finish}]
        }
    else:
        output = {"finish_reason": finish, "text": text}
    return {"output": output, "usage": used, "request_id": outcome.request_id}


# --- streams ---


def texts(pieces: list[str], behaviour: Behaviour, *, cumulative: bool) -> tuple[list[str], str]:
    """The texts of the events before the finish event, and the text of the finish event."""
    sent = ["".join(pieces[: n + 1]) for n in range(len(pieces))] if cumulative else list(pieces)
    if behaviour.finish_chunk == "with_text" and sent:
        return sent[:-1], sent[-1]
    return sent, sent[-1] if behaviour.finish_chunk == "repeat" and cumulative and sent else ""


def events(call: Call, outcome: Outcome, behaviour: Behaviour) -> Iterator[Event]:
    """All events of a stream, without ``[DONE]``."""
    if call.protocol == "native":
        yield from _native_events(call, outcome, behaviour)
        return
    before, last = texts(outcome.pieces, behaviour, cumulative=behaviour.stream_semantics == "cumulative")
    place = behaviour.usage_placement if call.usage_wanted else "absent"
    used = usage(call, outcome)
    inline = used if place == "inline" else None
    if call.protocol == "completions":
        for text in before:
            yield Event(dumps(_completion(call, outcome, text, None, None)), is_text=True)
        yield Event(
            dumps(_completion(call, outcome, last, outcome.finish_reason, inline)), is_text=bool(last)
        )
        own = {**_completion(call, outcome, "", None, used), "choices": []}
    else:
        yield from _chat_events(call, outcome, before, last, inline)
        own = _chat([], "chat.completion.chunk", call, outcome, used)
    if place == "own_chunk":
        yield Event(dumps(own))


def _chat_events(
    call: Call, outcome: Outcome, before: list[str], last: str, inline: dict[str, Any] | None
) -> Iterator[Event]:
    def event(choice: dict[str, Any], used: dict[str, Any] | None = None, *, is_text: bool = False) -> Event:
        return Event(dumps(_chat([choice], "chat.completion.chunk", call, outcome, used)), is_text=is_text)

    delta = {"content": "", "role": "assistant"}
    if outcome.reasoning is not None:
        delta = {"content": "", "reasoning_content": "", "role": "assistant"}
    yield event({"delta": delta, "index": 0, "logprobs": None, "finish_reason": None})
    if outcome.reasoning:
        thought = {"content": None, "reasoning_content": outcome.reasoning}
        yield event({"finish_reason": None, "logprobs": None, "delta": thought, "index": 0})
    for text in before:
        choice = {"finish_reason": None, "logprobs": None, "delta": {"content": text}, "index": 0}
        yield event(choice, is_text=True)
    finish = {
        "finish_reason": outcome.finish_reason,
        "delta": {"content": last},
        "index": 0,
        "logprobs": None,
    }
    yield event(finish, inline, is_text=bool(last))


def _native_events(call: Call, outcome: Outcome, behaviour: Behaviour) -> Iterator[Event]:
    pieces, full = outcome.pieces, behaviour.ignores_incremental or not call.incremental
    before, last = texts(pieces, behaviour, cumulative=full)
    if full:
        last = outcome.text  # without incremental_output every event, the last too, holds all text so far
    final = usage(call, outcome)
    for number, text in enumerate(before, 1):
        share = outcome.output_tokens * number // max(1, len(pieces))
        used = {**final, "total_tokens": outcome.input_tokens + share, "output_tokens": share}
        yield Event(dumps(_native(call, outcome, text, "null", used)), is_text=True)
    yield Event(dumps(_native(call, outcome, last, outcome.finish_reason, final)), is_text=bool(last))


# --- framing ---


def frame(event: Event, number: int, behaviour: Behaviour, *, native: bool) -> bytes:
    """The bytes of one event; ``number`` counts from 1 and is the native event's id."""
    if native:
        lines = [f"id:{number}", f"event:{event.kind}", f":HTTP_STATUS/{event.status}", f"data:{event.data}"]
    else:
        lines = [f"data:{event.data}" if behaviour.no_space else f"data: {event.data}"]
    if behaviour.keepalive_comments:
        lines = [": keep-alive", *([] if behaviour.no_blank_lines else [""]), *lines]
    if not behaviour.no_blank_lines:
        lines.append("")
    end = "\r\n" if behaviour.crlf else "\n"
    return "".join(line + end for line in lines).encode()


def split(data: bytes, behaviour: Behaviour) -> Iterable[bytes]:
    """The pieces in which an event is sent."""
    if behaviour.split_frames:
        return (data[at : at + 7] for at in range(0, len(data), 7))
    if not behaviour.split_utf8:
        return (data,)
    cuts = [at for at in range(1, len(data)) if data[at] & 0xC0 == 0x80]
    return (data[start:end] for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True))
