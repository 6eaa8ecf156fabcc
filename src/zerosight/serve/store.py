"""The store: marks, events and messages that wait to be sent, in one SQLite file of the server's folder.

Everything is on disk before it is acknowledged, so that a server killed at any moment forgets nothing.
"""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from zerosight.errors import OutputError
from zerosight.guarded.json import parse_json

FILE = "zerosight.sqlite3"
Verdict = Literal["fine", "defect"]
MAX_EVENTS = 10_000
_TABLES = """
CREATE TABLE IF NOT EXISTS marks (
  hash TEXT PRIMARY KEY, name TEXT NOT NULL, verdict TEXT NOT NULL, model TEXT NOT NULL,
  score REAL NOT NULL, threshold REAL NOT NULL, at REAL NOT NULL);
CREATE TABLE IF NOT EXISTS events (
  id INTEGER PRIMARY KEY AUTOINCREMENT, at REAL NOT NULL, origin TEXT NOT NULL, source TEXT NOT NULL,
  model TEXT NOT NULL, values_ TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS outbox (
  id INTEGER PRIMARY KEY AUTOINCREMENT, body TEXT NOT NULL, tries INTEGER NOT NULL, due REAL NOT NULL);
CREATE TABLE IF NOT EXISTS seen (path TEXT PRIMARY KEY, stamp TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS kept (
  hash TEXT PRIMARY KEY, name TEXT NOT NULL, file TEXT NOT NULL, at REAL NOT NULL);
"""


@dataclass(frozen=True, slots=True)
class Mark:
    """What a person says of an image.

    Attributes:
        hash: SHA-256 of its file in lower-case hexadecimal.
        name: What the person calls it.
        verdict: ``fine`` or ``defect``.
        model: The model that had scored it.
        score: That score, in [0, 1].
        threshold: Where the slider stood, in [0, 1].
        at: When, in seconds since 1970.
    """

    hash: str
    name: str
    verdict: Verdict
    model: str
    score: float
    threshold: float
    at: float = 0.0


@dataclass(frozen=True, slots=True)
class Event:
    """An image that was looked at without a person asking for it.

    Attributes:
        id: Rises with time.
        at: When, in seconds since 1970.
        origin: ``watch`` or ``camera``.
        source: Its name.
        model: Who looked.
        values: The prediction or the failure, as JSON values.
    """

    id: int
    at: float
    origin: str
    source: str
    model: str
    values: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Message:
    """A message that waits to be sent.

    Attributes:
        id: Its number, the same at every try.
        body: What to send.
        tries: How often it was tried.
    """

    id: int
    body: bytes
    tries: int


class Store:
    """One server's memory; threads may share it.

    Args:
        folder: The server's folder.

    Raises:
        OutputError: The file cannot be opened.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / FILE
        self._lock = threading.Lock()
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._base = sqlite3.connect(self.path, check_same_thread=False, isolation_level=None)
            self._base.execute("PRAGMA journal_mode=WAL")
            self._base.execute("PRAGMA synchronous=FULL")
            self._base.executescript(_TABLES)
        except (OSError, sqlite3.Error) as error:
            raise OutputError(f"{self.path}: cannot be opened ({error}); choose another --folder") from None

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._base.close()

    def mark(self, mark: Mark) -> None:
        """Keep what a person says, in place of what was said of the same image before."""
        row = (mark.hash, mark.name, mark.verdict, mark.model, mark.score, mark.threshold, time.time())
        with self._writing() as base:
            base.execute("REPLACE INTO marks VALUES (?, ?, ?, ?, ?, ?, ?)", row)

    def unmark(self, digest: str) -> bool:
        """Forget what was said of an image; return whether anything was."""
        with self._writing() as base:
            return base.execute("DELETE FROM marks WHERE hash = ?", (digest,)).rowcount > 0

    def marks(self) -> list[Mark]:
        """Return all marks, oldest first."""
        return [Mark(*row) for row in self._rows("SELECT * FROM marks ORDER BY at, hash")]

    def add_event(self, origin: str, model: str, values: Mapping[str, Any], tell: bool) -> int:
        """Keep an event, and in the same step the message about it; return its number.

        Args:
            origin: ``watch`` or ``camera``.
            model: Who looked.
            values: The prediction or the failure, with its ``source``.
            tell: Whether a message is to be sent.
        """
        now, source = time.time(), str(values.get("source", ""))
        with self._writing() as base:
            row = (now, origin, source, model, json.dumps(dict(values)))
            number = base.execute(
                "INSERT INTO events (at, origin, source, model, values_) VALUES (?, ?, ?, ?, ?)", row
            ).lastrowid
            assert number is not None
            base.execute("DELETE FROM events WHERE id <= ?", (number - MAX_EVENTS,))
            if tell:
                body = {"event": number, "at": now, "origin": origin, "model": model, "result": dict(values)}
                base.execute(
                    "INSERT INTO outbox (body, tries, due) VALUES (?, 0, ?)", (json.dumps(body), now)
                )
        return number

    def events(self, after: int = 0, most: int = 200) -> list[Event]:
        """Return events after a number, newest first."""
        rows = self._rows("SELECT * FROM events WHERE id > ? ORDER BY id DESC LIMIT ?", after, most)
        return [_event(row) for row in rows]

    def event(self, number: int) -> Event | None:
        """Return one event, None where there is none of this number."""
        rows = self._rows("SELECT * FROM events WHERE id = ?", number)
        return _event(rows[0]) if rows else None

    def due(self, now: float) -> list[Message]:
        """Return the messages that are to be sent by now, oldest first."""
        rows = self._rows("SELECT id, body, tries FROM outbox WHERE due <= ? ORDER BY id LIMIT 20", now)
        return [Message(number, body.encode(), tries) for number, body, tries in rows]

    def waiting(self) -> int:
        """Return how many messages wait."""
        return int(self._rows("SELECT COUNT(*) FROM outbox")[0][0])

    def sent(self, number: int) -> None:
        """Forget a message that has arrived."""
        with self._writing() as base:
            base.execute("DELETE FROM outbox WHERE id = ?", (number,))

    def postpone(self, number: int, due: float) -> None:
        """Try a message again later."""
        with self._writing() as base:
            base.execute("UPDATE outbox SET tries = tries + 1, due = ? WHERE id = ?", (due, number))

    def seen(self) -> dict[str, str]:
        """Return the watched files that were dealt with, path → stamp."""
        return dict(self._rows("SELECT path, stamp FROM seen"))

    def see(self, stamps: Mapping[str, str]) -> None:
        """Remember watched files as dealt with."""
        with self._writing() as base:
            base.executemany("REPLACE INTO seen VALUES (?, ?)", list(stamps.items()))

    def keep(self, digest: str, name: str, file: str) -> None:
        """Remember where in the folder an image is kept."""
        with self._writing() as base:
            base.execute("REPLACE INTO kept VALUES (?, ?, ?, ?)", (digest, name, file, time.time()))

    def kept(self) -> dict[str, str]:
        """Return the images that are kept, hash → file within the folder."""
        return dict(self._rows("SELECT hash, file FROM kept"))

    def _rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        with self._lock:
            return self._base.execute(query, values).fetchall()

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """Do all of a block or nothing of it."""
        with self._lock:
            self._base.execute("BEGIN IMMEDIATE")
            try:
                yield self._base
            except BaseException:
                self._base.execute("ROLLBACK")
                raise
            self._base.execute("COMMIT")


def _event(row: tuple[Any, ...]) -> Event:
    """Return the event in a row."""
    number, at, origin, source, model, values = row
    return Event(number, at, origin, source, model, parse_json(values))
