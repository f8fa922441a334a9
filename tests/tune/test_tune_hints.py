"""Laws of cross-fitted hints: what a network said of a text while it had not seen it, and no other's word."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from emowhy.datasets import find_dataset
from emowhy.errors import MissingError, UsageError
from emowhy.models import find_encoder
from emowhy.specialists import cause
from emowhy.specialists.training import rows as training_rows
from emowhy.specialists.training.recipe import Recipe
from emowhy.taxonomy import Taxonomy, find_taxonomy
from emowhy.tune.cross_fitted import CrossFitted, read_folds
from emowhy.tune.cross_fitted_causes import read_cause_folds
from emowhy.tune.hints import Hinters
from emowhy.types import Sample
from lookalikes import COMMENTS, goemotions, reccon
from tune.tuning import GO, Words, rows

FOLDS = 3


def say(line: str) -> None:
    raise AssertionError(line)


def training(folder: Path, heads: dict[str, Any], **more: Any) -> Path:
    recipe = Recipe.model_validate({"name": "mine", "heads": heads, **more})
    (folder / "work").mkdir(parents=True)
    (folder / "work" / "recipe.json").write_text(recipe.model_dump_json())
    return folder


@pytest.fixture
def data(tmp_path: Path) -> Path:
    texts = [(f"{text} Again {number}.", label) for number in range(4) for text, label in COMMENTS]
    goemotions(tmp_path / "data", "train", texts)
    goemotions(tmp_path / "data", "dev")
    return tmp_path / "data"


@pytest.fixture
def emotion(tmp_path: Path, data: Path) -> Path:
    """A training whose every fold says 4 of a text's own label and -4 of the others."""
    heads = {"emotion": {"kind": "labels", "data": "goemotions"}}
    folder = training(tmp_path / "emotion", heads, teacher={"folds": FOLDS})
    loader = find_dataset("goemotions")
    samples = [row for row in loader.read(data / "goemotions", "train") if isinstance(row, Sample)]
    place = folder / "work" / "teacher" / "emotion"
    place.mkdir(parents=True)
    for number in range(FOLDS):
        held = [s for s in samples if training_rows.fold_of(training_rows.text_key(s.words()), FOLDS) == number]
        logits = np.full((len(held), len(GO.labels)), -4, dtype=np.float32)
        for row, sample in enumerate(held):
            assert sample.gold is not None
            logits[row, GO.labels.index((sample.gold.emotions or ("",))[0])] = 4
        np.save(place / f"fold{number}.npy", logits)
    return folder


def test_every_text_gets_what_its_own_fold_said_as_probabilities(emotion: Path, data: Path) -> None:
    name, table = read_folds(emotion, data, say)
    assert name == "goemotions"
    assert len(table) == 4 * len(COMMENTS)
    for text, label in COMMENTS:
        found = table[training_rows.text_key(f"{text} Again 2.")]
        assert GO.labels[int(found.argmax())] == label
        assert ((found >= 0) & (found <= 1)).all()
        assert found.max() > 0.5


def test_known_texts_are_answered_from_the_table_and_others_by_the_specialist(emotion: Path, data: Path) -> None:
    _, table = read_folds(emotion, data, say)
    own = Words({"storm": "fear"})
    fitted = CrossFitted(own, table)
    known = "WE CRIED when the old dog died!! again 1"  # the same letters make the same text
    found = fitted.probabilities(["a storm", known, "a storm"])
    assert [GO.labels[int(row.argmax())] for row in found[:, :-1]] == ["fear", "sadness", "fear"]
    assert np.array_equal(found[0], own.probabilities(["a storm"])[0])
    assert fitted.probabilities([]).shape == (0, len(GO.labels))
    clues = fitted.find_clues([Sample("a", known)], [()])[0]
    assert (clues[0].label, clues[0].source) == ("sadness", "emotion")
    assert fitted.identity()["cross_fitted"] == len(table)


def test_folds_of_other_rows_are_refused(emotion: Path, data: Path, tmp_path: Path) -> None:
    goemotions(data, "train", COMMENTS)
    with pytest.raises(UsageError, match="the data at hand make it"):
        read_folds(emotion, data, say)


def test_what_is_missing_of_a_training_is_named(emotion: Path, data: Path, tmp_path: Path) -> None:
    (emotion / "work" / "teacher" / "emotion" / "fold1.npy").unlink()
    with pytest.raises(MissingError, match=r"fold1\.npy"):
        read_folds(emotion, data, say)
    with pytest.raises(MissingError, match="holds no training"):
        read_folds(tmp_path / "nowhere", data, say)
    bare = training(tmp_path / "bare", {"emotion": {"kind": "labels", "data": "goemotions"}})
    with pytest.raises(UsageError, match="without a teacher"):
        read_folds(bare, data, say)
    with pytest.raises(UsageError, match="trained 0 heads of the kind causes"):
        read_cause_folds(bare, data, say)


def test_only_the_split_that_was_learned_from_is_answered_from_folds(
    emotion: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = Words({})
    monkeypatch.setattr("emowhy.tune.hints.load_specialists", lambda names, taxonomy: [own])
    monkeypatch.setattr(own, "name", "emotion", raising=False)
    learned = {"name": "emotion", "trained_on": ["goemotions:train"]}
    monkeypatch.setattr(own, "identity", lambda: learned)
    sets = [{"data": "goemotions"}, {"data": "goemotions", "split": "dev"}]
    fair = Hinters(rows(sets=sets, hints_from={"emotion": str(emotion)}), data, say)
    ekman = find_taxonomy("ekman")
    train, dev = fair._recipe.sets
    assert isinstance(fair.of(train, GO)[0], CrossFitted)
    assert fair.of(dev, GO) == [own]
    assert fair.of(train, ekman) == [own]
    plain = Hinters(rows(sets=sets), data, say)
    assert plain.of(train, GO) == [own]
    assert plain.of(train, GO) == [own]
    assert len(plain.notes) == 1
    assert "emotion learned from goemotions:train" in plain.notes[0]


def test_a_file_that_was_learned_last_is_hinted_by_what_had_not_seen_it(
    tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    also = {"file": "../own.jsonl", "licence": "Apache-2.0"}
    heads = {"emotion": {"kind": "labels", "data": "goemotions", "also": also}}
    folder = training(tmp_path / "late", heads, teacher={"folds": FOLDS}, finish={"epochs": 1})
    monkeypatch.setattr("emowhy.tune.hints.read_folds", lambda folder, data, say: ("goemotions", {}))
    asked: list[str] = []

    def load(names: list[str], taxonomy: Taxonomy) -> list[Words]:
        asked.extend(names)
        own = Words({})
        monkeypatch.setattr(own, "name", names[0], raising=False)
        return [own]

    monkeypatch.setattr("emowhy.tune.hints.load_specialists", load)
    sets = [{"file": name, "labels": "goemotions", "licence": "Apache-2.0"} for name in ("own.jsonl", "other.jsonl")]
    hinters = Hinters(rows(sets=sets, hints_from={"emotion": str(folder)}, specialists=("emotion",)), data, say)
    own, other = hinters._recipe.sets
    with pytest.raises(MissingError, match=r"learned own\.jsonl"):
        hinters.of(own, GO)
    asked.clear()
    (folder / "work" / "early").mkdir()
    assert hinters.of(own, GO)[0].name == f"emotion@{folder / 'work' / 'early'}"
    assert hinters.of(other, GO)[0].name == "emotion"
    assert asked == ["emotion", f"emotion@{folder / 'work' / 'early'}", "emotion"]


def test_cause_spans_come_from_the_fold_that_had_not_seen_the_dialogue(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = tmp_path / "data"
    reccon(data, "train", dialogues=8)
    heads = {"cause": {"kind": "causes", "data": "reccon"}}
    folder = training(tmp_path / "cause", heads, folds=2, max_tokens=64)
    shutil.copy(find_encoder() / "tokenizer.json", folder)

    def weigh(samples: list[Sample]) -> Any:
        return np.tile([0.1, 0.9, 0.1, 0.1, 0.1, 0.1], (len(samples), 1)).astype(np.float32)

    monkeypatch.setattr("emowhy.specialists.training.pipeline.weigh_emotions", weigh)
    place = folder / "work" / "folds-cause"
    place.mkdir()
    samples = [
        row
        for row in find_dataset("reccon").read(data / "reccon", "train")
        if isinstance(row, Sample) and row.gold and row.gold.causes is not None
    ]
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    for number in range(2):
        parts = []
        for sample in samples:
            if training_rows.fold_of(str(sample.extra["dialogue"]), 2, 0) != number:
                continue
            framed = cause.frame(sample, "sadness", tokenizer, 64)
            logits = np.full((len(framed.ids), 4), -5, dtype=np.float32)
            first = framed.turns[1]  # the turn before the target; its words "I lost your N keys ."
            logits[first.first + 1 : first.first + 5, cause.INSIDE] = 5
            logits[first.first + 1, cause.FIRST] = logits[first.first + 4, cause.LAST] = 5
            parts.append(logits)
        np.save(place / f"fold{number}-predicted.npy", np.concatenate(parts) if parts else np.zeros((0, 4)))
    name, table = read_cause_folds(folder, data, say)
    assert name == "reccon"
    for sample in samples:
        span = next(found for found in table[sample.id, sample.text] if found.turn == 0)
        assert sample.context[0].text[span.start : span.end] == sample.context[0].text.removeprefix("I ").removesuffix(
            "."
        )
    np.save(place / "fold0-predicted.npy", np.zeros((1, 4)))
    with pytest.raises(UsageError, match="other data or another emotion specialist"):
        read_cause_folds(folder, data, say)


def test_a_training_is_kept_as_json(emotion: Path) -> None:
    assert json.loads((emotion / "work" / "recipe.json").read_text())["teacher"]["folds"] == FOLDS
