"""`emowhy clues`: what the specialists say, without any language model."""

from __future__ import annotations

import itertools
import json
import sys
from typing import Annotated

import typer

from emowhy.cli import options as o


@o.guarded
def clues(
    source: Annotated[
        str,
        typer.Argument(metavar="INPUT", help="JSONL, CSV or Parquet file, - for standard input, or a Hub data set id."),
    ],
    config: o.Config = None,
    specialists: o.Specialists = None,
    labels: o.Labels = "goemotions",
    top_k: Annotated[int, typer.Option("--top-k", help="How many labels a sample gets.", min=1)] = 8,
    columns: o.Columns = None,
    dialogue_column: o.DialogueColumn = None,
    turn_column: o.TurnColumn = None,
    observations: o.Observations = None,
    format: o.Format = None,
    limit: o.Limit = None,
) -> None:
    """Print {"id": …, "clues": […]} a line; rows that cannot be read are named on stderr and counted."""
    from emowhy.read import Rejected, read
    from emowhy.rows import clue_row
    from emowhy.specialists import DEFAULTS, Classifier, find_clues, load_specialists
    from emowhy.taxonomy import find_taxonomy

    names = [name for part in specialists for name in part.split(",")] if specialists else list(DEFAULTS)
    loaded = load_specialists(names, find_taxonomy(labels))
    for specialist in loaded:
        if isinstance(specialist, Classifier):
            specialist.top_k = top_k
    rejected = 0
    rows = read(
        source,
        columns={key: str(value) for key, value in o.pairs(columns, "--column").items()},
        dialogue_column=dialogue_column,
        turn_column=turn_column,
        observations=observations,
        format=format,
        limit=limit,
        on_note=lambda note: print(note, file=sys.stderr),
    )
    while batch := list(itertools.islice(rows, 256)):
        for row in batch:
            if isinstance(row, Rejected):
                rejected += 1
                print(f"line {row.line} rejected: {row.reason}", file=sys.stderr)
        samples = [row for row in batch if not isinstance(row, Rejected)]
        for sample, found in zip(samples, find_clues(loaded, samples), strict=True):
            print(json.dumps({"id": sample.id, "clues": [clue_row(clue) for clue in found]}, ensure_ascii=False))
    if rejected:
        print(f"{rejected} rows rejected", file=sys.stderr)
