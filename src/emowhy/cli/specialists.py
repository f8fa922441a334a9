"""`emowhy specialists`: train them, say what they are worth, fit them to your rows."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from emowhy.cli import options as o

if TYPE_CHECKING:
    from emowhy.types import Sample

app = typer.Typer(no_args_is_help=True)

Data = Annotated[
    Path | None, o.option("--data", help="The folder with the data sets' files: DIR or DIR/<name of the data set>.")
]


@app.command("train")
@o.guarded
def train(
    recipe: Annotated[Path, typer.Argument(help="A YAML recipe, such as finetune/specialists/emotion.yaml.")],
    data: Data = None,
    out: Annotated[
        Path | None, typer.Option("-o", "--out", help="The folder to fill (default: runs/<the recipe's name>).")
    ] = None,
    seed: Annotated[int | None, typer.Option("--seed", help="Another seed than the recipe's.")] = None,
) -> None:
    """Train a specialist from public data; the same command again goes on where it stopped."""
    from emowhy.errors import missing_extra
    from emowhy.specialists.training.recipe import load_recipe

    wanted = load_recipe(recipe)
    if seed is not None:
        wanted = wanted.model_copy(update={"seed": seed})
    try:
        import accelerate  # noqa: F401
        import onnx  # noqa: F401
        import torch  # noqa: F401
    except ImportError as error:
        raise missing_extra("training", "tune") from error
    from emowhy.specialists.training.pipeline import run

    place = out or Path("runs") / wanted.name
    command = f"emowhy specialists train finetune/specialists/{recipe.name}"
    command += f" --seed {seed}" if seed is not None else ""
    figures = run(wanted, data, place, command, lambda line: print(line, file=sys.stderr, flush=True), recipe.parent)
    if not figures:
        return  # of several processes only the main one tells
    print(json.dumps(figures, indent=1))
    print(f"{place} is trained; {place}/README.md is its card", file=sys.stderr)


@app.command("eval")
@o.guarded
def evaluate(
    specialists: Annotated[list[str], typer.Argument(help="Specialists: emotion, cue, cause, emotion@FOLDER, …")],
    on: Annotated[
        str, typer.Option("--on", help="A data set and split (goemotions:dev), or a file of rows with gold.")
    ],
    data: Data = None,
    labels: Annotated[str | None, o.option("--labels", help="The label set; by default the data set's own.")] = None,
    limit: o.Limit = None,
    as_json: Annotated[bool, typer.Option("--json", help="Figures as JSON.")] = False,
) -> None:
    """Print what specialists are worth on rows with gold answers."""
    from emowhy.errors import InputError
    from emowhy.specialists import find_clues, load_specialists
    from emowhy.specialists.evaluate import agreement
    from emowhy.specialists.evaluate import evaluate as tables
    from emowhy.taxonomy import find_taxonomy

    samples, own = _samples(on, data, limit)
    loaded = load_specialists(specialists, find_taxonomy(labels or own))
    found = tables(loaded, samples)
    named = {type(one).name: one.name for one in loaded}  # `cue@FOLDER` is a `cue` too
    if {"cue", "occlusion"} <= named.keys():
        clues = [row for at in range(0, len(samples), 256) for row in find_clues(loaded, samples[at : at + 256])]
        found["cue, against occlusion"] = agreement(samples, clues, named["cue"], "occlusion")
    if not found:
        raise InputError(f"{on} has no gold for what {', '.join(specialists)} tell", "name other rows with --on")
    if as_json:
        print(json.dumps(found, indent=1))
        return
    for name, figures in found.items():
        print(f"\n{name}")
        for key, value in figures.items():
            print(
                f"  {key:<22} {value:.0f}"
                if float(value).is_integer() and abs(value) > 1
                else f"  {key:<22} {value:.4f}"
            )


@app.command("calibrate")
@o.guarded
def calibrate(
    specialist: Annotated[
        str, typer.Argument(help="A trained classifier: emotion, emotion32, reader, emotion@FOLDER.")
    ],
    data: Annotated[Path, typer.Option("--data", help="A file of rows with gold.emotions; a few hundred are good.")],
    out: Annotated[Path | None, typer.Option("-o", "--out", help="Where the fitted specialist goes.")] = None,
    labels: o.Labels = "goemotions",
    columns: o.Columns = None,
    format: o.Format = None,
) -> None:
    """Fit probabilities, thresholds and candidate sets to your own rows; use the result as NAME@FOLDER."""
    from emowhy.errors import UsageError
    from emowhy.specialists import load_specialists
    from emowhy.specialists.emotion import TrainedClassifier
    from emowhy.specialists.recalibrate import recalibrate
    from emowhy.taxonomy import find_taxonomy

    loaded = load_specialists([specialist], find_taxonomy(labels))[-1]
    if not isinstance(loaded, TrainedClassifier):
        raise UsageError(f"{specialist} has no probabilities to fit", "name emotion, emotion32 or reader")
    place = out or Path("runs") / f"{type(loaded).name}-calibrated"
    samples = _read_file(data, None, o.pairs(columns, "--column"), format)
    for name, figures in recalibrate(loaded, samples, place).items():
        print(name)
        for key, value in figures.items():
            print(f"  {key:<22} {value:.4f}")
    print(f"use it: --specialist {type(loaded).name}@{place}", file=sys.stderr)


def _samples(on: str, data: Path | None, limit: int | None) -> tuple[list[Sample], str]:
    """The rows that `--on` names, and the label set of their gold."""
    from emowhy.datasets import find_dataset, find_folder
    from emowhy.read import Rejected

    if on == "-" or Path(on).is_file() or "/" in on or ("." in on and ":" not in on):
        return _read_file(Path(on), limit, {}, None), "goemotions"
    # NAME:SPLIT, or module:Name:SPLIT for a data set of the user's own
    name, _, split = on.rpartition(":") if on.count(":") == 2 else on.partition(":")
    dataset = find_dataset(name)
    samples: list[Sample] = []
    rejected = 0
    for row in dataset.read(find_folder(dataset, data), split or "dev"):
        if isinstance(row, Rejected):
            rejected += 1
        elif limit is None or len(samples) < limit:
            samples.append(row)
    if rejected:
        print(f"{rejected} rows of {on} left out: they cannot be read", file=sys.stderr)
    own = dataset.labels if isinstance(dataset.labels, str) else ",".join(dataset.labels or ()) or "goemotions"
    return samples, own


def _read_file(path: Path, limit: int | None, columns: dict[str, str], format: str | None) -> list[Sample]:
    from emowhy.read import Rejected, read

    samples: list[Sample] = []
    for row in read(
        str(path), columns=columns, format=format, limit=limit, on_note=lambda n: print(n, file=sys.stderr)
    ):
        if isinstance(row, Rejected):
            print(f"line {row.line} rejected: {row.reason}", file=sys.stderr)
        else:
            samples.append(row)
    return samples
