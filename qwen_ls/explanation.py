"""One completion's life as a Markdown document: the only place where an answer's texts are shown. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qwen_ls.core.types import Skip, Strategy

if TYPE_CHECKING:
    from collections.abc import Iterable

    from qwen_ls.core.origin import Origin
    from qwen_ls.core.postprocess import Change
    from qwen_ls.core.types import Prompt
    from qwen_ls.report import Report

SOURCES = {
    "network": "the model was asked",
    "type-through": "the rest of the suggestion that was shown",
    "streak": "the model had said it after the suggestion that was shown",
    "cache": "the same question had been answered before",
    "walk-back": "a question from further left on the line had been answered with what was typed since",
    "fuzzy": "the same question, but for a small edit above, had been answered before",
}


def markdown(report: Report, *, with_prompt: bool = False) -> str:
    """The document; each part stands there as far as the request came.

    Args:
        report: the request's story.
        with_prompt: whether the whole prompt is shown as well.
    """
    facts, origin = report.as_dict(), report.origin
    call = origin.as_dict() if origin else {}
    parts = [
        "# The last completion",
        _verdict(facts),
        _table("The request", _plain(report.facts)),
        _table("Milliseconds since it came", facts["timings_ms"]),
        _table("The call", _call(report, origin)) if origin else "",
        _snippets(call.get("snippets", ())),
        *(_answer(report, origin) if origin else ()),
        _table(_tokens(report), _counts(call)),
        _table("Cost" if report.is_own else "That call's cost", call.get("cost", {})),
        _prompt(origin.prompt) if with_prompt and origin and origin.prompt else "",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _tokens(report: Report) -> str:
    """The heading of the tokens: whose they are, and who has counted them."""
    whose = "Tokens" if report.is_own else "That call's tokens"
    if report.origin and report.origin.is_estimated:
        return f"{whose}, estimated: the answer was not read to its end, or the endpoint does not count"
    return f"{whose}, as the endpoint counted them"


def _verdict(facts: dict[str, Any]) -> str:
    if facts.get("outcome") == "shown":
        joined = ", by a call that was on its way already" if facts.get("joined") else ""
        return f"It was shown: {SOURCES.get(facts['source'], facts['source'])}{joined}."
    if facts.get("outcome") == "nothing":
        return f"Nothing was shown: {facts['reason']}."
    return "Nothing has been asked, or it has no answer yet."


def _plain(facts: dict[str, Any]) -> dict[str, Any]:
    told = {"outcome", "source", "reason", "joined"}
    rest = ((key, value) for key, value in facts.items() if key not in told)
    return {key: value for key, value in rest if not isinstance(value, dict | list)}


def _call(report: Report, origin: Origin) -> dict[str, Any]:
    """Whom the answer comes from, and when that was."""
    rows = _plain(origin.facts)
    if "ahead" in rows:
        rows["ahead"] = "asked for what would come after the suggestion that was shown"
    if report.age_s > 0:
        rows["made"] = f"{report.age_s:.1f} s before this request"
    if origin.first_token_s is not None:
        rows["first token"] = f"{(origin.first_token_s - origin.started_s) * 1000:.0f} ms after it was made"
    return rows


def _counts(call: dict[str, Any]) -> dict[str, int]:
    return {key: value for key, value in call.get("usage", {}).items() if key != "estimated"}


def _answer(report: Report, origin: Origin) -> Iterable[str]:
    """What the model said, and each step that changed it: when it came, and for this request."""
    if origin.is_forgotten and not origin.said:
        yield "What the model said is kept no longer: it was too long ago."
    if origin.said:
        yield _fenced("What the model said", origin.said)
    for change in (*origin.steps, *report.steps):
        yield _step(change)


def _step(change: Change) -> str:
    """A step that changed the answer, with the text before and after it."""
    title, before = change.step.replace("_", " "), f"Before:\n\n{_fence(change.before)}"
    if isinstance(change.after, Skip):
        return f"## {title}\n\n{before}\n\nIt left nothing: {change.after}."
    return f"## {title}\n\n{before}\n\nAfter:\n\n{_fence(change.after)}"


def _snippets(snippets: Iterable[dict[str, Any]]) -> str:
    rows = [f"| {one['path']} | {one['source']} | {one['score']} | {one['lines']} |" for one in snippets]
    head = ["## Code from elsewhere", "", "| file | found by | score | lines |", "|---|---|---|---|"]
    return "\n".join(head + rows) if rows else ""


def _prompt(prompt: Prompt) -> str:
    text = _fenced("The prompt", prompt.text)
    is_partial = prompt.strategy is Strategy.PARTIAL
    return text + "\n\n" + _fenced("The message to be continued", prompt.prefix) if is_partial else text


def _table(title: str, rows: dict[str, Any]) -> str:
    if not rows:
        return ""
    cells = ((key.replace("_", " "), str(value).replace("|", "\\|")) for key, value in rows.items())
    lines = [f"| {key} | {value} |" for key, value in cells]
    return "\n".join([f"## {title}", "", "| | |", "|---|---|", *lines])


def _fenced(title: str, text: str) -> str:
    return f"## {title}\n\n{_fence(text)}"


def _fence(text: str) -> str:
    fence = "```"
    while fence in text:
        fence += "`"
    return f"{fence}\n{text}\n{fence}"
