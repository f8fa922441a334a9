"""`emowhy bench`: tasks, scores, comparisons."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from emowhy.cli import options as o
from emowhy.errors import UsageError

app = typer.Typer(no_args_is_help=True)

Data = Annotated[
    Path | None, o.option("--data", metavar="DIR", help="Where your files are, a folder a data set (or EMOWHY_DATA).")
]
Names = Annotated[
    list[str], typer.Argument(metavar="TASK…", help="Tasks, or YAML files; TASK:SPLIT for another split.")
]
Json = Annotated[bool, o.option("--json", help="The outcome as JSON on stdout.")]


@app.command("ls")
@o.guarded
def ls(data: Data = None, as_json: Json = False) -> None:
    """The tasks: what they score, on which data, and whether their files are there."""
    from rich.console import Console
    from rich.text import Text

    from emowhy.bench.catalogue import describe
    from emowhy.bench.task import list_tasks

    found = [describe(name, data) for name in list_tasks()]
    if as_json:
        print(json.dumps(found, ensure_ascii=False, indent=1))
        return
    console = Console(highlight=False, soft_wrap=True)
    widest = max(len(one["task"]) for one in found)
    for one in found:
        rows = "no files" if one["rows"] is None else f"{one['rows']:,} rows"
        head = f"{one['split']}, {rows}, {one['language']}, {one['condition']}: {', '.join(one['metrics'])}"
        console.print(Text(one["task"].ljust(widest), "bold").append(f"  {head}", "not bold"))
        about = f"{one['title']}. {one['licence']}." + ("" if one["files"] == "there" else f" {one['files']}")
        console.print(Text(" " * (widest + 2) + about, "dim"))


@app.command("validate")
@o.guarded
def validate(names: Names, data: Data = None, as_json: Json = False) -> None:
    """Are the files whole, the ids unique, and do the gold answers themselves score 1?"""
    from emowhy.bench.catalogue import check
    from emowhy.bench.task import find_task

    failed = False
    told: list[dict[str, Any]] = []
    for name in names:
        outcome = check(*find_task(name), data)
        told.append(outcome)
        failed |= not outcome["good"]
        if not as_json:
            for line in outcome["lines"]:
                print(f"{name}: {line}")
    if as_json:
        print(json.dumps(told, ensure_ascii=False, indent=1))
    if failed:
        raise typer.Exit(1)


@app.command("run")
@o.guarded
def run(
    names: Names,
    out: Annotated[
        Path | None, o.option("-o", "--out", metavar="RUN", help="The folder of results. The same command resumes.")
    ] = None,
    data: Data = None,
    export: Annotated[
        str | None, o.option("--export", help="Write the tasks for another tool instead: lm-eval (into -o DIR).")
    ] = None,
    arms: Annotated[
        str,
        o.option(
            "--arms",
            help="Controls beside the model: all, none, or some of constant, specialists, no_hints, direct, base.",
        ),
    ] = "all",
    allow_leaks: Annotated[
        bool, o.option("--allow-leaks", help="Score a split that a part of the system learned from.")
    ] = False,
    wheel: Annotated[
        Path | None, o.option("--wheel", help="The folder of the official emotion wheel files (wheel1.xlsx …).")
    ] = None,
    config: o.Config = None,
    engine: o.Engine = "transformers",
    models: Annotated[
        list[str] | None, o.option("--model", help="A model; several (repeat, or a,b) make a grid.")
    ] = None,
    adapters: Annotated[
        list[str] | None, o.option("--adapter", help="A LoRA adapter, or none; several (repeat, or a,b) make a grid.")
    ] = None,
    base_url: o.BaseUrl = None,
    api_key_env: o.ApiKeyEnv = None,
    engine_args: o.EngineArgs = None,
    concurrency: o.Concurrency = None,
    strategies: Annotated[
        list[str] | None, o.option("--strategy", help="How to reason; several (repeat, or a,b) make a grid.")
    ] = None,
    prompts: o.Prompts = None,
    labels: Annotated[
        str | None, o.option("--labels", help="A label set for the prompts, where not the task's own.")
    ] = None,
    hints: Annotated[
        list[str] | None,
        o.option("--hints", help="order, exclude, adjust, quote, none; several (repeat, or a,b) make a grid."),
    ] = None,
    coverage: o.Coverage = None,
    scores: o.Scores = "verbal",
    specialists: o.Specialists = None,
    votes: o.Votes = 1,
    thinking: o.Thinking = "auto",
    max_tokens: o.MaxTokens = 256,
    temperature: o.Temperature = 0.0,
    seed: o.Seed = 0,
    observations: o.Observations = None,
    limit: o.Limit = None,
    sample: o.SampleSize = None,
    max_failures: Annotated[
        str | None, o.option("--max-failures", help="End with 3 if more rows of a system fail: a count, or P%.")
    ] = None,
    retry: Annotated[bool, o.option("--retry", help="Try all failed rows again, not only errors.")] = False,
    quiet: o.Quiet = False,
    as_json: Json = False,
) -> None:
    """Ask a model, beside its controls, on every task; then score it all."""
    from emowhy.batch import Allowed
    from emowhy.bench.run import ARMS, Ask, run_tasks
    from emowhy.bench.task import find_task
    from emowhy.progress import Watch

    tasks = [find_task(name) for name in names]
    if out is None:
        raise UsageError("where should the results go?", f"emowhy bench run {' '.join(names)} -o RUN")
    if len({task.name for task, _ in tasks}) < len(tasks):
        raise UsageError("a task was named twice", "one split of a task a run")
    if export is not None:
        _export(export, tasks, data, out, limit, sample, seed)
        return
    ask = Ask(
        out=out,
        data=data,
        engine=engine,
        models=_several(models) or [None],
        strategies=_several(strategies) or [None],
        hints=_several(hints) or ["order"],
        adapters=_several(adapters) or [None],
        specialists=_several(specialists) or None,
        arms=ARMS if arms == "all" else () if arms == "none" else tuple(_several([arms])),
        sample=sample,
        limit=limit,
        seed=seed,
        observations=observations,
        wheel=wheel,
        allow_leaks=allow_leaks,
        retry=retry,
        allowed=Allowed.parse(max_failures),
        options={
            "prompts": prompts,
            "labels": labels,
            "coverage": coverage,
            "scores": scores,
            "max_tokens": max_tokens,
            "temperature": temperature,
            "thinking": o.thinking_of(thinking),
            "votes": votes,
        },
        engine_options=o.engine_options(engine, base_url, api_key_env, concurrency, engine_args),
    )
    with Watch(quiet) as watch:
        run_tasks(ask, tasks, watch)
    _tell(out, as_json, quiet)


def _several(given: list[str] | None) -> list[str]:
    return [name.strip() for part in given or () for name in part.split(",") if name.strip()]


def _export(
    kind: str, tasks: Any, data: Path | None, out: Path, limit: int | None, sample: int | None, seed: int
) -> None:
    from emowhy.bench.export import export_lm_eval

    if kind != "lm-eval":
        raise UsageError(f"nothing is exported for {kind!r}", "--export lm-eval")
    for task, path in tasks:
        print(export_lm_eval(task, path, data, out, limit=limit, sample=sample, seed=seed))


def _tell(folder: Path, as_json: bool, quiet: bool = False) -> None:
    """Score a run and print its table."""
    import sys

    from emowhy.bench.outcome import score_run
    from emowhy.bench.tables import markdown

    results = score_run(folder)
    print(json.dumps(results, ensure_ascii=False) if as_json else markdown(results), end="")
    if not quiet:
        print(f"results: {folder / 'results.json'}   (report: {folder / 'report.html'})", file=sys.stderr)


@app.command("score")
@o.guarded
def score(
    what: Annotated[
        str, typer.Argument(metavar="RUN|TASK", help="A benchmark's folder; or a task, with --predictions.")
    ],
    predictions: Annotated[
        Path | None, o.option("--predictions", help="What another system wrote: {id, emotions, causes, …} a line.")
    ] = None,
    out: Annotated[
        Path | None, o.option("-o", "--out", metavar="RUN", help="The folder of results (with --predictions).")
    ] = None,
    data: Data = None,
    wheel: Annotated[
        Path | None, o.option("--wheel", help="The folder of the official emotion wheel files (wheel1.xlsx …).")
    ] = None,
    arms: Annotated[str, o.option("--arms", help="Controls: all, none, or some of constant, specialists.")] = "all",
    specialists: o.Specialists = None,
    observations: o.Observations = None,
    limit: o.Limit = None,
    sample: o.SampleSize = None,
    seed: o.Seed = 0,
    judge: Annotated[str | None, o.option("--judge", help="Ask a judge first: emer_legacy or atomic.")] = None,
    engine: o.Engine = "transformers",
    model: o.Model = None,
    adapter: o.Adapter = None,
    base_url: o.BaseUrl = None,
    api_key_env: o.ApiKeyEnv = None,
    engine_args: o.EngineArgs = None,
    concurrency: o.Concurrency = None,
    temperature: o.Temperature = 0.0,
    repeats: Annotated[
        int, o.option("--repeats", help="Judgments a row (with --temperature above 0): self-agreement.", min=1)
    ] = 1,
    swap: Annotated[bool, o.option("--swap", help="Judge in both orders of the two texts.")] = False,
    quiet: o.Quiet = False,
    as_json: Json = False,
) -> None:
    """Score a run again, offline; or score what another system wrote. The engine options are the judge's."""
    from emowhy.progress import Watch

    folder = Path(what) if predictions is None else out
    with Watch(quiet) as watch:
        if predictions is not None:
            folder = _score_file(
                what, predictions, out, data, wheel, arms, specialists, observations, limit, sample, seed, watch
            )
        if judge is not None and folder is not None:
            more = o.engine_options(engine, base_url, api_key_env, concurrency, engine_args)
            _ask_judge(judge, folder, engine, model, adapter, more, repeats, temperature, seed, swap, watch)
    assert folder is not None
    _tell(folder, as_json, quiet)


def _ask_judge(
    name: str,
    folder: Path,
    engine: str,
    model: str | None,
    adapter: str | None,
    options: dict[str, Any],
    repeats: int,
    temperature: float,
    seed: int,
    swap: bool,
    watch: Any,
) -> None:
    from emowhy.bench.judge import find_judge
    from emowhy.bench.judge_cache import JudgeCache
    from emowhy.bench.judging import judge_run
    from emowhy.engines import load_engine

    kind = find_judge(name)
    loaded = load_engine(engine, model=model, adapter=adapter, **options)
    try:
        loaded.probe()
        judge_run(folder, lambda path: kind(loaded, JudgeCache(path), repeats, temperature, seed, swap), watch.note)
    finally:
        loaded.close()


def _score_file(
    what: str,
    predictions: Path,
    out: Path | None,
    data: Path | None,
    wheel: Path | None,
    arms: str,
    specialists: list[str] | None,
    observations: Path | None,
    limit: int | None,
    sample: int | None,
    seed: int,
    watch: Any,
) -> Path:
    from emowhy.bench.run import ARMS, Ask, score_predictions
    from emowhy.bench.task import find_task

    task, path = find_task(what)
    if out is None:
        raise UsageError(
            "where should the results go?", f"emowhy bench score {what} --predictions {predictions} -o RUN"
        )
    chosen = ARMS if arms == "all" else () if arms == "none" else tuple(_several([arms]))
    ask = Ask(
        out=out,
        data=data,
        arms=chosen,
        specialists=_several(specialists) or None,
        sample=sample,
        limit=limit,
        seed=seed,
        observations=observations,
        wheel=wheel,
    )
    score_predictions(ask, task, path, predictions, watch.note)
    return out


@app.command("compare")
@o.guarded
def compare(
    a: Annotated[Path, typer.Argument(metavar="RUN_A")],
    b: Annotated[Path, typer.Argument(metavar="RUN_B")],
    system_a: Annotated[
        str | None, o.option("--system-a", help="Which system of RUN_A; the first if not named.")
    ] = None,
    system_b: Annotated[
        str | None, o.option("--system-b", help="Which system of RUN_B; the first if not named.")
    ] = None,
    out: Annotated[
        Path | None, o.option("-o", "--out", metavar="DIR", help="Where compare.json and report.html go.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Two runs on the same rows: differences with intervals, and the rows that changed."""
    from emowhy.bench.compare import compare_runs, told

    found = compare_runs(a, b, system_a, system_b, out)
    print(json.dumps(found, ensure_ascii=False) if as_json else told(found), end="")


@app.command("probe")
@o.guarded
def probe(
    folder: Annotated[Path, typer.Argument(metavar="RUN", help="A benchmark's folder.")],
    task: Annotated[str | None, o.option("--task", help="Which of its tasks; the first if not named.")] = None,
    system: Annotated[str | None, o.option("--system", help="Which system; the first if not named.")] = None,
    draws: Annotated[int, o.option("--draws", help="Control edits of each row.", min=1)] = 3,
    frozen: Annotated[
        bool, o.option("--frozen-hints", help="Give the hints of the row as it was, not those of the edited text.")
    ] = False,
    mask: Annotated[bool, o.option("--mask", help="Mask words instead of deleting them.")] = False,
    prompts: o.Prompts = None,
    base_url: o.BaseUrl = None,
    api_key_env: o.ApiKeyEnv = None,
    engine_args: o.EngineArgs = None,
    concurrency: o.Concurrency = None,
    seed: o.Seed = 0,
    limit: o.Limit = None,
    quiet: o.Quiet = False,
    as_json: Json = False,
) -> None:
    """Ask a finished run's system again: without the words it quoted, with these alone, and with wrong hints."""
    from emowhy.bench.probes import ProbeAsk, asked_engine, probe_run, told
    from emowhy.progress import Watch

    options = o.engine_options(asked_engine(folder), base_url, api_key_env, concurrency, engine_args)
    ask = ProbeAsk(folder, task, system, seed, limit, draws, mask, frozen, prompts, options)
    with Watch(quiet) as watch:
        found = probe_run(ask, watch)
    print(json.dumps(found, ensure_ascii=False) if as_json else told(found), end="")
