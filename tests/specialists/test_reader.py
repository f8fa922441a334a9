"""Laws of the reader: the emotion is read from what the words tell, never from the label that they name."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emowhy.specialists import load_specialists
from emowhy.specialists.emotion import EmotionSpecialist
from emowhy.specialists.reader import Reader
from emowhy.specialists.words import mask_labels
from emowhy.taxonomy import find_taxonomy, normalise
from emowhy.types import Sample

GO = find_taxonomy("goemotions")
PIECES = ["She", "is", "angry", "Anger!", "happy", "(joyful)", "table", "😭", "\n", "sad-eyed", "proud,", "_"]
texts = st.one_of(st.text(max_size=80), st.lists(st.sampled_from(PIECES), max_size=25).map(" ".join))


def test_words_that_name_a_label_are_hidden_by_hand() -> None:
    text = "Her Anger is plain: she is ANGRY, even furious; the table is not."
    assert mask_labels(text, ("anger", "joy")) == ("Her [MASK] is plain: she is [MASK], even [MASK]; the table is not.")
    assert mask_labels(text, ("joy", "fear")) == text
    assert mask_labels("an angry mob", ("anger",), mask="…") == "an … mob"
    assert mask_labels(text, ()) == text


@given(texts)
@settings(deadline=None)
def test_no_word_is_left_that_names_a_label_and_every_other_stays(text: str) -> None:
    masked = mask_labels(text, GO.labels)
    before, after = re.findall(r"\w+", text), re.findall(r"\w+", masked)
    assert len(before) == len(after)
    for old, new in zip(before, after, strict=True):
        assert new == ("MASK" if normalise(old, GO.labels) in GO.labels else old)
    assert re.split(r"\w+", text) == re.split(r"\w+", masked.replace("[MASK]", "MASK")) or "[MASK]" in text
    assert mask_labels(masked, GO.labels) == masked


@pytest.mark.parametrize("label", GO.labels)
def test_every_label_is_hidden_in_any_case(label: str) -> None:
    for word in (label, label.upper(), label.title()):
        assert mask_labels(f"It tells of {word}.", GO.labels) == "It tells of [MASK]."


@given(st.sampled_from(GO.labels), st.sampled_from(GO.labels))
@settings(max_examples=30, deadline=None)
def test_which_label_is_named_changes_nothing(tiny_specialist: Path, one: str, other: str) -> None:
    reader = Reader(GO, tiny_specialist)
    a, b = reader.probabilities([f"She weeps with {one}, {one}!", f"She weeps with {other}, {other}!"])
    assert np.array_equal(a, b)


def test_a_reader_reads_the_masked_text_as_a_classifier_would(tiny_specialist: Path) -> None:
    texts = ["She is angry that they left.", "He smiles.", ""]
    masked = [mask_labels(text, GO.labels) for text in texts]
    plain = EmotionSpecialist(GO, tiny_specialist)
    assert Reader(GO, tiny_specialist).probabilities(texts) == pytest.approx(plain.probabilities(masked), abs=1e-6)
    assert np.abs(plain.probabilities(texts) - plain.probabilities(masked))[0].max() > 1e-3  # there was a label


@pytest.mark.parametrize("labels", ["ekman", "anger, joy, hangry", "open"])
def test_labels_of_the_data_are_hidden_whatever_set_they_are_carried_to(tiny_specialist: Path, labels: str) -> None:
    reader = Reader(find_taxonomy(labels), tiny_specialist)
    one, two = reader.probabilities(["full of gratitude", "full of remorse"])
    assert np.array_equal(one, two)


def test_a_reader_is_found_by_name_and_says_so(tiny_specialist: Path) -> None:
    (reader,) = load_specialists([f"reader@{tiny_specialist}"], GO)
    (clues,) = reader.find_clues([Sample("a", "They cancelled it.")], [()])
    assert {clue.source for clue in clues} == {f"reader@{tiny_specialist}"}
    assert reader.identity()["name"] == f"reader@{tiny_specialist}"
    assert reader.find_clues([], []) == []
