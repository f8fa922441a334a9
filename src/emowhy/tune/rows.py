"""Public annotations -> training rows: the prompt that inference sends, and the reply that it should get.

    about = make_rows(load_recipe(path), path.parent, data, out, Prompter(recipe.base))

writes `train.jsonl`, `dev.jsonl`, `dropped.jsonl` and `about.json`; each is written whole or not at all.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from emowhy.bench.consistency import find_reader
from emowhy.datasets import find_dataset
from emowhy.engines.base import Engine
from emowhy.engines.chat_ids import messages_of
from emowhy.errors import InputError, UsageError
from emowhy.rows import dump_row, sample_row
from emowhy.specialists import Classifier, find_clues
from emowhy.tune.about import Made, describe
from emowhy.tune.asking import Asker, Draft
from emowhy.tune.barred import scored_splits
from emowhy.tune.gold import Unusable
from emowhy.tune.hints import Hinters
from emowhy.tune.keep import fault
from emowhy.tune.pool import Dropped, Pool, keep_apart, label_set, read_pool, tell
from emowhy.tune.rationales import FAILED, UNWRITTEN, Rationales, write_rationales
from emowhy.tune.reading import READER, Reading, Verdict
from emowhy.tune.recipe import TuneRecipe
from emowhy.tune.replies import Written, write_reply
from emowhy.types import Sample

Say = Callable[[str], None]

_AT_ONCE = 256  # samples that specialists see together
_VARIANTS = 6  # wordings of a reply among which the reader chooses
_CURES = {
    READER: "a larger rows.reader, or reader: null to ask no reader",
    UNWRITTEN: "another --engine or --model, or rationales: verbaliser",
    FAILED: "see to the engine, then type the same command again: what was written is kept",
}


def make_rows(
    recipe: TuneRecipe,
    folder: Path,
    data: Path | None,
    out: Path,
    base: Engine,
    writer: Engine | None = None,
    say: Say = lambda line: None,
) -> dict[str, Any]:
    """Make the rows of a recipe whose own files lie in `folder`; returns what `about.json` holds.

    `base` lends the prompts the control tokens and context length of the recipe's base model. `writer` is the engine
    that writes rationales, if the recipe wants one. Raises an `EmowhyError` where files are missing or no row is left.
    """
    if recipe.rows.rationales == "engine" and writer is None:
        raise UsageError("the recipe wants rationales by an engine, and none is named", "add --engine … --model …")
    if recipe.rows.rationales == "verbaliser":
        _check_english(recipe)
    askers = [Asker(recipe.rows, one, label_set(one), base, recipe.seed) for one in recipe.rows.sets]
    scored = scored_splits(data, (one.name for one in recipe.rows.sets))
    barred = scored.texts()
    pools = keep_apart([read_pool(one, recipe, folder, data, barred) for one in recipe.rows.sets])
    hinters = Hinters(recipe.rows, data, say)
    reading = Reading(_load_readers(pools), recipe.rows.reader) if recipe.rows.reader else None
    made = Made()
    out.mkdir(parents=True, exist_ok=True)
    for number, (pool, asker) in enumerate(zip(pools, askers, strict=True)):
        say(f"{pool.one.name}: {pool.read:,} rows read, {len(pool.train):,} drawn, {len(pool.dev):,} kept apart")
        made.dropped += pool.dropped
        for part, samples, times in (("train", pool.train, pool.one.times), ("dev", pool.dev, 1)):
            named = [(f"{number}/{pool.one.name}/{s.id}/{n}", s) for s in samples for n in range(times)]
            drafts = list(_draft(named, pool, asker, hinters, made))
            replies = list(_write(drafts, recipe, writer, out / "rationales.jsonl", made))
            made.parts[part] += _keep(replies, reading, made, recipe.seed)
    _check_any(made)
    about = describe(recipe, pools, made, hinters, reading, scored, base, writer)
    _write_files(out, made, about)
    return about


def _draft(
    named: Sequence[tuple[str, Sample]], pool: Pool, asker: Asker, hinters: Hinters, made: Made
) -> Iterator[Draft]:
    """A draft for every sample that one can be made of."""
    specialists = hinters.of(pool.one, pool.taxonomy)
    for batch in (named[at : at + _AT_ONCE] for at in range(0, len(named), _AT_ONCE)):
        for (id, sample), clues in zip(batch, find_clues(specialists, [s for _, s in batch]), strict=True):
            try:
                draft = asker.ask(sample, clues, id)
            except Unusable as reason:
                made.dropped.append(Dropped(id, pool.one.name, str(reason)))
            else:
                made.filled += bool(draft.filled)
                yield draft


def _write(
    drafts: Sequence[Draft], recipe: TuneRecipe, writer: Engine | None, place: Path, made: Made
) -> Iterator[tuple[Draft, Written]]:
    """Every draft with its reply, as far as one could be written and says what annotators say."""
    found = Rationales()
    if writer is not None:
        reasoned = [d for d in drafts if d.facts.labels and {"reasoning", "explanation"} & set(d.fields)]
        found = write_rationales(reasoned, writer, place, recipe.rows.reply_tokens, recipe.seed)
    for draft in drafts:
        try:
            if draft.id in found.without:
                raise Unusable(found.without[draft.id])
            reply = write_reply(draft, found.texts.get(draft.id, {}), recipe.seed)
            if (wrong := fault(draft, reply)) is not None:
                raise Unusable(wrong)
        except Unusable as reason:
            made.dropped.append(Dropped(draft.id, draft.data, str(reason)))
        else:
            yield draft, reply


def _keep(
    pairs: Sequence[tuple[Draft, Written]], reading: Reading | None, made: Made, seed: int
) -> list[dict[str, Any]]:
    """The rows whose reasons lead the reader to gold."""
    if reading is None:
        return [to_row(draft, reply) for draft, reply in pairs]
    best = {draft.id: reply for draft, reply in pairs}
    verdicts = reading.read(pairs)
    for variant in range(1, _VARIANTS):
        # the verbaliser has other words for what the reader does not hold likeliest
        others = list(_reword([pair for pair in pairs if _is_unclear(pair, verdicts)], variant, seed))
        said = {draft.id: reply for draft, reply in others}
        for id, verdict in reading.read(others).items():
            if (not verdict.found, verdict.behind) < (not verdicts[id].found, verdicts[id].behind):
                verdicts[id], best[id] = verdict, said[id]
    lost = {id for id, verdict in verdicts.items() if not verdict.found}
    made.dropped += [Dropped(draft.id, draft.data, READER) for draft, _ in pairs if draft.id in lost]
    return [to_row(draft, best[draft.id]) for draft, _ in pairs if draft.id not in lost]


def _is_unclear(pair: tuple[Draft, Written], verdicts: Mapping[str, Verdict]) -> bool:
    verdict = verdicts.get(pair[0].id)
    return pair[1].source == "verbaliser" and verdict is not None and (verdict.behind > 0 or not verdict.found)


def _reword(pairs: Sequence[tuple[Draft, Written]], variant: int, seed: int) -> Iterator[tuple[Draft, Written]]:
    for draft, _ in pairs:
        with suppress(Unusable):  # these words do not fit; others did
            reply = write_reply(draft, {}, seed, variant)
            if fault(draft, reply) is None:
                yield draft, reply


def to_row(draft: Draft, reply: Written) -> dict[str, Any]:
    """A prompt-completion row with what it was made from."""
    return {
        "id": draft.id,
        "prompt": messages_of(draft.chat),
        "completion": [{"role": "assistant", "content": reply.text}],
        "strategy": draft.strategy,
        "hints": draft.shown.policy,
        "task": draft.task,
        "source": reply.source,
        "hint_state": draft.shown.state,
        "data": draft.data,
        "sample_id": draft.sample.id,
        "sample": sample_row(draft.sample),
    }


def _load_readers(pools: Sequence[Pool]) -> dict[str, Classifier]:
    """The reader of each label set."""
    return {taxonomy.name: find_reader(taxonomy.labels) for taxonomy in {pool.taxonomy for pool in pools}}


def _check_english(recipe: TuneRecipe) -> None:
    """The verbaliser knows no other language."""
    for one in recipe.rows.sets:
        language = find_dataset(one.data).language if one.data else "en"
        if language != "en":
            raise UsageError(f"{one.data} is in the language {language!r}, and the verbaliser is not", "--engine …")


def _check_any(made: Made) -> None:
    if made.parts["train"]:
        return
    reasons = [one.reason for one in made.dropped]
    commonest = max(dict.fromkeys(reasons), key=reasons.count, default="")
    raise InputError(
        f"no row is left: {tell(made.dropped)}", _CURES.get(commonest, "other sets, or other tasks for them")
    )


def _write_files(out: Path, made: Made, about: Mapping[str, Any]) -> None:
    for part, rows in made.parts.items():
        _write_whole(out / f"{part}.jsonl", map(dump_row, rows))
    dropped = ({"id": one.id, "data": one.data, "reason": one.reason} for one in made.dropped)
    _write_whole(out / "dropped.jsonl", map(dump_row, dropped))
    _write_whole(out / "about.json", [(json.dumps(about, indent=1, ensure_ascii=False) + "\n").encode()])


def _write_whole(path: Path, lines: Iterable[bytes]) -> None:
    """Write a file beside its place and rename it, so that nobody ever reads half of it."""
    part = path.with_name(path.name + ".part")
    with part.open("wb") as file:
        file.writelines(lines)
    part.replace(path)
