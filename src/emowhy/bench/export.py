"""Tasks for lm-evaluation-harness (0.4.9 and later): `emowhy bench run TASK… --export lm-eval -o DIR`.

    DIR/README.md utils.py   the command and the terms of the data; what the harness calls
    DIR/emowhy_TASK.yaml     the harness's task
    DIR/emowhy_TASK.jsonl    a row a line: its messages, its gold, and the sample itself
    DIR/emowhy_TASK.json     our task, and which of its figures are reported
    DIR/emowhy.yaml          the tasks of the folder as a group, where it has several

The messages are those of the task's `direct` strategy without hints. Where one label of a closed set or one choice is
right, the reply is the likeliest of all that are possible (`multiple_choice`); else the model writes it
(`generate_until`). Either way it is read and scored by the same code as a run's.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import yaml

from emowhy.bench.answers import dump_line, plain
from emowhy.bench.exported import Exported, find_figures, gold_reply, list_replies
from emowhy.bench.task import Rows, Task, draw, read_split
from emowhy.errors import InputError, UsageError
from emowhy.prompt import Strategy, build_chat, load_strategy, weigh
from emowhy.rows import sample_row
from emowhy.taxonomy import find_taxonomy
from emowhy.types import Sample, Sampling

GROUP = "emowhy"
"""What the harness calls all tasks of a folder."""

_LOWER = ("error_", "echo_rate", "vote_cross_entropy", "vote_distance")
"""How the names of figures begin that are better when lower."""

_UTILS = '''"""What lm-evaluation-harness calls for the tasks of this folder. It needs emowhy beside the harness."""

from pathlib import Path

from emowhy.bench.exported import load_rows, score_row

_HERE = Path(__file__).parent


def rows(data_files, **metadata):
    """The rows of each split, from the files beside this one: the folder can be moved, and run from anywhere."""
    return load_rows(_HERE, data_files)


def process_results(doc, results):
    """The figures of one row."""
    return score_row(_HERE, doc, results)
'''

_README = """# {title} for lm-evaluation-harness

In an environment that has emowhy:

    pip install "lm-eval[hf]>=0.4.9,<0.5"
    lm_eval --model hf --model_args pretrained=MODEL --tasks {asked} --include_path . --apply_chat_template

Write this folder's path for `.` to run it from elsewhere. Leave `--apply_chat_template` out only for a model without a
chat template: instructions and text are glued together then. No task takes examples (`--num_fewshot`).

{table}

The rows hold texts of the copy of the data that they were made from, and its licence goes with them: do not pass this
folder on where the licence does not allow it.

A reply that cannot be read scores 0 and lowers `answered`. Figures may be below those of `emowhy bench run`, which
binds replies to their form and asks once more for one that cannot be read. Reported are the figures that are means over
rows. For all of them, where a model writes the replies, run with `--log_samples -o OUT` as well; then (with the
`--limit`, `--sample` and `--seed` of the export, if it had any)

    jq -c '{{id: .doc.id, raw: .filtered_resps[0]}}' OUT/*/samples_emowhy_TASK_*.jsonl > predictions.jsonl
    emowhy bench score TASK --predictions predictions.jsonl -o RUN
"""


def export_lm_eval(
    task: Task,
    path: Path,
    data: Path | None,
    out: Path,
    *,
    limit: int | None = None,
    sample: int | None = None,
    seed: int = 0,
) -> str:
    """Write a task into the folder `out`, beside those that are there; what was written, and the command, in words.

    The rows are those that a run with the same `limit`, `sample` and `seed` scores.

    Raises:
        MissingError: the task's files are not there (named, with source and licence).
        InputError: no row can be read, or none has a right choice.
        UsageError: the task's `direct` strategy asks in several steps.
    """
    notes: list[str] = []
    read = read_split(task, path, data, task.split, on_note=notes.append)
    samples = draw(read.samples[:limit], sample, seed)
    strategy = _one_step(task)
    chosen = _is_choice(task, strategy)
    rows = [(s, row) for s in samples if (row := _row(task, strategy, s, chosen)) is not None]
    if not rows:
        raise InputError(f"{task.name}: no row has a right choice", f"emowhy bench validate {task.name}")
    exported = Exported(
        task=task,
        output_type="multiple_choice" if chosen else "generate_until",
        rows=len(rows),
        figures=find_figures(task, [s for s, _ in rows], _sayable(strategy, chosen)),
        templates=strategy.hash,
        emowhy=version("emowhy"),
    )
    _write(out, exported, [row for _, row in rows])
    return "\n  ".join(
        [
            f"{exported.name}: {len(rows)} rows, {exported.output_type}, {', '.join(exported.reported)}",
            *(notes + _left_out(read, len(samples) - len(rows))),
            f"lm_eval --model … --tasks {exported.name} --include_path {out} --apply_chat_template",
        ]
    )


def _left_out(read: Rows, unanswerable: int) -> list[str]:
    found = []
    if read.rejected:
        first = read.rejected[0]
        found.append(f"{len(read.rejected)} rows cannot be read; the first, line {first.line}: {first.reason}")
    if unanswerable:
        found.append(f"{unanswerable} rows are left out: none of the choices is right")
    return found


# Rows ---------------------------------------------------------------------------------------------------------------


def _one_step(task: Task) -> Strategy:
    strategy = load_strategy(task.direct)
    if len(strategy.steps) > 1:
        raise UsageError(
            f"{task.name}: {task.direct!r} asks in {len(strategy.steps)} steps, lm-evaluation-harness in one",
            "name a strategy of one step as the task's `direct`",
        )
    return strategy


def _is_choice(task: Task, strategy: Strategy) -> bool:
    """Whether the possible replies can be listed: choices, or the labels of a closed set with one right label a row."""
    if "choice" in strategy.steps[0].fields:
        return True
    return task.single and strategy.decides and bool(find_taxonomy(task.labels).labels)


def _sayable(strategy: Strategy, chosen: bool) -> frozenset[str]:
    """What a reply can say; one that is chosen says no more than that."""
    fields = frozenset(strategy.steps[0].fields)
    return fields & {"choice"} or frozenset({"emotions"}) if chosen else fields


def _row(task: Task, strategy: Strategy, sample: Sample, chosen: bool) -> dict[str, Any] | None:
    """A line of the harness's rows; None for a multiple choice without a right one."""
    hints = weigh((), find_taxonomy(task.labels), "none")
    system, user = build_chat(strategy.steps[0], sample, hints, sampling=Sampling()).messages
    row: dict[str, Any] = {"id": sample.id, "task": task.name, "system": system.content, "user": user.content}
    if chosen:
        replies, right = list_replies(task, sample)
        if right is None:
            return None
        row |= {"choices": [json.dumps(reply) for reply in replies], "gold": right}
    else:
        row["gold"] = json.dumps(gold_reply(sample, strategy.steps[0].fields))
    # as one text: rows differ in their columns, which a table of the harness must not
    return {**row, "sample": json.dumps(plain({"id": sample.id, **sample_row(sample), "extra": sample.extra}))}


# Files --------------------------------------------------------------------------------------------------------------


def _write(out: Path, exported: Exported, rows: Sequence[dict[str, Any]]) -> None:
    """A task's own files, then what the tasks of the folder have together."""
    out.mkdir(parents=True, exist_ok=True)
    (out / f"{exported.name}.jsonl").write_bytes(b"".join(map(dump_line, rows)))
    (out / f"{exported.name}.json").write_text(exported.model_dump_json(indent=1) + "\n", encoding="utf-8")
    (out / f"{exported.name}.yaml").write_text(_config(exported), encoding="utf-8")
    tasks = [Exported.load(path) for path in sorted(out.glob("emowhy_*.json"))]
    (out / "utils.py").write_text(_UTILS, encoding="utf-8")
    (out / "README.md").write_text(_readme(tasks), encoding="utf-8")
    if len(tasks) > 1:
        group = {"group": GROUP, "task": [one.name for one in tasks]}
        (out / f"{GROUP}.yaml").write_text(yaml.safe_dump(group, sort_keys=False), encoding="utf-8")


def _config(exported: Exported) -> str:
    """The harness's YAML of a task."""
    task = exported.task
    licence, source = task.terms()
    kind: dict[str, Any] = {"doc_to_choice": "choices", "target_delimiter": "\n"}
    if exported.output_type == "generate_until":  # no stop words: a reply may hold any
        kind = {"generation_kwargs": {"until": [], "max_gen_toks": Sampling().max_tokens, "do_sample": False}}
    about = {name: getattr(task, name) for name in ("version", "title", "hash", "split", "condition", "language")}
    config = {
        "task": exported.name,
        "dataset_path": "json",
        "dataset_kwargs": {"data_files": {"test": f"{exported.name}.jsonl"}},
        "test_split": "test",
        "output_type": exported.output_type,
        "description": "{{system}}",
        "doc_to_text": "user",
        "doc_to_target": "gold",
        **kind,
        "num_fewshot": 0,
        "metric_list": [
            {"metric": name, "aggregation": "mean", "higher_is_better": not name.startswith(_LOWER)}
            for name in exported.reported
        ],
        "metadata": {
            **about,
            "licence": licence,
            "source": source,
            "strategy": task.direct,
            "templates": exported.templates,
            "emowhy": exported.emowhy,
        },
    }
    told = yaml.safe_dump(config, sort_keys=False, allow_unicode=True, width=120)
    called = "custom_dataset: !function utils.rows\nprocess_results: !function utils.process_results\n"
    return f"# see README.md\n{told}# utils.rows looks for the data files beside this one\n{called}"


def _readme(tasks: Sequence[Exported]) -> str:
    lines = ["| task | rows | figures | licence | source |", "|---|---|---|---|---|"]
    for one in tasks:
        licence, source = one.task.terms()
        title = f"`{one.name}`: {one.task.title}, split {one.task.split}, input: {one.task.condition}"
        lines.append(f"| {title} | {one.rows} | {', '.join(one.reported)} | {licence} | {source} |")
    title, asked = (tasks[0].task.title, tasks[0].name) if len(tasks) == 1 else ("Tasks of emowhy", GROUP)
    return _README.format(title=title, asked=asked, table="\n".join(lines))
