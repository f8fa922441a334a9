"""Laws of CovidET: a sample is a post and one emotion of it, and every annotator is heard."""

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


COVIDET = "emowhy.datasets.covidet:CovidEt"
FEAR = {"Emotion": "fear", "Abstractive": "The clinic has no beds left."}
OTHER = {"Emotion": "fear", "Abstractive": "The writer may have to wait."}
JOY = {"Emotion": "joy", "Abstractive": "A neighbour brought soup."}
TEXT = "No beds at the clinic, but a neighbour brought soup."


def published(*annotations: list[dict[str, str]], **more: Any) -> dict[str, Any]:
    """A post as the public files have it."""
    said = {f"Annotation {place} | Worker ID = W{place}": one for place, one in enumerate(annotations)}
    return {"Reddit ID": "p1", "Reddit Post": TEXT, "Annotations": said, **more}


def read(outcomes: Read, posts: Any) -> tuple[list[Sample], list[Rejected]]:
    return outcomes(COVIDET, {"val_anonymized-WITH_POSTS.json": json.dumps(posts)}, "val")


EXPECTED = [
    Sample(
        "p1-fear",
        TEXT,
        question="What triggers the writer's fear?",
        gold=Gold(
            ("fear",),
            explanation="The clinic has no beds left.",
            answers={"explanations": ["The clinic has no beds left.", "The writer may have to wait."]},
        ),
        extra={"post": "p1"},
    ),
    Sample(
        "p1-joy",
        TEXT,
        question="What triggers the writer's joy?",
        gold=Gold(
            ("joy",), explanation="A neighbour brought soup.", answers={"explanations": ["A neighbour brought soup."]}
        ),
        extra={"post": "p1"},
    ),
]


@pytest.mark.parametrize(
    "posts",
    [
        {"0": published([FEAR, JOY], [OTHER])},
        [published([FEAR, JOY], [OTHER])],
        [{"id": "p1", "text": TEXT, "annotations": {"a": [FEAR, JOY], "b": [OTHER]}}],
        [{"id": "p1", "text": TEXT, "annotations": [FEAR, JOY, OTHER]}],
        [
            {
                "id": "p1",
                "text": TEXT,
                "annotations": {
                    "a": {"fear": FEAR["Abstractive"], "joy": JOY["Abstractive"]},
                    "b": {"fear": OTHER["Abstractive"]},
                },
            }
        ],
    ],
)
def test_each_emotion_of_a_post_asks_for_its_trigger_however_the_annotations_are_written(
    outcomes: Read, posts: Any
) -> None:
    assert read(outcomes, posts) == (EXPECTED, [])


def test_where_nobody_saw_an_emotion_there_is_no_sample(outcomes: Read) -> None:
    assert read(outcomes, [published([{"Emotion": "NA"}], [{"Emotion": "NA"}])]) == ([], [])
    samples, rejected = read(outcomes, [published([{"Emotion": "NA"}], [JOY])])
    assert ([sample.id for sample in samples], rejected) == (["p1-joy"], [])


def test_a_post_without_an_id_is_called_by_its_key(outcomes: Read) -> None:
    post = {key: value for key, value in published([JOY]).items() if key != "Reddit ID"}
    assert [sample.id for sample in read(outcomes, {"17": post})[0]] == ["17-joy"]


@pytest.mark.parametrize(
    ("post", "id", "reason"),
    [
        (
            published([JOY], **{"Reddit Post": None}),
            "p1-joy",
            "the post's text is not in this file; get the one WITH_POSTS",
        ),
        (published([{"Emotion": "joy"}]), "p1-joy", "nobody says what triggers joy"),
        (published([{"Emotion": "calm", "Abstractive": "Tea."}]), "p1-calm", '"calm" is no label of covidet'),
        (published([{"Emotion": 3, "Abstractive": "Tea."}]), None, "post 'p1': an annotation without an emotion"),  # type: ignore[dict-item]
        (
            published("joy"),  # type: ignore[arg-type]
            None,
            "post 'p1': expected annotations of an emotion and its trigger",
        ),
        (published(Annotations="joy"), None, "post 'p1': expected its annotations by annotator"),
        (published([JOY], **{"Reddit Post": " "}), "p1-joy", "blank text and no observation"),
    ],
)
def test_a_broken_post_is_told_and_the_others_are_read(outcomes: Read, post: Any, id: str | None, reason: str) -> None:
    good = published([JOY], **{"Reddit ID": "p2"})
    for posts in ([post, good], {"0": post, "1": good}):
        samples, rejected = read(outcomes, posts)
        assert [sample.id for sample in samples] == ["p2-joy"]
        assert [(row.line, row.id, row.reason) for row in rejected] == [(1, id, reason)]


def test_what_is_no_post_is_told(outcomes: Read) -> None:
    assert [row.reason for row in read(outcomes, {"0": 7, "1": published([JOY])})[1]] == [
        "post '0': expected an object"
    ]
    assert [row.reason for row in read(outcomes, [7, published([JOY])])[1]] == ["expected an object, got a number"]


JSON = st.recursive(
    st.none() | st.integers(0, 2) | st.sampled_from(["fear", "NA", ""]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*FEAR, "fear"]), inner, max_size=2),
    max_leaves=6,
)


@given(JSON, st.booleans())
def test_no_annotations_crash_and_the_next_post_is_read(
    tmp_path_factory: pytest.TempPathFactory, annotations: Any, listed: bool
) -> None:
    folder = tmp_path_factory.mktemp("any")
    posts = [published(Annotations=annotations), published([JOY], **{"Reddit ID": "p2"})]
    (folder / "val.json").write_text(json.dumps(posts if listed else dict(zip("01", posts, strict=True))))
    rows = list(find_dataset(COVIDET).read(folder, "val"))
    assert rows[-1].id == "p2-joy"
    assert len({row.id for row in rows if isinstance(row, Sample)}) == sum(isinstance(row, Sample) for row in rows)
