"""`emowhy explain`: a file of texts into a run directory, or one text on the terminal."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from emowhy.cli import options as o
from emowhy.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from emowhy.batch import Allowed
    from emowhy.read import Rejected
    from emowhy.reasoner import Reasoner
    from emowhy.types import Sample


@o.guarded
def explain(
    source: Annotated[
        str | None,
        typer.Argument(metavar="INPUT", help="JSONL, CSV or Parquet file, - for standard input, or a Hub data set id."),
    ] = None,
    out: Annotated[
        Path | None, o.option("-o", "--out", metavar="RUN", help="The run directory. The same command again resumes.")
    ] = None,
    text: Annotated[str | None, o.option("--text", help="Explain this one text instead of a file.")] = None,
    config: o.Config = None,
    engine: o.Engine = "transformers",
    model: o.Model = None,
    adapter: o.Adapter = None,
    base_url: o.BaseUrl = None,
    api_key_env: o.ApiKeyEnv = None,
    engine_args: o.EngineArgs = None,
    concurrency: o.Concurrency = None,
    strategy: o.Strategy = None,
    prompts: o.Prompts = None,
    labels: o.Labels = "goemotions",
    hints: o.Hints = "order",
    coverage: o.Coverage = None,
    scores: o.Scores = "verbal",
    specialists: o.Specialists = None,
    votes: o.Votes = 1,
    thinking: o.Thinking = "auto",
    max_tokens: o.MaxTokens = 256,
    temperature: o.Temperature = 0.0,
    seed: o.Seed = 0,
    columns: o.Columns = None,
    dialogue_column: o.DialogueColumn = None,
    turn_column: o.TurnColumn = None,
    observations: o.Observations = None,
    format: o.Format = None,
    limit: o.Limit = None,
    sample: o.SampleSize = None,
    max_failures: Annotated[
        str | None, o.option("--max-failures", help="End with 3 if more rows fail: a count, or P%.")
    ] = None,
    retry: Annotated[bool, o.option("--retry", help="Try all failed rows of the run again, not only errors.")] = False,
    dry_run: Annotated[
        int | None,
        o.option("--dry-run", metavar="N", help="Print the prompts of the first N rows; generate nothing.", min=1),
    ] = None,
    quiet: o.Quiet = False,
    as_json: Annotated[bool, o.option("--json", help="The outcome as JSON on stdout.")] = False,
) -> None:
    """Say which emotion, why, and which words say so, for every row of INPUT."""
    from emowhy.batch import Allowed
    from emowhy.defaults import default_strategy
    from emowhy.read import read
    from emowhy.reasoner import Reasoner

    if (source is None) == (text is None):
        raise UsageError("give INPUT or --text, one of them", "emowhy explain dialogues.jsonl -o run")
    if text is None and out is None and dry_run is None:
        raise UsageError("where should the results go?", f"emowhy explain {source} -o RUN")
    if text is not None and out is not None:
        raise UsageError("--text prints to the terminal and makes no run directory", "leave -o out, or give a file")
    allowed = Allowed.parse(max_failures)
    asked: dict[str, Any] = {
        "strategy": strategy,
        "prompts": prompts,
        "labels": labels,
        "hints": hints,
        "coverage": coverage,
        "scores": scores,
        "specialists": [name for part in specialists for name in part.split(",")] if specialists else None,
        "max_tokens": max_tokens,
        "temperature": temperature,
        "seed": seed,
        "thinking": o.thinking_of(thinking),
        "votes": votes,
    }
    rows: Iterator[Sample | Rejected] | None = None
    if source is not None:
        notes: list[str] = []
        mapped = {key: str(value) for key, value in o.pairs(columns, "--column").items()}
        rows = read(
            source,
            columns=mapped,
            dialogue_column=dialogue_column,
            turn_column=turn_column,
            observations=observations,
            format=format,
            limit=limit,
            sample=sample,
            seed=seed,
            on_note=notes.append,
        )
    if dry_run is not None:
        asked["strategy"] = strategy or default_strategy(engine, model)
        print_prompts(Reasoner.load(engine="scripted", **asked), itertools.islice(rows or (), dry_run), text)
        return
    more = o.engine_options(engine, base_url, api_key_env, concurrency, engine_args)
    reasoner = Reasoner.load(engine=engine, model=model, adapter=adapter, engine_options=more, **asked)
    try:
        if text is not None:
            explain_one(reasoner, text, as_json)
        else:
            assert rows is not None
            assert out is not None
            assert source is not None
            _explain_file(reasoner, rows, notes, source, format, out, limit, sample, allowed, retry, quiet, as_json)
    finally:
        reasoner.engine.close()


def _explain_file(
    reasoner: Reasoner,
    rows: Iterator[Sample | Rejected],
    notes: list[str],
    source: str,
    format: str | None,
    out: Path,
    limit: int | None,
    sample: int | None,
    allowed: Allowed | None,
    retry: bool,
    quiet: bool,
    as_json: bool,
) -> None:
    from emowhy.batch import TooManyFailures, explain_rows
    from emowhy.progress import Watch
    from emowhy.read import count_rows
    from emowhy.report import write_html
    from emowhy.run import Run

    total = count_rows(source, format)
    for least in (limit, sample):
        total = least if total is None else min(total, least) if least is not None else total
    about = {"input": source if source == "-" else str(Path(source).absolute()) if Path(source).exists() else source}
    run = Run(out, reasoner.identity(), about)
    stopped: TooManyFailures | None = None
    with Watch(quiet) as watch:
        try:
            with run:
                explain_rows(reasoner, rows, run, watch, total=total, retry=retry, allowed=allowed)
        except TooManyFailures as error:
            stopped = error
        tally, counts = run.tally, run.counts
        failed = sum(counts.values()) - counts.get("ok", 0) + tally.rejected
        for note in notes:
            watch.note(note)
        summary = {"run": str(out), "counts": counts, **tally.as_dict(), "failed": failed, "whole": run.whole}
        told = f"{sum(counts.values())} rows: " + (
            ", ".join(f"{n} {status}" for status, n in sorted(counts.items())) or "none"
        )
        told += f"; {tally.rejected} rejected" if tally.rejected else ""
        told += f"; {tally.kept} kept from before" if tally.kept else ""
        told += "" if run.whole else "; stopped before the input's end"
        told += f"; {tally.unverified} of {tally.quotes} quotes not verbatim" if tally.unverified else ""
        told += f"; {tally.moved} of {tally.quotes} quotes found elsewhere than said" if tally.moved else ""
        watch.note(f"{told}; {watch.rates()}")
        write_html(out)
        watch.note(f"run directory: {out}   (report: {out / 'report.html'})")
    if as_json:
        print(json.dumps(summary, ensure_ascii=False))
    if stopped is not None:
        raise stopped


def explain_one(reasoner: Reasoner, text: str, as_json: bool) -> None:
    """One text, on the terminal."""
    from rich.console import Console

    from emowhy.read import content_hash
    from emowhy.rows import to_row
    from emowhy.show import show
    from emowhy.types import Sample

    if not text.strip():
        raise UsageError("--text is blank", 'emowhy explain --text "They cancelled my flight."')
    sample = Sample("text", text=text)
    row = to_row(reasoner.explain(sample), sample, content_hash(sample))
    if as_json:
        print(json.dumps(row, ensure_ascii=False))
    else:
        show([row], Console(highlight=False))
    if row["status"] != "ok":
        raise typer.Exit(1)


def print_prompts(reasoner: Reasoner, rows: Iterable[Sample | Rejected], text: str | None) -> None:
    """The first step's messages of each sample, as they will be sent."""
    from emowhy.read import Rejected
    from emowhy.reasoner import Job
    from emowhy.specialists import find_clues
    from emowhy.types import Sample

    samples: Iterable[Sample | Rejected] = [Sample("text", text=text)] if text is not None else rows
    for sample in samples:
        if isinstance(sample, Rejected):
            print(f"#### line {sample.line} rejected: {sample.reason}\n")
            continue
        thought = reasoner.reason(Job(sample), find_clues(reasoner.specialists, [sample])[0])
        chat = next(thought)
        print(f"#### {sample.id}, step {reasoner.strategy.steps[0].name!r} of {len(reasoner.strategy.steps)}")
        o.print_messages(chat)
