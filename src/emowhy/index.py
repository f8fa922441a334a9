"""Where each row of a run stands in its file: a temporary database, so that memory does not grow with the run."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import NamedTuple


class Entry(NamedTuple):
    """The last row of an id: its byte offset and length in the file, status, content hash and attempts."""

    offset: int
    length: int
    status: str
    content: str
    attempts: int


class Index:
    """Ids to entries. `position` is an id's place in the input of this run."""

    def __init__(self) -> None:
        self._db = sqlite3.connect("", isolation_level=None)  # on disk where it grows, gone when closed
        self._db.executescript(
            "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA cache_size=-4096;"
            "CREATE TABLE rows (id TEXT PRIMARY KEY, offset INT, length INT, status TEXT, content TEXT,"
            " attempts INT, position INT) WITHOUT ROWID;"
            "CREATE TABLE firsts (content TEXT PRIMARY KEY, id TEXT) WITHOUT ROWID;"
            "BEGIN"
        )

    def put(self, id: str, entry: Entry, position: int | None) -> None:
        """Note the newest row of an id (and the first good one of its content)."""
        self._db.execute("INSERT OR REPLACE INTO rows VALUES (?,?,?,?,?,?,?)", (id, *entry, position))
        if entry.status == "ok":
            self._db.execute("INSERT OR IGNORE INTO firsts VALUES (?,?)", (entry.content, id))

    def get(self, id: str) -> Entry | None:
        found = self._db.execute(
            "SELECT offset, length, status, content, attempts FROM rows WHERE id=?", (id,)
        ).fetchone()
        return Entry(*found) if found else None

    def place(self, id: str, position: int) -> None:
        """Say where an id stands in the input."""
        self._db.execute("UPDATE rows SET position=? WHERE id=?", (position, id))

    def twin(self, content: str) -> tuple[str, Entry] | None:
        """The first good row with this content."""
        found = self._db.execute("SELECT id FROM firsts WHERE content=?", (content,)).fetchone()
        entry = self.get(found[0]) if found else None
        return (found[0], entry) if entry is not None and entry.status == "ok" else None

    def in_order(self) -> Iterator[tuple[int | None, Entry]]:
        """Every id's position and entry in the input's order; rows that this input lacks come last, as they stand."""
        rows = self._db.execute(
            "SELECT position, offset, length, status, content, attempts FROM rows"
            " ORDER BY position IS NULL, position, offset"
        )
        for position, *entry in rows:
            yield position, Entry(*entry)

    def counts(self) -> dict[str, int]:
        """How many rows have each status."""
        return dict(self._db.execute("SELECT status, COUNT(*) FROM rows GROUP BY status"))

    def close(self) -> None:
        self._db.close()
