"""How large a report of 10,000 rows is, how long it takes to write, and how soon a browser is ready for it.

    python benchmarks/report.py [--rows 10000] [--rounds 5] > benchmarks/results/report.json

Needs `pip install playwright` and a Chromium that is called `chromium`. Medians over rounds. "Interactive" is the time
from opening the file until a search typed at once has been answered.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import shutil
import statistics
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emowhy.report import write_html
from emowhy.taxonomy import find_taxonomy

if TYPE_CHECKING:
    from playwright.sync_api import Browser

TEXT = (
    "They moved the appointment again and of course nobody thought of telling those who had to travel all morning "
    "while my sister kept laughing about it because her train was early for once and the sun came out"
)
WORDS = TEXT.split()
LABELS = find_taxonomy("goemotions").labels
SEARCHED = "appointment"


def write_run(folder: Path, count: int) -> Path:
    """A run of rows that all differ: two turns of two dozen words, nine clues, a reply with its reasons, gold."""
    draw = random.Random(0)
    with (folder / "explanations.jsonl").open("w", encoding="utf-8") as file:
        for i in range(count):
            file.write(json.dumps(make_row(i, draw)) + "\n")
    (folder / "run.json").write_text(json.dumps({"state": "done", "asked": {"engine": "none"}}), encoding="utf-8")
    return folder


def make_row(i: int, draw: random.Random) -> dict[str, Any]:
    text, earlier, why, reasons = (" ".join(draw.choices(WORDS, k=k)) for k in (24, 24, 18, 36))
    label, gold = draw.choice(LABELS), draw.choice(LABELS)
    quote = text[: text.index(" ", 12)]
    cause = {"quote": quote, "turn": 1, "start": 0, "end": len(quote), "verified": True}
    scored = [{"kind": "emotion", "source": "emotion", "label": name, "score": 0.1} for name in draw.sample(LABELS, 8)]
    reply = {"reasoning": reasons, "emotions": [label], "causes": [{"turn": 1, "quote": quote}], "explanation": why}
    return {
        "id": f"row-{i}", "index": i, "status": "ok" if i % 50 else "truncated", "content": str(i), "attempts": 1,
        "emotions": [{"label": label, "score": round(draw.random(), 4)}], "causes": [cause], "reasoning": reasons,
        "explanation": why, "score_source": "specialist", "parse": "strict", "usage": {"prompt": 400, "completion": 90},
        "clues": [*scored, {"kind": "cause", "source": "cue", **cause, "score": 0.9, "chosen": True}],
        "steps": [{"name": "answer", "raw": json.dumps(reply), "thinking": None, "finish_reason": "stop"}],
        "seconds": 0.2, "extra": {"kind": draw.choice("abcdef")},
        "sample": {
            "text": text, "speaker": "A", "context": [{"speaker": "B", "text": earlier}], "gold": {"emotions": [gold]},
        },
    }  # fmt: skip


def time_page(browser: Browser, path: Path) -> dict[str, float]:
    """Seconds until the first rows stand, until a search is answered, and of a second search."""
    tab = browser.new_page()
    started = time.perf_counter()
    tab.goto(path.as_uri(), wait_until="commit")
    tab.wait_for_selector("article")
    shown = time.perf_counter() - started
    tab.fill("#search", SEARCHED)
    tab.wait_for_function("document.getElementById('found').textContent.includes(' of ')")
    interactive = time.perf_counter() - started
    again = tab.evaluate(
        """() => {
          const search = document.getElementById("search"), before = performance.now();
          search.value = "appointment telling";
          search.dispatchEvent(new Event("input"));
          return (performance.now() - before) / 1000;
        }"""
    )
    tab.close()
    return {"first rows, s": shown, "interactive, s": interactive, "one more search, s": again}


def measure(rows: int, rounds: int) -> dict[str, float]:
    from playwright.sync_api import sync_playwright

    figures: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        folder = write_run(Path(name), rows)
        for _ in range(rounds):
            began = time.process_time()
            path = write_html(folder)
            figures.setdefault("writing, s of processor time", []).append(time.process_time() - began)
        figures["size, MB"] = [path.stat().st_size / 1e6]
        figures["peak MB of writing"] = [resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024]
        flags = ["--no-sandbox"] if os.geteuid() == 0 else []
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=flags)
        for _ in range(rounds):
            for what, value in time_page(browser, path).items():
                figures.setdefault(what, []).append(value)
        browser.close()
    return {what: round(statistics.median(values), 3) for what, values in figures.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    print(json.dumps({"rows": args.rows, **measure(args.rows, args.rounds)}, indent=1))


if __name__ == "__main__":
    main()
