"""`emowhy tune audit`, `check` and `merge`: what to know before training, before serving, and instead of an adapter."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from emowhy.cli import options as o
from emowhy.cli.serve import serve_command

if TYPE_CHECKING:
    from emowhy.tune.audit import Audit
    from emowhy.tune.audit_tokens import Shown
    from emowhy.tune.check import Check
    from emowhy.tune.finding import Finding

_MARKS = {"good": "✓", "note": "–", "fault": "✗"}
_SHOWN_LABELS = 6  # of the commonest, and of the rarest

Folder = Annotated[Path, typer.Argument(metavar="ADAPTER", help="The folder of a LoRA adapter.")]
Base = Annotated[str | None, o.option("--model", help="The base, where it is another than the adapter names.")]
Precision = Annotated[
    str, typer.Option("--precision", help="What transformers computes in: float32, or auto where that is too large.")
]
AsJson = Annotated[bool, typer.Option("--json", help="As JSON.")]


@o.guarded
def audit(
    rows: Annotated[Path, typer.Argument(metavar="ROWS", help="A folder that `emowhy tune rows` filled.")],
    config: o.Config = None,
    data: Annotated[
        Path | None, o.option("--data", help="The folder with the benchmarks' files, to look for leaks.")
    ] = None,
    recipe: Annotated[
        Path | None, typer.Option("--recipe", help="The recipe to train by, where it is not the rows' own any more.")
    ] = None,
    model: Annotated[str | None, o.option("--model", help="The base, where it is another than the recipe's.")] = None,
    max_tokens: Annotated[
        int | None, typer.Option("--max-tokens", help="The longest row, where it is not the recipe's.", min=1)
    ] = None,
    row: Annotated[str | None, typer.Option("--row", help="The id of the row to show; by default the first.")] = None,
    allow_leaks: Annotated[bool, typer.Option("--allow-leaks", help="Tell of leaks, but do not fail.")] = False,
    as_json: AsJson = False,
) -> None:
    """Look at rows before a minute of training is spent on them. Ends with 1 if they should not be trained on."""
    from emowhy.tune.audit import Ask
    from emowhy.tune.audit import audit as look
    from emowhy.tune.recipe import load_recipe

    wanted = load_recipe(recipe) if recipe is not None else None
    found = look(Ask(rows, data, wanted, model, max_tokens, row, allow_leaks))
    if as_json:
        told = {**asdict(found), "findings": [one._asdict() for one in found.findings]}
        print(json.dumps({"good": found.good, **told}, ensure_ascii=False, indent=1))
    else:
        _print_audit(found)
    if not found.good:
        raise typer.Exit(1)


def _print_audit(found: Audit) -> None:
    for part, count in found.rows.items():
        print(f"{part}: {count:,} rows")
        for name, figures in found.lengths[part].items():
            print(f"  {name + ' tokens':18} {', '.join(f'{word} {value:,}' for word, value in figures.items())}")
    for key, counts in found.counts.items():
        print(f"{key + ':':13} {_listed(counts)}")
    labels = list(found.labels.items())
    rare = labels[max(_SHOWN_LABELS, len(labels) - _SHOWN_LABELS) :]
    print(f"{'labels:':13} {_listed(dict(labels[:_SHOWN_LABELS]))}{f' … {_listed(dict(rare))}' if rare else ''}")
    if found.shown is not None:
        _print_row(found.shown)
    print()
    for one in found.findings:
        _print_finding(one)


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in counts.items()) or "none"


def _print_row(shown: Shown) -> None:
    """The prompt as the model reads it, then every token that is taught between brackets of its own."""
    print(f"\n---- {shown.id}: what stands in ⟦⟧ is taught, token by token")
    print(shown.prompt + "".join(f"⟦{piece}⟧" for piece in shown.taught))


def _print_finding(one: Finding) -> None:
    print(f"{_MARKS[one.grade]} {one.name:12} {one.what}", flush=True)
    if one.cure and one.grade != "good":
        print(f"{'':15}→ {one.cure}", flush=True)


@o.guarded
def check(
    adapter: Folder,
    config: o.Config = None,
    model: Base = None,
    prompts: o.Prompts = None,
    engine: Annotated[
        str | None,
        typer.Option("--engine", help="transformers, or vllm beside it; by default vllm too where it is installed."),
    ] = None,
    engine_args: o.EngineArgs = None,
    precision: Precision = "float32",
    as_json: AsJson = False,
) -> None:
    """Will vLLM serve this adapter, does it fit its base and templates, and has it an effect? Ends with 1 if not."""
    from emowhy.tune.check import Check, check_adapter, needs_packages, wanted_engines
    from emowhy.tune.finding import passed

    needs_packages()
    options = o.pairs(engine_args, "--engine-arg")
    asked = Check(adapter, model, prompts, wanted_engines(engine), options, precision)
    findings = []
    for one in check_adapter(asked):
        findings.append(one)
        if not as_json:
            _print_finding(one)
    good = passed(findings)
    serve = _commands(asked) if good else {}
    if as_json:
        print(json.dumps({"good": good, "findings": [one._asdict() for one in findings], "serve": serve}, indent=1))
    for command in () if as_json else serve.values():
        print(f"\n{command}")
    if not good:
        raise typer.Exit(1)


def _commands(asked: Check) -> dict[str, str]:
    """The exact commands that serve it: ours, and vLLM's own."""
    ours = ["emowhy", "serve", "--model", asked.base.name, "--adapter", str(asked.folder)]
    theirs = serve_command(asked.base.name, str(asked.folder), 8000, "127.0.0.1", [])
    return {"emowhy": shlex.join(ours), "vllm": shlex.join(theirs)}


@o.guarded
def merge(
    adapter: Folder,
    out: Annotated[Path, typer.Option("-o", "--out", metavar="DIR", help="The new folder for the checkpoint.")],
    config: o.Config = None,
    model: Base = None,
    dtype: Annotated[
        str | None, typer.Option("--dtype", help="What weights are written in: bfloat16, float16, float32.")
    ] = None,
    precision: Precision = "float32",
    as_json: AsJson = False,
) -> None:
    """Put an adapter into its base: a plain checkpoint, compared with the unmerged model before it gets its name."""
    from emowhy.tune.check import needs_packages

    needs_packages()
    from emowhy.tune.merge import merge_adapter

    def say(line: str) -> None:
        print(line, file=sys.stderr, flush=True)

    done = merge_adapter(adapter, out, model=model, dtype=dtype, precision=precision, say=say)
    if as_json:
        figures = {"apart": asdict(done.apart), "effect": asdict(done.effect)}
        print(json.dumps({"folder": str(done.folder), "dtype": done.dtype, **figures}, indent=1))
        return
    print(f"{done.folder}: base and adapter in one, in {done.dtype}")
    print(f"from the unmerged model: {done.apart}\nfrom the base: {done.effect}")
    print(f"\n{shlex.join(['emowhy', 'serve', '--model', str(done.folder)])}")
