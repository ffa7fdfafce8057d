"""The ledger's file: shared by processes, private to its user, and no trouble when it is in trouble."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwen_ls.books import ledger_path
from qwen_ls.core.limits import Limits, Refusal, Want
from qwen_ls.entries import Account, Amounts, Entry, day_of
from qwen_ls.ledger import STALE_S, Ledger, LedgerError

NOW_S = 1_790_000_000.0
QWEN = Account("dashscope", "qwen-coder-turbo")
LOCAL = Account("local", "qwen2.5-coder-0.5b-instruct", metered=False)
CALL = Amounts(calls=1, prompt_tokens=90, completion_tokens=10, cached_tokens=5, money=0.25)


@pytest.fixture
def ledger(tmp_path: Path):
    made = Ledger(tmp_path / "sub" / "ledger.sqlite3")
    yield made
    made.close()


def reserve(ledger: Ledger, now_s: float = NOW_S, *, tokens: int = 100, **limits: float) -> int | Refusal:
    return ledger.reserve(Limits.of(limits), QWEN, Want(tokens, 0.25), "CNY", now_s, output=10)


def test_what_is_booked_adds_up_by_day_and_account(ledger: Ledger) -> None:
    ledger.book([Entry(NOW_S, QWEN, Amounts(requests=1)), Entry(NOW_S, QWEN, CALL, "CNY")])
    ledger.book([Entry(NOW_S, QWEN, CALL, "CNY"), Entry(NOW_S + 86_400, QWEN, Amounts(accepted=1))])
    today = day_of(NOW_S)[0]
    by_key = {(row.day, row.currency): row.amounts for row in ledger.rows()}
    assert by_key[today, ""] == Amounts(requests=1)
    assert by_key[today, "CNY"] == CALL + CALL
    assert len(by_key) == 3
    assert [row.amounts.accepted for row in ledger.rows(day_of(NOW_S + 86_400)[0])] == [1]


def test_a_reservation_holds_until_it_is_settled(ledger: Ledger) -> None:
    first = reserve(ledger, tokens_per_day=150)
    assert isinstance(first, int)
    assert isinstance(reserve(ledger, tokens_per_day=150), Refusal)
    used = Amounts(calls=1, prompt_tokens=40, completion_tokens=5)
    ledger.book([Entry(NOW_S + 1, QWEN, used, "CNY", first)])
    assert isinstance(reserve(ledger, NOW_S + 2, tokens_per_day=150), int)
    assert ledger.rows()[0].amounts == used


def test_a_released_reservation_leaves_nothing(ledger: Ledger) -> None:
    number = reserve(ledger, requests_per_minute=1)
    assert isinstance(number, int)
    ledger.release(number)
    assert isinstance(reserve(ledger, requests_per_minute=1), int)
    assert ledger.rows() == []


def test_calls_of_a_server_without_limits_count_for_one_with_limits(ledger: Ledger) -> None:
    ledger.book([Entry(NOW_S, QWEN, CALL, "CNY")])
    why = reserve(ledger, NOW_S + 1, requests_per_minute=1)
    assert isinstance(why, Refusal)
    assert why.until_s == NOW_S + 60
    assert isinstance(reserve(ledger, NOW_S + 1, money_per_day=0.4), Refusal)
    assert isinstance(reserve(ledger, NOW_S + 1, money_per_day=0.5), int)


def test_the_local_engine_is_booked_and_not_limited(ledger: Ledger) -> None:
    ledger.book([Entry(NOW_S, LOCAL, CALL)])
    assert isinstance(reserve(ledger, requests_per_minute=1, tokens_per_day=100), int)
    assert ledger.rows()[0].amounts == CALL


def test_money_of_another_currency_does_not_count(ledger: Ledger) -> None:
    ledger.book([Entry(NOW_S, QWEN, CALL, "USD")])
    assert isinstance(reserve(ledger, NOW_S, money_per_day=0.25), int)


def test_a_new_day_has_a_new_budget(ledger: Ledger) -> None:
    number = reserve(ledger, tokens_per_day=100)
    assert isinstance(number, int)
    ledger.book([Entry(NOW_S, QWEN, CALL, "CNY", number)])
    why = reserve(ledger, NOW_S + 100, tokens_per_day=100)
    assert isinstance(why, Refusal)
    assert why.until_s == day_of(NOW_S)[1]
    assert isinstance(reserve(ledger, why.until_s + 1, tokens_per_day=100), int)


def test_calls_on_their_way_say_nothing_of_a_time(ledger: Ledger) -> None:
    """They will use less than was put aside for them: nobody has to wait for midnight because of them."""
    number = reserve(ledger, tokens_per_day=150, tokens_per_minute=150)
    assert isinstance(number, int)
    why = reserve(ledger, NOW_S + 1, tokens_per_day=150, tokens_per_minute=150)
    assert isinstance(why, Refusal)
    assert why.until_s == NOW_S + 1
    ledger.book([Entry(NOW_S + 2, QWEN, Amounts(calls=1, prompt_tokens=40), "CNY", number)])
    assert isinstance(reserve(ledger, NOW_S + 2, tokens_per_day=150, tokens_per_minute=150), int)


def test_a_call_on_its_way_is_a_request(ledger: Ledger) -> None:
    assert isinstance(reserve(ledger, requests_per_minute=1), int)
    why = reserve(ledger, NOW_S + 1, requests_per_minute=1)
    assert isinstance(why, Refusal)
    assert why.until_s == NOW_S + 60


def test_a_call_over_midnight_is_the_day_s_that_had_room_for_it(ledger: Ledger) -> None:
    day, end_s = day_of(NOW_S)
    number = reserve(ledger, end_s - 1, tokens_per_day=100)
    assert isinstance(number, int)
    assert isinstance(reserve(ledger, end_s + 1, tokens_per_day=100), int)
    ledger.book([Entry(end_s + 2, QWEN, CALL, "CNY", number)])
    assert [(row.day, row.amounts) for row in ledger.rows()] == [(day, CALL)]


@pytest.mark.parametrize(
    ("zone", "noon_s", "hours"),
    [
        pytest.param("Europe/Berlin", 1_774_782_000, 23, id="spring"),
        pytest.param("Europe/Berlin", 1_792_926_000, 25, id="autumn"),
        pytest.param("Africa/Cairo", 1_777_021_200, 23, id="a day that begins at one"),
        pytest.param("Asia/Shanghai", 1_774_756_800, 24, id="no change"),
    ],
)
@pytest.mark.skipif(not hasattr(time, "tzset"), reason="Windows has one zone a process")
def test_days_are_as_long_as_the_clock_says(monkeypatch, zone: str, noon_s: int, hours: int) -> None:
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        day, end_s = day_of(noon_s)
        began_s = day_of(noon_s - 86_400)[1]
        assert end_s - began_s == hours * 3600
        assert [day_of(at_s)[0] for at_s in (began_s, end_s - 1)] == [day, day]
        assert day_of(end_s)[0] > day > day_of(began_s - 1)[0]
    finally:
        monkeypatch.undo()
        time.tzset()


KILLED = """
import os, sys, time
from pathlib import Path
from qwen_ls.core.limits import Limits, Want
from qwen_ls.ledger import Account, Ledger
ledger = Ledger(Path(sys.argv[1]))
limits, account, now_s = Limits(tokens_per_day=99), Account("p", "m"), float(sys.argv[2])
number = ledger.reserve(limits, account, Want(60), "", now_s, output=5)
assert isinstance(number, int)
os._exit(9)
"""


def test_a_server_that_is_killed_while_it_asks_keeps_its_share(tmp_path: Path) -> None:
    file = tmp_path / "ledger.sqlite3"
    assert subprocess.run([sys.executable, "-c", KILLED, str(file), str(NOW_S)], check=False).returncode == 9
    ledger = Ledger(file)
    assert isinstance(reserve(ledger, NOW_S + 1, tokens=50, tokens_per_day=99), Refusal)
    assert isinstance(reserve(ledger, NOW_S + STALE_S + 1, tokens=50, tokens_per_day=99), Refusal)
    assert isinstance(reserve(ledger, NOW_S + STALE_S + 2, tokens=30, tokens_per_day=99), int)
    [row] = ledger.rows()
    assert (row.amounts.calls, row.amounts.estimated_tokens) == (1, 60)
    ledger.close()


def test_what_a_killed_server_reserved_is_counted_as_estimated(ledger: Ledger) -> None:
    number = reserve(ledger)
    assert isinstance(number, int)
    reserve(ledger, NOW_S + STALE_S + 1)
    expected = Amounts(
        calls=1,
        prompt_tokens=90,
        completion_tokens=10,
        estimated_tokens=100,
        money=0.25,
        estimated_money=0.25,
    )
    assert ledger.rows()[0].amounts == expected
    ledger.book([Entry(NOW_S + STALE_S + 2, QWEN, CALL, "CNY", number)])  # it lived after all
    assert ledger.rows()[0].amounts == expected


def test_a_clock_that_was_set_back_blocks_nothing(ledger: Ledger) -> None:
    assert isinstance(reserve(ledger, NOW_S + 1e7, requests_per_minute=1), int)
    assert isinstance(reserve(ledger, NOW_S, requests_per_minute=1), int)


@given(
    st.lists(
        st.tuples(st.integers(0, 40), st.integers(1, 90), st.sampled_from(["settle", "release", "leave"])),
        max_size=25,
    ),
    st.integers(50, 400),
)
def test_the_day_is_never_overspent(steps: list[tuple[int, int, str]], limit: int) -> None:
    """Whatever is reserved, settled for less, released or left behind: booked and open never exceed it."""
    ledger = Ledger(None)
    now_s, held, booked = NOW_S, 0, 0
    start, end = day_of(now_s)
    for wait_s, tokens, what in steps:
        now_s = min(now_s + wait_s, end - 1)
        number = reserve(ledger, now_s, tokens=tokens + 10, tokens_per_day=limit)
        assert isinstance(number, int) == (held + booked + tokens + 10 <= limit)
        if isinstance(number, Refusal):
            continue
        if what == "settle":
            booked += tokens
            ledger.book([Entry(now_s, QWEN, Amounts(calls=1, prompt_tokens=tokens), "CNY", number)])
        elif what == "release":
            ledger.release(number)
        else:
            held += tokens + 10
    assert held + booked <= limit
    rows = ledger.rows(start)
    counted = sum(row.amounts.prompt_tokens + row.amounts.completion_tokens for row in rows)
    assert counted - sum(row.amounts.estimated_tokens for row in rows) == booked
    ledger.close()


SPEND = """
import sys, time
from pathlib import Path
from qwen_ls.core.limits import Limits, Want
from qwen_ls.ledger import Account, Amounts, Entry, Ledger
ledger = Ledger(Path(sys.argv[1]), busy_s=30)
account, made = Account("dashscope", "m"), 0
for n in range(100):
    now_s = time.time()
    number = ledger.reserve(Limits(tokens_per_day=1000), account, Want(20), "CNY", now_s, output=5)
    if isinstance(number, int):
        made += 1
        ledger.book([Entry(now_s, account, Amounts(calls=1, prompt_tokens=10), "CNY", number)])
ledger.close()
print(made)
"""


def test_two_processes_share_one_budget(tmp_path: Path) -> None:
    """Both try to spend all of it, at once, and from a file that neither has found."""
    file = tmp_path / "ledger.sqlite3"
    command = [sys.executable, "-c", SPEND, str(file)]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    made = [int(process.communicate(timeout=60)[0]) for process in both]
    assert [process.returncode for process in both] == [0, 0]
    # 10 tokens each, while the last ones still need room for 20.
    assert sum(made) in {98, 99}
    ledger = Ledger(file)
    assert sum(row.amounts.prompt_tokens for row in ledger.rows()) == 10 * sum(made)
    ledger.close()


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such modes")
def test_only_its_user_can_read_it(tmp_path: Path, ledger: Ledger) -> None:
    ledger.book([Entry(NOW_S, QWEN, CALL)])
    files = list((tmp_path / "sub").iterdir())
    assert {file.name for file in files} >= {"ledger.sqlite3", "ledger.sqlite3-wal"}
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


def damage(file: Path) -> None:
    file.write_bytes(b"not a database " * 100)


def later_version(file: Path) -> None:
    database = sqlite3.connect(file)
    database.execute("PRAGMA user_version = 99")
    database.close()


def be_a_folder(file: Path) -> None:
    file.mkdir()


VERSION_1 = """
CREATE TABLE recent (
    id INTEGER PRIMARY KEY AUTOINCREMENT, at_s REAL NOT NULL, day TEXT NOT NULL, provider TEXT NOT NULL,
    model TEXT NOT NULL, currency TEXT NOT NULL, prompt_tokens INTEGER NOT NULL,
    completion_tokens INTEGER NOT NULL, money REAL NOT NULL, open INTEGER NOT NULL
);
CREATE TABLE days (
    day TEXT NOT NULL, provider TEXT NOT NULL, model TEXT NOT NULL, currency TEXT NOT NULL,
    metered INTEGER NOT NULL,
    requests INTEGER NOT NULL DEFAULT 0, calls INTEGER NOT NULL DEFAULT 0, shown INTEGER NOT NULL DEFAULT 0,
    accepted INTEGER NOT NULL DEFAULT 0, prompt_tokens INTEGER NOT NULL DEFAULT 0,
    completion_tokens INTEGER NOT NULL DEFAULT 0, cached_tokens INTEGER NOT NULL DEFAULT 0,
    estimated_tokens INTEGER NOT NULL DEFAULT 0, money REAL NOT NULL DEFAULT 0,
    estimated_money REAL NOT NULL DEFAULT 0,
    PRIMARY KEY (day, provider, model, currency)
) WITHOUT ROWID;
INSERT INTO days VALUES
    ('2026-09-21', 'dashscope', 'qwen-coder-turbo', 'CNY', 1, 2, 2, 1, 0, 90, 10, 5, 30, 0.5, 0.1);
PRAGMA user_version = 1;
"""


VERSION_2 = (
    VERSION_1.replace("user_version = 1", "user_version = 2")
    .replace(
        "INSERT", "ALTER TABLE days ADD COLUMN counted_prompt_tokens INTEGER NOT NULL DEFAULT 60; INSERT"
    )
    .replace("0.5, 0.1)", "0.5, 0.1, 60)")
)


@pytest.mark.parametrize("written", [VERSION_1, VERSION_2], ids=["1", "2"])
def test_a_file_of_an_earlier_version_goes_on(tmp_path: Path, written: str) -> None:
    file = tmp_path / "ledger.sqlite3"
    with contextlib.closing(sqlite3.connect(file)) as database:
        database.executescript(written)
    [row] = Ledger.read(file)
    assert (row.amounts.requests, row.amounts.dismissed) == (2, 0)
    ledger = Ledger(file)
    number = reserve(ledger)
    assert isinstance(number, int)
    ledger.book([Entry(NOW_S, QWEN, CALL, "CNY", number), Entry(NOW_S, QWEN, Amounts(dismissed=1), "CNY")])
    [row] = [row for row in ledger.rows() if row.day == "2026-09-21"]
    amounts = row.amounts
    assert (amounts.requests, amounts.counted_prompt_tokens, amounts.dismissed) == (2, 60, 1)
    ledger.close()


def without_tables(file: Path) -> None:
    database = sqlite3.connect(file)
    database.execute("PRAGMA user_version = 3")
    database.close()


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (damage, "damaged"),
        (later_version, "later version"),
        (be_a_folder, "unable to open"),
        (without_tables, "damaged"),
    ],
)
def test_a_file_that_cannot_be_used_says_why(tmp_path: Path, spoil, says: str) -> None:
    file = tmp_path / "ledger.sqlite3"
    spoil(file)
    with pytest.raises(LedgerError, match=says), contextlib.closing(Ledger(file)) as ledger:
        ledger.rows()


def test_a_locked_file_is_waited_for_and_then_given_up(tmp_path: Path) -> None:
    file = tmp_path / "ledger.sqlite3"
    ledger, other = Ledger(file, busy_s=0.05), sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(LedgerError, match="another program holds it"):
        ledger.book([Entry(NOW_S, QWEN, CALL)])
    other.execute("ROLLBACK")
    ledger.book([Entry(NOW_S, QWEN, CALL)])
    other.close()
    ledger.close()


def test_a_full_disk_leaves_the_file_as_it_was(ledger: Ledger) -> None:
    ledger.book([Entry(NOW_S, QWEN, CALL)])
    pages = ledger._db.execute("PRAGMA page_count").fetchone()[0]
    ledger._db.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(LedgerError, match="full"):
        ledger.book([Entry(NOW_S, Account("p", "m" * 20_000), CALL)])
    assert [row.amounts for row in ledger.rows()] == [CALL]


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"QWEN_LS_LEDGER_DIR": "/l", "QWEN_LS_DATA_DIR": "/d"}, Path("/l/ledger.sqlite3")),
        ({"QWEN_LS_DATA_DIR": "/d"}, Path("/d/ledger.sqlite3")),
    ],
)
def test_the_environment_says_where_it_is(monkeypatch, environ: dict[str, str], expected: Path) -> None:
    for name in ("QWEN_LS_LEDGER_DIR", "QWEN_LS_DATA_DIR"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    assert ledger_path() == expected
