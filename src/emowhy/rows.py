"""An explanation as a row of `explanations.jsonl`: plain values, in the documented order."""

from __future__ import annotations

import json
from dataclasses import fields
from typing import Any

from emowhy.types import Cause, Clue, Explanation, Sample


def to_row(answer: Explanation, sample: Sample, content: str) -> dict[str, Any]:
    """The output row, with the sample as it was read (so that a run can be scored and reported by itself).

    `content` is the hash of what the model could see of the sample.
    """
    cut = answer.cut
    return {
        "id": answer.id,
        "index": answer.index,
        "status": answer.status,
        "emotions": [{"label": e.label, "score": _rounded(e.score)} for e in answer.emotions],
        "causes": [_cause(cause) for cause in answer.causes],
        "reasoning": answer.reasoning,
        "explanation": answer.explanation,
        "score_source": answer.score_source,
        "answers": dict(answer.answers),
        "clues": [clue_row(clue) for clue in answer.clues],
        "parse": answer.parse,
        "cut": None if cut is None else {"turns": cut.turns, "characters": cut.characters},
        "error": answer.error,
        "same_as": answer.same_as,
        "steps": [
            {
                "name": step.name,
                "raw": step.raw,
                "thinking": step.thinking,
                "finish_reason": step.finish_reason,
                "usage": {"prompt": step.usage.prompt, "completion": step.usage.completion},
            }
            for step in answer.steps
        ],
        "usage": {"prompt": answer.usage.prompt, "completion": answer.usage.completion},
        "seconds": answer.seconds,
        "attempts": answer.attempts,
        "extra": dict(answer.extra),
        "content": content,
        "sample": sample_row(sample),
    }


def sample_row(sample: Sample) -> dict[str, Any]:
    """A sample in the input's own format, without its id and unknown columns."""
    gold = sample.gold
    row: dict[str, Any] = {"text": sample.text}
    if sample.speaker is not None:
        row["speaker"] = sample.speaker
    for name in ("context", "after"):
        if turns := getattr(sample, name):
            row[name] = [{"speaker": turn.speaker, "text": turn.text} for turn in turns]
    if sample.observations:
        row["observations"] = dict(sample.observations)
    if sample.question is not None:
        row["question"] = sample.question
    if sample.choices:
        row["choices"] = list(sample.choices)
    if gold is not None:
        row["gold"] = {
            "emotions": None if gold.emotions is None else list(gold.emotions),
            "causes": None if gold.causes is None else [_cause(cause) for cause in gold.causes],
            "explanation": gold.explanation,
            **gold.answers,
        }
    return row


def dump_row(row: dict[str, Any]) -> bytes:
    """One line of JSON with its line end. Lone surrogates (a reply may hold one) stay as escapes."""
    line = json.dumps(row, ensure_ascii=False, separators=(",", ":")) + "\n"
    try:
        return line.encode()
    except UnicodeEncodeError:
        return (json.dumps(row, separators=(",", ":")) + "\n").encode()


def _cause(cause: Cause) -> dict[str, Any]:
    row: dict[str, Any] = {"quote": cause.quote, "turn": cause.turn, "start": cause.start, "end": cause.end}
    if cause.observation is not None:
        row["observation"] = cause.observation
    row["verified"] = cause.verified
    return row if cause.said is None else {**row, "said": cause.said}


def clue_row(clue: Clue) -> dict[str, Any]:
    """A clue's fields that are set."""
    return {name: value for name in _CLUE if (value := getattr(clue, name)) is not None}


_CLUE = tuple(f.name for f in fields(Clue))


def _rounded(score: float | None) -> float | None:
    return None if score is None else round(score, 4)
