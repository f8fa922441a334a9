"""`emowhy clues`: what the specialists say; a language model is loaded only for those that read with one."""

from __future__ import annotations

import contextlib
import functools
import itertools
import json
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from emowhy.cli import options as o

if TYPE_CHECKING:
    from collections.abc import Iterator

    from emowhy.engines import Engine
    from emowhy.read import Rejected
    from emowhy.specialists import Specialist
    from emowhy.types import Sample


@o.guarded
def clues(
    source: Annotated[
        str,
        typer.Argument(metavar="INPUT", help="JSONL, CSV or Parquet file, - for standard input, or a Hub data set id."),
    ],
    config: o.Config = None,
    specialists: o.Specialists = None,
    labels: o.Labels = "goemotions",
    engine: o.Engine = "transformers",
    model: o.Model = None,
    adapter: o.Adapter = None,
    base_url: o.BaseUrl = None,
    api_key_env: o.ApiKeyEnv = None,
    engine_args: o.EngineArgs = None,
    concurrency: o.Concurrency = None,
    top_k: Annotated[int, typer.Option("--top-k", help="How many labels a sample gets.", min=1)] = 8,
    columns: o.Columns = None,
    dialogue_column: o.DialogueColumn = None,
    turn_column: o.TurnColumn = None,
    observations: o.Observations = None,
    format: o.Format = None,
    limit: o.Limit = None,
) -> None:
    """Print {"id": …, "clues": […]} a line; rows that cannot be read are named on stderr and counted.

    The engine and its model are for specialists that read with a language model (likelihood).
    """
    from emowhy.engines import load_engine
    from emowhy.read import read
    from emowhy.specialists import DEFAULTS, Classifier, load_specialists
    from emowhy.taxonomy import find_taxonomy

    names = [name for part in specialists for name in part.split(",")] if specialists else list(DEFAULTS)
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
    with contextlib.ExitStack() as opened:

        @functools.cache
        def make() -> Engine:
            more = o.engine_options(engine, base_url, api_key_env, concurrency, engine_args)
            made = load_engine(engine, model=model, adapter=adapter, **more)
            opened.callback(made.close)
            made.probe()
            return made

        loaded = load_specialists(names, find_taxonomy(labels), make)
        for specialist in loaded:
            if isinstance(specialist, Classifier):
                specialist.top_k = top_k
        _print_clues(rows, loaded)


def _print_clues(rows: Iterator[Sample | Rejected], loaded: list[Specialist]) -> None:
    from emowhy.read import Rejected
    from emowhy.rows import clue_row
    from emowhy.specialists import find_clues

    rejected = 0
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
