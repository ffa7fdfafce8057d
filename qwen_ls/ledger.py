"""The ledger: what was asked, shown, accepted, dismissed, spent; one SQLite file for all servers of a user.

Blocking; `qwen_ls.books` keeps it off the event loop. No document text, prompts or keys are in it. A call is
reserved before it is made and settled after it, each in one transaction, so that two servers cannot spend the
same budget. A reservation that nobody settles (its server was killed) is counted after a while, as estimated.
Its number is drawn by chance: it names the same call in every file that it may be carried to.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import sqlite3
import time
from dataclasses import astuple, replace
from typing import TYPE_CHECKING

from qwen_ls.core.limits import MINUTE_S, Day, Limits, Recent, Refusal, Want, refusal
from qwen_ls.entries import Account, Amounts, Entry, Row, day_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

VERSION = 3
BUSY_S = 1.0
"""The longest wait for another server's transaction; theirs take a millisecond."""
STALE_S = 900.0
"""A reservation this old has lost its server: no call may take more than ten minutes."""
_AHEAD_S = 3600.0
"""What is dated further ahead was written before the clock was set back."""

_SCHEMA = """
CREATE TABLE recent (
    id INTEGER PRIMARY KEY, at_s REAL NOT NULL, day TEXT NOT NULL, provider TEXT NOT NULL,
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
    estimated_money REAL NOT NULL DEFAULT 0, counted_prompt_tokens INTEGER NOT NULL DEFAULT 0,
    dismissed INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (day, provider, model, currency)
) WITHOUT ROWID;
"""
_FROM_VERSION = {
    0: _SCHEMA,
    1: """
ALTER TABLE days ADD COLUMN counted_prompt_tokens INTEGER NOT NULL DEFAULT 0;
UPDATE days SET counted_prompt_tokens = MAX(prompt_tokens - estimated_tokens, 0);
ALTER TABLE days ADD COLUMN dismissed INTEGER NOT NULL DEFAULT 0;
""",
    2: "ALTER TABLE days ADD COLUMN dismissed INTEGER NOT NULL DEFAULT 0;",
}
"""What makes a file of a version one of `VERSION`; a new file's is 0."""
_DAY = """
SELECT TOTAL(tokens), TOTAL(CASE WHEN currency = :currency THEN money END) FROM (
    SELECT prompt_tokens + completion_tokens AS tokens, currency, money FROM days WHERE day = :day AND metered
    UNION ALL
    SELECT prompt_tokens + completion_tokens, currency, money FROM recent WHERE day = :day AND open AND :held
)
"""
_RECENT = "id, at_s, day, provider, model, currency, prompt_tokens, completion_tokens, money, open"
_INSERT_RECENT = f"INSERT INTO recent ({_RECENT}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608


class LedgerError(Exception):
    """The file cannot be used; the message says why, in a few words."""


class Ledger:
    """The ledger in one file, or in memory. Use it in one thread at a time.

    Args:
        file: the file, made if it is missing; None: in memory.
        busy_s: the longest wait for a lock.

    Attributes:
        is_shared: whether it is in a file, where other servers book too.

    Raises:
        LedgerError: from every method: the file cannot be used.
    """

    def __init__(self, file: Path | None, *, busy_s: float = BUSY_S) -> None:
        self.is_shared = file is not None
        with _translated():
            if file is not None:
                _make(file)
            name = ":memory:" if file is None else str(file)
            self._db = sqlite3.connect(name, timeout=busy_s, isolation_level=None, check_same_thread=False)
            try:
                self._prepare(busy_s)
            except BaseException:
                self._db.close()
                raise

    @staticmethod
    def read(file: Path, since_day: str = "") -> list[Row]:
        """What is booked in a file from a day on; the file is left as it is, and may be missing or empty.

        Raises:
            LedgerError: it cannot be read, or holds something else.
        """
        with _translated():
            if not file.exists() or not file.stat().st_size:
                return []
            name = f"{file.absolute().as_uri()}?mode=ro"
            with contextlib.closing(sqlite3.connect(name, timeout=BUSY_S, uri=True)) as db:
                return _rows(db, since_day)

    def reserve(
        self, limits: Limits, account: Account, want: Want, currency: str, now_s: float, *, output: int = 0
    ) -> int | Refusal:
        """Put aside what a call may cost, if the limits have room for it.

        Args:
            limits: what may be used.
            account: whom the call goes to.
            want: what it may cost at most.
            currency: in which `want.money` is; money in other currencies does not count.
            now_s: seconds since 1970.
            output: how many of `want.tokens` are the answer's.

        Returns:
            The reservation's number, for `book` or `release`; or why the call may not be made.
        """
        with self._transaction():
            self._tidy(now_s)
            if why := refusal(limits, *self._used(now_s, currency), want, now_s):
                # Calls on their way will use less than is put aside for them: they say nothing of a time.
                used = refusal(limits, *self._used(now_s, currency, held=False), want, now_s)
                return used or replace(why, until_s=now_s)
            return self._insert_recent(
                now_s, account, currency, (want.tokens - output, output, want.money), is_open=True
            )

    def release(self, reservation: int) -> None:
        """Give back what was put aside for a call that was not made."""
        with self._transaction() as db:
            db.execute("DELETE FROM recent WHERE id = ? AND open", (reservation,))

    def book(self, entries: Iterable[Entry]) -> None:
        """Write entries down, all or none."""
        entries = list(entries)
        if not entries:
            return
        with self._transaction():
            for entry in entries:
                if day := self._settled(entry):
                    self._add(day, entry.account, entry.currency, entry.amounts)
            self._tidy(max(entry.at_s for entry in entries))

    def rows(self, since_day: str = "") -> list[Row]:
        """What was booked, from a day on."""
        with _translated():
            return _rows(self._db, since_day)

    def carry_over(self, other: Ledger) -> None:
        """Add what another ledger has booked, and what is reserved there."""
        with self._transaction() as db:
            for row in other.rows():
                account = Account(row.provider, row.model, row.metered)
                self._add(row.day, account, row.currency, row.amounts)
            recent = other._db.execute(f"SELECT {_RECENT} FROM recent").fetchall()  # noqa: S608
            db.executemany(_INSERT_RECENT, recent)

    def close(self) -> None:
        """Close the file."""
        with contextlib.suppress(sqlite3.Error):
            self._db.close()

    def _prepare(self, busy_s: float) -> None:
        """Make the tables of a new file; refuse a file of a later version."""
        self._db.execute("PRAGMA synchronous = NORMAL")
        version = self._version()
        if version > VERSION:
            raise LedgerError("it was written by a later version of qwen-ls")
        if version == VERSION:
            return
        self._use_wal(busy_s)
        with self._transaction() as db:
            version = self._version()  # another server may have been faster
            if version < VERSION:
                for statement in filter(str.strip, _FROM_VERSION[version].split(";")):
                    db.execute(statement)
                db.execute(f"PRAGMA user_version = {VERSION}")

    def _version(self) -> int:
        return int(self._db.execute("PRAGMA user_version").fetchone()[0])

    def _use_wal(self, busy_s: float) -> None:
        """Let readers and a writer not wait for each other; SQLite itself does not wait for this lock."""
        deadline_s = time.monotonic() + busy_s
        while True:
            try:
                self._db.execute("PRAGMA journal_mode = WAL")
            except sqlite3.OperationalError as error:
                if "locked" not in str(error) or time.monotonic() > deadline_s:
                    raise
                time.sleep(0.01)
            else:
                return

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """One writer at a time, over all processes; nothing is written where anything fails."""
        with _translated():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
                self._db.execute("COMMIT")
            except BaseException:
                with contextlib.suppress(sqlite3.Error):
                    self._db.execute("ROLLBACK")
                raise

    def _used(self, now_s: float, currency: str, *, held: bool = True) -> tuple[list[Recent], Day]:
        """The last minute's calls, and the day's tokens and its money in a currency.

        Args:
            now_s: seconds since 1970.
            currency: of the money.
            held: whether what is reserved for calls on their way counts as used.
        """
        minute = self._db.execute(
            "SELECT at_s, (prompt_tokens + completion_tokens) * (:held OR NOT open) FROM recent"
            " WHERE at_s > :since_s",
            {"since_s": now_s - MINUTE_S, "held": held},
        ).fetchall()
        day, ends_s = day_of(now_s)
        tokens, money = self._db.execute(_DAY, {"day": day, "currency": currency, "held": held}).fetchone()
        return [Recent(*row) for row in minute], Day(int(tokens), money, ends_s)

    def _settled(self, entry: Entry) -> str | None:
        """Bring `recent` up to date; to which day the entry is still to be added, if it is to any.

        What was reserved before midnight is the day before's: no day may be overspent.
        """
        day = day_of(entry.at_s)[0]
        if not entry.amounts.calls or not entry.account.metered:
            return day
        used = entry.amounts
        amounts = (used.prompt_tokens, used.completion_tokens, used.money)
        if entry.reservation is None:
            self._insert_recent(entry.at_s, entry.account, entry.currency, amounts, is_open=False)
            return day
        found = self._db.execute(
            "SELECT day FROM recent WHERE id = ? AND open", (entry.reservation,)
        ).fetchone()
        self._db.execute(
            "UPDATE recent SET prompt_tokens = ?, completion_tokens = ?, money = ?, open = 0 WHERE id = ?",
            (*amounts, entry.reservation),
        )
        return str(found[0]) if found else None  # else it was given up as stale, and counted then

    def _insert_recent(
        self,
        at_s: float,
        account: Account,
        currency: str,
        amounts: tuple[int, int, float],
        *,
        is_open: bool,
    ) -> int:
        number = secrets.randbits(62)
        day = day_of(at_s)[0]
        values = (number, at_s, day, account.provider, account.model, currency, *amounts, is_open)
        self._db.execute(_INSERT_RECENT, values)
        return number

    def _add(self, day: str, account: Account, currency: str, amounts: Amounts) -> None:
        key = (day, account.provider, account.model, currency)
        self._db.execute(
            "INSERT OR IGNORE INTO days (day, provider, model, currency, metered) VALUES (?, ?, ?, ?, ?)",
            (*key, account.metered),
        )
        sums = ", ".join(f"{name} = {name} + ?" for name in Amounts.__slots__)
        self._db.execute(
            f"UPDATE days SET {sums} WHERE day = ? AND provider = ? AND model = ? AND currency = ?",  # noqa: S608
            (*astuple(amounts), *key),
        )

    def _tidy(self, now_s: float) -> None:
        """Count what nobody will settle any more, and forget calls older than a minute."""
        ahead_s = now_s + _AHEAD_S
        stale = self._db.execute(
            "SELECT day, provider, model, currency, prompt_tokens, completion_tokens, money FROM recent"
            " WHERE open AND (at_s < ? OR at_s > ?)",
            (now_s - STALE_S, ahead_s),
        ).fetchall()
        for day, provider, model, currency, prompt, completion, money in stale:
            amounts = Amounts(
                calls=1,
                prompt_tokens=prompt,
                completion_tokens=completion,
                estimated_tokens=prompt + completion,
                money=money,
                estimated_money=money,
            )
            self._add(day, Account(provider, model), currency, amounts)
        self._db.execute(
            "DELETE FROM recent WHERE at_s > ? OR at_s < ? OR (NOT open AND at_s < ?)",
            (ahead_s, now_s - STALE_S, now_s - 2 * MINUTE_S),
        )


def _rows(db: sqlite3.Connection, since_day: str = "") -> list[Row]:
    # A file of an earlier version that is only read has fewer.
    there = {name for _, name, *_ in db.execute("PRAGMA table_info(days)")}
    names = [name for name in Amounts.__slots__ if name in there]
    columns = ", ".join(["day", "provider", "model", "currency", "metered", *names])
    found = db.execute(f"SELECT {columns} FROM days WHERE day >= ? ORDER BY day", (since_day,))  # noqa: S608
    rows = []
    for day, provider, model, currency, metered, *amounts in found.fetchall():
        booked = Amounts(**dict(zip(names, amounts, strict=True)))
        rows.append(Row(day, provider, model, currency, booked, bool(metered)))
    return rows


def _make(file: Path) -> None:
    """Make the file, readable by its user alone; SQLite gives its companions the same mode."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with contextlib.suppress(FileExistsError):
        os.close(os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    """Say in a few words what SQLite and the system say."""
    try:
        yield
    except sqlite3.Error as error:
        raise LedgerError(_said(error)) from error
    except OSError as error:
        raise LedgerError((error.strerror or type(error).__name__).lower()) from error


def _said(error: sqlite3.Error) -> str:
    text = str(error)
    if "locked" in text:
        return "another program holds it"
    if "malformed" in text or "not a database" in text or "no such" in text:
        return "it is damaged; move it away and a new one is made"
    return text.split("\n", 1)[0][:100]
