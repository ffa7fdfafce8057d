"""`doctor --layouts`: the ways of asking, what answers are worth, and the command against a fake endpoint."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from qwen_ls.backend.base import LimitError, RateLimitError, ServerError
from qwen_ls.commands.calls import Call
from qwen_ls.commands.layouts.answer import Answer, repeats
from qwen_ls.commands.layouts.asking import context_of
from qwen_ls.commands.layouts.comparison import Comparison, chance
from qwen_ls.commands.layouts.holes import HOLES
from qwen_ls.commands.layouts.verdict import verdict
from qwen_ls.commands.layouts.ways import ways
from qwen_ls.core.types import TriggerKind
from qwen_ls.settings import Settings
from tests.backend.asking import target_of
from tests.fake_dashscope import Behaviour, FakeDashScope, Reply
from tests.marked import marked

QWEN = {"model": "qwen2.5-coder-1.5b"}


# The ways


@pytest.mark.parametrize(
    ("settings", "names"),
    [
        pytest.param({}, ["psm", "spm", "line-last", "partial"], id="dashscope, beijing"),
        pytest.param({"region": "singapore"}, ["partial"], id="no fill-in-the-middle in the region"),
        pytest.param({"protocol": "dashscope"}, ["partial"], id="nor in the native protocol"),
        pytest.param(
            {"strategy": "partial"}, ["psm", "spm", "line-last", "partial"], id="also what is not set"
        ),
        pytest.param(
            {"provider": "llama.cpp"} | QWEN, ["psm", "spm", "line-last", "infill", "partial"], id="llama.cpp"
        ),
        pytest.param(
            {"provider": "ollama"} | QWEN, ["psm", "spm", "line-last", "suffix", "partial"], id="ollama"
        ),
        pytest.param({"provider": "deepseek"}, ["suffix", "partial"], id="the server lays it out"),
        pytest.param(
            {"provider": "vllm", "model": "starcoder2-3b"}, ["starcoder", "partial"], id="another family"
        ),
        pytest.param({"provider": "vllm", "model": "llama-3-8b"}, ["partial"], id="a family without tokens"),
        pytest.param({"provider": "local"}, ["psm", "spm", "line-last", "partial"], id="local"),
    ],
)
def test_the_ways_of_a_provider(settings, names):
    assert [way.name for way in ways(Settings(**settings))] == names


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        pytest.param({}, "psm", id="dashscope"),
        pytest.param({"provider": "local"}, "spm", id="local"),
        pytest.param({"strategy": "partial"}, "partial", id="as set"),
        pytest.param(
            {"models": {"qwen-coder-turbo": {"layout": "line-last"}}}, "line-last", id="the user's row"
        ),
        pytest.param({"provider": "ollama"} | QWEN, "psm", id="its own API"),
        pytest.param({"provider": "llama.cpp", "model": "default"}, "infill", id="an unknown family"),
    ],
)
def test_one_way_is_in_force(settings, name):
    comparison = Comparison.of(ways(Settings(**settings)), target_of(**settings))
    assert comparison.in_force.way.name == name


@pytest.mark.parametrize(
    "settings",
    [{}, {"strategy": "partial"}, {"provider": "llama.cpp"} | QWEN],
    ids=["fim", "partial", "llama.cpp"],
)
def test_the_row_that_is_told_chooses_the_way(settings):
    for way in ways(Settings(**settings)):
        if way.row is not None:
            rows = {way.target.model: way.row}
            chosen = settings | {"models": rows} | ({"strategy": "auto"} if "strategies" in way.row else {})
            assert way.is_that_of(target_of(**chosen)), way.name


# What answers are worth


def test_the_holes_are_what_they_are_said_to_be():
    assert 8 <= len(HOLES) <= 12
    assert len({hole.language for hole in HOLES}) > 8
    for hole in HOLES:
        assert not any("\n" in answer for answer in hole.answers)
        assert not repeats(hole.answers[0], context_of(hole)), hole.language


@pytest.mark.parametrize(
    ("text", "right", "similar"),
    [
        pytest.param("value > high", True, 1.0, id="right"),
        pytest.param("value>high", True, 1.0, id="blanks are style"),
        pytest.param(
            "value > high:\n        return high", True, 1.0, id="what the server takes off is no fault"
        ),
        pytest.param("high < value", True, 1.0, id="another right one"),
        pytest.param("value > low", False, 0.5, id="near"),
        pytest.param("", False, 0.0, id="nothing"),
    ],
)
def test_an_answer_is_judged_by_what_is_shown(text, right, similar):
    (hole, way) = HOLES[0], ways(Settings())[0]
    answer = Answer.of(Call(text=text), text, hole, context_of(hole), way)
    assert answer.is_right is right
    assert answer.similarity == pytest.approx(similar, abs=0.25)
    assert (answer.worth == 1.0) is right


@pytest.mark.parametrize(
    ("picture", "said", "expected"),
    [
        pytest.param("f(█)\n", "x)", True, id="the line's tail"),
        pytest.param("f(█)\n", "x", False, id="without it"),
        pytest.param("f(█)\ng()\n", "x\ng()", True, id="the line below"),
        pytest.param("a = █\nb = 2\n", "1\nb = 2", True, id="the line below, at a line's end"),
        pytest.param("a = █\nb = 2\n", "1\nc = 3", False, id="something else below"),
        pytest.param("a = █", "1\n2", False, id="nothing stands after it"),
    ],
)
def test_a_repeated_suffix(picture, said, expected):
    from qwen_ls.core.context import build_context

    document, offset = marked(picture)
    assert repeats(said, build_context(document, offset, TriggerKind.INVOKED)) is expected


# What differences are worth


@pytest.mark.parametrize(
    ("differences", "expected"),
    [
        pytest.param([], 1.0, id="nothing"),
        pytest.param([0.0, 0.0], 1.0, id="the same"),
        pytest.param([1.0], 1.0, id="one hole says nothing"),
        pytest.param([1.0, 1.0, 1.0], 0.25, id="two of eight tosses are as far"),
        pytest.param([1.0] * 6, 2 / 64, id="six in a row"),
        pytest.param([1.0, 1.0, 1.0, -1.0], 10 / 16, id="three to one"),
        pytest.param([-1.0] * 6, 2 / 64, id="both sides count"),
    ],
)
def test_chance(differences, expected):
    assert chance(differences) == pytest.approx(expected)


def compared(settings=None, **right):
    """A comparison where each way named has filled the first so many holes, and nothing of the others."""
    settings = settings or {}
    comparison = Comparison.of(ways(Settings(**settings)), target_of(**settings))
    for row in comparison.rows:
        if row.way.name.replace("-", "_") in right:
            for n in range(len(HOLES)):
                is_right = n < right[row.way.name.replace("-", "_")]
                row.answered(n, Answer(is_right, float(is_right), False, Call()))
    return comparison


def told(comparison, **settings):
    return next(one for one in verdict(comparison, Settings(**settings)) if one.what == "layouts")


def test_a_better_layout_is_told_with_its_row():
    finding = told(compared(psm=3, spm=12))
    assert "more than chance" in finding.seen
    assert '{"qwen-coder-turbo": {"layout": "spm"}}' in finding.remedy


def test_better_partial_mode_is_told_with_its_row_and_the_strategy():
    settings = {"strategy": "fim"}
    finding = told(compared(settings, psm=0, partial=12), **settings)
    assert '{"strategies": ["partial", "fim"]}' in finding.remedy
    assert "strategy to auto" in finding.remedy


def test_a_row_that_is_there_is_added_to():
    settings = {"models": {"qwen-coder-turbo": {"vision": False}}}
    assert "add to the row of qwen-coder-turbo" in told(compared(settings, psm=0, spm=12), **settings).remedy


@pytest.mark.parametrize("n_right", [7, 8, 9, 10])
def test_a_small_difference_may_be_chance(n_right):
    finding = told(compared(psm=6, spm=n_right))
    assert "may be chance" in finding.seen
    assert not finding.remedy


def test_what_is_in_force_may_be_the_best():
    finding = told(compared(psm=9, spm=9, partial=2))
    assert finding.seen.startswith("psm with 9 of 12 right is in force")
    assert not finding.remedy


def test_a_way_that_no_row_chooses_is_not_recommended():
    settings = {"provider": "llama.cpp"} | QWEN
    finding = told(compared(settings, psm=2, infill=12), **settings)
    assert finding.seen.startswith("psm")


def test_where_what_is_in_force_fails_the_best_of_the_rest_is_told():
    comparison = compared(spm=4, partial=9)
    for _ in range(2):
        comparison.in_force.failed(ServerError("It failed"))
    finding = told(comparison)
    assert "partial" in finding.remedy
    assert comparison.in_force.fault == "failed: It failed"


# The command


def truth(*layouts, right=HOLES):
    """Answers rightly what is asked in these layouts, as the fake names them, and nonsense otherwise."""

    def answer(request):
        if request.call.layout in layouts or request.call.kind in layouts:
            return next(
                (hole.answers[0] for hole in right if hole.before.rstrip(" ") == request.prefix.rstrip(" ")),
                "zzz",
            )
        return "zzz"

    return answer


@pytest.fixture
def fake(monkeypatch):
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setenv("DASHSCOPE_API_KEY", "sk-test")
    with FakeDashScope.in_thread(answer=truth("suffix_first")) as made:
        monkeypatch.setenv("QWEN_LS_BASE_URL", made.compat_url)
        yield made


def test_the_table_and_what_to_do(qwen_ls, fake):
    done = qwen_ls("doctor", "--layouts")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "asked about by psm, spm, line-last, partial: 49 calls and about " in done.stderr
    lines = {line.split()[0]: line for line in done.stdout.splitlines() if line.strip()}
    assert lines["way"].split()[:3] == ["way", "right", "similarity"]
    assert " 0 of 12 " in lines["psm"].replace("*", " ")
    assert " 12 of 12 " in lines["spm"]
    assert "CNY" in lines["spm"]
    assert '→ To have it, set models to {"qwen-coder-turbo": {"layout": "spm"}}.' in done.stdout
    assert "DashScope documents the layout psm" in done.stdout
    assert len([r for r in fake.requests if r.method == "POST"]) == 49
    booked = json.loads(qwen_ls("stats", "--json").stdout)["today"]["total"]
    assert booked["calls"] == 49


def test_as_json(qwen_ls, fake):
    report = json.loads(qwen_ls("doctor", "--layouts", "--json").stdout)["layouts"]
    assert (report["in_force"], report["best"], report["better"]) == ("psm", "spm", {"layout": "spm"})
    rows = {row["way"]: row for row in report["rows"]}
    assert rows["spm"]["right"] == rows["psm"]["asked"] == report["holes"] == 12
    assert rows["spm"]["first_token_ms"] > 0
    assert rows["spm"]["prompt_tokens"] > 300
    assert [row["way"] for row in rows.values() if not row["documented"]] == ["spm", "line-last"]


def test_calls_are_greedy_whatever_is_set(qwen_ls, fake):
    qwen_ls("doctor", "--layouts", "--json", "--set", "temperature=0.9", "--set", "topP=0.5")
    asked = [request.body for request in fake.requests if request.method == "POST"]
    assert {(body["temperature"], body.get("top_p")) for body in asked} == {(0.0, None)}


def test_a_layout_that_the_endpoint_refuses_is_shown_as_refused(qwen_ls, fake):
    done = qwen_ls(
        "doctor", "--layouts", "--set", "model=qwen-plus", "--set", row_of("qwen-plus", ["partial", "fim"])
    )
    assert done.returncode == 0, done.stdout + done.stderr
    for way in ("psm", "spm", "line-last"):
        (line,) = [line for line in done.stdout.splitlines() if line.startswith(way)]
        assert "refused: " in line
    assert "partial with 0 of 12 right is in force, and none does better" in done.stdout
    assert len([r for r in fake.requests if r.method == "POST"]) == 1 + 3 + 12


def row_of(model, strategies):
    return f"models={json.dumps({model: {'strategies': strategies}})}"


def test_limits_hold_and_what_was_found_is_shown(qwen_ls, fake, monkeypatch, tmp_path):
    config = tmp_path / "config.toml"
    config.write_text("[limits]\nrequests_per_minute = 13\n", "utf-8")
    monkeypatch.setenv("QWEN_LS_CONFIG", str(config))
    done = qwen_ls("doctor", "--layouts")
    assert done.returncode == 3, done.stdout + done.stderr
    assert len([r for r in fake.requests if r.method == "POST"]) == 13
    assert "limits.requestsPerMinute" in done.stdout
    assert " of 3 " in done.stdout


def test_a_key_that_is_refused_costs_one_call(qwen_ls, fake, monkeypatch):
    monkeypatch.setenv("DASHSCOPE_API_KEY", "sk-wrong")
    done = qwen_ls("doctor", "--layouts")
    assert done.returncode == 3
    assert "→" in done.stdout
    assert len([r for r in fake.requests if r.method == "POST"]) == 1


def test_one_failure_is_a_hole_less_and_not_a_verdict(qwen_ls, fake):
    fake.script.extend([Reply(text="a + b"), Reply(fault="internal_error")])
    report = json.loads(qwen_ls("doctor", "--layouts", "--json").stdout)["layouts"]
    assert [row["asked"] for row in report["rows"]] == [11, 12, 12, 12]


def test_an_endpoint_with_one_way_is_not_asked(qwen_ls, fake):
    done = qwen_ls("doctor", "--layouts", "--set", "protocol=dashscope")
    assert "nothing to compare" in done.stdout
    assert not [r for r in fake.requests if r.method == "POST"]


@pytest.fixture
def ctrl_c_counts():
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.skipif(sys.platform == "win32", reason="there, Ctrl-C goes to all processes of a console")
def test_ctrl_c_leaves_what_was_found(fake, ctrl_c_counts):
    fake.behaviour = Behaviour(ttfb_ms=50)
    command = [sys.executable, "-m", "qwen_ls", "doctor", "--layouts", "--json"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8", env=os.environ
    ) as doctor:
        deadline_s = time.monotonic() + 30
        while len(fake.requests) < 10 and time.monotonic() < deadline_s:
            time.sleep(0.02)
        doctor.send_signal(signal.SIGINT)
        printed, said = doctor.communicate(timeout=30)
    assert doctor.returncode == 130, said
    report = json.loads(printed)["layouts"]
    assert report["interrupted"] is True
    assert 2 <= sum(row["asked"] for row in report["rows"]) < 48


class Scripted:
    """A backend whose calls end as they are told."""

    def __init__(self, target, script):
        self.target, self.partial, self.script = target, None, script

    async def stream(self, request):
        from qwen_ls.core.types import Chunk

        self.script.append(request)
        if len(self.script) == 2:
            raise RateLimitError("Too many", retry_after_s=7)
        yield Chunk("zzz", "stop")

    async def warm(self):
        pass

    async def aclose(self):
        pass


async def test_an_endpoint_that_asks_for_patience_gets_it():
    from qwen_ls.books import Books
    from qwen_ls.commands.layouts.asking import ask_all

    settings, asked, slept = Settings(), [], []
    comparison = Comparison.of(ways(settings)[:1], target_of())

    async def sleep(seconds):
        slept.append(seconds)

    books = Books(settings, file=None, price=None, notify=lambda notice: None)
    await ask_all(comparison, settings, lambda target: Scripted(target, asked), books, sleep=sleep)
    assert (slept, len(comparison.rows[0].answers), comparison.ended) == ([7], 12, None)


async def test_a_limit_ends_it_and_keeps_what_there_is():
    from qwen_ls.books import Books
    from qwen_ls.commands.layouts.asking import ask_all

    settings, asked = Settings(limits={"requests_per_minute": 4}), []
    comparison = Comparison.of(ways(settings)[:1], target_of())
    books = Books(settings, file=None, price=None, notify=lambda notice: None)

    async def sleep(seconds):
        pass

    await ask_all(comparison, settings, lambda target: Scripted(target, asked), books, sleep=sleep)
    assert isinstance(comparison.ended, LimitError)
    assert len(comparison.rows[0].answers) == 2
