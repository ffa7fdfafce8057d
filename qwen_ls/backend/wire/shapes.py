"""Answers of servers' own APIs, brought into the compatible protocol's form. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from qwen_ls.backend.forms import Shape


def in_choices(answer: dict[str, Any], shape: Shape | None) -> dict[str, Any]:
    """The answer, or one event of it, as `choices` and `usage`.

    Args:
        answer: as the server sent it.
        shape: where things are; None where the answer has choices already. An object without the text's field
            (an error, say) is left as it is.
    """
    if shape is None or not isinstance(text := at(answer, shape.text), str):
        return answer
    choice: dict[str, Any] = {"index": 0, "text": text, "finish_reason": None}
    found: dict[str, Any] = {"choices": [choice]}
    if at(answer, shape.done) is True:
        choice["finish_reason"] = shape.reasons.get(str(at(answer, shape.reason)), "stop")
        found["usage"] = {
            "prompt_tokens": at(answer, shape.prompt_tokens),
            "completion_tokens": at(answer, shape.completion_tokens),
            "cached_tokens": at(answer, shape.cached_tokens),
        }
    return found


def at(answer: object, path: str) -> object:
    """What stands at a dotted path; None where nothing does."""
    for name in path.split("."):
        if not isinstance(answer, dict):
            return None
        answer = answer.get(name)
    return answer
