"""Rows that a benchmark would score: by their ids, and by texts that are nearly the same."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from emowhy.bench.leaks import near_duplicates
from emowhy.datasets import find_dataset, find_folder
from emowhy.errors import EmowhyError
from emowhy.tune.audit_rows import AuditRow
from emowhy.tune.barred import TRAIN_SPLIT, Scored
from emowhy.tune.finding import Finding, Grade, rows_named
from emowhy.types import Sample

_CURE = "take them out, or make the rows again with the benchmarks' files in --data; --allow-leaks to go on"


def leak_findings(
    rows: Sequence[AuditRow], scored: Scored, data: Path | None, allowed: bool = False
) -> Iterator[Finding]:
    """Rows of scored splits, rows with an id of theirs, and rows that are near one of their texts, split by split."""
    grade: Grade = "note" if allowed else "fault"
    samples = [replace(row.sample, id=row.id) for row in rows if row.sample is not None]
    own_ids = {name: _ids_of(name, data) for name in {row.row.data for row in rows}}
    clean = True
    for name, theirs in scored.rows.items():
        of_it = [row.id for row in rows if row.row.data == name]
        if of_it and name.endswith(f":{TRAIN_SPLIT}"):
            yield Finding(
                "leaks", "note", f"{rows_named(of_it)} are of {name}: what learns from them is not scored there"
            )
            continue
        known = {sample.id for sample in theirs}
        by_id = [row.id for row in rows if _is_of(row, name, known, own_ids[row.row.data])]
        near = near_duplicates(samples, (sample.words() for sample in theirs)) - set(of_it) - set(by_id)
        for ids, how in ((of_it, "are of"), (by_id, "have ids of"), (sorted(near), "are nearly the same as rows of")):
            if ids:
                clean = False
                yield Finding("leaks", grade, f"{rows_named(ids)} {how} {name}", _CURE, tuple(ids))
    if clean and scored.rows:
        yield Finding("leaks", "good", f"no row is one of, or near one of, {', '.join(scored.rows)}")
    if unseen := scored.unseen():
        yield Finding("leaks", "note", unseen, "--data FOLDER, for those that you have")


def _is_of(row: AuditRow, scored: str, known: set[str], own: frozenset[str] | None) -> bool:
    """Whether a row carries an id of a scored split. An id that its own split has too says nothing (dialogues are
    counted from 0 in every split of some sets), and where its own split is not at hand, nothing can be said."""
    id = str(row.line.get("sample_id"))
    same_set = row.row.data.rpartition(":")[0] == scored.rpartition(":")[0]
    return same_set and row.row.data != scored and id in known and own is not None and id not in own


def _ids_of(name: str, data: Path | None) -> frozenset[str] | None:
    """The ids of a set's split; None where its files are not at hand."""
    dataset, _, split = name.rpartition(":")
    try:
        loader = find_dataset(dataset)
        rows = loader.read(find_folder(loader, data), split)
        return frozenset(row.id for row in rows if isinstance(row, Sample))
    except EmowhyError:
        return None


def dev_findings(train: Sequence[AuditRow], dev: Sequence[AuditRow]) -> Iterator[Finding]:
    """Whether the rows that training looks at are apart from those that it learns from."""
    if not dev:
        yield Finding("dev rows", "fault", "there are none: no checkpoint could be chosen", "rows.dev in the recipe")
        return
    texts: dict[str, list[str]] = defaultdict(list)
    for row in dev:
        if row.sample is not None:
            texts[row.sample.words()].append(row.id)
    samples = [replace(row.sample, id=row.id) for row in train if row.sample is not None]
    near = sorted(near_duplicates(samples, texts))
    if near:
        cure = "the figures on dev rows would flatter: take them out, or make the rows again"
        yield Finding("dev rows", "fault", f"{rows_named(near)} of train are near dev rows", cure, tuple(near))
    else:
        yield Finding("dev rows", "good", f"none of the {len(dev):,} is near a row that is learned")
