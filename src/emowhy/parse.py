"""Reply -> Explanation, or why not: strict first, lenient second; quotes checked, scores with their source."""

from __future__ import annotations

import itertools
import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from emowhy.schema import ANSWERS, MOST_CAUSES, MOST_EMOTIONS
from emowhy.shown import locate, show
from emowhy.taxonomy import Taxonomy, normalise
from emowhy.types import Cause, Clue, Emotion, Reply, Sample, ScoreSource, Status

# Thinking whose opening tag the chat template wrote; a closed block; a block that never closes.
_THINK = re.compile(r"\A(?:(?!<think>).)*?</think>|<think>.*?(?:</think>|\Z)", re.DOTALL)
_SAID = re.compile(r"""["']emotions["']\s*:\s*(\[[^\]]*|"[^"]*)""")
_PLACE = re.compile(r"\s*\[?\s*(\d{1,9})\s*\]?\s*")


@dataclass(frozen=True, slots=True)
class Parsed:
    """What a reply says, or why it says nothing (`status` other than "ok")."""

    status: Status
    answer: Mapping[str, Any]
    how: Literal["strict", "lenient"] | None = None


def split_thinking(reply: Reply) -> tuple[str, str | None]:
    """The reply's text without its thinking, and the thinking: from the server's field or from think tags.

    What follows an opened tag that never closes was thinking too. A reply that is a JSON object as a whole has none.
    """
    blocks = _THINK.findall(reply.text)
    if not blocks or _whole_object(reply.text) is not None:
        return reply.text, reply.thinking
    inside = (block.removeprefix("<think>").removesuffix("</think>").strip() for block in map(str.strip, blocks))
    return _THINK.sub("", reply.text).strip(), "\n".join(filter(None, (reply.thinking, *inside))) or None


def parse(reply: Reply, fields: Sequence[str], sample: Sample) -> Parsed:
    """Read a reply that should be a JSON object with these fields.

    Strict: the whole text is that object. Lenient: the last such object in the text, small faults mended
    (code fences, trailing commas, single quotes); all fields must be there, or at least some `emotions`
    (where none are asked for, an `explanation`, or the task's answers). What is merely
    repeated from the sample is no answer.
    """
    if reply.finish == "error":
        return Parsed("error", {})
    if reply.finish == "refusal":
        return Parsed("refused", {})
    text, _ = split_thinking(reply)
    answer = _whole_object(text)
    if (
        answer is not None
        and set(fields) <= answer.keys()
        and _well_formed(answer, sample)
        and _squeeze(text) not in _told(sample)
    ):
        return Parsed("ok", answer, "strict")
    if reply.finish == "length":
        return Parsed("truncated", {})
    for candidate in _objects(text, sample):
        answer = _mend(candidate)
        if answer is not None and _well_formed(answer, sample) and _answers(answer, fields):
            return Parsed("ok", answer, "lenient")
    return Parsed("unparsed", {})


def _whole_object(text: str) -> dict[str, Any] | None:
    try:
        answer = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return answer if isinstance(answer, dict) else None


def _answers(answer: Mapping[str, Any], fields: Sequence[str]) -> bool:
    if asked := [name for name in fields if name in ANSWERS]:
        return set(asked) <= answer.keys()
    needed = "emotions" if "emotions" in fields else "explanation"
    return bool(answer.get(needed)) or set(fields) <= answer.keys()


def _well_formed(answer: Mapping[str, Any], sample: Sample) -> bool:
    """Types as asked for; a lone label may stand without its list, a lone quote without its object."""
    emotions, causes = answer.get("emotions", []), answer.get("causes", [])
    texts = (answer.get(name) for name in ("reasoning", "interpretation", "explanation"))
    return (
        isinstance(emotions, str | list)
        and all(isinstance(label, str) for label in emotions)
        and isinstance(causes, list)
        and all(isinstance(cause, str) or _is_quote(cause) for cause in causes)
        and all(text is None or isinstance(text, str) for text in texts)
        and all(_number(answer[name], name, sample) is not None for name in ANSWERS if name in answer)
    )


def _number(value: Any, name: str, sample: Sample) -> float | None:
    """A task's answer as a number within its bounds; None for anything else."""
    least, most = {"choice": (1, len(sample.choices)), "intensity": (0, 1)}.get(name, (1, 5))
    try:
        number = float(value) if isinstance(value, int | float | str) and not isinstance(value, bool) else None
    except ValueError:
        return None
    inside = number is not None and least <= number <= most and (name != "choice" or number == int(number))
    return number if inside else None


def read_answers(answer: Mapping[str, Any], sample: Sample) -> dict[str, float]:
    """What a reply answers to a task's question (`ANSWERS`); a choice is counted from 0."""
    found = {name: _number(answer.get(name), name, sample) for name in ANSWERS}
    told = {name: number for name, number in found.items() if number is not None}
    return {name: int(number) - 1 if name == "choice" else number for name, number in told.items()}


def _is_quote(cause: Any) -> bool:
    return (
        isinstance(cause, dict)
        and isinstance(cause.get("quote"), str)
        and isinstance(cause.get("turn"), int | str | None)
    )


def _objects(text: str, sample: Sample) -> Iterator[str]:
    """Stretches of `text` that may be a JSON object, the last first, without those copied from the sample."""
    told = _told(sample)
    stretches: list[str] = []
    start, depth = -1, 0
    quoted = escaped = False
    for place, letter in enumerate(text):
        if quoted:
            quoted, escaped = (letter != '"' or escaped), (letter == "\\" and not escaped)
        elif letter == '"' and depth:
            quoted = True
        elif letter == "{":
            start, depth = (place if not depth else start), depth + 1
        elif letter == "}" and depth:
            depth -= 1
            if not depth:
                stretches.append(text[start : place + 1])
    if depth:  # never closed, or a quotation mark too few: all of the rest
        stretches.append(text[start:])
    for stretch in reversed(stretches):
        if _squeeze(stretch) not in told:
            yield stretch


def _squeeze(text: str) -> str:
    """Without white space, and without the backslashes of words that were put into a JSON string."""
    return "".join(text.replace("\\", "").split())


def _told(sample: Sample) -> str:
    """All words of the sample, squeezed."""
    turns = (turn.text for turn in sample.turns().values())
    observations = (words for words in sample.observations.values() if words)
    return " ".join(_squeeze(show(words)) for words in (*turns, *observations))


def _mend(text: str) -> dict[str, Any] | None:
    import json_repair

    try:
        answer = json_repair.loads(text, skip_json_loads=False)
    except (ValueError, RecursionError):
        return None
    return answer if isinstance(answer, dict) else None


def read_emotions(answer: Mapping[str, Any], taxonomy: Taxonomy) -> list[str]:
    """Labels without repeats, at most three, each brought to the label set's spelling where it is known there.

    A word outside the set stays as it is: it is counted as off-list, never turned into a label.
    """
    said = answer.get("emotions", [])
    words = re.split(r"[,/;]| and ", said) if isinstance(said, str) else said
    labels = [normalise(word, taxonomy.labels or None) for word in words]
    return list(dict.fromkeys(filter(None, labels)))[:MOST_EMOTIONS]


def read_causes(answer: Mapping[str, Any], sample: Sample) -> list[Cause]:
    """The quotes, each checked against the turn or observation that it names (any, if it names none).

    A verbatim quote is given as its words stand there, with offsets; one whose words stand in exactly one other place
    is given there, with the place that was `said`; any other is kept, unverified.
    """
    found: dict[Cause, Cause] = {}  # the same words in the same place are one quote, whatever places were said
    for told in answer.get("causes", []):
        quote, place = (told, None) if isinstance(told, str) else (told["quote"], told.get("turn"))
        if quote.strip():
            cause = check_quote(quote, place, sample)
            where = replace(cause, said=None)
            if cause.exact or where not in found:
                found[where] = cause
    return list(found.values())


def quote_clues(clues: Sequence[Clue], sample: Sample) -> tuple[Cause, ...]:
    """Marked words as the causes of an answer: the likeliest that stand in the sample, each once, in reading order."""
    likeliest = sorted((clue for clue in clues if (clue.quote or "").strip()), key=lambda clue: -(clue.score or 0.0))
    told = (_quote_clue(clue, sample) for clue in likeliest)
    found = list(dict.fromkeys(cause for cause in told if cause.verified))[:MOST_CAUSES]
    return tuple(sorted(found, key=lambda cause: (cause.turn is None, cause.turn or 0, cause.start or 0)))


def _quote_clue(clue: Clue, sample: Sample) -> Cause:
    cause = Cause(clue.quote or "", clue.turn, clue.observation, clue.start, clue.end, verified=True)
    turn = sample.turns().get(clue.turn) if clue.turn is not None else None
    text = turn.text if turn else sample.observations.get(clue.observation or "")
    if text and clue.start is not None and text[clue.start : clue.end] == clue.quote:
        return cause
    # A plug-in need not say where its words stand, nor be right about it.
    return replace(check_quote(cause.quote, cause.place, sample), said=None)


def check_quote(quote: str, place: int | str | None, sample: Sample) -> Cause:
    """One quote as a `Cause`: verified with its offsets if its words stand where it says, in order.

    A model counts turns worse than it copies words: words that stand elsewhere, in one place only, are found there.
    """
    turns = {number: turn.text for number, turn in sample.turns().items()}
    if isinstance(place, str) and place not in sample.observations:
        if (number := _PLACE.fullmatch(place)) is not None:
            place = int(number[1])
        else:  # a name may come back as it was shown
            place = next((name for name in sample.observations if _same_name(name, place)), place)
    if isinstance(place, bool):
        place = None
    nearest_first = [sample.target, *range(sample.target - 1, -1, -1), *range(sample.target + 1, len(turns) + 1)]
    places: list[int | str] = [number for number in nearest_first if number in turns]
    places += list(sample.observations)
    found = (cause for where in places if (cause := _quote_in(where, quote, turns, sample.observations)) is not None)
    if place is None:
        return next(found, Cause(quote))
    if (cause := _quote_in(place, quote, turns, sample.observations)) is not None:
        return cause
    elsewhere = list(itertools.islice(found, 2))
    if len(elsewhere) == 1:
        return replace(elsewhere[0], said=place)
    return Cause(quote, *_turn_or_observation(place))


def _turn_or_observation(place: int | str) -> tuple[int | None, str | None]:
    return (place, None) if isinstance(place, int) else (None, place)


def _quote_in(
    where: int | str, quote: str, turns: Mapping[int, str | None], observations: Mapping[str, str | None]
) -> Cause | None:
    """The quote in this turn or observation, if its words stand there."""
    text = turns.get(where) if isinstance(where, int) else observations.get(where)
    if not text or (span := locate(quote, text)) is None:
        return None
    start, end = span
    return Cause(text[start:end], *_turn_or_observation(where), start, end, verified=True)


def _same_name(name: str, said: str) -> bool:
    return show(name).casefold() == show(said).casefold()


def score_emotions(
    labels: Sequence[str], tokens: Sequence[tuple[str, float]] | None, clues: Sequence[Clue]
) -> tuple[tuple[Emotion, ...], ScoreSource | None]:
    """Each label with its probability, and whose it is.

    From the engine: the product of the probabilities of the label's own tokens as they were
    generated (after everything before them). Without log-probabilities: the specialists' calibrated
    score. One source for a whole row, so that its scores can be compared.
    """
    if tokens and (scores := _label_probabilities(labels, tokens)) is not None:
        return tuple(map(Emotion, labels, scores)), "engine"
    known = {clue.label: clue.score for clue in clues if clue.kind == "emotion"}
    if any(label in known for label in labels):
        return tuple(Emotion(label, known.get(label)) for label in labels), "specialist"
    return tuple(map(Emotion, labels)), None


def _label_probabilities(labels: Sequence[str], tokens: Sequence[tuple[str, float]]) -> list[float] | None:
    """exp of the summed log-probabilities of the tokens that overlap each label's letters; None if one is not found.

    Labels are looked for as whole words in an `emotions` list only, the last list that has them all: thinking
    and prose may stand before the answer, and "approval" stands in "disapproval".
    """
    text = "".join(piece for piece, _ in tokens)
    ends = list(itertools.accumulate(len(piece) for piece, _ in tokens))
    for said in reversed(list(_SAID.finditer(text))):
        spans = [_find_label(label, text, *said.span(1)) for label in labels]
        if all(spans):
            return [_probability(tokens, ends, *span) for span in spans if span]
    return None


def _find_label(label: str, text: str, start: int, stop: int) -> tuple[int, int] | None:
    # not by casefolding the text, which would move its letters
    found = re.compile(rf"(?<![\w-]){re.escape(label)}(?![\w-])", re.IGNORECASE).search(text, start, stop)
    return found and found.span()


def _probability(tokens: Sequence[tuple[str, float]], ends: Sequence[int], start: int, stop: int) -> float:
    inside = (
        logprob for (piece, logprob), end in zip(tokens, ends, strict=True) if end > start and end - len(piece) < stop
    )
    return min(1.0, math.exp(sum(inside)))
