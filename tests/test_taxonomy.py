"""Laws of the label sets, the words, the branches and the maps."""

from __future__ import annotations

import csv
import hashlib
import itertools
import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emowhy import taxonomy
from emowhy.errors import UsageError
from emowhy.taxonomy import (
    Pair,
    Place,
    Provenance,
    Taxonomy,
    carry,
    find_map,
    find_pairs,
    find_taxonomy,
    normalise,
    place,
    reachable,
    similarity,
)

NAMES = ("goemotions", "ekman", "plutchik", "parrott", "empathetic", "meld")
GO, EKMAN, PLUTCHIK, PARROTT, EMPATHETIC, MELD = (find_taxonomy(name) for name in NAMES)
OWN = find_taxonomy("happy, Frustrated, nostalgic, hangry, neutral")
SETS = (GO, EKMAN, PLUTCHIK, PARROTT, EMPATHETIC, MELD, OWN)
SURFACES = sorted(taxonomy._words()[0])
CANONICAL = sorted(taxonomy._words()[1])
PAIRS = list(itertools.product(SETS, SETS))
DATA = Path(os.environ.get("EMOWHY_DATA", Path(__file__).parents[2] / "shared" / "data"))

words = st.one_of(
    st.text(max_size=20), st.sampled_from(SURFACES), st.sampled_from(SURFACES).map(lambda w: f" {w.title()}!")
)


def data(path: str) -> Path:
    """A file of the public data sets, which are not ours to ship; the test is skipped where it is not."""
    if not (DATA / path).exists():
        pytest.skip(f"needs {DATA / path}")
    return DATA / path


def rows(table: str, columns: int) -> list[list[str]]:
    return taxonomy._rows(table, columns)


# Label sets


@pytest.mark.parametrize(
    ("labels", "size"), [(GO, 28), (EKMAN, 7), (PLUTCHIK, 9), (PARROTT, 7), (EMPATHETIC, 32), (MELD, 7)]
)
def test_a_label_set_has_its_size_and_no_label_twice(labels: Taxonomy, size: int) -> None:
    assert len(labels.labels) == len(set(labels.labels)) == size
    assert not labels.is_open


def test_goemotions_stands_in_id_order() -> None:
    assert GO.labels == tuple(data("goemotions/emotions.txt").read_text().split())


def test_empathetic_has_the_names_of_the_data_set() -> None:
    with data("empathetic_dialogues/situations_valid.csv").open(newline="") as file:
        assert set(EMPATHETIC.labels) == {row["emotion"] for row in csv.DictReader(file)}


def test_the_open_set_has_no_labels() -> None:
    assert find_taxonomy("open") == Taxonomy("open", ())
    assert find_taxonomy("open").is_open


def test_a_name_is_found_in_any_case() -> None:
    assert find_taxonomy(" GoEmotions ") is GO


def test_a_users_list_is_stripped_and_its_blanks_dropped() -> None:
    assert find_taxonomy(" calm, Very angry ,, other,").labels == ("calm", "Very angry", "other")


@pytest.mark.parametrize("spec", ["a,b,c", "one,"])
def test_a_users_list_is_found_again_by_its_name(spec: str) -> None:
    assert find_taxonomy(find_taxonomy(spec).name) == find_taxonomy(spec)


@pytest.mark.parametrize(
    ("spec", "said"), [("a, b, A", "'A' stands twice"), (" , ", "no labels"), ("", "unknown"), ("joy", "unknown")]
)
def test_a_bad_spec_is_a_usage_error(spec: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        find_taxonomy(spec)


def test_a_misspelt_name_is_told_the_nearest() -> None:
    with pytest.raises(UsageError, match="did you mean 'ekman'"):
        find_taxonomy("eckman")


def test_importing_stays_light() -> None:
    code = "import sys, emowhy.taxonomy; sys.exit('numpy' in sys.modules or 'yaml' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# Words


@pytest.mark.parametrize(
    ("word", "canonical"),
    [
        ("angry", "anger"),
        (" Angry! ", "anger"),
        ("“sad”", "sadness"),
        ("frustrated", "frustration"),
        ("furious", "fury"),
        ("mad", "anger"),
        ("thrilled", "excitement"),
        ("realisation", "realization"),
        ("grief-stricken", "grief"),
        ("stressed_out", "stress"),
        ("no  clear emotion", "neutral"),
        ("happiness", "happiness"),
        ("not angry", "not angry"),
        ("Schadenfreude", "schadenfreude"),
        ("愤怒", "愤怒"),
        ("दुखी", "दुखी"),
        ("😡", "😡"),
        ("...", ""),
    ],
)
def test_a_word_has_its_canonical_form(word: str, canonical: str) -> None:
    assert normalise(word) == canonical


@pytest.mark.parametrize(
    ("word", "labels", "landed"),
    [
        ("happy", EKMAN.labels, "joy"),
        ("happy", ("happiness", "joy"), "happiness"),
        ("happy", EMPATHETIC.labels, "joyful"),
        ("Joy", EMPATHETIC.labels, "joyful"),
        ("scared", EMPATHETIC.labels, "afraid"),
        ("remorse", EMPATHETIC.labels, "guilty"),
        ("furious", EKMAN.labels, "anger"),
        ("anger", ("furious", "sad"), "anger"),
        ("joy", ("Joy", "Sad"), "Joy"),
        ("unhappy", ("sad", "sadness"), "sadness"),
        ("sorrow", ("sad", "saddened"), "sorrow"),
        ("Bored", EKMAN.labels, "bored"),
        ("hangry", EKMAN.labels, "hangry"),
    ],
)
def test_a_word_lands_on_the_label_that_means_it_or_is_kept(word: str, labels: tuple[str, ...], landed: str) -> None:
    assert normalise(word, labels) == landed


@given(words)
def test_normalising_twice_changes_nothing(word: str) -> None:
    assert normalise(normalise(word)) == normalise(word)
    for labels in SETS:
        once = normalise(word, labels.labels)
        assert normalise(once, labels.labels) == once


@given(st.text(max_size=20))
def test_an_unknown_word_is_only_cleaned(word: str) -> None:
    cleaned = normalise(word)
    if cleaned not in CANONICAL:
        assert cleaned in " ".join(word.casefold().split())
        kept = normalise(word, EKMAN.labels)
        assert kept == cleaned


@given(words)
def test_a_word_comes_back_as_a_label_or_as_itself(word: str) -> None:
    for labels in SETS:
        landed = normalise(word, labels.labels)
        assert landed in labels.labels or landed in " ".join(word.casefold().split())


@pytest.mark.parametrize("labels", SETS, ids=lambda t: t.name)
def test_every_label_lands_on_itself(labels: Taxonomy) -> None:
    assert [normalise(label.upper(), labels.labels) for label in labels.labels] == list(labels.labels)


def test_a_surface_word_stands_once_in_the_table() -> None:
    cells = [row[:3] for row in rows("words", 4)]
    seen = Counter(word for row in cells for cell in row for word in taxonomy._list(cell))
    assert [word for word, n in seen.items() if n > 1] == []
    assert len(seen) > 1000


def test_the_table_is_written_as_words_are_looked_up() -> None:
    assert [word for word in SURFACES if word != " ".join(word.casefold().replace("-", " ").split())] == []


def test_a_near_word_is_another_canonical_word() -> None:
    for canonical, near in taxonomy._words()[1].items():
        assert len(set(near)) == len(near)
        assert canonical not in near
        assert set(near) <= set(CANONICAL)


def test_a_known_label_set_has_no_two_labels_of_one_form() -> None:
    for labels in (GO, EKMAN, PLUTCHIK, PARROTT, EMPATHETIC, MELD):
        assert len({normalise(label) for label in labels.labels}) == len(labels.labels)


def test_a_goemotions_label_is_canonical() -> None:
    assert [normalise(label) for label in GO.labels] == list(GO.labels)


# Branches


def test_every_goemotions_label_has_a_place() -> None:
    assert [label for label in GO.labels if place(label) is None] == []


def test_a_word_has_one_place_and_keeps_its_name() -> None:
    placed = [word for row in rows("branches", 4) for word in taxonomy._list(row[2])]
    assert len(placed) == len(set(placed))
    assert [word for word in placed if normalise(word) != word or word not in CANONICAL] == []


def test_the_branches_are_parrotts_but_for_the_recorded_deviations() -> None:
    tree = json.loads(data("taxonomies/parrott2001_tree.json").read_text())
    expected = {primary: Place(primary, primary) for primary in tree}
    for primary, secondaries in tree.items():
        for secondary in secondaries:
            expected.setdefault(secondary, Place(primary, secondary))
    for primary, secondaries in tree.items():
        for secondary, tertiary in secondaries.items():
            for word in tertiary:
                expected.setdefault(word, Place(primary, secondary))
    for word in ("disgust", *tree["anger"]["disgust"]):
        expected[word] = Place("disgust", "disgust")
    found = taxonomy._branches()
    assert {word: found.get(word) for word in expected} == expected
    reasons = {word: row[3] for row in rows("branches", 4) for word in taxonomy._list(row[2])}
    assert [word for word in found if word not in expected and not reasons[word]] == []


@given(words, words)
def test_similarity_is_symmetric_and_one_on_itself(a: str, b: str) -> None:
    assert similarity(a, b) == similarity(b, a)
    assert similarity(a, b) in {1.0, 0.75, 0.5, 0.0}
    assert similarity(a, a) == 1.0
    assert (similarity(a, b) == 1.0) == (normalise(a) == normalise(b))


@pytest.mark.parametrize(
    ("a", "b", "value"),
    [
        ("angry", "anger", 1),
        ("guilt", "remorse", 0.75),
        ("joy", "happiness", 0.5),
        ("gratitude", "pride", 0.5),
        ("anger", "disgust", 0),
        ("joy", "sadness", 0),
        ("neutral", "calm", 0),
        ("hangry", "hangry", 1),
        ("hangry", "anger", 0),
    ],
)
def test_similarity_follows_the_branches(a: str, b: str, value: float) -> None:
    assert similarity(a, b) == value


def test_another_table_needs_another_version() -> None:
    """Scores depend on these two files: raise TABLE_VERSION, then write the new digest here."""
    folder = Path(taxonomy.__file__).parent / "taxonomies"
    content = b"".join((folder / name).read_bytes() for name in ("words.tsv", "branches.tsv"))
    digests = {"1": "708a1206d5f4a3c5"}
    assert digests[taxonomy.TABLE_VERSION] == hashlib.sha256(content).hexdigest()[:16]


# Maps


@pytest.mark.parametrize(("source", "target"), PAIRS, ids=lambda t: t.name)
def test_a_map_is_total_and_ends_in_the_target_set(source: Taxonomy, target: Taxonomy) -> None:
    found = find_map(source, target)
    assert tuple(found) == source.labels
    for ends in found.values():
        assert set(ends) <= set(target.labels)
        assert len(ends) == len(set(ends))


@pytest.mark.parametrize(("source", "target"), PAIRS, ids=lambda t: t.name)
def test_every_pair_has_its_provenance_and_an_unmappable_label_is_said_so(source: Taxonomy, target: Taxonomy) -> None:
    pairs = find_pairs(source, target)
    assert {pair.provenance for pair in pairs} <= set(get_args(Provenance))
    for pair in pairs:
        alone = [other.target for other in pairs if other.source == pair.source] == [None]
        assert alone == (pair.target is None)
        assert pair.reason or pair.target is not None


@pytest.mark.parametrize("labels", SETS, ids=lambda t: t.name)
def test_a_set_maps_to_itself_label_by_label(labels: Taxonomy) -> None:
    assert find_map(labels, labels) == {label: (label,) for label in labels.labels}


def test_a_label_of_both_sets_maps_to_itself() -> None:
    for source, target in PAIRS:
        for label, ends in find_map(source, target).items():
            assert ends == (label,) or label not in target.labels


def test_ekman_and_meld_follow_the_goemotions_paper() -> None:
    groups = {
        "anger": {"anger", "annoyance", "disapproval"},
        "disgust": {"disgust"},
        "fear": {"fear", "nervousness"},
        "joy": {"admiration", "amusement", "approval", "caring", "desire", "excitement", "gratitude", "joy", "love",
                "optimism", "pride", "relief"},
        "sadness": {"disappointment", "embarrassment", "grief", "remorse", "sadness"},
        "surprise": {"confusion", "curiosity", "realization", "surprise"},
        "neutral": {"neutral"},
    }  # fmt: skip
    for target in (EKMAN, MELD):
        found = find_map(GO, target)
        assert {end: {go for go, ends in found.items() if ends == (end,)} for end in target.labels} == groups


def test_ekman_agrees_with_the_papers_file() -> None:
    published = json.loads(data("goemotions/ekman_mapping.json").read_text())
    pairs = {(pair.source, pair.target) for pair in find_pairs(GO, EKMAN) if pair.provenance == "goemotions-paper"}
    assert pairs == {(label, group) for group, labels in published.items() for label in labels}


def test_parrott_follows_the_branches_but_for_disgust() -> None:
    for pair in find_pairs(GO, PARROTT):
        spot = place(pair.source)
        assert spot is not None
        assert pair.target == ("anger" if pair.source == "disgust" else spot.primary)


def test_from_goemotions_every_row_is_written_by_hand() -> None:
    for target in (EKMAN, MELD, PLUTCHIK, PARROTT, EMPATHETIC):
        assert {pair.provenance for pair in find_pairs(GO, target)} <= {
            "goemotions-paper", "plutchik-1980", "parrott-2001", "ours",
        }  # fmt: skip


def test_the_map_table_names_known_sets_labels_and_provenances_once() -> None:
    table = rows("maps", 6)
    for source, targets, label, ends, provenance, _reason in table:
        assert label in find_taxonomy(source).labels
        assert provenance in get_args(Provenance)
        for target in taxonomy._list(targets):
            assert set(taxonomy._list(ends)) <= set(find_taxonomy(target).labels)
    keys = [(source, target, label) for source, targets, label, *_ in table for target in taxonomy._list(targets)]
    assert len(keys) == len(set(keys)) == len(taxonomy._maps())


def test_maps_without_rows_are_composed() -> None:
    assert find_map(EKMAN, PARROTT)["disgust"] == ("anger",)
    assert find_map(PARROTT, PLUTCHIK)["love"] == ("joy", "trust")
    assert find_map(EMPATHETIC, EKMAN)["hopeful"] == ("joy",)
    assert Pair("annoyed", "anger", "composed", "through annoyance") in find_pairs(EMPATHETIC, EKMAN)


def test_the_unmappable_stays_unmapped() -> None:
    assert find_map(PLUTCHIK, EKMAN)["anticipation"] == ()
    assert find_map(EMPATHETIC, GO)["prepared"] == ()
    assert find_map(GO, EMPATHETIC)["neutral"] == ()


def test_a_users_list_maps_word_by_word_and_by_branch() -> None:
    assert find_map(OWN, EKMAN) == {
        "happy": ("joy",), "Frustrated": ("anger",), "nostalgic": (), "hangry": (), "neutral": ("neutral",),
    }  # fmt: skip
    back = find_map(GO, find_taxonomy("Happy,angry,other"))
    assert (back["amusement"], back["annoyance"], back["fear"]) == (("Happy",), ("angry",), ())


def test_a_borrowed_name_gets_no_rows_of_the_known_set() -> None:
    borrowed = Taxonomy("goemotions", ("approval", "sadness"))
    assert find_map(borrowed, Taxonomy("ekman", ("sad",))) == {"approval": (), "sadness": ("sad",)}


def test_the_open_set_cannot_be_mapped() -> None:
    for source, target in ((find_taxonomy("open"), EKMAN), (EKMAN, find_taxonomy("open"))):
        with pytest.raises(UsageError, match="open"):
            find_map(source, target)


# Carrying probabilities


def probabilities(source: Taxonomy, n: int = 50) -> np.ndarray:
    return np.random.default_rng(0).random((n, len(source.labels)))


@pytest.mark.parametrize(("source", "target"), PAIRS, ids=lambda t: t.name)
def test_carried_probabilities_stay_probabilities_and_unreached_labels_get_zero(
    source: Taxonomy, target: Taxonomy
) -> None:
    carried = carry(probabilities(source), source, target)
    assert carried.shape == (50, len(target.labels))
    assert ((carried >= 0) & (carried <= 1)).all()
    assert tuple(bool(column.any()) for column in carried.T) == reachable(source, target)


def test_carrying_is_noisy_or() -> None:
    p = np.zeros((1, 28))
    p[0, GO.labels.index("anger")], p[0, GO.labels.index("annoyance")] = 0.5, 0.4
    assert carry(p, GO, EKMAN)[0] == pytest.approx([0.7, 0, 0, 0, 0, 0, 0])  # 1 - .5 * .6


def test_more_of_a_source_label_never_means_less_of_a_target_label() -> None:
    p = probabilities(GO)
    for column in range(28):
        more = p.copy()
        more[:, column] = (1 + more[:, column]) / 2
        for target in (EKMAN, PLUTCHIK, EMPATHETIC):
            assert (carry(more, GO, target) >= carry(p, GO, target)).all()


def test_carrying_to_the_same_set_changes_nothing() -> None:
    assert carry(probabilities(GO), GO, GO) == pytest.approx(probabilities(GO))


def test_carrying_keeps_the_type_and_takes_no_rows() -> None:
    assert carry(np.zeros((0, 28), np.float32), GO, EKMAN).dtype == np.float32
    assert carry(np.zeros((0, 28)), GO, EKMAN).shape == (0, 7)


@pytest.mark.parametrize("shape", [(28,), (2, 27)])
def test_an_array_of_another_shape_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="28"):
        carry(np.zeros(shape), GO, EKMAN)


@pytest.mark.parametrize(("target", "label", "expected"), [(EMPATHETIC, "lonely", False), (EMPATHETIC, "sad", True)])
def test_reachable_tells_silence_from_zero(target: Taxonomy, label: str, expected: bool) -> None:
    assert reachable(GO, target)[target.labels.index(label)] is expected
