"""`python -m tests.bench scenarios`: whether the server speaks, or is quiet, where it should.

Each scenario is played by an editor of its own before a server of its own, with a real model. A server that
is quiet because its engine failed ends the run: that is no silence.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from qwen_ls.core.types import Reason
from qwen_ls.local.weights import MODEL
from tests.bench.quality.arms import LOCAL, asking, environment, forget
from tests.bench.quality.run import engine, engine_options
from tests.bench.quality.scenarios import scenario
from tests.bench.quality.scenarios.editor import COMMAND, Editor, NothingShownError
from tests.bench.quality.scenarios.scenario import QUIET, SPEAKS, Scenario, found
from tests.bench.wire import PYTHON, Server

FAILURES = (Reason.BACKEND, Reason.NOT_CONFIGURED, Reason.COOLING_DOWN, Reason.LIMITED)
"""Why a server may be quiet that cannot ask."""
NEVER_SEEN = "nothing was shown that its user could have gone on with"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a scenario came to."""

    id: str
    expected: str
    kind: str
    is_right: bool
    text: str
    """What was shown."""
    reason: str
    """Why nothing was, or why what was is wrong."""
    explanation: str = ""
    """The last request's life, as a document."""

    def __str__(self) -> str:
        """A line that says why it is wrong."""
        return f"{self.id}: showed {self.text!r}, {self.reason}" if self.text else f"{self.id}: {self.reason}"


def play(one: Scenario, options: dict[str, Any]) -> Outcome:
    """Play a scenario before a new server.

    Args:
        one: the scenario.
        options: the server's settings; the scenario's own are added.

    Raises:
        RuntimeError: the server could not ask.
    """
    with Server([PYTHON, "-m", "qwen_ls", "--stdio"], environment()) as server:
        server.initialize(options | one.settings)
        editor = Editor(server, f"file:///project/{one.file}", one.language, one.text, one.offset)
        try:
            editor.play(one.events)
        except NothingShownError:
            seen = False
        else:
            seen = True
        story = server.request(COMMAND, {"command": "qwen-ls.explain"})
        told = {"command": "qwen-ls.explain", "arguments": [{"as": "markdown", "prompt": True}]}
        outcome = judged(one, editor, str(story.get("reason", "")))
        outcome = replace(outcome, explanation=server.request(COMMAND, told))
    return outcome if seen else replace(outcome, is_right=False, reason=f"{NEVER_SEEN}: {outcome.reason}")


def judged(one: Scenario, editor: Editor, reason: str) -> Outcome:
    """Whether what the editor shows is right; `reason` is why it shows nothing.

    Raises:
        RuntimeError: the server could not ask.
    """
    if reason.startswith(tuple(failure.value for failure in FAILURES)):
        raise RuntimeError(f"{one.id}: {reason}")
    if one.expected == QUIET:
        is_right, wrong = not editor.shown, "where any text is noise"
    else:
        is_right = bool(editor.shown) and found(one.fits, editor.line + editor.shown)
        wrong = f"which does not fit {' and '.join(one.fits)}"
    why = reason if not editor.shown else "" if is_right else wrong
    return Outcome(one.id, one.expected, one.kind, is_right, editor.shown, why)


def table(outcomes: Sequence[Outcome]) -> str:
    """How many were right of how many, by kind, as Markdown."""
    lines = ["| expected | kind | right |", "|---|---|---|"]
    for expected in (QUIET, SPEAKS):
        those = [one for one in outcomes if one.expected == expected]
        n_all = Counter(one.kind for one in those)
        n_right = Counter(one.kind for one in those if one.is_right)
        rows = [(kind.replace("-", " "), n_right[kind], n) for kind, n in n_all.items()]
        rows.append(("**all**", n_right.total(), len(those)))
        lines += [f"| {expected} | {kind} | {right} of {n} |" for kind, right, n in rows]
    return "\n".join(lines)


def main(arguments: Sequence[str]) -> int:
    """Play the scenarios; print the table, and a line for each that went wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench scenarios", description=__doc__)
    engine_options(parser)
    parser.add_argument("--only", nargs="*", default=[""], metavar="TEXT", help="those whose path has it")
    parser.add_argument("--explain", action="store_true", help="print each wrong one's whole life")
    parser.add_argument("--json", type=Path, help="write what each came to to this file")
    options = parser.parse_args(arguments)
    those = [one for one in scenario.every() if any(text in one.id for text in options.only)]
    outcomes: list[Outcome] = []
    with engine(options) as endpoint:
        settings = asking(endpoint) | ({} if options.engine else LOCAL)
        for outcome in played(those, settings, before=lambda: forget(endpoint)):
            outcomes.append(outcome)
            print(f"{len(outcomes)}/{len(those)} {'' if outcome.is_right else 'WRONG '}{outcome.id}",
                  file=sys.stderr, flush=True)  # fmt: skip
    print(f"{len(outcomes)} scenarios, {options.engine or MODEL.file_name}\n{table(outcomes)}")
    for outcome in outcomes:
        if not outcome.is_right:
            print(f"\n{outcome}" + (f"\n\n{outcome.explanation}" if options.explain else ""))
    if options.json:
        options.json.write_text(json.dumps([asdict(one) for one in outcomes], indent=1), "utf-8")
    return 0


def played(
    those: Iterable[Scenario], options: dict[str, Any], *, before: Callable[[], None] = lambda: None
) -> Iterator[Outcome]:
    """Play one after the other; `before` is called before each."""
    for one in those:
        before()
        yield play(one, options)
