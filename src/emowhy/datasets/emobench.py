"""EmoBench (Sabour et al. 2024, arXiv 2402.12071): what somebody in a scenario feels and why, or had best do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

from emowhy.datasets.base import DataSet
from emowhy.formats import Record
from emowhy.values import kind_of

_QUESTIONS = {
    "emotion": "Which emotion or emotions would {who} ultimately feel?",
    "cause": "Why would {who} ultimately feel as they do?",
}
_ABOUT = ("category", "coarse_category", "finegrained_category", "question type")


class _EmoBench(DataSet):
    """JSON lines; `gold.answers["choice"]` is the number of the right choice, from 0. Rows not in English are left out.

    As published there is one file, the test split. A development file holds some of its items under the same
    numbers (`extra["item"]`): leave those out of what is scored with a choice made on them.
    """

    folder = "emobench"
    licence = "MIT"
    commercial = True
    source = "https://github.com/Sahandfer/EmoBench/tree/master/data"

    def row(self, cells: Mapping[str, Any], split: str) -> Mapping[str, Any] | None:
        if cells.get("language", self.language) != self.language:
            return None
        options, label, question = self.asked(cells)
        return {
            "id": cells["id"],
            "text": cells["scenario"],
            "question": question,
            "choices": options,
            "gold": {"answers": {"choice": _number(options, label)}},
            "extra": {"item": str(cells["qid"]), **{key: cells[key] for key in _ABOUT if key in cells}},
        }

    def asked(self, cells: Mapping[str, Any]) -> tuple[Any, Any, str]:
        """The choices, the right one and the question."""
        raise NotImplementedError


class EmoBenchEu(_EmoBench):
    """Emotional understanding: two samples an item, "N-emotion" (what the subject feels) and "N-cause" (why).

    An item counts as understood when both are right: join the two by `extra["item"]`.
    """

    name = "emobench_eu"
    title = "EmoBench, emotional understanding"
    splits: ClassVar = {
        "dev": ("EU.en.dev.jsonl", "EU.dev.jsonl"),
        "test": ("EU.en.test.jsonl", "EU.en.jsonl", "EU.jsonl"),
    }
    columns = ("qid", "scenario", "subject", "emotion_choices", "emotion_label", "cause_choices", "cause_label")

    def records(self, path: Path) -> Iterator[Record]:
        """Two for each line that can be read."""
        for record in super().records(path):
            if record.row is None:
                yield record
                continue
            for part in _QUESTIONS:
                yield record._replace(row={**record.row, "part": part, "id": f"{record.row.get('qid')}-{part}"})

    def asked(self, cells: Mapping[str, Any]) -> tuple[Any, Any, str]:
        part = cells["part"]
        question = _QUESTIONS[part].format(who=_who(cells["subject"]))
        return cells[f"{part}_choices"], cells[f"{part}_label"], question


class EmoBenchEa(_EmoBench):
    """Emotional application: the most effective response or action for the subject."""

    name = "emobench_ea"
    title = "EmoBench, emotional application"
    splits: ClassVar = {
        "dev": ("EA.en.dev.jsonl", "EA.dev.jsonl"),
        "test": ("EA.en.test.jsonl", "EA.en.jsonl", "EA.jsonl"),
    }
    columns = ("qid", "scenario", "subject", "choices", "label")

    def row(self, cells: Mapping[str, Any], split: str) -> Mapping[str, Any] | None:
        return super().row({**cells, "id": cells["qid"]}, split)

    def asked(self, cells: Mapping[str, Any]) -> tuple[Any, Any, str]:
        kind = str(cells.get("question type") or "response or action").lower()
        return (
            cells["choices"],
            cells["label"],
            f"Which would be the most effective {kind} for {_who(cells['subject'])}?",
        )


def _who(subject: Any) -> str:
    """The subject in a question: a scenario may be told by the one it is about."""
    if not isinstance(subject, str) or not subject.strip():
        raise ValueError("subject: expected a name")
    return "the narrator" if subject.strip() == "I" else subject.strip()


def _number(options: Any, label: Any) -> int:
    if not isinstance(options, list):
        raise ValueError(f"choices: expected a list, got {kind_of(options)}")
    if options.count(label) != 1:
        raise ValueError(f"the right answer stands {options.count(label)} times among the choices")
    return options.index(label)
