"""The lines of a rows folder as an audit sees them: rows with what they say of themselves, and lines that are none."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from emowhy.errors import InputError, MissingError
from emowhy.fields import sample_from
from emowhy.tune.folder import ABOUT, DEV, TRAIN, Row, row_of
from emowhy.types import Sample

Part = Literal["train", "dev"]
FILES: Mapping[Part, str] = {"train": TRAIN, "dev": DEV}


@dataclass(frozen=True, slots=True)
class AuditRow:
    """A row, its part, all that its line says, and the sample that its prompt was made of (None: not held, or none)."""

    row: Row
    part: Part
    line: Mapping[str, Any]
    sample: Sample | None

    @property
    def id(self) -> str:
        return self.row.id

    def told(self, key: str) -> str:
        """What the line says under `key`, in words."""
        return str(self.line.get(key) or "not stated")


@dataclass(frozen=True, slots=True)
class BadLine:
    """A line that is no row, and why; `empty` says that it is one but for a completion in which there is nothing."""

    place: str
    reason: str
    empty: bool


@dataclass(frozen=True)
class AuditFolder:
    """All lines of a folder, and what its `about.json` says."""

    rows: tuple[AuditRow, ...]
    bad: tuple[BadLine, ...]
    about: Mapping[str, Any]

    def of(self, part: Part) -> list[AuditRow]:
        """The rows of one part."""
        return [row for row in self.rows if row.part == part]


def read_lines(folder: Path) -> AuditFolder:
    """Every line of `train.jsonl` and `dev.jsonl`.

    Raises:
        MissingError: one of the folder's files is not there.
        InputError: `about.json` cannot be read.
    """
    for name in (TRAIN, DEV, ABOUT):
        if not (folder / name).is_file():
            raise MissingError(f"{folder.absolute()} has no {name}", f"emowhy tune rows RECIPE -o {folder}")
    try:
        about = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"{folder / ABOUT} is damaged: {error}", f"emowhy tune rows RECIPE -o {folder}") from None
    rows: list[AuditRow] = []
    bad: list[BadLine] = []
    for part, name in FILES.items():
        for outcome in _read(folder / name, part):
            if isinstance(outcome, AuditRow):
                rows.append(outcome)
            else:
                bad.append(outcome)
    return AuditFolder(tuple(rows), tuple(bad), about if isinstance(about, Mapping) else {})


def _read(path: Path, part: Part) -> Iterator[AuditRow | BadLine]:
    with path.open("rb") as file:
        for number, text in enumerate(file, 1):
            if not text.strip():
                continue
            line: Any = None
            try:
                line = json.loads(text)
                row = row_of(line)
            except (ValueError, RecursionError) as error:
                yield BadLine(f"{path.name}, line {number}", str(error), _is_empty(line))
            else:
                yield AuditRow(row, part, line, _sample(row))


def _is_empty(line: Any) -> bool:
    """Whether all that is wrong with a line is that its completion is blank."""
    try:
        row_of({**line, "completion": [{**line["completion"][0], "content": "x"}]})
        return not str(line["completion"][0]["content"]).strip()
    except (ValueError, TypeError, KeyError, IndexError):
        return False


def _sample(row: Row) -> Sample | None:
    if row.sample is None:
        return None
    try:
        return replace(sample_from(row.sample, row.id), id=row.id)
    except ValueError:
        return None
