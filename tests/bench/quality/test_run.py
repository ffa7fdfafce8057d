"""The run: each hole once for each arm, gone on with where it was stopped; the real model on a sample."""

from __future__ import annotations

import contextlib
import gzip
import json
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.bench.quality import reuse, run
from tests.bench.quality.arms import Raw, Through
from tests.bench.quality.problems import FILES, SAMPLE, Problem, read
from tests.bench.quality.scoring import Answer

HOLES = list(read(SAMPLE.read_text("utf-8").splitlines()))


@dataclass
class Knowing:
    """An arm that knows every answer but some."""

    name: str
    ignorant_of: frozenset[str] = frozenset()
    asked: list[str] = field(default_factory=list)

    def answer(self, problem: Problem, *, one_line: bool) -> Answer:
        self.asked.append(problem.id)
        text = "" if problem.id in self.ignorant_of else problem.wanted
        return Answer(problem.before + text + problem.after, text)

    def close(self) -> None:
        pass


def test_the_sample_s_own_answers_pass() -> None:
    arm, results = Knowing("all"), {}
    assert len(list(run.compare([arm], HOLES, results, one_line=True))) == len(HOLES)
    figures = run.by_arm(["all"], results, HOLES)
    assert (figures["all"]["n"], figures["all"]["pass@1"]) == (len(HOLES), 100)


def test_a_run_goes_on_where_it_was_stopped(tmp_path: Path) -> None:
    file, first, second = tmp_path / "results.jsonl", Knowing("one"), Knowing("one")
    results: run.Records = {}
    lines = iter(run.compare([first], HOLES, results, one_line=True))
    next(lines)
    next(lines)
    run.write(file, results)
    results = run.read_results(file)
    list(run.compare([second], HOLES, results, one_line=True))
    assert first.asked + second.asked == [hole.id for hole in HOLES]


def test_a_run_that_is_stopped_shows_and_keeps_what_it_has(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Ctrl-C while the third hole is being filled."""
    (tmp_path / FILES["single-line"]).write_bytes(gzip.compress(SAMPLE.read_bytes()))
    file = tmp_path / "results.jsonl"

    class Stopped(Knowing):
        def answer(self, problem: Problem, *, one_line: bool) -> Answer:
            if len(self.asked) == 2:
                raise KeyboardInterrupt
            return super().answer(problem, one_line=one_line)

    arms = contextlib.nullcontext([Stopped("arm")])
    run.main(["--data", str(tmp_path), "--results", str(file)], lambda _: arms)
    assert "| arm | 2 | 100 |" in capsys.readouterr().out
    assert len(run.read_results(file)) == 2


def test_arms_are_compared_on_the_holes_that_all_have_filled() -> None:
    all_, some = Knowing("all"), Knowing("some", frozenset({HOLES[0].id}))
    results: run.Records = {}
    list(run.compare([all_], HOLES, results, one_line=True))
    list(run.compare([some], HOLES[:2], results, one_line=True))
    figures = run.by_arm(["all", "some"], results, HOLES)
    assert (figures["all"]["n"], figures["some"]["n"]) == (2, 2)
    assert (figures["all"]["exact"], figures["some"]["exact"]) == (100, 50)


def test_a_layout_that_ends_with_what_is_typed_is_kept_by_a_prefix_cache() -> None:
    text = "".join(f"    value_{n} = compute(value_{n - 1}, {n})\n" for n in range(120))
    psm, spm, line_last = (reuse.share(text, layout, 2048) for layout in reuse.Layout)
    assert spm >= line_last > 0.9 > psm


@pytest.mark.real_model
@pytest.mark.timeout(900)
def test_the_real_model_fills_the_sample(real_weights: Path, tmp_path: Path) -> None:
    """Bare and through the server; on holes as easy as these both must get most of them right."""
    from qwen_ls.local.lease import acquire

    results: run.Records = {}
    with acquire(real_weights) as lease:
        arms = [Raw("spm", lease.endpoint), Through.with_local_model(lease.endpoint)]
        try:
            for name, one_line in (("-line/", True), ("multi-line", False)):
                holes = [hole for hole in HOLES if name in hole.id and ("multi" in hole.id) is not one_line]
                list(run.compare(arms, holes, results, one_line=one_line))
        finally:
            for arm in arms:
                arm.close()
    figures = run.by_arm([arm.name for arm in arms], results, HOLES)
    assert figures["qwen-ls"]["n"] == len(HOLES)
    assert figures["qwen-ls"]["pass@1"] >= max(60, figures["raw spm"]["pass@1"]), json.dumps(
        [row for row in results.values() if not row["exact"]], indent=1
    )
