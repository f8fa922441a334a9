"""Answers to score, from wherever they come: a run's rows, another system's file, or the gold itself."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from emowhy.errors import InputError
from emowhy.formats import locate, records
from emowhy.parse import check_quote, parse, read_answers, read_causes, read_emotions
from emowhy.schema import ANSWERS
from emowhy.taxonomy import Taxonomy
from emowhy.types import Cause, Clue, Emotion, Explanation, Gold, Reply, Sample, Usage
from emowhy.values import kind_of

_NAMED = 5  # ids in a message


@dataclass(frozen=True)
class Answers:
    """One answer a sample, in the samples' order; None where there is none. `statuses` counts why; `notes` tell."""

    rows: tuple[Explanation | None, ...]
    statuses: Mapping[str, int]
    notes: tuple[str, ...] = ()

    @property
    def scored(self) -> tuple[Explanation | None, ...]:
        """What scorers see: an answer that is not `ok` is missing, whatever stands in it."""
        return tuple(answer if answer is not None and answer.status == "ok" else None for answer in self.rows)


def join(samples: Sequence[Sample], found: Mapping[str, Explanation], notes: Iterable[str] = ()) -> Answers:
    """Answers in the samples' order. Ids without an answer, and answers of unknown ids, are counted and named."""
    rows = tuple(found.get(sample.id) for sample in samples)
    said = list(notes)
    known = {sample.id for sample in samples}
    if missing := [sample.id for sample in samples if sample.id not in found]:
        said.append(f"{len(missing)} of {len(samples)} rows have no answer, which counts as wrong: {_names(missing)}")
    if strangers := [id for id in found if id not in known]:
        said.append(f"{len(strangers)} answers belong to no row and are left out: {_names(strangers)}")
    statuses = Counter(answer.status if answer is not None else "missing" for answer in rows)
    return Answers(rows, dict(sorted(statuses.items())), tuple(said))


def read_predictions(path: Path, samples: Sequence[Sample], taxonomy: Taxonomy, fields: Sequence[str]) -> Answers:
    """What another system wrote, one row an id: {"id", "emotions", "causes", "explanation", "answers"}, or {"id",
    "raw"}, a reply to be read as ours are.

    Labels are words or {"label", "score"}; causes are quotes or {"quote", "turn"}; a row may carry a `status`. A line
    that is none of this leaves its row unanswered; of several lines with one id the first counts.

    Raises:
        InputError: there is no such file, or not one usable line in it.
    """
    if not path.is_file():
        raise InputError(f"no file of predictions at {path.absolute()}", "check --predictions")
    by_id = {sample.id: sample for sample in samples}
    found: dict[str, Explanation] = {}
    bad: list[str] = []
    twice: dict[str, None] = {}
    for record in records(locate(path)):
        try:
            if record.row is None:
                raise ValueError(record.problem or "cannot be read")
            id = record.row.get("id")
            if not isinstance(id, str | int) or isinstance(id, bool):
                raise ValueError("no id")
            if str(id) in found:
                twice[str(id)] = None
                continue
            found[str(id)] = _predicted(record.row, str(id), by_id.get(str(id)), taxonomy, fields)
        except ValueError as error:
            bad.append(f"line {record.line}: {error}")
    if not found:
        why = f" ({bad[0]})" if bad else ""
        raise InputError(f"no prediction can be read in {path}{why}", 'a line is {"id": …, "emotions": […], …}')
    notes = [f"{len(bad)} lines of {path.name} cannot be read: {'; '.join(bad[:_NAMED])}"] if bad else []
    if twice:
        notes.append(f"{len(twice)} ids stand twice in {path.name}, the first counts: {_names(list(twice))}")
    return join(samples, found, notes)


def _predicted(
    row: Mapping[str, Any], id: str, sample: Sample | None, taxonomy: Taxonomy, fields: Sequence[str]
) -> Explanation:
    where = sample or Sample(id, text="")
    status = row.get("status", "ok")
    if status not in ("ok", "unparsed", "truncated", "refused", "error"):
        raise ValueError(f"unknown status {str(status)[:30]!r}")
    if isinstance(raw := row.get("raw"), str):
        parsed = parse(Reply(raw), fields, where)
        if parsed.status != "ok":
            return Explanation(id, status=parsed.status)
        return Explanation(
            id,
            emotions=tuple(Emotion(label) for label in read_emotions(parsed.answer, taxonomy)),
            causes=tuple(read_causes(parsed.answer, where)),
            reasoning=_text(parsed.answer, "reasoning"),
            explanation=_text(parsed.answer, "explanation"),
            answers=read_answers(parsed.answer, where),
            parse=parsed.how,
        )
    told = row.get("answers") or {}
    if not isinstance(told, Mapping):
        raise ValueError(f"answers: expected an object, got {kind_of(told)}")
    return Explanation(
        id,
        status=status,
        emotions=tuple(_emotion(item) for item in _list(row, "emotions")),
        causes=tuple(_cause(item, where) for item in _list(row, "causes")),
        reasoning=_text(row, "reasoning"),
        explanation=_text(row, "explanation"),
        answers={**{name: row[name] for name in ANSWERS if name in row}, **told},
    )


def _list(row: Mapping[str, Any], name: str) -> list[Any]:
    value = row.get(name)
    if isinstance(value, str):
        return [value]
    if value is not None and not isinstance(value, list):
        raise ValueError(f"{name}: expected a list, got {kind_of(value)}")
    return value or []


def _text(row: Mapping[str, Any], name: str) -> str | None:
    value = row.get(name)
    if value is not None and not isinstance(value, str):
        raise ValueError(f"{name}: expected a string, got {kind_of(value)}")
    return value


def _emotion(item: Any) -> Emotion:
    label, score = (item.get("label"), item.get("score")) if isinstance(item, Mapping) else (item, None)
    if not isinstance(label, str):
        raise ValueError(f"emotions: expected words, got {kind_of(item)}")
    if score is not None and (isinstance(score, bool) or not isinstance(score, int | float)):
        raise ValueError(f"a score: expected a number, got {kind_of(score)}")
    if score is not None and not 0 <= score <= 1:  # which NaN is not either
        raise ValueError(f"a score: expected 0 to 1, got {score:g}")
    return Emotion(label, None if score is None else float(score))


def _cause(item: Any, sample: Sample) -> Cause:
    told = item if isinstance(item, Mapping) else {"quote": item}
    quote, start, end, said = (told.get(name) for name in ("quote", "start", "end", "said"))
    place = told.get("turn") if told.get("turn") is not None else told.get("observation")
    if not isinstance(quote, str) or not quote.strip():
        raise ValueError(f"causes: expected quotes, got {kind_of(item)}")
    turn = sample.turns().get(place) if isinstance(place, int) else None
    if turn is not None and isinstance(start, int) and isinstance(end, int) and turn.text[start:end] == quote:
        cause = Cause(quote, place, None, start, end, verified=True)
    else:
        cause = check_quote(quote, place if isinstance(place, int | str) else None, sample)
    return replace(cause, said=said) if cause.exact and isinstance(said, int | str) else cause


def _names(ids: Sequence[str]) -> str:
    more = len(ids) - _NAMED
    return ", ".join(ids[:_NAMED]) + (f" and {more} more" if more > 0 else "")


# Our own rows ---------------------------------------------------------------------------------------------------


def explanation_of(row: Mapping[str, Any]) -> Explanation:
    """A run's row as the `Explanation` that it was written from (without its steps)."""
    return Explanation(
        id=row["id"],
        index=row["index"],
        status=row["status"],
        emotions=tuple(Emotion(e["label"], e["score"]) for e in row["emotions"]),
        causes=tuple(Cause(**cause) for cause in row["causes"]),
        reasoning=row["reasoning"],
        explanation=row["explanation"],
        score_source=row["score_source"],
        answers=row["answers"],
        clues=tuple(Clue(**clue) for clue in row["clues"]),
        parse=row["parse"],
        error=row["error"],
        same_as=row["same_as"],
        usage=Usage(**row["usage"]),
        seconds=row["seconds"],
        attempts=row["attempts"],
        extra=row["extra"],
    )


def gold_answer(sample: Sample) -> Explanation | None:
    """The gold as an answer: what scores 1 on every metric that allows it. None where a row has no gold at all."""
    gold = sample.gold
    if gold is None or gold == Gold():
        return None
    return Explanation(
        sample.id,
        emotions=tuple(Emotion(label) for label in gold.emotions or ()),
        causes=gold.causes or (),
        explanation=gold.explanation,
        answers={name: gold.answers[name] for name in ANSWERS if name in gold.answers},
    )


def dump_line(row: Mapping[str, Any]) -> bytes:
    """One line of JSON that is the same bytes for the same values: floats to nine digits, NaN as null."""
    return (json.dumps(plain(row), ensure_ascii=False, separators=(",", ":"), allow_nan=False) + "\n").encode(
        "utf-8", "backslashreplace"
    )


def plain(value: Any) -> Any:
    """A value as JSON holds it, floats rounded to nine decimals, those that are not finite as null."""
    if isinstance(value, float):
        return round(value, 9) if value == value and abs(value) != float("inf") else None
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value
