"""Scores of a whole run, written down: results.json, results.md, scores.jsonl, report.html."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import Any

from emowhy.bench.answers import dump_line, plain
from emowhy.bench.folder import ASKED, RESULTS, load, read_json, write_json
from emowhy.bench.judging import judged
from emowhy.bench.page import write_report
from emowhy.bench.score import merged, score
from emowhy.bench.tables import markdown
from emowhy.taxonomy import TABLE_VERSION


def score_run(folder: Path) -> dict[str, Any]:
    """Score everything in a run's folder; the content of results.json. The same folder gives the same bytes."""
    asked = read_json(folder / ASKED)
    tasks: dict[str, dict[str, Any]] = {}
    for name, about in asked["tasks"].items():
        what = load(folder, name)
        scored = score(what)
        tasks[name] = {**scored.result, "rejected": about["rejected"], "notes": about["notes"]}
        if verdicts := judged(folder, what):
            tasks[name]["judges"] = verdicts
        (folder / name / "scores.jsonl").write_bytes(b"".join(map(dump_line, scored.rows)))
    results: dict[str, Any] = plain(  # what is not defined is null for everyone who reads it, not NaN
        {
            "version": version("emowhy"),
            "taxonomy": TABLE_VERSION,
            "seed": asked["seed"],
            "asked": {key: value for key, value in asked.items() if key != "tasks"},
            "tasks": merged(tasks),
        }
    )
    write_json(folder / RESULTS, results)
    (folder / "results.md").write_text(markdown(results), encoding="utf-8")
    write_report(folder, results)
    return results
