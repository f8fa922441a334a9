"""The command line: one file a command group, thin. Results to stdout, messages to stderr."""

from __future__ import annotations

import typer

from emowhy.cli import bench, clues, doctor, explain, prompts, report, serve, specialists, tune, tune_check, tune_run

app = typer.Typer(
    name="emowhy",
    help="Explain emotions in text: which emotion, why, and which words say so.",
    no_args_is_help=True,
    invoke_without_command=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.callback()
def _version(
    version: bool = typer.Option(False, "--version", help="Print the version and stop."),
) -> None:
    if version:
        from importlib.metadata import version as installed

        typer.echo(f"emowhy {installed('emowhy')}")
        raise typer.Exit


app.command("explain")(explain.explain)
app.command("clues")(clues.clues)
app.command("serve")(serve.serve)
app.command("doctor")(doctor.doctor)
app.command("report")(report.report)
app.add_typer(prompts.app, name="prompts", help="The strategies: list them, or show one rendered.")
app.add_typer(bench.app, name="bench", help="Benchmarks: tasks, scores beside their controls, comparisons.")
app.add_typer(specialists.app, name="specialists", help="Train specialists, evaluate them, fit them to your rows.")
tune.app.command("audit")(tune_check.audit)
tune.app.command("run")(tune_run.run)
tune.app.command("check")(tune_check.check)
tune.app.command("merge")(tune_check.merge)
app.add_typer(tune.app, name="tune", help="LoRA: rows, an audit of them, training, proof that it serves, merging.")


def main() -> None:
    """The entry point of the `emowhy` command."""
    app()
