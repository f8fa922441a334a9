"""Rows -> `Sample`s, streaming: a bad row is never a crash and never lost, it becomes a `Rejected`.

    for row in read("dialogues.jsonl"):
        if isinstance(row, Rejected): print(row.line, row.reason)
        else: print(row.id, row.text)

Memory stays flat: ids that were seen are remembered in a temporary SQLite table. What is held: an
`observations` file, one dialogue at a time, and a `.json` file that is one list.
"""

from __future__ import annotations

import json
import math
import random
import re
import sqlite3
import sys
from bisect import bisect_left
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from itertools import islice
from operator import itemgetter
from pathlib import Path
from typing import Any, cast

from emowhy.errors import UsageError, nearest
from emowhy.fields import (
    cell_value,
    check_field,
    draft,
    fold,
    mapping,
    name_of,
    observations_of,
    place_causes,
    sample_from,
)
from emowhy.formats import Record, Source, count_rows, locate, records
from emowhy.types import Sample, Turn
from emowhy.values import check_values

__all__ = ["Columns", "Rejected", "content_hash", "count_rows", "read", "sample_from"]

LONGEST_RAW = 500  # characters


@dataclass(frozen=True, slots=True)
class Rejected:
    """A row that is no sample.

    `line` is where it begins (its number, where the format has no lines). `raw` is its beginning as JSON
    string content: ASCII only, a byte that is not UTF-8 as the surrogate that `surrogateescape` makes of it.
    """

    line: int
    reason: str
    id: str | None = None
    raw: str = ""


@dataclass(frozen=True)
class Columns:
    """How the input names things: `fields` maps our field to the user's column.

    A field is one of the row format, or a key of one: `{"text": "Utterance", "gold.emotions": "Emotion"}`.
    A column that is not mapped keeps its name. `dialogue` and `turn` are the columns that put
    one-row-per-turn files together.
    """

    fields: Mapping[str, str] = field(default_factory=dict)
    dialogue: str | None = None
    turn: str | None = None

    def __post_init__(self) -> None:
        for name in self.fields:
            check_field(name)
        if self.turn is not None and self.dialogue is None:
            raise UsageError("a turn column needs a dialogue column", "name the column that says which dialogue it is")

    def check(self, known: Iterable[str]) -> None:
        """Raise UsageError for a column that the first row does not have."""
        known = list(known)
        for column in (*self.fields.values(), self.dialogue, self.turn):
            if column is not None and column not in known:
                raise UsageError(f"the input has no column {column!r}", nearest(column, known))

    def renamed(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """The row under our names; a column whose name was taken by a mapped one goes to `extra`."""
        if not self.fields:
            return dict(row)
        named = {name: row[column] for name, column in self.fields.items() if column in row}
        used = set(self.fields.values())
        rest = {column: value for column, value in row.items() if column not in used}
        taken = {column: rest.pop(column) for column in named if column in rest}
        if taken and isinstance(own := rest.get("extra", {}), Mapping):
            rest["extra"] = {**own, **taken}
        return {**rest, **named}


def read(
    source: str | Path,
    *,
    columns: Mapping[str, str] | None = None,
    dialogue_column: str | None = None,
    turn_column: str | None = None,
    observations: str | Path | None = None,
    format: str | None = None,
    limit: int | None = None,
    sample: int | None = None,
    seed: int = 0,
    on_note: Callable[[str], None] | None = None,
) -> Iterator[Sample | Rejected]:
    """Every row of the source in order, as a `Sample` or a `Rejected`; blank lines are no rows.

    `source`: .jsonl, .ndjson, .json, .csv, .tsv (these also with .gz), .parquet, "-" (standard input), or a Hub
    data set (`owner/name`, `hub:name[:config][@split]`). `format` says how a file or standard input is written.

    `dialogue_column`: consecutive rows with the same value are one dialogue; each becomes a sample whose
    context is the earlier turns, by `turn_column` (a number), else by order. A rejected turn is left out of
    the context too. A turn without id is named "dialogue-turn", counted from 0 where no column numbers them.

    `observations`: a file of more observations by id; what a row says itself stands. What is wrong with
    that file goes to `on_note`, one line each.

    `limit` stops after that many rows, rejected ones included; `sample` draws that many rows with `seed`
    (it reads the file twice), in their order.

    Raises InputError or UsageError at the call; that the columns are there, and that a header, a Parquet file
    or a Hub data set can be opened, is seen at the first row.
    """
    named = Columns(columns or {}, dialogue_column, turn_column)
    place = locate(source, format)
    wanted, stop = _wanted(place, limit, sample, seed)
    reading = _Reading(place, named, Observations.load(observations, on_note or (lambda note: None)))
    return reading.outcomes(wanted, stop)


def content_hash(sample: Sample) -> str:
    """16 hex digits of what a model can see of the sample: not its id, gold or extra."""
    seen = (
        sample.text,
        sample.speaker,
        [(turn.speaker, turn.text) for turn in sample.context],
        [(turn.speaker, turn.text) for turn in sample.after],
        sorted(sample.observations.items()),
        sample.choices,
        *([sample.question] if sample.question is not None else []),  # a row without one keeps its hash
    )
    return blake2b(json.dumps(seen).encode(), digest_size=8).hexdigest()


# ---------------------------------------------------------------- which rows


def _wanted(place: Source, limit: int | None, sample: int | None, seed: int) -> tuple[Container[int], int | None]:
    """The positions to be read, and the first after the last of them (None: there is no end)."""
    if limit is not None and sample is not None:
        raise UsageError("limit and sample were both given", "keep one: the first rows, or rows drawn from all")
    if (limit or 0) < 0 or (sample or 0) < 0:
        raise UsageError("a number of rows cannot be negative", "give 0 or more")
    if sample is not None:
        if not place.rereadable:
            cure = "give a limit instead, or save it as a file first"
            raise UsageError(f"{place.name} can be read only once, so no sample can be drawn", cure)
        count = count_rows(cast(Path, place.path), place.kind) or 0
        drawn = frozenset(random.Random(seed).sample(range(count), min(sample, count)))
        return drawn, max(drawn, default=-1) + 1
    return range(sys.maxsize if limit is None else limit), limit


@dataclass(frozen=True)
class _Reading:
    """One pass over a source."""

    source: Source
    columns: Columns
    observations: Observations

    def outcomes(self, wanted: Container[int], stop: int | None) -> Iterator[Sample | Rejected]:
        found = self.turns(stop) if self.columns.dialogue is not None else self.rows(wanted, stop)
        with _Seen() as ids:
            for position, record, outcome in found:
                if position not in wanted:
                    continue
                if isinstance(outcome, Rejected):
                    yield outcome
                elif first := ids.first(outcome.id, record.line):
                    yield _rejected(record, f"id {outcome.id!r} was already used in line {first}", outcome.id)
                else:
                    yield place_causes(outcome)
        if stop is None:
            self.observations.note_unmatched()

    def rows(self, wanted: Container[int], stop: int | None) -> Iterator[_Outcome]:
        """Each row by itself."""
        for position, record in enumerate(islice(self.checked(), stop)):
            if position in wanted:
                yield position, record, self.outcome(record, str(record.number))

    def turns(self, stop: int | None) -> Iterator[_Outcome]:
        """Each row as a turn of its dialogue."""
        with _Seen() as dialogues:
            for dialogue, group in self.dialogues(stop):
                if dialogue is None:
                    reason = f"no dialogue's name in the column {self.columns.dialogue!r}"
                elif dialogues.first(dialogue, group[0][1].line):
                    by = self.columns.dialogue
                    reason = f"dialogue {dialogue!r} continues after another began: sort the file by {by}"
                else:
                    yield from self.dialogue(dialogue, group)
                    continue
                yield from ((place, record, _rejected(record, record.problem or reason)) for place, record in group)

    def dialogues(self, stop: int | None) -> Iterator[tuple[str | None, list[tuple[int, Record]]]]:
        """Consecutive rows of the same dialogue; a row of no dialogue comes at once, alone, and ends none."""
        current, group = None, list[tuple[int, Record]]()
        for position, record in enumerate(self.checked()):
            name = _dialogue_of(record, self.columns.dialogue)
            if name is None:
                yield None, [(position, record)]
                continue
            if name != current and group:
                yield current, group
                group = []
            current = name
            if stop is not None and position >= stop and not group:
                return
            group.append((position, record))
        if group:
            yield current, group

    def dialogue(self, name: str, group: list[tuple[int, Record]]) -> Iterator[_Outcome]:
        """The rows of one dialogue, each with the earlier turns as its context."""
        taken: set[float] = set()
        rows = [self.turn(record, name, count, taken) for count, (_, record) in enumerate(group)]
        spoken = [(order, Turn(turn.text or "", turn.speaker)) for order, turn in rows if isinstance(turn, Sample)]
        spoken.sort(key=itemgetter(0))
        orders, turns = [order for order, _ in spoken], tuple(turn for _, turn in spoken)
        for (position, record), (order, outcome) in zip(group, rows, strict=True):
            if isinstance(outcome, Sample):
                outcome = replace(outcome, context=turns[: bisect_left(orders, order)])
            yield position, record, outcome

    def turn(self, record: Record, dialogue: str, count: int, taken: set[float]) -> tuple[float, Sample | Rejected]:
        """One row of a dialogue, without context, and the number by which it is sorted."""
        number = count if self.columns.turn is None else (record.row or {}).get(self.columns.turn)
        try:
            order = _order(number, self.columns.turn, taken)
        except ValueError as error:
            return math.nan, _rejected(record, str(error))
        outcome = self.outcome(record, f"{dialogue}-{number}")
        if isinstance(outcome, Sample) and outcome.context:
            outcome = _rejected(record, "context: a row of a dialogue gets it from the other rows", outcome.id)
        return order, outcome

    def checked(self) -> Iterator[Record]:
        """The records; at the first row it is seen whether the columns are there."""
        unchecked = True
        for record in records(self.source):
            if unchecked and record.row is not None:
                self.columns.check(record.row)
                unchecked = False
            yield record

    def outcome(self, record: Record, fallback_id: str) -> Sample | Rejected:
        """What one record is, with the causes of its gold not looked up yet."""
        if record.row is None:
            return _rejected(record, record.problem or "cannot be read")
        row = self.columns.renamed(record.row)
        try:
            if self.source.flat:
                row = {name: cell_value(value, name) for name, value in row.items()}
            return draft(row, fallback_id, self.observations.of)
        except ValueError as error:
            return _rejected(record, str(error), _usable_id(row, fallback_id))


_Outcome = tuple[int, Record, Sample | Rejected]  # the row's position, from 0


def _dialogue_of(record: Record, column: str | None) -> str | None:
    value = (record.row or {}).get(column or "")
    try:
        check_values({"dialogue": value})
        return name_of(value, "dialogue")
    except ValueError:
        return None


def _order(number: Any, column: str | None, taken: set[float]) -> float:
    """A turn's number as one that sorts; it is then taken."""
    try:
        order = math.nan if isinstance(number, bool) else float(number)
    except (TypeError, ValueError, OverflowError):
        order = math.nan
    if not math.isfinite(order):
        raise ValueError(f"{column}: expected a turn's number, got {json.dumps(number, default=str)[:50]}")
    if order in taken:
        raise ValueError(f"{column}: turn {number} was already there in this dialogue")
    taken.add(order)
    return order


class _Seen:
    """Names that were seen and where first: eight bytes of hash each in a temporary table, most of it on disk."""

    def __enter__(self) -> _Seen:
        self.table = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        self.table.execute("PRAGMA journal_mode = OFF")
        self.table.execute("CREATE TABLE seen (hash INTEGER PRIMARY KEY, line INTEGER)")
        self.table.execute("BEGIN")
        return self

    def __exit__(self, *_: object) -> None:
        self.table.close()

    def first(self, name: str, line: int) -> int | None:
        """The line in which the name was seen before, or None: then it is now."""
        key = int.from_bytes(blake2b(name.encode(), digest_size=8).digest(), "little", signed=True)
        if self.table.execute("INSERT OR IGNORE INTO seen VALUES (?, ?)", (key, line)).rowcount:
            return None
        return int(self.table.execute("SELECT line FROM seen WHERE hash = ?", (key,)).fetchone()[0])


@dataclass
class Observations:
    """Observations from a file of their own, by id."""

    note: Callable[[str], None]
    name: str = ""
    by_id: dict[str, dict[str, str | None]] = field(default_factory=dict)
    unmatched: set[str] = field(default_factory=set)

    @classmethod
    def load(cls, path: str | Path | None, note: Callable[[str], None]) -> Observations:
        """JSONL ({"id", "observations": {…}} or {"id", "face": …}) or a table with a column for each modality."""
        if path is None:
            return cls(note)
        joined = cls(note, str(path))
        place = locate(Path(path))
        bad = 0
        for record in records(place):
            try:
                joined.add(record, place.flat)
            except ValueError as error:
                bad += 1
                if bad <= 3:
                    note(f"{path}, line {record.line}: {error}")
        if bad > 3:
            note(f"{path}: {bad} rows could not be used in all")
        joined.unmatched = set(joined.by_id)
        return joined

    def add(self, record: Record, flat: bool) -> None:
        if record.row is None:
            raise ValueError(record.problem)
        row = {name: cell_value(value, name) if flat else value for name, value in record.row.items()}
        check_values(row)
        row = fold(row)
        id = name_of(row.pop("id", None), "id")
        if id is None:
            raise ValueError("no id")
        several = mapping(row.pop("observations", None), "observations")
        found = observations_of({**row, **several}, "observations")
        known = self.by_id.setdefault(id, {})
        if twice := known.keys() & found.keys():
            raise ValueError(f"id {id!r} has {min(twice)!r} twice; the first is kept")
        known.update(found)

    def of(self, id: str) -> Mapping[str, str | None]:
        self.unmatched.discard(id)
        return self.by_id.get(id, {})

    def note_unmatched(self) -> None:
        if self.unmatched:
            some = ", ".join(sorted(self.unmatched)[:3])
            self.note(f"{self.name}: {len(self.unmatched)} of {len(self.by_id)} ids match no row ({some}, …)")


def _rejected(record: Record, reason: str, id: str | None = None) -> Rejected:
    whole = record.raw if record.raw is not None else json.dumps(record.row, default=str)
    start = whole[:LONGEST_RAW]
    escaped = json.dumps(start.decode(errors="surrogateescape") if isinstance(start, bytes) else start)[1:-1]
    safe = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in reason[:LONGEST_RAW])
    return Rejected(record.line, safe, id, _WHOLE_ESCAPES.match(escaped, 0, LONGEST_RAW)[0])  # type: ignore[index]


_WHOLE_ESCAPES = re.compile(r"(?:\\u[0-9a-f]{4}|\\[^u]|[^\\])*")


def _usable_id(row: Mapping[str, Any], fallback_id: str) -> str | None:
    try:
        check_values({"id": row.get("id")})
        return name_of(row.get("id"), "id") or fallback_id
    except ValueError:
        return None
