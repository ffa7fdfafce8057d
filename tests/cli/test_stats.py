"""`qwen-ls stats`: the sums, the table, the JSON and the page; and a real call that is counted."""

from __future__ import annotations

import json
import sqlite3
import time
from datetime import date
from pathlib import Path

import pytest

from qwen_ls.books import ledger_path
from qwen_ls.commands.stats import as_text, page, spans_of
from qwen_ls.entries import Account, Amounts, Entry, Row
from qwen_ls.ledger import Ledger
from tests.fake_dashscope import FakeDashScope

FRIDAY = date(2026, 11, 20)
CALL = Amounts(
    calls=1,
    prompt_tokens=1000,
    completion_tokens=50,
    cached_tokens=250,
    money=0.0023,
    counted_prompt_tokens=1000,
)
CUT = Amounts(
    calls=1, prompt_tokens=10, completion_tokens=5, estimated_tokens=15, money=0.1, estimated_money=0.1
)
ROWS = [
    Row(
        "2026-11-20",
        "dashscope",
        "qwen-coder-turbo",
        "",
        Amounts(requests=9, shown=4, accepted=2, dismissed=3),
    ),
    Row("2026-11-20", "dashscope", "qwen-coder-turbo", "CNY", CALL),
    Row("2026-11-16", "dashscope", "qwen-coder-turbo", "CNY", CUT),
    Row("2026-11-17", "openai", "<b>", "USD", CALL),
    Row("2026-11-15", "dashscope", "qwen-coder-turbo", "CNY", CALL),
]


def test_today_and_the_week_since_monday_by_model() -> None:
    today, week = spans_of(ROWS, FRIDAY)
    assert list(today.models) == [("dashscope", "qwen-coder-turbo")]
    assert today.total.amounts == CALL + Amounts(requests=9, shown=4, accepted=2, dismissed=3)
    assert today.total.cached_share == 0.25
    assert (week.first_day, week.last_day) == ("2026-11-16", "2026-11-20")
    assert week.total.money == {"CNY": (pytest.approx(0.1023), 0.1), "USD": (0.0023, 0.0)}


def test_the_cached_share_is_of_what_was_counted() -> None:
    """Of an answer that was cut nobody knows how much of its prompt was cached."""
    cut = Amounts(calls=1, prompt_tokens=3000, completion_tokens=5, estimated_tokens=3005)
    rows = [Row("2026-11-20", "p", "m", "CNY", amounts) for amounts in (CALL, cut)]
    assert spans_of(rows, FRIDAY)[0].total.cached_share == 0.25


def test_the_table_marks_what_is_estimated() -> None:
    today, week = (as_text(span).splitlines() for span in spans_of(ROWS, FRIDAY))
    assert today[0] == "today (2026-11-20)"
    assert today[2].split() == [
        "dashscope", "qwen-coder-turbo", "9", "1", "4", "2", "3", "1,000", "50", "25%", "0.0023", "CNY",
    ]  # fmt: skip
    assert len(today) == 3
    assert "~0.1023 CNY" in week[2]
    assert week[4].split()[0] == "all"
    assert "~0.1023 CNY + 0.0023 USD" in week[4]
    assert week[5].strip().startswith("~: with a part that is estimated")


def test_the_page_stands_alone_and_is_escaped() -> None:
    text = page(spans_of(ROWS, FRIDAY))
    assert "&lt;b&gt;" in text
    assert "<b>" not in text
    for word in ("http", "<script", "src="):
        assert word not in text


def test_without_a_ledger_there_is_nothing_yet(qwen_ls) -> None:
    done = qwen_ls("stats")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("nothing yet") == 2
    assert not ledger_path().exists()
    found = json.loads(qwen_ls("stats", "--json").stdout)
    assert found["today"]["models"] == []
    assert found["this week"]["total"]["calls"] == 0


def test_a_call_is_counted_and_priced(qwen_ls, monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DASHSCOPE_API_KEY", "sk-test")
    monkeypatch.setenv("NO_PROXY", "*")
    source = tmp_path / "a.py"
    source.write_text("x = \n", "utf-8")
    with FakeDashScope.in_thread(answer="1") as fake:
        monkeypatch.setenv("QWEN_LS_BASE_URL", fake.compat_url)
        assert qwen_ls("complete", f"{source}:1:5").returncode == 0
        refused = qwen_ls("complete", f"{source}:1:5", "--set", 'limits={"requestsPerMinute": 1}')
        assert len(fake.requests) == 1
    assert refused.returncode == 1
    assert "The limit of 1 requests a minute (limits.requestsPerMinute) is reached" in refused.stderr
    [model] = json.loads(qwen_ls("stats", "--json").stdout)["today"]["models"]
    assert (model["provider"], model["model"]) == ("dashscope", "qwen-coder-turbo")
    assert (model["requests"], model["calls"], model["shown"], model["estimated_tokens"]) == (2, 1, 1, 0)
    assert model["prompt_tokens"] > 0


def test_a_page_is_written(qwen_ls, tmp_path: Path) -> None:
    ledger = Ledger(_made(ledger_path()))
    ledger.book([Entry(time.time(), Account("p", "m"), CALL, "CNY")])
    ledger.close()
    done = qwen_ls("stats", "--html", str(tmp_path / "stats.html"))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert "<td>p m</td>" in (tmp_path / "stats.html").read_text("utf-8")
    done = qwen_ls("stats", "--html", str(tmp_path / "no" / "stats.html"))
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1


def test_a_damaged_ledger_is_one_line(qwen_ls) -> None:
    _made(ledger_path()).write_bytes(b"not a database " * 100)
    done = qwen_ls("stats")
    assert done.returncode == 2
    assert "it is damaged; move it away" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("content", [b"", None], ids=["empty", "read-only"])
def test_nothing_is_written_to_be_read(qwen_ls, content: bytes | None) -> None:
    file = _made(ledger_path())
    if content is None:
        ledger = Ledger(file)
        ledger.book([Entry(time.time(), Account("p", "m"), CALL, "CNY")])
        ledger.close()
        file.chmod(0o400)
    else:
        file.write_bytes(content)
    before = file.read_bytes()
    done = qwen_ls("stats")
    assert done.returncode == 0
    assert ("p m" in done.stdout) == (content is None)
    assert file.read_bytes() == before


def test_another_program_s_file_is_one_line(qwen_ls) -> None:
    database = sqlite3.connect(_made(ledger_path()))
    database.execute("CREATE TABLE days (a)")
    database.close()
    done = qwen_ls("stats")
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("words", [[], ["--json"]], ids=["text", "json"])
def test_names_in_any_script_are_printed_on_any_terminal(qwen_ls, monkeypatch, words: list[str]) -> None:
    ledger = Ledger(_made(ledger_path()))
    ledger.book([Entry(time.time(), Account("openai", "模型\x1b[31m"), CALL, "CNY")])
    ledger.close()
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    done = qwen_ls("stats", *words)
    assert (done.returncode, done.stderr) == (0, "")
    assert "\x1b" not in done.stdout


@pytest.mark.parametrize("protocol", ["openai", "dashscope"])
def test_cached_tokens_are_shown_in_both_protocols(
    qwen_ls, monkeypatch, tmp_path: Path, protocol: str
) -> None:
    monkeypatch.setenv("DASHSCOPE_API_KEY", "sk-test")
    monkeypatch.setenv("NO_PROXY", "*")
    source = tmp_path / "a.py"
    source.write_text("".join(f"NAME_{n} = 'value {n}'\n" for n in range(80)) + "x = \n", "utf-8")
    more = [f"protocol={protocol}", "model=qwen3-coder-plus", "strategy=partial"]
    with FakeDashScope.in_thread(answer="1") as fake:
        monkeypatch.setenv("QWEN_LS_BASE_URL", fake.compat_url)
        for _ in range(2):
            done = qwen_ls("complete", f"{source}:81:5", *(word for one in more for word in ("--set", one)))
            assert done.returncode == 0, done.stderr
        assert len(fake.requests) == 2
    total = json.loads(qwen_ls("stats", "--json").stdout)["today"]["total"]
    assert total["cached_tokens"] >= 256
    assert 0.3 < total["cached_share"] < 0.6, "all but a few of the second prompt's, none of the first's"


def _made(file: Path) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    return file
