"""`python -m tests.bench quality`: exact match, pass@1 and similarity, bare and through the server.

All arms meet the same holes in one run, greedy, with the real local model. Each answer is written to the file
of `--results` as soon as it is there: the same command goes on where it was stopped. `pass@1` is one greedy
answer a hole; a program runs in a sandbox (`tests.bench.quality.sandbox`).
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Protocol
from unittest import mock

from qwen_ls.backend.presets import LocalEndpoint
from qwen_ls.local.paths import STATE_DIR_ENV
from qwen_ls.local.weights import MODEL
from tests.bench.quality import crossfile, problems, reuse
from tests.bench.quality.arms import ALONE, LAYOUTS, SNIPPETS, VARIANTS, Raw, Through
from tests.bench.quality.problems import Problem
from tests.bench.quality.scoring import Answer, record, score, summed_up, table

Records = dict[tuple[str, str], dict[str, Any]]
"""By arm and hole."""
SEVERAL_LINES = {"multi-line", "random-span"}
"""The sets whose holes are asked for explicitly, and to the answer's own end."""


class Arm(Protocol):
    """One way to a hole's text."""

    name: str

    def answer(self, problem: Problem, *, one_line: bool) -> Answer:
        """What comes for the hole."""

    def close(self) -> None:
        """It is not needed any more."""


OpenArms = Callable[[argparse.Namespace], contextlib.AbstractContextManager[list[Arm]]]


def main(arguments: Sequence[str], open_arms: OpenArms | None = None) -> int:
    """Run the arms over the holes; print the table, also when stopped by Ctrl-C.

    Args:
        arguments: the command line's.
        open_arms: makes the arms; by default, those of the local model.
    """
    options = _parser().parse_args(arguments)
    if options.reuse:
        print(reuse.table())
        return 0
    is_crossfile = options.set == crossfile.SET
    tree = crossfile.installed() if is_crossfile else None
    every = crossfile.load(tree) if tree else problems.load(options.set, options.data)
    holes = problems.spread(every, options.limit)
    results, arms = read_results(options.results), []
    try:
        with _workspace(tree) as options.root, (open_arms or local_arms)(options) as arms:
            for line in compare(arms, holes, results, one_line=options.set not in SEVERAL_LINES):
                print(line, file=sys.stderr, flush=True)
                write(options.results, results)
    except KeyboardInterrupt:
        print("stopped; so far:", file=sys.stderr)
        write(options.results, results)
    figures = by_arm([arm.name for arm in arms], results, holes)
    print(f"{options.set}, {len(holes)} holes, greedy, {options.engine or MODEL.file_name}")
    if tree:
        print(tree.title)
    print(table(figures))
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1), "utf-8")
    return 0


@contextlib.contextmanager
def _workspace(tree: crossfile.Tree | None) -> Iterator[Path | None]:
    """A folder with the files of a tree, if there is one."""
    if tree is None:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="qwen-ls-bench-") as folder:
        # The workspace's name stands in prompts: it is the same each time.
        root = (Path(folder) / "workspace").resolve()
        crossfile.lay_out(tree, root)
        yield root


def compare(
    arms: Sequence[Arm], holes: Sequence[Problem], results: Records, *, one_line: bool
) -> Iterable[str]:
    """Fill each hole by each arm, where that has not been done; yields a line a hole.

    `results` gets what is found.
    """
    for number, hole in enumerate(holes, 1):
        for arm in arms:
            if (arm.name, hole.id) not in results:
                answer = arm.answer(hole, one_line=one_line)
                results[arm.name, hole.id] = record(arm.name, hole, answer, score(hole, answer))
        marks = (f"{arm.name}: {_mark(results[arm.name, hole.id])}" for arm in arms)
        yield f"{number}/{len(holes)} {hole.id}  " + "  ".join(marks)


def by_arm(arms: Sequence[str], results: Records, holes: Sequence[Problem]) -> dict[str, dict[str, Any]]:
    """Each arm's figures, over the holes that all of them have filled."""
    shared = [hole.id for hole in holes if all((arm, hole.id) in results for arm in arms)]
    return {arm: summed_up([results[arm, one] for one in shared]) for arm in arms}


@contextlib.contextmanager
def local_arms(options: argparse.Namespace) -> Iterator[list[Arm]]:
    """The arms of the command line, on the engine that it names or on a local one of their own."""
    with engine(options) as endpoint, contextlib.ExitStack() as stack:
        through = partial(Through.asking if options.engine else Through.with_local_model, endpoint)
        arms: list[Arm] = [Raw(layout, endpoint) for layout in options.layouts]
        more: dict[str, Any] = {"maxLines": 1} if options.root else {}
        if options.prompt_tokens:
            more["promptTokens"] = options.prompt_tokens
        arms += [through(variant, root=options.root, **more) for variant in options.server]
        for arm in arms:
            stack.callback(arm.close)
        yield arms


@contextlib.contextmanager
def engine(options: argparse.Namespace) -> Iterator[LocalEndpoint]:
    """Where the model of `engine_options` answers: the server that is named, or a local one of their own."""
    from qwen_ls.local.lease import acquire

    own = {STATE_DIR_ENV: tempfile.mkdtemp(prefix="qwen-ls-bench-")}
    with mock.patch.dict(os.environ, own), contextlib.ExitStack() as stack:
        if options.engine:
            yield LocalEndpoint(options.engine.rstrip("/"), "none", options.model)
        else:
            yield stack.enter_context(acquire(on_progress=lambda text: print(text, file=sys.stderr))).endpoint


def engine_options(parser: argparse.ArgumentParser) -> None:
    """Have a parser take which engine is asked."""
    parser.add_argument("--engine", metavar="URL", help="a running llama.cpp server's, with /v1")
    parser.add_argument("--model", default="qwen2.5-coder-0.5b-instruct", help="its model, for its row")


def _mark(row: dict[str, Any]) -> str:
    return "exact" if row["exact"] else str(row["verdict"])


def read_results(path: Path | None) -> Records:
    """What an earlier run has written, if any."""
    if path is None or not path.exists():
        return {}
    rows = map(json.loads, path.read_text("utf-8").splitlines())
    return {(row["arm"], row["id"]): row for row in rows}


def write(path: Path | None, results: Records) -> None:
    """Put the results where a run that was stopped leaves them whole."""
    if path is not None:
        fresh = path.with_name(path.name + ".tmp")
        fresh.write_text("".join(json.dumps(row) + "\n" for row in results.values()), "utf-8")
        fresh.replace(path)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.bench quality", description=__doc__)
    parser.add_argument("--set", choices=(*problems.SETS, crossfile.SET), default="single-line")
    parser.add_argument("--limit", type=int, help="so many holes, evenly over the set")
    parser.add_argument(
        "--layouts", nargs="*", choices=LAYOUTS, default=list(LAYOUTS), help="the raw prompts; none: none"
    )
    parser.add_argument(
        "--server",
        nargs="*",
        choices=VARIANTS,
        default=[""],
        metavar="LAYOUT[/SNIPPETS]",
        help="how the server is run: "
        f"{', '.join(LAYOUTS[1:])}, and {', '.join(SNIPPETS)} or {ALONE}; by default by the model's row",
    )
    parser.add_argument("--prompt-tokens", type=int, help="the server's budget")
    engine_options(parser)
    parser.add_argument("--reuse", action="store_true", help="what a prefix cache reuses by layout; no model")
    parser.add_argument("--data", type=Path, default=problems.DATA, help="where the sets are")
    parser.add_argument("--results", type=Path, help="JSON lines, a line an answer; gone on with")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    return parser
