"""The public files themselves, which are not ours to ship: read whole, with the published counts."""

from __future__ import annotations

import os

import pytest

from emowhy.datasets import find_dataset, find_folder
from emowhy.errors import MissingError
from emowhy.types import Gold, Sample

pytestmark = pytest.mark.skipif(
    not os.environ.get("EMOWHY_DATA"), reason="needs the public data sets: EMOWHY_DATA=FOLDER, their folders in it"
)


def read(name: str, split: str) -> list[Sample]:
    """The samples of a split, none of whose rows may be rejected."""
    dataset = find_dataset(name)
    try:
        rows = list(dataset.read(find_folder(dataset, None), split))
    except MissingError as error:
        pytest.skip(error.message)
    samples = [row for row in rows if isinstance(row, Sample)]
    assert len(samples) == len(rows)
    assert len({sample.id for sample in samples}) == len(samples)
    return samples


def gold(sample: Sample) -> Gold:
    assert sample.gold is not None
    return sample.gold


@pytest.mark.parametrize(
    ("name", "split", "count"),
    [
        ("goemotions", "train", 43_410),
        ("goemotions", "dev", 5_426),
        ("emobank", "train", 8_062),
        ("emobank", "dev", 1_000),
        ("empathetic_dialogues", "train", 17_802),
        ("empathetic_dialogues", "valid", 2_761),
    ],
)
def test_every_row_is_a_sample_with_gold(name: str, split: str, count: int) -> None:
    samples = read(name, split)
    assert len(samples) == count
    if name == "emobank":
        assert {tuple(gold(sample).answers) for sample in samples} == {("valence", "arousal", "dominance")}
    else:
        used = {label for sample in samples for label in gold(sample).emotions or ()}
        assert used == set(find_dataset(name).label_set())


@pytest.mark.parametrize(
    ("split", "dialogues", "turns", "causes", "latent"),
    [("train", 834, 8_206, 7_630, 359), ("valid", 47, 493, 352, 5)],
)
def test_every_cause_is_there_and_slices_back(split: str, dialogues: int, turns: int, causes: int, latent: int) -> None:
    samples = read("reccon", split)
    assert len({sample.extra["dialogue"] for sample in samples}) == dialogues
    assert len(samples) == turns
    evidence = [place for sample in samples for place in gold(sample).answers.get("evidence", ())]
    assert (len(evidence), evidence.count(None)) == (causes, latent)
    spans = [(sample, cause) for sample in samples for cause in gold(sample).causes or ()]
    assert len(spans) == causes - latent
    for sample, cause in spans:
        assert cause.verified
        assert cause.turn is not None
        assert sample.turns()[cause.turn].text[cause.start : cause.end] == cause.quote
    for sample in samples:
        assert (gold(sample).causes is None) == (gold(sample).emotions == ("neutral",))


def test_label_numbers_are_those_of_the_published_list() -> None:
    dataset = find_dataset("goemotions")
    try:
        listed = find_folder(dataset, None) / "emotions.txt"
    except MissingError as error:
        pytest.skip(error.message)
    if not listed.exists():
        pytest.skip(f"needs {listed}")
    assert tuple(listed.read_text().split()) == dataset.label_set()
