"""The playground without a terminal: a few completions, each printed in its place in the document."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from qwen_ls.commands import EXIT_DONE, EXIT_NO_SUGGESTION, outcome
from qwen_ls.commands.playground.editor import SOURCES
from qwen_ls.commands.playground.ghost import shown
from qwen_ls.commands.playground.session import SERVER, Session
from qwen_ls.core.types import TriggerKind

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import TextIO

    from qwen_ls.commands.playground.ghost import Shown
    from qwen_ls.commands.playground.opened import Opened
    from qwen_ls.commands.playground.session import Explanation, Message

LINES_AROUND = 4
"""How many lines before the cursor are printed; after it, half as many."""
DIM, BOLD_GREEN, RESET = "\x1b[2m", "\x1b[1;32m", "\x1b[0m"


async def show(opened: Opened, options: Mapping[str, Any], command: tuple[str, ...] = ()) -> int:
    """Ask at each of the document's cursors and print what comes.

    Returns:
        The exit code: whether there was any suggestion, and if not, whether the endpoint failed.

    Raises:
        ServerGoneError: the server did not come up, or ended.
    """
    messages: list[Message] = []
    session = Session(opened.uri, opened.language_id, options=options, on_message=messages.append)
    await session.start(opened.text, command or SERVER)
    good = 0
    try:
        for cursor in opened.cursors:
            answer = await session.complete(cursor, TriggerKind.INVOKED)
            said = await session.explain()
            view = None if answer.ghost is None else shown(answer.ghost, opened.text, cursor)
            if view is None:
                _report_nothing(said, messages)
                failed = outcome.exit_code(said.reason)
                if failed != EXIT_NO_SUGGESTION:
                    return failed  # the next one would fail as well
            else:
                good += 1
                print(drawn(opened.text, cursor, view, sys.stdout))
                print(f"{_facts(said, answer.latency_ms)}\n", flush=True)
            messages.clear()
    finally:
        await session.close()
    return EXIT_DONE if good else EXIT_NO_SUGGESTION


def drawn(text: str, cursor: int, view: Shown, out: TextIO) -> str:
    """Draw the lines around the cursor with the suggestion in them: in colour, or else in brackets."""
    fancy = _can_print(out, "│⟦⟧")
    colour = out.isatty()
    left, right = (BOLD_GREEN, RESET) if colour else ("⟦", "⟧") if fancy else ("[[", "]]")
    bar = "│" if fancy else "|"
    rest = text[cursor + view.replaced :].split("\n")
    before = text[:cursor].split("\n")
    lines = [f"{number:4} {bar} {line}" for number, line in enumerate(before, 1)]
    first, *others = view.text.split("\n")
    ghost = [f"{left}{first}", *(f"     {bar} {left if colour else ''}{line}" for line in others)]
    if colour:
        ghost = [line + right for line in ghost]
    else:
        ghost[-1] += right
    lines[-1] += ghost[0]
    lines += ghost[1:]
    lines[-1] += rest[0]
    after = [f"{number:4} {bar} {line}" for number, line in enumerate(rest[1:], len(before) + 1)]
    start = max(0, len(before) - 1 - LINES_AROUND)
    return "\n".join([*lines[start:], *after[: LINES_AROUND // 2]]).rstrip()


def _facts(said: Explanation, latency_ms: float) -> str:
    tokens = f"{said.prompt_tokens} + {said.completion_tokens} tokens" if said.prompt_tokens else ""
    source = SOURCES.get(said.source, said.source)
    parts = (said.strategy, said.model, f"{latency_ms:.0f} ms", tokens, source)
    return "     " + ", ".join(part for part in parts if part)


def _report_nothing(said: Explanation, messages: list[Message]) -> None:
    """Say on stderr why there is no suggestion; a message of the server's says it best."""
    texts = [message.text for message in messages if message.level != "info"]
    for text in texts or [outcome.line(said.reason or "the server gave no reason")]:
        print(f"qwen-ls: {text}", file=sys.stderr, flush=True)


def _can_print(out: TextIO, text: str) -> bool:
    try:
        text.encode(out.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True
