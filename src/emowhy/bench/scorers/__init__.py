"""Scorers: samples with gold and a system's answers -> a `Measure`. Found by name, by entry point
(`emowhy.metrics`) or as `module:Name`."""

from __future__ import annotations

from emowhy.bench.scorers.base import Case, Scorer
from emowhy.errors import UsageError
from emowhy.plugins import find_plugin

__all__ = ["SCORERS", "Case", "Scorer", "find_scorer"]

SCORERS = {
    "accuracy": "emowhy.bench.scorers.labels:Accuracy",
    "calibration": "emowhy.bench.scorers.confidence:Calibration",
    "cause_words": "emowhy.bench.scorers.causes:CauseWords",
    "choice": "emowhy.bench.scorers.answers:Choice",
    "closed": "emowhy.bench.scorers.labels:Closed",
    "clues": "emowhy.bench.scorers.texts:Clues",
    "consistency": "emowhy.bench.scorers.consistency:Consistency",
    "descriptions": "emowhy.bench.scorers.texts:Descriptions",
    "graded": "emowhy.bench.scorers.labels:Graded",
    "groups": "emowhy.bench.scorers.sets:Groups",
    "pairs": "emowhy.bench.scorers.causes:Pairs",
    "quotes": "emowhy.bench.scorers.causes:Quotes",
    "sets": "emowhy.bench.scorers.sets:Sets",
    "spans": "emowhy.bench.scorers.causes:CauseSpans",
    "turns": "emowhy.bench.scorers.causes:CausalTurns",
    "values": "emowhy.bench.scorers.answers:Values",
    "votes": "emowhy.bench.scorers.labels:Votes",
    "wheel": "emowhy.bench.scorers.sets:EmotionWheel",
}


def find_scorer(name: str) -> Scorer:
    """The scorer called `name`. Raises UsageError for an unknown name, MissingError for what it imports."""
    kind = find_plugin("metric", name, SCORERS)
    if not (isinstance(kind, type) and issubclass(kind, Scorer)):
        raise UsageError(f"{name} is no metric", "derive it from emowhy.bench.scorers.Scorer")
    return kind()
