"""Laws of Emotion-Stimulus: the tags go, and what they marked keeps its place."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emowhy.datasets import find_dataset
from emowhy.read import Rejected
from emowhy.types import Cause, Gold, Sample

Read = Callable[[str, Mapping[str, str | bytes], str], tuple[list[Sample], list[Rejected]]]
STIMULUS = "emowhy.datasets.emotion_stimulus:EmotionStimulus"
FILE = "Emotion Cause.txt"


def read(outcomes: Read, *lines: str) -> tuple[list[Sample], list[Rejected]]:
    return outcomes(STIMULUS, {FILE: "\n".join(lines)}, "cause")


def test_tagged_words_are_causes_with_their_place_in_the_clean_text(outcomes: Read) -> None:
    line = r"<happy> Ada beamed <cause>at the parcel<\cause> and <cause> the card<\cause> . <\happy>"
    samples, rejected = read(outcomes, line)
    # "Ada beamed " has 11 characters, "at the parcel" 13, " and " 5, and one space stands before "the card"
    causes = (Cause("at the parcel", 0, None, 11, 24, verified=True), Cause("the card", 0, None, 30, 38, verified=True))
    assert samples == [
        Sample("cause-1", "Ada beamed at the parcel and  the card .", gold=Gold(("happiness",), causes=causes))
    ]
    assert rejected == []


def test_words_that_stand_twice_are_those_that_were_tagged(outcomes: Read) -> None:
    sample = read(outcomes, r"<fear>the dog fears <cause>the dog<\cause><\fear>")[0][0]
    assert sample.gold is not None
    assert sample.gold.causes == (Cause("the dog", 0, None, 14, 21, verified=True),)


def test_without_tags_nobody_looked_for_a_cause(outcomes: Read) -> None:
    samples, _ = outcomes(STIMULUS, {"No Cause.txt": "<sad>He wept all night . <\\sad>\n"}, "no_cause")
    assert samples == [Sample("no_cause-1", "He wept all night .", gold=Gold(("sadness",)))]


@pytest.mark.parametrize("label", ["happy", "sad", "anger", "fear", "surprise", "disgust", "shame"])
@pytest.mark.parametrize("slash", ["\\", "/"])
def test_every_tag_of_the_files_is_a_label(outcomes: Read, label: str, slash: str) -> None:
    samples, rejected = read(outcomes, f"<{label}>Hm <cause>so<{slash}cause> .<{slash}{label}>")
    assert (len(samples), rejected) == (1, [])


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("Just a sentence .", "expected a sentence between an emotion's tags"),
        (r"<sad>He wept .<\happy>", "expected a sentence between an emotion's tags"),
        (r"<bored>He sat .<\bored>", '"bored" is no label of emotion_stimulus'),
        (r"<sad>He <cause>wept .<\sad>", "cause tags do not pair up"),
        (r"<sad>He <\cause>wept<cause> .<\sad>", "cause tags do not pair up"),
        (r"<sad>He <cause>really <cause>wept<\cause><\cause> .<\sad>", "cause tags do not pair up"),
        (r"<sad>He <cause> <\cause> wept .<\sad>", "gold.causes[0].quote: is blank"),
        (r"<sad> <\sad>", "blank text and no observation"),
    ],
)
def test_a_line_with_broken_tags_is_told_and_the_others_are_read(outcomes: Read, line: str, reason: str) -> None:
    samples, rejected = read(outcomes, line, r"<sad>He wept .<\sad>")
    assert [sample.id for sample in samples] == ["cause-2"]
    assert [(row.line, row.reason) for row in rejected] == [(1, reason)]


WORDS = st.text(alphabet="ab é😀.", max_size=6)


@given(parts=st.lists(st.tuples(WORDS, WORDS.filter(str.strip)), min_size=1, max_size=4), end=WORDS)
def test_every_cause_slices_back(
    tmp_path_factory: pytest.TempPathFactory, parts: list[tuple[str, str]], end: str
) -> None:
    folder = tmp_path_factory.mktemp("tags")
    tagged = "".join(rf"{before}<cause>{cause}<\cause>" for before, cause in parts)
    (folder / FILE).write_text(rf"<fear>{tagged}{end}<\fear>", encoding="utf-8")
    (sample,) = find_dataset(STIMULUS).read(folder, "cause")
    assert isinstance(sample, Sample)
    assert sample.text == "".join(before + cause for before, cause in [*parts, (end, "")]).strip()
    assert sample.gold is not None
    assert [cause.quote for cause in sample.gold.causes or ()] == [cause.strip() for _, cause in parts]
    for cause in sample.gold.causes or ():
        assert cause.verified
        assert sample.text[cause.start : cause.end] == cause.quote
