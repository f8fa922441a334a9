"""Reasons written by a language model that is told the gold labels and spans; kept, so that no call is made twice."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from emowhy.engines.base import Engine
from emowhy.prompt import load_strategy
from emowhy.read import content_hash
from emowhy.reasoner import Job, Reasoner
from emowhy.rows import dump_row
from emowhy.specialists.base import Specialist
from emowhy.tune.asking import Draft
from emowhy.tune.gold import cause_clues, emotion_clues
from emowhy.types import Clue, Sample, Sampling

STRATEGY = "tune/rationale"
UNWRITTEN = "the engine wrote no readable rationale"
FAILED = "the engine failed"


@dataclass(frozen=True)
class Rationales:
    """`reasoning` and `explanation` by the drafts' ids, and the reasons (UNWRITTEN, FAILED) of those without."""

    texts: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    without: Mapping[str, str] = field(default_factory=dict)


class Annotated(Specialist):
    """Tells what annotators said of each sample, as if it were a specialist's clues."""

    name = "annotation"
    kind = "emotion"

    def __init__(self, clues: Mapping[str, Sequence[Clue]]) -> None:
        self._clues = clues

    def find_clues(self, samples: Sequence[Sample], clues: Sequence[Sequence[Clue]]) -> list[list[Clue]]:
        return [list(self._clues[sample.id]) for sample in samples]


def write_rationales(drafts: Sequence[Draft], engine: Engine, place: Path, reply_tokens: int, seed: int) -> Rationales:
    """What an engine writes of each draft; `place` is the file of those written before, which are not asked again."""
    known = _read(place)
    failed: set[str] = set()
    keys = {draft.id: _key(draft, engine) for draft in drafts}
    waiting = {keys[draft.id]: draft for draft in drafts if keys[draft.id] not in known}
    by_set: dict[str, list[Draft]] = {}
    for draft in waiting.values():
        by_set.setdefault(draft.taxonomy.name, []).append(draft)
    with place.open("ab") as file:
        if place.stat().st_size and not place.read_bytes().endswith(b"\n"):
            file.write(b"\n")  # an interrupted run ended in the middle of a line
        for some in by_set.values():
            clues = {d.id: [*emotion_clues(d.facts.told), *cause_clues(d.causes)] for d in some}
            sampling = Sampling(reply_tokens, seed=seed)
            reasoner = Reasoner(
                engine, load_strategy(STRATEGY), some[0].taxonomy, (Annotated(clues),), sampling=sampling
            )
            jobs = (Job(replace(draft.sample, id=draft.id, question=None), i) for i, draft in enumerate(some))
            for job, answer in reasoner.explain_all(jobs):
                if answer.status == "ok" and answer.explanation:
                    written = {"reasoning": answer.reasoning or "", "explanation": answer.explanation}
                    known[keys[job.sample.id]] = written
                    file.write(dump_row({"key": keys[job.sample.id], **written}))
                    file.flush()
                elif answer.status == "error":
                    failed.add(keys[job.sample.id])
    texts = {id: known[key] for id, key in keys.items() if key in known}
    without = {id: FAILED if key in failed else UNWRITTEN for id, key in keys.items() if key not in known}
    return Rationales(texts, without)


def _read(place: Path) -> dict[str, Mapping[str, str]]:
    """What was written before; a line that was cut off counts for nothing."""
    found: dict[str, Mapping[str, str]] = {}
    lines = place.read_bytes().splitlines() if place.is_file() else ()
    for line in lines:
        try:
            row = json.loads(line)
            found[row.pop("key")] = row
        except (ValueError, KeyError, AttributeError):
            continue
    return found


def _key(draft: Draft, engine: Engine) -> str:
    """Names what a rationale depends on: engine, template, sample, labels and spans."""
    about: list[Any] = [dict(engine.identity()), load_strategy(STRATEGY).hash, content_hash(draft.sample)]
    about += [draft.facts.told, [(c.turn, c.observation, c.start, c.end) for c in draft.causes]]
    return hashlib.sha256(repr(about).encode()).hexdigest()[:24]
