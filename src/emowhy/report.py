"""A run to look at: one HTML page that needs nothing but a browser, or a table. (For a terminal: `show.py`.)"""

from __future__ import annotations

import csv
import functools
import heapq
import json
import os
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.resources import files
from itertools import islice
from pathlib import Path
from typing import Any

import jinja2

from emowhy.errors import UsageError
from emowhy.run import read_manifest, read_rows
from emowhy.taxonomy import normalise, place

MOST_ROWS = 10_000
"""Rows on a page; a browser scrolls that many."""

_MOST_LABELS = 30  # bars in the page's table of labels
_MOST_LINKS = 30  # links to failed rows on top of the page
_LONGEST = 2000  # code points of a raw reply or of its thinking; the run has all of it
_BATCH = 2000  # rows of a Parquet row group
_UNSEEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
_SURROGATES = re.compile("[\ud800-\udfff]")
_ASKED = ("model", "adapter", "engine", "base_url", "strategy", "labels", "hints", "scores", "seed", "temperature",
          "max_tokens", "thinking", "votes")  # fmt: skip
_HASHES = ("sha256", "adapter_sha256", "templates", "schema")

Segment = tuple[str, bool]
"""A piece of a text, and whether it is marked."""


# What a row says ------------------------------------------------------------------------------------------------


def branch(label: str) -> str:
    """The primary branch that colours a label ("other" where it has none): never the label's own words."""
    spot = place(label)
    return spot.primary if spot else "other"


def mark(text: str, spans: Iterable[tuple[int, int]]) -> list[Segment]:
    """`text` in pieces, those in `spans` (code points, half-open) marked; spans that meet are one."""
    pieces: list[Segment] = []
    done = 0
    for start, end in merge(spans):
        start, end = max(start, done), min(end, len(text))
        if start < end:
            pieces += [(text[done:start], False), (text[start:end], True)]
            done = end
    return [piece for piece in (*pieces, (text[done:], False)) if piece[0]]


def merge(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Spans in order, with those that overlap, contain or touch each other as one."""
    merged: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if merged and start <= merged[-1][1]:
            merged[-1] = merged[-1][0], max(end, merged[-1][1])
        else:
            merged.append((start, end))
    return merged


@dataclass(frozen=True, slots=True)
class Line:
    """A turn or an observation (`number` None) as it is shown; `pieces` None says that there is no description."""

    number: int | None
    name: str | None
    target: bool
    pieces: list[Segment] | None


def lines(row: Mapping[str, Any]) -> list[Line]:
    """A row's turns in order, then its observations, with the telling words marked (see `telling`)."""
    sample = row.get("sample") or {}
    spans: dict[int | str, list[tuple[int, int]]] = defaultdict(list)
    for cause in telling(row)[0]:
        where = cause.get("observation") if cause.get("turn") is None else cause["turn"]
        if where is not None and cause.get("start") is not None and cause.get("end") is not None:
            spans[where].append((cause["start"], cause["end"]))
    turns = list(sample.get("context", ()))
    target = len(turns)
    numbered = list(enumerate(turns))
    if sample.get("text") is not None:
        numbered.append((target, sample))
    numbered += enumerate(sample.get("after", ()), target + 1)
    found = [Line(n, turn.get("speaker"), n == target, mark(turn["text"], spans[n])) for n, turn in numbered]
    for name, words in sample.get("observations", {}).items():
        found.append(Line(None, name, False, mark(words, spans[name]) if words else None))
    return found


def telling(row: Mapping[str, Any]) -> tuple[list[Mapping[str, Any]], bool]:
    """The words that say the emotion, and whether they are the specialists' for want of a verified quote."""
    quoted = [cause for cause in row["causes"] if cause["verified"]]
    cues = [clue for clue in row["clues"] if clue["kind"] == "cause" and clue.get("chosen")]
    return (quoted, False) if quoted or row["status"] != "ok" else (cues, bool(cues))


def notes(row: Mapping[str, Any]) -> list[str]:
    """What is out of the ordinary about how a row's answer came about."""
    said = []
    if row["parse"] == "lenient":
        said.append("the reply was read leniently")
    if cut := row["cut"]:
        said.append(f"cut to fit the model's context: {cut['turns']} turns and {cut['characters']} characters left out")
    if telling(row)[1]:
        said.append("the marked words are the specialists': no quote of the model's stands in the input")
    if row["same_as"] is not None:
        said.append(f"copied from row {row['same_as']}, which has the same content")
    if row["attempts"] > 1:
        said.append(f"{row['attempts']} attempts")
    return said


# The page -------------------------------------------------------------------------------------------------------


def write_html(folder: Path) -> Path:
    """Write `report.html` into a run's folder, and give its path: one file without scripts or links to elsewhere.

    Shows at most `MOST_ROWS` rows, in the input's order; of a larger run the failed ones first. Text from the
    sample or a reply is escaped wherever it stands. Raises RunError if there is no run.
    """
    tally = Tally()
    chosen = heapq.nsmallest(MOST_ROWS, tally.watch(read_rows(folder)))
    if tally.rows <= MOST_ROWS:
        chosen.sort(key=lambda key: key[1:])
    ranks = {id: rank for rank, (_good, _index, _seen, id) in enumerate(chosen)}
    failed = [(rank, id) for rank, (good, _index, _seen, id) in enumerate(chosen) if not good]
    manifest = read_manifest(folder)
    page = _template().generate(
        name=folder.absolute().name,
        manifest=manifest,
        facts=_facts(manifest),
        tally=tally,
        labels=tally.labels.most_common(_MOST_LABELS),
        links=failed[:_MOST_LINKS],
        shown=len(chosen),
        shown_failed=len(failed),
        rows=map(_View, _in_order(read_rows(folder), ranks)),
    )
    path = folder / "report.html"
    with _whole(path) as part, part.open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(page)
    return path


@dataclass
class Tally:
    """What a run's rows amount to, counted as they pass."""

    rows: int = 0
    verified: int = 0
    unverified: int = 0
    lenient: int = 0
    cut: int = 0
    copied: int = 0
    prompt: int = 0
    completion: int = 0
    seconds: float = 0.0
    statuses: Counter[str] = field(default_factory=Counter)
    labels: Counter[str] = field(default_factory=Counter)

    @property
    def failed(self) -> int:
        return self.rows - self.statuses["ok"]

    def watch(self, rows: Iterable[Mapping[str, Any]]) -> Iterator[tuple[bool, int, int, str]]:
        """Count the rows; give each one's sorting key, by which failed rows are first: good?, index, place, id."""
        for row in rows:
            verified = sum(cause["verified"] for cause in row["causes"])
            self.verified += verified
            self.unverified += len(row["causes"]) - verified
            self.lenient += row["parse"] == "lenient"
            self.cut += row["cut"] is not None
            self.copied += row["same_as"] is not None
            self.prompt += row["usage"]["prompt"]
            self.completion += row["usage"]["completion"]
            self.seconds += row["seconds"]
            self.statuses[row["status"]] += 1
            self.labels.update(emotion["label"] for emotion in row["emotions"])
            self.rows += 1
            yield row["status"] == "ok", row["index"], self.rows, row["id"]


class _View:
    """A row as the template wants it."""

    def __init__(self, ranked: tuple[int, dict[str, Any]]) -> None:
        self.rank, self.row = ranked
        row = self.row
        self.sample = row.get("sample") or {}
        self.gold: dict[str, Any] = self.sample.get("gold") or {}
        self.branch = branch(row["emotions"][0]["label"]) if row["emotions"] else "other"
        self.lines = lines(row)
        self.notes = notes(row)
        self.unverified = [cause for cause in row["causes"] if not cause["verified"]]
        self.scores = [clue for clue in row["clues"] if clue["kind"] == "emotion" and clue.get("label")]
        self.clues = [clue for clue in row["clues"] if clue["kind"] != "emotion" or not clue.get("label")]

    @property
    def said(self) -> set[str]:
        """The labels that were predicted, in canonical form."""
        return {normalise(emotion["label"]) for emotion in self.row["emotions"]}

    @property
    def gold_answers(self) -> dict[str, Any]:
        return {key: value for key, value in self.gold.items() if key not in ("emotions", "causes", "explanation")}


def _in_order(rows: Iterable[dict[str, Any]], ranks: Mapping[str, int]) -> Iterator[tuple[int, dict[str, Any]]]:
    """The rows that have a rank, with it and in its order. Those that come early wait as text, which is small."""
    waiting: dict[int, str] = {}
    due = 0
    for row in rows:
        rank = ranks.get(row["id"])
        if rank == due:
            yield due, row
            due += 1
        elif rank is not None:
            waiting[rank] = json.dumps(row)
        while due in waiting:
            yield due, json.loads(waiting.pop(due))
            due += 1
    for rank in sorted(waiting):  # a row was rewritten while the page was: the others still come
        yield rank, json.loads(waiting[rank])


def _facts(manifest: Mapping[str, Any]) -> dict[str, list[tuple[str, str]]]:
    """What was asked for and with what, from the manifest; only keys that are known to hold no secret."""
    asked = manifest.get("asked", {})
    run = [(key.replace("_", " "), _plain(asked[key])) for key in _ASKED if asked.get(key) is not None]
    if "adapter" in asked and asked["adapter"] is None:
        run.append(("adapter", "none"))
    licences = [(f"{asked.get('model')} (model)", _plain(asked["licence"]))] if asked.get("licence") else []
    for specialist in asked.get("specialists") or ():
        named = specialist if isinstance(specialist, Mapping) else {"name": specialist}
        what = [_plain(named.get("licence") or "licence not stated")]
        what += [f"trained on {_plain(named['data'])}"] if named.get("data") else []
        licences.append((f"{named.get('name')} (specialist)", "; ".join(what)))
    hashes = [(key.replace("_", " "), _plain(asked[key])) for key in _HASHES if asked.get(key)]
    if manifest.get("fingerprint"):
        hashes.append(("fingerprint", _plain(manifest["fingerprint"])))
    versions = [(key, _plain(value)) for key, value in manifest.get("versions", {}).items()]
    return {"run": run, "licences": licences, "versions": versions, "hashes": hashes}


@functools.cache
def _template() -> jinja2.Template:
    made = jinja2.Environment(
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_visible,
    )
    made.filters |= {"branch": branch, "plain": _plain, "normalise": normalise, "short": _short}
    return made.from_string(files("emowhy").joinpath("report.html.jinja").read_text(encoding="utf-8"))


def _visible(value: Any) -> Any:
    """Whatever the template prints: control characters as pictures, so that none acts and none hides."""
    if type(value) is not str:  # markup of the template's own passes
        return value
    return _UNSEEN.sub(lambda m: chr(0x2400 + ord(m[0])) if m[0] < " " else "\ufffd", value)


def _plain(value: Any) -> str:
    """A value of JSON as words."""
    if isinstance(value, list | tuple) and all(isinstance(item, str) for item in value):
        return ", ".join(value)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _short(text: str) -> str:
    more = len(text) - _LONGEST
    return text if more <= 0 else f"{text[:_LONGEST]}… ({more:,} more characters in the run)"


# Tables ---------------------------------------------------------------------------------------------------------

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
    extras = list(dict.fromkeys(name for row in read_rows(folder) for name in row["extra"]))
    path.parent.mkdir(parents=True, exist_ok=True)
    with _whole(path) as part:
        return write((_record(row, extras) for row in read_rows(folder)), extras, part)


def _record(row: Mapping[str, Any], extras: Sequence[str]) -> dict[str, Any]:
    causes, sample = row["causes"], row.get("sample") or {}
    record = {
        **{name: row.get(name) for name in _COLUMNS},
        "emotions": [emotion["label"] for emotion in row["emotions"]],
        "scores": [emotion["score"] for emotion in row["emotions"]],
        "causes": [cause["quote"] for cause in causes],
        "turns": [cause.get("observation") if cause["turn"] is None else str(cause["turn"]) for cause in causes],
        "verified": sum(cause["verified"] for cause in causes),
        "prompt_tokens": row["usage"]["prompt"],
        "completion_tokens": row["usage"]["completion"],
        "text": sample.get("text"),
        "gold_emotions": (sample.get("gold") or {}).get("emotions"),
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


@contextmanager
def _whole(path: Path) -> Iterator[Path]:
    """A file to write beside `path`, which takes its place once it is whole."""
    part = path.with_name(path.name + ".part")
    try:
        yield part
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
