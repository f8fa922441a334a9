"""`emowhy tune run`: a base learns the rows."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from emowhy.cli import options as o


@o.guarded
def run(
    recipe: Annotated[Path, typer.Argument(help="A YAML recipe, such as finetune/smollm2-135m.yaml.")],
    rows: Annotated[Path, typer.Option("--rows", help="The folder that `emowhy tune rows` filled.")],
    out: Annotated[
        Path | None, typer.Option("-o", "--out", help="The adapter's folder (default: runs/<the recipe's name>).")
    ] = None,
    dev_rows: Annotated[
        int | None,
        typer.Option("--dev-rows", help="How many dev rows each look answers, where not train.answer.", min=0),
    ] = None,
    choose: Annotated[
        str | None,
        typer.Option(
            "--choose",
            help="The dev figure of the best checkpoint, where not train.choose: overlap (labels and quotes), loss, …",
        ),
    ] = None,
    tensorboard: Annotated[bool, typer.Option("--tensorboard", help="Keep curves in OUT/tensorboard.")] = False,
    quiet: o.Quiet = False,
) -> None:
    """Tune an adapter on rows; the same command again goes on where it stopped.

    Several GPUs: accelerate launch -m emowhy tune run …; with --config_file finetune/fsdp.yaml they share one base.
    """
    from emowhy.errors import missing_extra
    from emowhy.tune.recipe import load_recipe

    wanted = load_recipe(recipe)
    try:
        from emowhy.tune.learned import Looks
        from emowhy.tune.train import run as tune
    except ImportError as error:
        raise missing_extra(f"tuning ({error.name})", "tune") from error
    # a card holds no one's folders
    named = [path.name if path.is_absolute() else str(path) for path in (recipe, rows)]
    command = f"emowhy tune run {named[0]} --rows {named[1]}"
    flags = (("--dev-rows", dev_rows), ("--choose", choose))
    command += "".join(f" {flag} {given}" for flag, given in flags if given is not None)
    place = out or Path("runs") / wanted.name
    answered = wanted.train.answer if dev_rows is None else dev_rows
    looks = Looks(answered, choose or wanted.train.choose, tensorboard)
    about = tune(wanted, rows, place, command, _silent if quiet else _say, looks)
    if about:  # of several processes only the main one tells
        print(json.dumps(about["figures"], indent=1))


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _silent(line: str) -> None:
    """What --quiet says."""
