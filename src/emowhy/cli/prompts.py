"""`emowhy prompts`: the strategies, and one rendered for a sample, exactly as it will be sent."""

from __future__ import annotations

from typing import Annotated

import typer

from emowhy.cli import options as o

app = typer.Typer(no_args_is_help=True)

_EXAMPLE = "They cancelled my flight and nobody even told us."


@app.command("ls")
@o.guarded
def ls(prompts: o.Prompts = None) -> None:
    """List the strategies."""
    from emowhy.errors import UsageError
    from emowhy.prompt import list_strategies, load_strategy

    if prompts is not None and not prompts.is_dir():
        raise UsageError(f"no folder of prompts at {prompts.absolute()}", "check --prompts")
    for name, what in list_strategies(prompts).items():
        steps = " → ".join(step.name for step in load_strategy(name, prompts).steps)
        print(f"{name:12} {steps:40} {what}")


@app.command("show")
@o.guarded
def show(
    strategy: Annotated[str, typer.Argument(help="The strategy's name.")],
    source: Annotated[
        str | None, typer.Argument(metavar="[INPUT]", help="Rows to render it for; the first is taken.")
    ] = None,
    text: Annotated[str, typer.Option("--text", help="Render it for this text.")] = _EXAMPLE,
    prompts: o.Prompts = None,
    labels: o.Labels = "goemotions",
    config: o.Config = None,
    hints: o.Hints = "order",
    coverage: o.Coverage = None,
    scores: o.Scores = "verbal",
    specialists: o.Specialists = None,
    format: o.Format = None,
) -> None:
    """Print the messages of every step. A later step shows a scripted reply where the model's would stand."""
    from emowhy.errors import InputError
    from emowhy.read import Rejected, read
    from emowhy.reasoner import Job, Reasoner
    from emowhy.specialists import find_clues
    from emowhy.types import Sample

    reasoner = Reasoner.load(
        engine="scripted",
        strategy=strategy,
        prompts=prompts,
        labels=labels,
        hints=hints,
        coverage=coverage,
        scores=scores,
        specialists=specialists,
    )
    sample = Sample("example", text=text)
    if source is not None:
        row = next(read(source, format=format, limit=1), None)
        if row is None or isinstance(row, Rejected):
            raise InputError(
                f"the first row of {source} is no sample: {row.reason if row else 'it is empty'}", "mend it"
            )
        sample = row
    thought = reasoner.reason(Job(sample), find_clues(reasoner.specialists, [sample])[0])
    chat = next(thought)
    for step in reasoner.strategy.steps:
        print(f"#### step {step.name!r}" + (f" → {', '.join(step.fields)}" if step.fields else " → free words"))
        o.print_messages(chat)
        try:
            chat = thought.send(reasoner.engine.generate([chat])[0])
        except StopIteration:
            break
