"""Numbers that data sets give on their own scales, as the replies to `tasks/*` give them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from emowhy.types import Sample


@dataclass(frozen=True, slots=True)
class Scale:
    """The form of a question (`words/wordings.tsv`) and the ends of the scale that its gold is on."""

    form: str
    low: float
    high: float


# By data set or, where one data set has several, by its rows' `extra["task"]`.
SCALES = {
    "semeval2018_ei_reg": Scale("regression", 0, 1),
    "semeval2018_ei_oc": Scale("ordinal", 0, 3),
    "semeval2018_v_reg": Scale("regression", 0, 1),
    "semeval2018_v_oc": Scale("sevenths", -3, 3),
    "emobank": Scale("regression", 1, 5),
    "EI-reg": Scale("regression", 0, 1),
    "EI-oc": Scale("ordinal", 0, 3),
    "V-reg": Scale("regression", 0, 1),
    "V-oc": Scale("sevenths", -3, 3),
    "Vader": Scale("regression", -4, 4),
    "TDT": Scale("regression", -1, 1),
    "SST": Scale("regression", 0, 1),
    "SST5": Scale("regression", 0, 4),
}


def find_scale(sample: Sample, data: str | None, answer: str) -> Scale:
    """The scale of a sample's gold; a file of the user's own has the replies' scales."""
    own = Scale("regression", *_ends(answer))
    return SCALES.get(str(sample.extra.get("task"))) or SCALES.get(data or "") or own


def rescale(answers: Mapping[str, float], scale: Scale, whole: bool = False) -> dict[str, float]:
    """Gold numbers on the replies' scales, in tenths or in whole steps: intensity 0 to 1, ratings 1 to 5."""
    found = {}
    for name, value in answers.items():
        least, most = _ends(name)
        share = min(1.0, max(0.0, (value - scale.low) / (scale.high - scale.low)))
        found[name] = round(least + share * (most - least), None if whole else 1) * 1.0
    return found


def _ends(answer: str) -> tuple[float, float]:
    return (0.0, 1.0) if answer == "intensity" else (1.0, 5.0)
