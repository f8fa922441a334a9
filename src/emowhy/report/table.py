"""A run's rows as a table: CSV for a spreadsheet, Parquet for a program."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from emowhy.errors import UsageError
from emowhy.report.sound import sound
from emowhy.report.whole import whole
from emowhy.run import read_rows

_BATCH = 2000  # rows of a Parquet row group
_SURROGATES = re.compile("[\ud800-\udfff]")

_COLUMNS = {
    "id": "text",
    "index": "integer",
    "status": "text",
    "emotions": "texts",
    "scores": "numbers",
    "causes": "texts",
    "turns": "texts",
    "verified": "integer",
    "reasoning": "text",
    "explanation": "text",
    "score_source": "text",
    "parse": "text",
    "error": "text",
    "prompt_tokens": "integer",
    "completion_tokens": "integer",
    "seconds": "number",
    "attempts": "integer",
    "text": "text",
    "gold_emotions": "texts",
}


def write_table(folder: Path, path: Path) -> int:
    """Write a run's rows as CSV or Parquet (by the suffix of `path`); returns how many.

    One row per explanation: `emotions` with their `scores`, `causes` (the quotes) with their `turns` (a turn's
    number or an observation's name), `verified` (how many of the quotes are), the words, the counts, and each
    unknown column of the input as `extra.NAME` (text; JSON where it was neither text nor missing).

    Parquet keeps lists as lists. CSV joins them by "; "; and since a spreadsheet takes a cell that begins with
    = + - @, a tab or a carriage return for a formula, such a text begins with ' there.

    Raises:
        UsageError: another suffix.
        RunError: there is no run in `folder`.
    """
    writers = {".csv": _write_csv, ".parquet": _write_parquet}
    if (write := writers.get(path.suffix.lower())) is None:
        raise UsageError(f"no table can be written as {path.name!r}", "end its name in .csv or .parquet")
    extras = list(dict.fromkeys(name for row in map(sound, read_rows(folder)) for name in row["extra"]))
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole(path) as part:
        return write((_record(row, extras) for row in map(sound, read_rows(folder))), extras, part)


def _record(row: Mapping[str, Any], extras: Sequence[str]) -> dict[str, Any]:
    causes, sample = row["causes"], row["sample"]
    record = {
        **{name: row.get(name) for name in _COLUMNS},
        "emotions": [emotion["label"] for emotion in row["emotions"]],
        "scores": [emotion.get("score") for emotion in row["emotions"]],
        "causes": [cause["quote"] for cause in causes],
        "turns": [cause.get("observation") if cause.get("turn") is None else str(cause["turn"]) for cause in causes],
        "verified": sum(bool(cause.get("verified")) for cause in causes),
        "prompt_tokens": row["usage"]["prompt"],
        "completion_tokens": row["usage"]["completion"],
        "text": sample["text"],
        "gold_emotions": (sample["gold"] or {}).get("emotions"),
        **{f"extra.{name}": _extra(row["extra"].get(name)) for name in extras},
    }
    return {_encodable(name): _encodable(value) for name, value in record.items()}


def _extra(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _encodable(value: Any) -> Any:
    """Without lone surrogates, which no file in UTF-8 holds."""
    if isinstance(value, list):
        return [_encodable(item) for item in value]
    return _SURROGATES.sub("\ufffd", value) if isinstance(value, str) else value


def _write_csv(records: Iterable[Mapping[str, Any]], extras: Sequence[str], path: Path) -> int:
    count = 0
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)  # ends lines with CR LF (RFC 4180): with LF alone it would leave a CR unquoted
        writer.writerow([_encodable(name) for name in (*_COLUMNS, *(f"extra.{name}" for name in extras))])
        for record in records:
            writer.writerow(map(_cell, record.values()))
            count += 1
    return count


def _cell(value: Any) -> Any:
    """A value as a cell: texts that a spreadsheet would run are quoted; numbers stay numbers."""
    if isinstance(value, list):
        value = "; ".join("" if item is None else str(item) for item in value)
    return f"'{value}" if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r")) else value


def _write_parquet(records: Iterable[dict[str, Any]], extras: Sequence[str], path: Path) -> int:
    import pyarrow as pa  # here, for it is slow to import
    import pyarrow.parquet as pq

    types = {"text": pa.string(), "integer": pa.int64(), "number": pa.float64()}
    types |= {"texts": pa.list_(types["text"]), "numbers": pa.list_(types["number"])}
    columns = {**_COLUMNS, **{_encodable(f"extra.{name}"): "text" for name in extras}}
    schema = pa.schema([(name, types[kind]) for name, kind in columns.items()])
    count = 0
    source = iter(records)
    with pq.ParquetWriter(path, schema) as writer:
        while batch := list(islice(source, _BATCH)):
            writer.write_table(pa.Table.from_pylist(batch, schema))
            count += len(batch)
    return count
