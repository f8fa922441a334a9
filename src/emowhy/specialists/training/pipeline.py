"""The whole way of a trained specialist: teacher, training, rounding, export, calibration, card."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import PartialState

from emowhy.datasets import find_dataset
from emowhy.errors import MissingError, UsageError
from emowhy.models import find_encoder
from emowhy.specialists.cause import emotion_weights
from emowhy.specialists.onnx import load_onnx
from emowhy.specialists.training import card, rows, silver
from emowhy.specialists.training.causes import CausesHead
from emowhy.specialists.training.export import export, shrink_words
from emowhy.specialists.training.folds import cross_validate
from emowhy.specialists.training.heads import CuesHead, LabelsHead, LearnedHead, ValuesHead
from emowhy.specialists.training.loop import Progress, Source, predict, start_rounding, train
from emowhy.specialists.training.network import PROVENANCE, Network, build, keep_encoder
from emowhy.specialists.training.quantise import prepare
from emowhy.specialists.training.recipe import HeadRecipe, Recipe, Schedule, before_finish
from emowhy.specialists.training.teacher import teach
from emowhy.types import Sample

Say = Callable[[str], None]
Array = rows.Array

_OBSERVED = 512
"""Rows on which the ranges of rounding are first seen."""


@dataclass
class Costs:
    """Seconds of training, by part; kept in the work folder so that a resumed run counts all of it."""

    path: Path
    seconds: dict[str, float] = field(default_factory=dict)

    def note(self, part: str, seconds: float) -> None:
        self.seconds[part] = round(seconds, 1)
        _keep_text(self.path, json.dumps(self.seconds))


def run(recipe: Recipe, data: Path | None, out: Path, command: str, say: Say, folder: Path = Path()) -> dict[str, Any]:
    """Train what the recipe says into the folder `out`; returns the dev figures that the card holds.

    `folder` is the recipe's, beside which its files lie. `out/work` keeps what a resumed run goes on from;
    delete it when the specialist is done.
    """
    work = out / "work"
    work.mkdir(parents=True, exist_ok=True)
    # several processes without a GPU are told apart too, if accelerate is told that they have none
    state = PartialState(cpu=int(os.environ.get("WORLD_SIZE", "1")) > 1 and not torch.cuda.is_available())
    say = say if state.is_main_process else _silent
    with state.main_process_first():
        _check_same(recipe, work)
    costs = Costs(work / "costs.json")
    if costs.path.is_file():
        costs.seconds = json.loads(costs.path.read_text(encoding="utf-8"))
    base = Path(recipe.base) if recipe.base else find_encoder()
    tokenizer = _tokenizer(base, recipe.max_tokens)
    heads = {name: _make_head(name, one, data, tokenizer, recipe, say) for name, one in recipe.heads.items()}
    for head in heads.values():
        if isinstance(head, LabelsHead):
            head.learn_also(folder, tokenizer, say)
    _keep_text(work / "recipe.json", recipe.model_dump_json())  # from here on there is something to go on from
    if recipe.teacher:
        for name, head in heads.items():
            if isinstance(head, LabelsHead):
                schedule, place = recipe.train or Schedule(), work / "teacher" / name
                teach(recipe.teacher, schedule, name, head, base, place, costs.note, say)
    validated = {
        name: cross_validate(recipe, name, head, base, work / f"folds-{name}", costs.note, say)
        for name, head in heads.items()
        if isinstance(head, CausesHead) and recipe.folds
    }
    network = build(base, {name: head.head for name, head in heads.items()}, recipe.seed)
    logs = {}
    if recipe.train:
        early = {name: head for name, head in heads.items() if not isinstance(head, CuesHead)}
        progress = _fit(network, early, _sources(early), recipe.train, work / "train", recipe.seed, say)
        costs.note("training", progress.seconds)
        logs["train"] = progress.log
    if recipe.finish:
        start_rounding(network, _some_ids(heads), prepare)
        _silver(recipe, heads, base, network, tokenizer, work, costs, say)
        also = [head.also for head in heads.values() if isinstance(head, LabelsHead) and head.also]
        sources = [*_sources(heads), *also]
        progress = _fit(network, heads, sources, recipe.finish, work / "finish", recipe.seed, say)
        costs.note("finishing", progress.seconds)
        logs["finish"] = progress.log
    if not state.is_main_process:
        return {}  # what is left is the work of one
    shrink_words(network)
    keep_encoder(network, out / "encoder", provenance(recipe, base))
    shutil.copyfile(base / "tokenizer.json", out / "encoder" / "tokenizer.json")
    before = _figures(heads, network, whole=True)
    _write(recipe, base, network, tokenizer, out)
    figures = _calibrate(recipe, heads, out)
    figures["before export"] = before
    for name, found in validated.items():
        figures |= {f"{name}, {recipe.folds} folds, {kind}": values for kind, values in found.items()}
    card.write(recipe, provenance(recipe, base), figures, costs.seconds, logs, command, out)
    return figures


def _check_same(recipe: Recipe, work: Path) -> None:
    """A work folder belongs to one recipe."""
    path = work / "recipe.json"
    if path.is_file() and path.read_text(encoding="utf-8") != recipe.model_dump_json():
        raise UsageError(
            f"{work} holds the training of another recipe", f"name another folder with -o, or delete {work}"
        )


def _keep_text(path: Path, text: str) -> None:
    """Write a file whole or not at all: an interrupted run reads what is there."""
    part = path.with_name(f"{path.name}.{os.getpid()}.part")  # several processes may write the same
    part.write_text(text, encoding="utf-8")
    part.replace(path)


def _tokenizer(base: Path, max_tokens: int) -> Any:
    from tokenizers import Tokenizer

    if not (base / "tokenizer.json").is_file():
        raise MissingError(f"the recipe's base {base.absolute()} has no tokenizer.json", "train that base first")
    tokenizer = Tokenizer.from_file(str(base / "tokenizer.json"))
    tokenizer.enable_truncation(max_tokens)
    tokenizer.no_padding()
    return tokenizer


def _make_head(name: str, one: HeadRecipe, data: Path | None, tokenizer: Any, recipe: Recipe, say: Say) -> LearnedHead:
    if one.kind == "labels":
        return LabelsHead(name, one, data, tokenizer, say)
    if one.kind == "values":
        return ValuesHead(name, one, data, tokenizer, say)
    if one.kind == "cues":
        return CuesHead(name, one, data, tokenizer, say)
    return CausesHead(name, one, data, tokenizer, say, weigh_emotions, recipe.max_tokens)


def weigh_emotions(samples: Sequence[Sample]) -> Array:
    """How likely the shipped `emotion` specialist finds each of the emotions of `cause`, shape (samples, emotions)."""
    from emowhy.specialists.emotion import EmotionSpecialist
    from emowhy.taxonomy import find_taxonomy

    taxonomy = find_taxonomy("goemotions")
    specialist = EmotionSpecialist(taxonomy)
    specialist.top_k = len(taxonomy.labels)
    found = specialist.find_clues(samples, [() for _ in samples])
    return np.array([emotion_weights(clues, taxonomy) for clues in found], dtype=np.float32)


def _sources(heads: Mapping[str, LearnedHead]) -> list[Source]:
    """Heads that read the same rows in the same way share a source."""
    found: dict[int, Source] = {}
    keys: dict[tuple[str, str | None, bool], int] = {}
    for name, head in heads.items():
        key = (head.recipe.data, head.recipe.part, head.recipe.mask_labels)
        number = keys.setdefault(key, len(keys))
        source = found.setdefault(number, Source(head.recipe.data, head.train.ids))
        source.targets[name] = head.targets()
    return list(found.values())


def _fit(
    network: Network,
    heads: Mapping[str, LearnedHead],
    sources: Sequence[Source],
    schedule: Schedule,
    work: Path,
    seed: int,
    say: Say,
) -> Progress:
    losses = {name: (head.loss, head.recipe.weight) for name, head in heads.items()}

    def evaluate(candidate: Network) -> dict[str, float]:
        found = _figures(heads, candidate)
        told = {f"{name} {head.main}": found[name][head.main] for name, head in heads.items()}
        return {"choose": sum(heads[name].recipe.weight * found[name][heads[name].main] for name in heads), **told}

    return train(network, sources, losses, evaluate, schedule, work, seed=seed, say=say)


def _figures(heads: Mapping[str, LearnedHead], network: Network, whole: bool = False) -> dict[str, dict[str, float]]:
    """Every head's figures on dev; those of labels without the rows kept for candidate sets, unless `whole`."""
    outputs: dict[int, Any] = {}
    found = {}
    for name, head in heads.items():
        key = hash(tuple(map(tuple, head.dev.ids)))  # heads of one data set share a reading
        if key not in outputs:
            outputs[key] = predict(network, head.dev.ids)
        found[name] = _judge(head, outputs[key][name], whole)
    return found


def _judge(head: LearnedHead, outputs: Any, whole: bool) -> dict[str, float]:
    return head.figures(outputs, whole) if isinstance(head, LabelsHead) else head.figures(outputs)


def _some_ids(heads: Mapping[str, LearnedHead]) -> list[list[int]]:
    """Rows of every data set, for the ranges of rounding."""
    share = max(1, _OBSERVED // len(heads))
    return [ids for head in heads.values() for ids in head.train.ids[:share]]


def _silent(line: str) -> None:
    """What the processes beside the main one say."""


def _silver(
    recipe: Recipe,
    heads: Mapping[str, LearnedHead],
    base: Path,
    network: Network,
    tokenizer: Any,
    work: Path,
    costs: Costs,
    say: Say,
) -> None:
    """Telling words for the cue heads: what `occlusion` finds with the network as it stands, exported."""
    cues = [head for head in heads.values() if isinstance(head, CuesHead)]
    for head in cues:
        path = work / f"silver-{head.name}.json"
        train_samples = head.train.samples[: head.recipe.rows]
        with PartialState().main_process_first():
            if not path.is_file():
                started = time.perf_counter()
                early = work / "early"
                early.mkdir(exist_ok=True)
                _write(before_finish(recipe), base, network, tokenizer, early)
                _calibrate(recipe, {n: h for n, h in heads.items() if not isinstance(h, CuesHead)}, early)
                _keep_text(path, json.dumps(silver.occlude([*train_samples, *head.dev.samples], early, say)))
                costs.note("silver words", time.perf_counter() - started)
        silver.give(head, len(train_samples), json.loads(path.read_text(encoding="utf-8")))


def provenance(recipe: Recipe, base: Path) -> dict[str, Any]:
    """The data that the weights have seen, that of their base included, and whether all of it may be used in trade.

    `trained_on` and `chosen_on` name the splits: those they learned from, and those by which anything was chosen.
    """
    seen = json.loads((base / PROVENANCE).read_text(encoding="utf-8")) if (base / PROVENANCE).is_file() else {}
    sets: list[Any] = list({one.data: find_dataset(one.data) for one in recipe.heads.values()}.values())
    also = [one.also for one in recipe.heads.values() if one.also]
    told = [*(f"{found.title}, {found.licence}" for found in sets), *(f"{one.name}, {one.licence}" for one in also)]
    free = all(one.commercial for one in [*sets, *also]) and seen.get("commercial", True)
    learned = [*(f"{one.data}:train" for one in recipe.heads.values()), *(one.name for one in also)]
    chosen = [f"{one.data}:{rows.dev_split(one)}" for one in recipe.heads.values()]
    return {
        "data": "; ".join(dict.fromkeys([*told, *filter(None, [seen.get("data")])])),
        "commercial": free,
        "trained_on": list(dict.fromkeys([*learned, *seen.get("trained_on", ())])),
        "chosen_on": list(dict.fromkeys([*chosen, *seen.get("chosen_on", ())])),
    }


def _write(recipe: Recipe, base: Path, network: Network, tokenizer: Any, out: Path) -> None:
    """The exported network with its tokenizer, and a config that still lacks calibration."""
    export(network, out / "model.onnx")
    tokenizer.no_truncation()
    tokenizer.save(str(out / "tokenizer.json"))
    tokenizer.enable_truncation(recipe.max_tokens)
    origin = provenance(recipe, base)
    config = {
        "name": recipe.name,
        "max_tokens": recipe.max_tokens,
        "seed": recipe.seed,
        "licence": "Apache-2.0" if origin["commercial"] else "research only: see data",
        **origin,
        "heads": {},
    }
    (out / "config.json").write_text(json.dumps(config, indent=1) + "\n", encoding="utf-8")
    load_onnx.cache_clear()


def _calibrate(recipe: Recipe, heads: Mapping[str, LearnedHead], out: Path) -> dict[str, Any]:
    """Fit every head's settings on what the exported model says of dev, into the config; returns dev figures."""
    model = load_onnx(out)
    figures: dict[str, Any] = {}
    for name, head in heads.items():
        outputs: Any = model.run(head.dev.ids)[name]
        if head.head.level == "text":
            outputs = np.stack(outputs)
        model.config["heads"][name] = head.settings(outputs)
        figures[name] = _judge(head, outputs, whole=True)
    (out / "config.json").write_text(json.dumps(model.config, indent=1) + "\n", encoding="utf-8")
    load_onnx.cache_clear()
    return figures
