"""Whether an explanation leads another reader to the same emotion. English only."""

from __future__ import annotations

from emowhy.bench.consistency import consistency, find_reader, gave_hints
from emowhy.bench.measure import Measure
from emowhy.bench.metrics.descriptions import is_english
from emowhy.bench.scorers.base import Case, Scorer
from emowhy.bench.scorers.texts import said
from emowhy.errors import EmowhyError


class Consistency(Scorer):
    """The specialist `reader` names the emotion from the explanation alone, its label words hidden: is that a gold
    label (`eea`), the answer's own (`epc`), are both gold (`fcr`)?"""

    title = "consistency"

    def applies(self, case: Case) -> str | None:
        if not is_english(case.language):
            return f"the reader knows English only, not {case.language}"
        if not any(said(answer) for answer in case.answers if answer is not None):
            return "no answer has an explanation"
        try:
            reader = find_reader(case.labels)
        except EmowhyError as error:
            return f"the reader cannot be had: {error.message} ({error.cure})"
        if not reader.reach.any():
            return "the reader can say none of the task's labels"
        if gave_hints(reader, case.answers):
            return "the reader gave hints, so it would agree with itself"
        return None

    def measure(self, case: Case) -> Measure:
        return consistency(case.samples, case.answers, find_reader(case.labels))
