"""Laws of the emotion specialist, whatever its weights are: no figure of theirs is asserted here."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emowhy.errors import MissingError, UsageError
from emowhy.specialists import find_clues, load_specialists
from emowhy.specialists.emotion import EmotionSpecialist
from emowhy.specialists.onnx import FILES, SHIPPED, OnnxModel, find_weights, restore
from emowhy.taxonomy import find_taxonomy, reachable
from emowhy.types import Sample, Turn

GO = find_taxonomy("goemotions")
SETS = ("goemotions", "ekman", "plutchik", "parrott", "empathetic", "meld")
WEIGHTS = SHIPPED / "emotion"
SPECIALIST = EmotionSpecialist(GO)
HARD = {
    "empty": "",
    "blank": " \n\t ",
    "one": "a",
    "emoji": "😭😭 👩‍👧 ❤️",
    "control": "\x00\x01\x1b[31mred\x7f\u202e\u2028",
    "surrogate": "so \ud83d sad",
    "long": "I am so sad and angry about it. " * 1600,
    "one long word": "a" * 50_000,
    "blanks first": " " * 5_000 + "I hate it",
    "chinese": "我今天非常高兴,因为他们来了。",
    "arabic": "أنا حزين جدا اليوم",
    "german": "Ich bin so traurig darüber, dass er ging!",
    "capitals": "I AM SO ANGRY AT ALL OF YOU",
    "special": "[CLS] [SEP] [MASK] [PAD] </s>",
    "combining": "s\u0336a\u0336d\u0336 " * 30,
}

texts = st.one_of(st.text(max_size=200), st.sampled_from(list(HARD.values())))


@given(st.lists(texts, max_size=6))
@settings(max_examples=40, deadline=None)
def test_any_text_has_probabilities_between_zero_and_one(some: list[str]) -> None:
    found = SPECIALIST.probabilities(some)
    assert found.shape == (len(some), len(GO.labels))
    assert np.isfinite(found).all()
    assert ((found >= 0) & (found <= 1)).all()


@pytest.mark.parametrize("text", HARD.values(), ids=HARD)
def test_any_text_gives_clues_or_none_and_only_words_give_some(text: str) -> None:
    (clues,) = SPECIALIST.find_clues([Sample("a", text)], [()])
    assert bool(clues) == any(map(str.isalnum, text))


@pytest.mark.parametrize("spec", [*SETS, "open", "anger, joy, hangry, Neutral", "wistful,"])
def test_clues_are_the_likeliest_labels_of_the_set_in_order(spec: str) -> None:
    taxonomy = find_taxonomy(spec)
    specialist = EmotionSpecialist(taxonomy)
    labels = taxonomy.labels or GO.labels
    assert specialist.thresholds().shape == (len(labels),)
    (clues,) = specialist.find_clues([Sample("a", "I am so angry that they cancelled it!")], [()])
    scores = [clue.score or 0.0 for clue in clues]
    assert len(clues) == min(specialist.top_k, len(labels))
    assert {clue.label for clue in clues} <= set(labels)
    assert len({clue.label for clue in clues}) == len(clues)
    assert scores == sorted(scores, reverse=True)
    assert all(0 <= score <= 1 for score in scores)
    assert all((clue.kind, clue.source) == ("emotion", "emotion") for clue in clues)


def test_a_label_that_nothing_maps_to_has_probability_zero() -> None:
    taxonomy = find_taxonomy("anger, zzyzx, joy")
    found = EmotionSpecialist(taxonomy).probabilities(["I am so angry!", "What a joy"])
    reach = np.array(reachable(GO, taxonomy))
    assert not reach[1]
    assert (found[:, ~reach] == 0).all()
    assert (found[:, reach] > 0).all()


def test_chosen_means_at_or_above_the_labels_threshold() -> None:
    words = ["I love it, thank you!", "I am so angry", "It is a table.", "I am afraid and sad"]
    bounds = dict(zip(GO.labels, SPECIALIST.thresholds().tolist(), strict=True))
    for clues in SPECIALIST.find_clues([Sample(w, w) for w in words], [()] * 4):
        for clue in clues:
            gap = (clue.score or 0.0) - bounds[clue.label or ""]
            assert clue.chosen == (gap >= 0) or abs(gap) < 1e-4  # scores are rounded to four places


@pytest.mark.parametrize("k", [0, 1, 3, 28, 99])
def test_top_k_bounds_the_clues_and_keeps_the_likeliest(k: int, monkeypatch: pytest.MonkeyPatch) -> None:
    sample = Sample("a", "They cancelled it and nobody told us!")
    (usual,) = SPECIALIST.find_clues([sample], [()])
    monkeypatch.setattr(SPECIALIST, "top_k", k)
    (clues,) = SPECIALIST.find_clues([sample], [()])
    assert len(clues) == min(k, 28)
    assert clues[: len(usual)] == usual[:k]


def test_what_is_said_counts_and_where_nothing_is_said_what_was_observed() -> None:
    said = Sample("a", "I am so happy!", context=(Turn("I hate you"),), observations={"face": "crying, sad"})
    alone = Sample("b", "I am so happy!")
    observed = Sample("c", None, observations={"face": "crying, sad", "voice": None})
    as_text = Sample("d", "crying, sad")
    one, two, three, four = (SPECIALIST.find_clues([s], [()])[0] for s in (said, alone, observed, as_text))
    assert one == two
    assert three == four
    assert one != three


BATCH = [
    *(t for t in HARD.values() if len(t) < 1000),
    *(f"I am {w} of it " * n for n, w in enumerate(("sad", "proud", "sick"), 1)),
]


@pytest.mark.parametrize("order", [list(reversed(range(len(BATCH)))), list(range(0, len(BATCH), 2)), [0], [3, 3, 3]])
def test_neither_order_nor_company_changes_a_texts_probabilities(order: list[int]) -> None:
    """To 1e-4: matrix kernels differ in the last digits by shape.

    An export that scales activations by a whole batch's range fails here, and should: it moved figures by .05,
    as much as the least drop that occlusion calls telling, and a resumed run has other batches.
    """
    whole = SPECIALIST.probabilities(BATCH)
    part = SPECIALIST.probabilities([BATCH[i] for i in order])
    assert agree(part, whole[order])


def agree(a: Any, b: Any) -> bool:
    return bool(np.abs(a - b).max() <= 1e-4)


def test_many_texts_at_once_come_out_as_in_portions() -> None:
    many = [f"I am number {i} and {'very ' * (i % 40)}glad" for i in range(300)]
    whole = SPECIALIST.probabilities(many)
    parts = np.concatenate([SPECIALIST.probabilities(many[i : i + 50]) for i in range(0, 300, 50)])
    assert agree(whole, parts)


def test_words_beyond_what_it_reads_change_nothing() -> None:
    start = "I am sad. " * 300
    assert agree(SPECIALIST.probabilities([start]), SPECIALIST.probabilities([start + "What a joy!"]))


def test_no_texts_and_no_samples_give_nothing() -> None:
    assert SPECIALIST.probabilities([]).shape == (0, len(GO.labels))
    assert SPECIALIST.find_clues([], []) == []
    assert find_clues(load_specialists(["emotion"], GO), []) == []


def test_the_identity_names_weights_data_and_licence() -> None:
    identity = SPECIALIST.identity()
    assert {"name", "sha256", "data", "licence"} <= identity.keys()
    assert json.loads(json.dumps(identity)) == identity


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("damage", ["missing", "empty", "half", "garbage"])
def test_damaged_or_missing_weights_are_an_error_with_a_cure(tmp_path: Path, name: str, damage: str) -> None:
    folder = tmp_path / "weights"
    folder.mkdir()
    for file in FILES:
        shutil.copy(WEIGHTS / file, folder)
    path = folder / name
    raw = path.read_bytes()
    if damage == "missing":
        path.unlink()
    else:
        path.write_bytes({"empty": b"", "half": raw[: len(raw) // 2], "garbage": b"\xff\x00 garbage"}[damage])
    with pytest.raises(MissingError) as caught:
        OnnxModel(folder)
    assert str(folder) in caught.value.message
    assert "emowhy" in caught.value.cure


HEADS = {"name": "emotion", "data": "x", "licence": "x", "max_tokens": 128}


@pytest.mark.parametrize(
    "config",
    [
        [],
        {},
        {"labels": ["anger"], "calibration": {}},
        HEADS,
        {**HEADS, "heads": []},
        {**HEADS, "heads": {}},
        {**HEADS, "heads": {"cause": {}}},
    ],
)
def test_a_config_that_lacks_what_is_needed_is_an_error_with_a_cure(tmp_path: Path, config: object) -> None:
    folder = tmp_path / "weights"
    shutil.copytree(WEIGHTS, folder)
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(MissingError) as caught:
        EmotionSpecialist(GO, folder)
    assert str(folder) in caught.value.message
    assert "emowhy" in caught.value.cure


def test_a_missing_folder_is_an_error_with_a_cure(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match="emowhy"):
        EmotionSpecialist(GO, tmp_path / "none")


def test_shipped_weights_are_restored_by_installing_and_others_by_copying_or_training(tmp_path: Path) -> None:
    assert restore(WEIGHTS) == "pip install --force-reinstall --no-deps emowhy"
    own = tmp_path / "cause"
    assert all(part in restore(own) for part in ("emowhy specialists train", "cause.yaml", f"-o {own}"))


def test_weights_are_found_in_the_package_or_else_in_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMOWHY_CACHE", str(tmp_path))
    assert find_weights("emotion") == WEIGHTS
    assert find_weights("no_such") == tmp_path / "specialists" / "no_such"  # where they are missed, and may be put
    shutil.copytree(WEIGHTS, tmp_path / "specialists" / "no_such")
    assert find_weights("no_such") == tmp_path / "specialists" / "no_such"
    (named,) = load_specialists([f"emotion@{tmp_path}/specialists/no_such"], GO)
    assert {**named.identity(), "name": "emotion"} == SPECIALIST.identity()


@given(st.lists(texts, max_size=4))
@settings(max_examples=30, deadline=None)
def test_a_reading_has_an_output_for_each_token_and_offsets_that_slice_the_text(
    tiny_specialist: Path, some: list[str]
) -> None:
    model = OnnxModel(tiny_specialist)
    reading = model.read(some)
    assert reading.outputs.keys() == {"emotion", "cue", "valence", "cause"}
    for text, offsets, emotion, cue in zip(
        some, reading.offsets, reading.outputs["emotion"], reading.outputs["cue"], strict=True
    ):
        assert emotion.shape == (len(GO.labels),)
        assert cue.shape == (len(offsets), 1)
        assert 2 <= len(offsets) <= model.max_tokens
        assert all(0 <= start <= end <= len(text) for start, end in offsets)
        assert [start for start, _ in offsets[1:-1]] == sorted(start for start, _ in offsets[1:-1])


def test_offsets_slice_back_to_the_words_whatever_the_tokenizer_makes_of_them(tiny_specialist: Path) -> None:
    text = "Hello, WÖRLD \ud83d 😭 \x00!"
    offsets = OnnxModel(tiny_specialist).read([text]).offsets[0]
    assert [text[a:b] for a, b in offsets if a < b] == ["Hello", ",", "WÖRLD", "\ud83d", "😭", "!"]


def test_candidate_sets_hold_the_labels_above_their_bound_and_one_at_least(tiny_specialist: Path) -> None:
    specialist = EmotionSpecialist(GO, tiny_specialist)
    samples = [Sample(t, t) for t in ("I am so angry", "table", "They left me")]
    specialist.cover(0.9)  # the tiny specialist's bound is .25
    for sample, clues in zip(samples, specialist.find_clues(samples, [()] * 3), strict=True):
        row = specialist.probabilities([sample.words()])[0]
        assert len(clues) == max(1, int((row >= 0.25).sum()))
        assert clues[0].label == GO.labels[int(row.argmax())]
    for coverage in (0.8, 0.3, 1.0):
        with pytest.raises(UsageError, match="no candidate sets"):
            specialist.cover(coverage)
    with pytest.raises(UsageError, match="no candidate sets"):
        EmotionSpecialist(find_taxonomy("anger, joy"), tiny_specialist).cover(0.9)
