"""One completion's life as a Markdown document: the only place where a report's texts are shown. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qwen_ls.core.types import Skip, Strategy

if TYPE_CHECKING:
    from collections.abc import Iterable

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
    facts = report.as_dict()
    parts = [
        "# The last completion",
        _verdict(facts),
        _table("The request", _plain(facts)),
        _table("Milliseconds since it came", facts.get("timings_ms", {})),
        _snippets(facts.get("snippets", ())),
        _fenced("What the model said", report.said) if report.said else "",
        *_steps(report),
        _table("Tokens, as the endpoint counted them", facts.get("usage", {})),
        _table("Cost", facts.get("cost", {})),
        _prompt(report.prompt) if with_prompt and report.prompt else "",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _verdict(facts: dict[str, Any]) -> str:
    if facts.get("outcome") == "shown":
        joined = ", by a call that was on its way already" if facts.get("joined") else ""
        return f"It was shown: {SOURCES.get(facts['source'], facts['source'])}{joined}."
    if facts.get("outcome") == "nothing":
        return f"Nothing was shown: {facts['reason']}."
    return "Nothing has been asked, or it has no answer yet."


def _plain(facts: dict[str, Any]) -> dict[str, Any]:
    told = {"outcome", "source", "reason", "joined", "steps"}
    rest = ((key, value) for key, value in facts.items() if key not in told)
    return {key: value for key, value in rest if not isinstance(value, dict | list)}


def _steps(report: Report) -> Iterable[str]:
    """Each step that changed the answer, with the text before and after it."""
    for change in report.steps:
        name = change.step.replace("_", " ")
        if isinstance(change.after, Skip):
            yield f"## {name}\n\nIt left nothing: {change.after}."
        else:
            yield _fenced(name, change.after)


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
    fence = "```"
    while fence in text:
        fence += "`"
    return f"## {title}\n\n{fence}\n{text}\n{fence}"
