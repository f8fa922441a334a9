"""Laws of MERR: what face and voice show is told in words, beside the subtitle; the caption is gold only."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emowhy.datasets import find_dataset
from emowhy.read import Rejected
from emowhy.types import Gold, Sample

Read = Callable[[str, Mapping[str, str | bytes], str], tuple[list[Sample], list[Rejected]]]
NAME = "emowhy.datasets.merr:Merr"
FILE = "MERR_fine_grained.json"
CLIP = {
    "AU_list": ["AU04", "AU15"],
    "peak_AU_list": ["AU05_r", "AU26: 1.4"],
    "visual_prior_list": ["Eyes fixed on the door", " "],
    "audio_prior_list": "a rising, breathless voice",
    "text": "They are here already!",
    "pseu_emotion": "surprise",
    "smp_reason_caption": "Wide eyes and a rising voice tell of surprise.",
}


def read(outcomes: Read, **clips: Any) -> tuple[list[Sample], list[Rejected]]:
    return outcomes(NAME, {FILE: json.dumps(clips)}, "all")


def test_face_and_voice_are_observations_and_the_caption_is_gold(outcomes: Read) -> None:
    assert read(outcomes, clip_1=CLIP) == (
        [
            Sample(
                "clip_1",
                "They are here already!",
                observations={
                    "face": "upper eyelids raised, jaw dropped; Eyes fixed on the door",
                    "voice": "a rising, breathless voice",
                },
                gold=Gold(("surprise",), explanation="Wide eyes and a rising voice tell of surprise."),
            )
        ],
        [],
    )


@pytest.mark.parametrize(
    ("units", "face"),
    [
        ({"peak_AU_list": []}, "brows lowered, lip corners pulled down; Eyes fixed on the door"),
        (
            {"peak_AU_list": {"AU12_r": 2.1, "AU06_r": 1.0}},
            "lip corners pulled up, cheeks raised; Eyes fixed on the door",
        ),
        ({"peak_AU_list": "AU12, AU12, AU99"}, "lip corners pulled up, AU99; Eyes fixed on the door"),
        ({"peak_AU_list": None, "AU_list": None}, "Eyes fixed on the door"),
    ],
)
def test_action_units_are_told_in_words_the_peaks_first(outcomes: Read, units: Any, face: str) -> None:
    samples, _ = read(outcomes, clip_1=CLIP | units)
    assert samples[0].observations["face"] == face


def test_what_nobody_said_is_no_text_and_a_scene_is_told_where_there_is_one(outcomes: Read) -> None:
    samples, rejected = read(outcomes, clip_1=CLIP | {"text": " ", "scene": "a dim hallway"})
    assert rejected == []
    assert samples[0].text is None
    assert samples[0].observations["scene"] == "a dim hallway"


def test_a_label_has_one_spelling(outcomes: Read) -> None:
    words = {"a": "anger", "b": "angry", "c": "sadness", "d": "worry", "e": "contempt"}
    samples, _ = read(outcomes, **{clip: CLIP | {"pseu_emotion": word} for clip, word in words.items()})
    assert [sample.gold and sample.gold.emotions for sample in samples] == [
        ("angry",), ("angry",), ("sad",), ("worried",), ("contempt",)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("clip", "reason"),
    [
        (7, "'clip_1': expected an object, got a number"),
        (CLIP | {"pseu_emotion": "bored"}, '"bored" is no label of merr'),
        ({"text": "Oh."}, "no 'pseu_emotion'"),
        (CLIP | {"AU_list": 4, "peak_AU_list": []}, "AU_list: expected a string or a list of them, got a number"),
        (CLIP | {"audio_prior_list": [1]}, "audio_prior_list: expected a string or a list of them, got a list"),
        ({"pseu_emotion": "sad", "text": " "}, "blank text and no observation"),
        (CLIP | {"text": ["Oh."]}, "text: expected a string, got a list"),
    ],
)
def test_a_broken_clip_is_told_and_the_others_are_read(outcomes: Read, clip: Any, reason: str) -> None:
    samples, rejected = read(outcomes, clip_1=clip, clip_2=CLIP)
    assert [sample.id for sample in samples] == ["clip_2"]
    assert [(row.line, row.reason) for row in rejected] == [(1, reason)]


VALUES = st.none() | st.booleans() | st.integers() | st.text(max_size=4) | st.lists(st.text(max_size=3), max_size=2)


@given(st.sampled_from(sorted(CLIP)), VALUES)
def test_no_value_crashes_or_loses_a_clip(tmp_path_factory: pytest.TempPathFactory, key: str, value: Any) -> None:
    folder = tmp_path_factory.mktemp("any")
    (folder / FILE).write_text(json.dumps({"a": CLIP | {key: value}, "b": CLIP}))
    assert len(list(find_dataset(NAME).read(folder, "all"))) == 2
