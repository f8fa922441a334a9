"""What emowhy itself costs: rows a second and memory with the scripted engine, and how long starting takes.

    python benchmarks/overhead.py [--rows 200000] [--rounds 5]

Every figure is of whole `emowhy` processes held to one core; medians over rounds.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

EXPLAIN = ["explain", "--engine", "scripted", "--hints", "none", "--quiet"]


def write_rows(path: Path, count: int) -> Path:
    """Rows that all differ, of two dozen words with one earlier turn."""
    with path.open("w", encoding="utf-8") as file:
        for i in range(count):
            text = f"They moved appointment {i} again, and of course nobody thought of telling those who had to travel."
            row = {"id": f"row-{i}", "text": text, "context": [{"speaker": "B", "text": f"How did visit {i} go?"}]}
            file.write(json.dumps(row) + "\n")
    return path


def timed(command: list[str]) -> tuple[float, float]:
    """Seconds and peak megabytes of a process on one core."""
    pid = os.fork()
    if pid == 0:
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        os.execv(command[0], command)
    started = time.perf_counter()
    _, status, usage = os.wait4(pid, 0)
    if status:
        raise SystemExit(f"failed ({status}): {' '.join(command)}")
    return time.perf_counter() - started, usage.ru_maxrss / 1024


def measure(rows: int, rounds: int) -> dict[str, float]:
    python = sys.executable
    figures: dict[str, list[float]] = {}

    def note(name: str, value: float) -> None:
        figures.setdefault(name, []).append(value)

    with tempfile.TemporaryDirectory() as folder:
        small, large = write_rows(Path(folder) / "small.jsonl", 2000), write_rows(Path(folder) / "large.jsonl", rows)
        middle = write_rows(Path(folder) / "middle.jsonl", 20000)
        for turn in range(rounds):
            bare, _ = timed([python, "-c", "pass"])
            note("import emowhy, s", timed([python, "-c", "import emowhy"])[0] - bare)
            note("emowhy --help, s", timed([python, "-m", "emowhy", "--help"])[0])
            start, memory = timed([python, "-m", "emowhy", *EXPLAIN, str(small), "-o", f"{folder}/small-{turn}"])
            seconds, _ = timed([python, "-m", "emowhy", *EXPLAIN, str(middle), "-o", f"{folder}/middle-{turn}"])
            note("rows/s, whole process, 20,000 rows", 20000 / seconds)
            note("rows/s, start-up aside", 18000 / (seconds - start))
            note("peak MB, 2,000 rows", memory)
        for turn in range(min(rounds, 3)):
            seconds, memory = timed([python, "-m", "emowhy", *EXPLAIN, str(large), "-o", f"{folder}/large-{turn}"])
            note(f"rows/s, whole process, {rows:,} rows", rows / seconds)
            note(f"peak MB, {rows:,} rows", memory)
            subprocess.run(["rm", "-rf", f"{folder}/large-{turn}"], check=True)
    return {name: round(statistics.median(values), 3) for name, values in figures.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    print(json.dumps(measure(args.rows, args.rounds), indent=1))


if __name__ == "__main__":
    main()
