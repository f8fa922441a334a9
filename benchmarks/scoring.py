"""How long deterministic scoring takes: the demo's rows many times over, all metrics but those of the encoder.

    python benchmarks/scoring.py [--rows 10000]

Seconds of the whole `emowhy bench score RUN` process, intervals and report included, and whether a second scoring
writes the same bytes.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).parent
TASK = """# python benchmarks/scoring.py
name: many
title: The demo set, many times over
file: many.jsonl
split: all
labels: goemotions
metrics: [graded, sets, accuracy, closed, quotes, spans, descriptions, calibration]
licence: Apache-2.0
"""


def write(folder: Path, count: int) -> tuple[Path, Path]:
    """A task of that many rows, and predictions: another row's labels and explanation, the row's own first quote."""
    rows = [json.loads(line) for line in (HERE / "demo" / "demo.jsonl").read_text(encoding="utf-8").splitlines()]
    with (folder / "many.jsonl").open("w") as many, (folder / "said.jsonl").open("w") as said:
        for i in range(count):
            row, other = rows[i % len(rows)], rows[(7 * i + i // len(rows)) % len(rows)]["gold"]
            many.write(json.dumps({**row, "id": f"row-{i}"}) + "\n")
            emotions = [{"label": label, "score": 0.5 + (37 * i % 100) / 250} for label in other["emotions"]]
            quotes = [cause["quote"] for cause in row["gold"]["causes"][:1]]
            answer = {"emotions": emotions, "causes": quotes, "explanation": other["explanation"]}
            said.write(json.dumps({"id": f"row-{i}", **answer}) + "\n")
    (folder / "many.yaml").write_text(TASK)
    return folder / "many.yaml", folder / "said.jsonl"


def hashes(run: Path) -> list[str]:
    files = [run / "results.json", run / "results.md", run / "many" / "scores.jsonl"]
    return [hashlib.sha256(path.read_bytes()).hexdigest() for path in files]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000)
    rows = parser.parse_args().rows
    score = [sys.executable, "-m", "emowhy", "bench", "score"]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        task, said = write(folder, rows)
        run = folder / "run"
        first = [*score, str(task), "--predictions", str(said), "-o", str(run), "--arms", "constant", "--quiet"]
        subprocess.run(first, check=True, stdout=subprocess.DEVNULL)
        before = hashes(run)
        started = time.perf_counter()
        subprocess.run([*score, str(run), "--quiet"], check=True, stdout=subprocess.DEVNULL)
        seconds = time.perf_counter() - started
        figures = {
            "rows": rows,
            "cores": len(os.sched_getaffinity(0)),
            "seconds for two systems": round(seconds, 1),
            "the same bytes again": hashes(run) == before,
            "report, MB": round((run / "report.html").stat().st_size / 1e6, 1),
        }
    print(json.dumps(figures, indent=1))
    (HERE / "results" / "scoring.json").write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
