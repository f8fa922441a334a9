"""What a folder of rows says of itself: recipe, counts, templates, data with their licences, and who gave the hints."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any

from emowhy.engines.base import Engine
from emowhy.prompt import load_strategy
from emowhy.schema import schema_hash
from emowhy.tune.barred import Scored
from emowhy.tune.hints import Hinters
from emowhy.tune.pool import Dropped, Pool
from emowhy.tune.rationales import FAILED, STRATEGY
from emowhy.tune.reading import Reading
from emowhy.tune.recipe import TuneRecipe

Rows = Sequence[Mapping[str, Any]]

_COUNTED = ("data", "task", "strategy", "hints", "hint_state", "source")


@dataclass
class Made:
    """What a recipe comes to: rows by part, what was left out with its reason, and rows with ratings filled in."""

    parts: dict[str, list[dict[str, Any]]] = field(default_factory=lambda: {"train": [], "dev": []})
    dropped: list[Dropped] = field(default_factory=list)
    filled: int = 0


def describe(
    recipe: TuneRecipe,
    pools: Sequence[Pool],
    made: Made,
    hinters: Hinters,
    reading: Reading | None,
    scored: Scored,
    base: Engine,
    writer: Engine | None,
) -> dict[str, Any]:
    """The content of `about.json`.

    `trained_on` names the splits that a model tuned on these rows must not be scored on; `templates` and `schemas` are
    the hashes that inference must show again (`Reasoner.identity`).
    """
    parts, dropped = made.parts, made.dropped
    everything = [row for rows in parts.values() for row in rows]
    strategies = sorted({str(row["strategy"]) for row in everything})
    label_sets = sorted({pool.taxonomy for pool in pools}, key=lambda taxonomy: taxonomy.name)
    return {
        "name": recipe.name,
        "seed": recipe.seed,
        "emowhy": version("emowhy"),
        "base": dict(base.identity()),
        "rows": {part: len(rows) for part, rows in parts.items()},
        "dropped": dict(Counter(one.reason for one in dropped).most_common()),
        "counts": {part: _count(rows) for part, rows in parts.items()},
        "data": [_tell_pool(pool, parts, dropped) for pool in pools],
        "commercial": all(pool.terms()["commercial"] for pool in pools),
        "trained_on": list(dict.fromkeys(pool.one.name for pool in pools if pool.one.data)),
        "templates": {name: load_strategy(name).hash for name in strategies},
        "schemas": {
            name: {
                labels.name: schema_hash(load_strategy(name).steps[-1].fields, labels.labels, recipe.rows.reply_tokens)
                for labels in label_sets
            }
            for name in strategies
        },
        "rationales": {**writer.identity(), "template": load_strategy(STRATEGY).hash} if writer else "verbaliser",
        "specialists": [dict(identity) for identity in hinters.identities],
        "reader": dict(next(iter(reading.readers.values())).identity()) if reading else None,
        "benchmarks_at_hand": list(scored.rows),
        "notes": [*hinters.notes, *_notes(made, reading, scored)],
        "recipe": recipe.model_dump(mode="json"),
    }


def _notes(made: Made, reading: Reading | None, scored: Scored) -> list[str]:
    notes = []
    if unseen := scored.unseen():
        notes.append(f"benchmarks' texts were {unseen}")
    if made.filled:
        notes.append(f"in {made.filled:,} rows the valence specialist read the ratings that nobody had annotated")
    if failed := sum(one.reason == FAILED for one in made.dropped):
        notes.append(f"{failed:,} rows are missing since the engine failed; the same command asks for these again")
    if reading is not None and reading.unread:
        unknown = ", ".join(sorted(reading.unknown))
        notes.append(f"{reading.unread:,} rows were kept unread: the reader has no name for {unknown}")
    return notes


def _count(rows: Rows) -> dict[str, dict[str, int]]:
    return {name: dict(Counter(str(row[name]) for row in rows).most_common()) for name in _COUNTED}


def _tell_pool(pool: Pool, parts: Mapping[str, Rows], dropped: Sequence[Dropped]) -> dict[str, Any]:
    name = pool.one.name
    return {
        "name": name,
        **pool.terms(),
        "labels": pool.taxonomy.name,
        "read": pool.read,
        "drawn": len(pool.train) * pool.one.times,
        "kept": {part: sum(row["data"] == name for row in rows) for part, rows in parts.items()},
        "dropped": dict(Counter(one.reason for one in dropped if one.data == name).most_common()),
    }
