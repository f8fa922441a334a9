"""A page with every kind of block and row, and what a test sees of it in a browser."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from emowhy.report import Block, Confusion, Counts, Facts, Interval, Notes, Reliability, Table
from emowhy.types import Cause, Clue, Emotion, Explanation, Gold, Step, Usage
from report.pages import ANSWER, SAMPLE, hostile, row_of

if TYPE_CHECKING:
    from playwright.sync_api import Page as Tab

BLOCKS: list[Block] = [
    Facts("Outcome", [("rows", 120), ("accuracy", Interval(0.5, 0.41, 0.59))], "tiles"),
    Table("Labels", ("Label", "Gold", "F1"), [("anger", 60, 0.1), ("joy", 40, 0.9), ("fear", 20, 0.5)], labels=True),
    Confusion(("joy", "anger", "fear"), ((30, 5, 5), (0, 60, 0), (20, 0, 0))),
    Reliability([(0.2, 0.3, 40), (0.6, 0.5, 40), (0.9, 0.8, 40)], 0.1),
    Counts("By kind", [("plain", 80, {"joy": 30, "anger": 50}), ("sarcasm", 40, {"fear": 40})]),
    Notes(["A note."]),
    Facts("Versions", [("emowhy", "0.1.0")], "folded"),
]


def row(i: int) -> dict[str, Any]:
    label = "joy" if i % 3 == 0 else "anger"
    gold = Gold(("fear",) if i % 4 == 0 else (label,), (Cause("cancelled", 1),), f"gold words {i}")
    clues = (Clue("emotion", "emotion", "joy", score=0.4, chosen=True), Clue("cause", "cue", quote="it", turn=1))
    causes = (*ANSWER.causes, *([Cause("we waited", 1)] if i % 5 == 0 else []))
    answer = replace(
        ANSWER, id=f"row-{i}", index=i, emotions=(Emotion(label, 0.3 + i / 200),), clues=clues, causes=causes,
        explanation=f"Because of flight {i}.", steps=(Step("answer", '{"raw": 1}', "hm", "stop", Usage(1, 2)),),
    )  # fmt: skip
    if i == 7:
        answer = Explanation("row-7", 7, "truncated", error="the reply did not end")
    made = row_of(answer, replace(SAMPLE, id=answer.id, gold=gold))
    return {**made, "right": i % 4 != 0 and i != 7, "groups": {"kind": "odd" if i % 2 else "even"}}


def harmful(text: str) -> dict[str, Any]:
    answer, sample = hostile(text)
    made = {**row_of(answer, sample), "index": 1000, "groups": {text: text}, "arm": text, "scores": {text: 0.5}}
    return {**made, "other": {**made, "name": text}}


def watch(tab: Tab) -> tuple[list[str], list[str]]:
    """What the console will say, and what will be asked of the network."""
    wrong: list[str] = []
    asked: list[str] = []
    tab.on("console", lambda message: wrong.append(message.text))
    tab.on("pageerror", lambda error: wrong.append(str(error)))
    tab.on("request", lambda request: asked.append(request.url.partition("#")[0]))
    return wrong, asked


def ids(tab: Tab) -> list[str]:
    return tab.locator("article .id").all_inner_texts()


def current(tab: Tab) -> str | None:
    """The id of the row that has the focus."""
    found: str | None = tab.evaluate(
        "document.activeElement.closest('article')?.querySelector('.id').textContent ?? null"
    )
    return found
