"""Laws of the verbaliser: sentences that fit the schema, say what is known, and differ from row to row."""

from __future__ import annotations

import random
import re
import string
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emowhy.schema import reply_schema
from emowhy.shown import locate, show
from emowhy.taxonomy import normalise
from emowhy.tune import tables
from emowhy.tune.verbaliser import Facts, Quote, fits_text, tame, verbalise
from tune.tuning import GO

FREE = reply_schema(("reasoning", "explanation"), GO.labels, (0,), 256)["properties"]
QUOTE = Quote("lost my keys", 0)
words = st.text(st.characters(blacklist_categories=("Cs", "Cc")), min_size=1, max_size=30)
quotes = st.lists(words, min_size=1, max_size=20).map(" ".join).map(show).filter(bool)
labels = st.lists(st.sampled_from(GO.labels), min_size=1, max_size=3, unique=True)


def given_shape(told: tuple[str, ...]) -> dict[str, Any]:
    """What the schema asks of an explanation whose labels are given."""
    opening = f"The person feels {' and '.join(told)} because"
    found: dict[str, Any] = reply_schema(("explanation",), GO.labels, (0,), 256, opening)["properties"]["explanation"]
    return found


def say(facts: Facts, seed: int, field: str = "explanation", shape: Any = None) -> str:
    return str(verbalise(field, facts, shape or FREE[field], random.Random(seed)))


# The tables -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("label", GO.labels)
def test_every_label_has_four_appraisals_of_its_own(label: str) -> None:
    own = tables.appraisals(label)
    assert len(set(own)) >= 4
    assert own != tables.appraisals("zzz")


def test_an_appraisal_can_stand_inside_any_sentence() -> None:
    for label, appraisal in tables._table("appraisals"):
        assert len(re.findall(r"\{(?:they|them|their)\}", appraisal)) <= 1, appraisal
        plain = appraisal.format(they="they", them="them", their="their")
        assert not set(plain) & set('.!?"“”\\'), appraisal
        assert all(len(word) <= 16 for word in plain.split()), appraisal
        assert len(plain.split()) <= 14, appraisal
        assert normalise(label) == label, "rows are by canonical words"


def test_a_word_without_rows_is_said_as_its_branch_and_a_stranger_generally() -> None:
    assert tables.appraisals("outrage") == tables.appraisals("anger")
    assert tables.appraisals("zzz") == tables.appraisals("other")


def test_every_slot_of_a_frame_is_one_that_is_filled() -> None:
    known = {"person", "labels", "noun", "appraisal", "named", "evidence", "quote", "other", "place", "top"}
    known |= {"valence", "arousal", "dominance", "intensity"}
    for use, frame in tables._table("frames"):
        slots = {name for _, name, _, _ in string.Formatter().parse(frame) if name}
        assert {slot.lower() for slot in slots} <= known, frame
        if use.startswith("because"):
            assert not set(frame) & set('.!?“”"'), frame


@pytest.mark.parametrize(
    ("answer", "value", "called"),
    [
        ("valence", 1.0, "very unpleasant"),
        ("valence", 3.0, "neither pleasant nor unpleasant"),
        ("valence", 5.0, "very pleasant"),
        ("arousal", 1.9, "calm"),
        ("intensity", 0.0, "hardly there"),
        ("intensity", 0.64, "moderate"),
        ("intensity", 1.0, "very strong"),
    ],
)
def test_a_number_is_called_by_the_highest_step_that_it_reaches(answer: str, value: float, called: str) -> None:
    assert tables.degree(answer, value) == called


# What is said ---------------------------------------------------------------------------------------------------


def test_the_same_random_numbers_give_the_same_words() -> None:
    facts = Facts("Ann", ("anger",), (QUOTE,))
    assert say(facts, 5) == say(facts, 5)


def test_there_are_hundreds_of_shapes_for_one_label_and_one_quote() -> None:
    facts = Facts("Ann", ("anger",), (QUOTE,))
    assert len({say(facts, seed) for seed in range(1500)}) > 400
    assert len({say(facts, seed, shape=given_shape(("anger",))) for seed in range(800)}) > 150
    assert len({say(facts, seed, "reasoning") for seed in range(800)}) > 300


@settings(max_examples=150, deadline=None)
@given(labels, quotes, st.integers(0, 9), st.sampled_from(["own", "earlier", "self", "later", "seen"]), st.booleans())
def test_a_sentence_fits_its_schema_and_quotes_only_what_it_was_given(
    told: list[str], quoted: str, seed: int, whose: Any, opened: bool
) -> None:
    quote = Quote(quoted, "scene" if whose == "seen" else 0, whose, "Bo")
    facts = Facts("Ann", tuple(told), (quote,))
    shape = given_shape(tuple(facts.told)) if opened else FREE["explanation"]
    text = say(facts, seed, shape=shape)
    assert fits_text(text, shape)
    for inner in re.findall(r"“([^”]+)”", text.replace(f"“{quoted}”", "")):
        assert inner in quoted


@settings(max_examples=100, deadline=None)
@given(quotes)
def test_a_tamed_quote_is_a_run_of_whole_words_of_it(quoted: str) -> None:
    found = tame(quoted, 6)
    assert locate(found, quoted) is not None
    if found != quoted:
        assert len(found.split()) <= 6
        assert not set(found) & set('.!?…"“”«»\\')


@pytest.mark.parametrize(
    ("quoted", "found"),
    [
        ("I lost my keys", "I lost my keys"),
        ("No! I lost my keys. Again", "I lost my keys"),
        ("Oh, I lost them,", "Oh, I lost them"),
        ("one two three four five six seven", "one two three four five six"),
    ],
)
def test_the_longest_run_without_a_stop_is_quoted(quoted: str, found: str) -> None:
    assert tame(quoted, 6) == found


def test_an_opened_explanation_begins_with_what_is_given() -> None:
    text = say(Facts("Ann", ("pride", "joy"), (QUOTE,)), 1, shape=given_shape(("pride", "joy")))
    assert text.startswith("The person feels pride and joy because ")
    assert text.endswith(".")


def test_neutral_beside_another_label_is_not_explained() -> None:
    assert Facts("Ann", ("neutral", "joy")).told == ("joy",)
    assert Facts("Ann", ("neutral",)).told == ("neutral",)


@pytest.mark.parametrize(
    ("candidates", "use"),
    [((), "none"), (("anger", "joy"), "first"), (("joy", "anger"), "other"), (("joy", "love"), "outside")],
)
def test_reasoning_weighs_the_candidates_and_ends_in_gold(candidates: tuple[str, ...], use: str) -> None:
    facts = Facts("Ann", ("anger",), (QUOTE,), candidates)
    for seed in range(20):
        text = say(facts, seed, "reasoning")
        ends = [frame.format(noun="anger", top=next(iter(candidates), ""), Top=next(iter(candidates), "").capitalize())
                for frame in tables.frames(f"conclude.{use}")]  # fmt: skip
        assert any(text.endswith(end) for end in ends), text


def test_a_cause_that_no_words_state_is_said_to_be_unsaid() -> None:
    latent = {say(Facts("Ann", ("fear",), unsaid=True), seed) for seed in range(30)}
    assert all(re.search(r"not put into words|left unsaid|outright|do not say more", text) for text in latent)


def test_another_labels_nouns_are_used_where_the_labels_are_adjectives() -> None:
    texts = {say(Facts("Ann", ("afraid",), (QUOTE,)), seed) for seed in range(40)}
    assert any("feels afraid" in text for text in texts)
    assert not any(re.search(r"the afraid|is afraid[.,]", text) for text in texts)


def test_observations_are_quotes_that_point_to_the_labels() -> None:
    shape = reply_schema(("observations",), GO.labels, (0, "scene"), 256)["properties"]["observations"]
    facts = Facts(
        "Ann", ("anger",), (Quote("a fist on the table", "scene", "seen"), Quote("lost it", 0, "earlier", "Bo"))
    )
    found = verbalise("observations", facts, shape, random.Random(0))
    assert [item["emotion"] for item in found] == ["anger", "anger"]
    assert [item["strength"] for item in found] == ["strong", "moderate"]
    assert "scene" in found[0]["observation"]
    assert "Bo" in found[1]["observation"]


def test_what_cannot_be_said_shortly_enough_is_refused() -> None:
    with pytest.raises(ValueError, match="short enough"):
        verbalise("explanation", Facts("Ann", ("anger",)), {"minLength": 1, "maxLength": 5}, random.Random(0))
