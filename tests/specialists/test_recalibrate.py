"""Laws of fitting a shipped classifier to rows of the user's own."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from emowhy.errors import InputError, UsageError
from emowhy.specialists import load_specialists
from emowhy.specialists.emotion import EmotionSpecialist
from emowhy.specialists.onnx import FILES
from emowhy.specialists.recalibrate import LEAST_ROWS, recalibrate
from emowhy.taxonomy import find_taxonomy
from emowhy.types import Gold, Sample

GO = find_taxonomy("goemotions")
WORDS = ("table", "rain", "won", "lost", "bus", "late", "cake", "dog", "call", "left", "rent", "song")


def rows(classifier: EmotionSpecialist, count: int, seed: int = 0, far: float = 0.25) -> list[Sample]:
    """Texts whose gold labels are drawn from flatter probabilities than the classifier's own."""
    random = np.random.default_rng(seed)
    texts = [" ".join(random.choice(WORDS, random.integers(3, 12))) for _ in range(count)]
    p = 1 / (1 + np.exp(-far * classifier.scores(texts)))
    gold = random.random(p.shape) < p
    labels = classifier.taxonomy.labels
    return [
        Sample(f"{seed}-{i}", text, gold=Gold(tuple(label for label, has in zip(labels, row, strict=True) if has)))
        for i, (text, row) in enumerate(zip(texts, gold, strict=True))
    ]


@pytest.mark.parametrize("labels", ["goemotions", "ekman", "anger, joy, sadness"])
def test_what_is_written_is_a_specialist_that_fits_new_rows_better(
    tiny_specialist: Path, tmp_path: Path, labels: str
) -> None:
    taxonomy = find_taxonomy(labels)
    old = EmotionSpecialist(taxonomy, tiny_specialist)
    kept = (tiny_specialist / "config.json").read_bytes()
    figures = recalibrate(old, rows(old, 500), tmp_path / "mine")
    assert (tiny_specialist / "config.json").read_bytes() == kept
    (new,) = load_specialists([f"emotion@{tmp_path / 'mine'}"], taxonomy)
    assert isinstance(new, EmotionSpecialist)
    fresh = rows(old, 600, seed=1)
    gold = np.array([[label in (s.gold or Gold()).emotions for label in taxonomy.labels] for s in fresh])  # type: ignore[operator]
    errors = [np.abs(one.probabilities([s.words() for s in fresh]).mean(0) - gold.mean(0)).mean() for one in (old, new)]
    assert errors[1] < errors[0] / 2
    assert figures["after"]["brier_skill"] > figures["before"]["brier_skill"]
    assert figures["before"]["n"] == sum(bool(s.gold and s.gold.emotions) for s in rows(old, 500))


def test_candidate_sets_cover_new_rows_as_promised(tiny_specialist: Path, tmp_path: Path) -> None:
    taxonomy = find_taxonomy("anger, joy, sadness")
    old = EmotionSpecialist(taxonomy, tiny_specialist)
    with pytest.raises(UsageError, match="no candidate sets"):
        old.cover(0.8)
    recalibrate(old, rows(old, 1500), tmp_path)
    new = EmotionSpecialist(taxonomy, tmp_path)
    new.cover(0.8)
    fresh = [s for s in rows(old, 1500, seed=2) if s.gold and s.gold.emotions]
    inside = [
        set(s.gold.emotions or ()) <= {clue.label for clue in clues}
        for s, clues in zip(fresh, new.find_clues(fresh, [()] * len(fresh)), strict=True)
        if s.gold
    ]
    assert np.mean(inside) == pytest.approx(0.8, abs=0.08)  # some 400 rows fit it: a standard error of .02 each side


def test_rows_of_other_label_sets_are_left_as_they_were(tiny_specialist: Path, tmp_path: Path) -> None:
    first = EmotionSpecialist(GO, tiny_specialist)
    recalibrate(first, rows(first, 200), tmp_path)
    before = json.loads((tiny_specialist / "config.json").read_text(encoding="utf-8"))
    after = json.loads((tmp_path / "config.json").read_text(encoding="utf-8"))
    assert after.pop("calibrated")["labels"] == "goemotions"
    fitted = after["heads"]["emotion"]["calibration"].pop("goemotions")
    assert tuple(fitted) == GO.labels
    after["heads"]["emotion"]["conformal"] = before["heads"]["emotion"]["conformal"]
    assert after["heads"]["emotion"].pop("carried") == before["heads"]["emotion"]["calibration"].get("goemotions", {})
    before["heads"]["emotion"]["calibration"].pop("goemotions", None)
    assert after == before
    ekman = find_taxonomy("ekman")
    texts = ["So happy today!", "They cancelled it."]
    old, new = (EmotionSpecialist(ekman, folder).probabilities(texts) for folder in (tiny_specialist, tmp_path))
    assert np.array_equal(old, new)
    for name in set(FILES) - {"config.json"}:
        assert (tmp_path / name).read_bytes() == (tiny_specialist / name).read_bytes()


def test_few_rows_stay_near_what_was_shipped_and_a_label_without_any_keeps_its_threshold(
    tiny_specialist: Path, tmp_path: Path
) -> None:
    taxonomy = find_taxonomy("anger, joy, sadness")
    old = EmotionSpecialist(taxonomy, tiny_specialist)
    some = rows(old, 90, far=1.0)  # as the classifier says
    gold = [Gold(tuple(label for label in (s.gold or Gold()).emotions or () if label != "anger")) for s in some]
    recalibrate(old, [Sample(s.id, s.text, gold=g) for s, g in zip(some, gold, strict=True)], tmp_path)
    new = EmotionSpecialist(taxonomy, tmp_path)
    assert new.fitted.threshold[0] == pytest.approx(old.fitted.threshold[0])
    assert np.abs(new.fitted.scale - old.fitted.scale)[1:].max() < 0.5
    assert np.abs(new.fitted.shift - old.fitted.shift)[1:].max() < 0.5


def test_the_same_rows_fit_the_same_and_a_folder_can_be_fitted_again_in_its_place(
    tiny_specialist: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = EmotionSpecialist(GO, tiny_specialist)
    some = rows(old, 120)
    assert recalibrate(old, some, tmp_path / "one") == recalibrate(old, some, tmp_path / "two")
    one, two = ((tmp_path / name / "config.json").read_bytes() for name in ("one", "two"))
    assert one == two
    monkeypatch.chdir(tmp_path)
    recalibrate(EmotionSpecialist(GO, Path("one")), some, tmp_path / "one")
    assert EmotionSpecialist(GO, tmp_path / "one").probabilities(["rain"]).shape == (1, 28)


@pytest.mark.parametrize("gold", [None, Gold(()), Gold(("hangry",)), Gold(causes=())])
def test_too_few_rows_with_gold_labels_of_the_set_are_an_error_with_a_cure(
    tiny_specialist: Path, tmp_path: Path, gold: Gold | None
) -> None:
    usable = [Sample(str(i), "rain", gold=Gold(("joy",))) for i in range(LEAST_ROWS - 1)]
    useless = [Sample(f"u{i}", "rain", gold=gold) for i in range(60)] + [Sample("w", "?!", gold=Gold(("joy",)))]
    with pytest.raises(InputError, match=f"{LEAST_ROWS - 1} rows .* {LEAST_ROWS} are needed") as caught:
        recalibrate(EmotionSpecialist(GO, tiny_specialist), [*usable, *useless], tmp_path / "none")
    assert "--labels" in caught.value.cure
    assert not (tmp_path / "none").exists()
