"""`emowhy tune`: from public annotations to an adapter."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from emowhy.cli import options as o
from emowhy.errors import UsageError

if TYPE_CHECKING:
    from emowhy.engines import Engine

app = typer.Typer(no_args_is_help=True)


@app.callback()
def _tune() -> None:
    """Make rows, tune an adapter on them, prove that it serves."""


# Not set by EMOWHY_ENGINE: what explains need not write what is learned from.
Writer = Annotated[
    str | None, typer.Option("--engine", help=f"Write the rationales with a language model: {o.ENGINES}.")
]


@app.command("rows")
@o.guarded
def rows(
    recipe: Annotated[Path, typer.Argument(help="A YAML recipe, such as finetune/smollm2-135m.yaml.")],
    data: Annotated[
        Path | None, o.option("--data", help="The folder with the data sets' files: DIR or DIR/<name of the data set>.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("-o", "--out", help="The folder to fill (default: rows/<the recipe's name>).")
    ] = None,
    engine: Writer = None,
    model: o.Model = None,
    adapter: o.Adapter = None,
    base_url: o.BaseUrl = None,
    api_key_env: o.ApiKeyEnv = None,
    engine_args: o.EngineArgs = None,
    concurrency: o.Concurrency = None,
    quiet: o.Quiet = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print what about.json holds.")] = False,
) -> None:
    """Make training rows: the prompts that inference sends, and replies that say what annotators said.

    Writes train.jsonl, dev.jsonl, dropped.jsonl (what was left out and why) and about.json. Rationales are put into
    words without a model, unless an engine is named here.
    """
    from emowhy.tune.prompter import Prompter
    from emowhy.tune.recipe import load_recipe
    from emowhy.tune.rows import make_rows

    wanted = load_recipe(recipe)
    if engine is not None:
        wanted = wanted.model_copy(update={"rows": wanted.rows.model_copy(update={"rationales": "engine"})})
    elif wanted.rows.rationales == "engine":
        raise UsageError(f"{recipe} wants rationales by an engine, and none is named", "add --engine … --model …")
    place = out or Path("rows") / wanted.name
    writer = None
    try:
        if engine is not None:
            options = o.engine_options(engine, base_url, api_key_env, concurrency, engine_args)
            writer = _load(engine, model, adapter, options)
        say = _silent if quiet else _say
        about = make_rows(wanted, recipe.parent, data, place, Prompter(wanted.base), writer, say)
    finally:
        if writer is not None:
            writer.close()
    print(json.dumps(about, ensure_ascii=False) if as_json else _told(about, place))


def _load(engine: str, model: str | None, adapter: str | None, options: dict[str, Any]) -> Engine:
    from emowhy.engines import load_engine

    loaded = load_engine(engine, model=model, adapter=adapter, **options)
    loaded.probe()
    return loaded


def _told(about: dict[str, Any], place: Path) -> str:
    """Rows and reasons in a few lines."""
    rows = about["rows"]
    lines = [f"{place}: {rows['train']:,} rows to learn from, {rows['dev']:,} dev rows"]
    for name, counts in about["counts"]["train"].items():
        lines.append(f"  {name.replace('_', ' ')}: " + ", ".join(f"{key} {count:,}" for key, count in counts.items()))
    if about["dropped"]:
        lines.append("left out: " + ", ".join(f"{reason} {count:,}" for reason, count in about["dropped"].items()))
    lines += [f"note: {note}" for note in about["notes"]]
    lines.append("" if about["commercial"] else "the data allow research only")
    return "\n".join(filter(None, lines))


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _silent(line: str) -> None:
    """What --quiet says."""
