"""Laws of EmoCause: a cause is one word, at the place of its token in the raw text."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emowhy.datasets import find_dataset
from emowhy.read import Rejected
from emowhy.types import Cause, Gold, Sample

Read = Callable[[str, Mapping[str, str | bytes], str], tuple[list[Sample], list[Rejected]]]
EMOCAUSE = "emowhy.datasets.emocause:EmoCause"
TEXT = "My dog saw another dog, and didn't bark at the dog."
TOKENS = ["my", "dog", "saw", "another", "dog", ",", "and", "did", "n't", "bark", "at", "the", "dog", "."]


def item(annotation: Any, **more: Any) -> dict[str, Any]:
    return {
        "original_situation": TEXT,
        "tokenized_situation": TOKENS,
        "emotion": "surprised",
        "conv_id": "hit:1_conv:2",
        "annotation": annotation,
        "labels": [],
        **more,
    }


def read(outcomes: Read, *items: Any) -> tuple[list[Sample], list[Rejected]]:
    return outcomes(EMOCAUSE, {"valid.json": json.dumps(items)}, "valid")


def test_a_word_is_the_one_at_its_index_and_stands_in_the_raw_text(outcomes: Read) -> None:
    samples, rejected = read(outcomes, item([["dog", 4], ["n't", 8], ["my", 0], ["dog", 4]]))
    # the second dog is at 19: "My dog saw another " has 19 characters
    causes = (
        Cause("dog", 0, None, 19, 22, verified=True),
        Cause("n't", 0, None, 31, 34, verified=True),
        Cause("My", 0, None, 0, 2, verified=True),
    )
    assert samples == [Sample("hit:1_conv:2", TEXT, gold=Gold(("surprised",), causes=causes))]
    assert rejected == []


@pytest.mark.parametrize("tokens", [TOKENS, " ".join(TOKENS)])
@pytest.mark.parametrize("emotion", ["surprised", "__surprised__"])
def test_tokens_and_label_are_read_in_either_form(outcomes: Read, tokens: Any, emotion: str) -> None:
    plain = read(outcomes, item([["bark", 9]]))
    assert plain[1] == []
    assert read(outcomes, item([["bark", 9]], tokenized_situation=tokens, emotion=emotion)) == plain


def test_a_comma_that_was_written_out_is_one_again(outcomes: Read) -> None:
    text = TEXT.replace(",", "_comma_")
    assert read(outcomes, item([["bark", 9]], original_situation=text)) == read(outcomes, item([["bark", 9]]))


def test_an_index_that_is_off_is_mended_only_where_one_token_is_the_word(outcomes: Read) -> None:
    samples, rejected = read(outcomes, item([["bark", 3]]), item([["dog", 3]]))
    assert samples[0].gold is not None
    assert samples[0].gold.causes == (Cause("bark", 0, None, 35, 39, verified=True),)
    assert [(row.line, row.reason) for row in rejected] == [(2, "annotation: 'dog' is not token 3 of the situation")]


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        (item([["cat", 1]]), "annotation: 'cat' is not token 1 of the situation"),
        (item([["dog", -2]]), "annotation: 'dog' is not token -2 of the situation"),
        (item([["dog", "4"]]), "annotation: expected pairs of a word and its index"),
        (item([["dog", True]]), "annotation: expected pairs of a word and its index"),
        (item("dog"), "annotation: expected a list, got a string"),
        (item([], tokenized_situation=7), "tokenized_situation: expected tokens"),
        (item([], original_situation=7), "original_situation: expected a string, got a number"),
        (item([], emotion="bored"), '"bored" is no label of emocause'),
        (
            item([["cat", 0]], tokenized_situation=["cat"]),
            "annotation: 'cat' is not in the situation's text where it should be",
        ),
    ],
)
def test_a_broken_situation_is_told_and_the_others_are_read(outcomes: Read, broken: Any, reason: str) -> None:
    samples, rejected = read(outcomes, broken, item([["bark", 9]], conv_id="good"))
    assert [sample.id for sample in samples] == ["good"]
    assert [(row.line, row.reason) for row in rejected] == [(1, reason)]


def test_a_conversation_that_stands_twice_becomes_split_and_line(outcomes: Read) -> None:
    assert [sample.id for sample in read(outcomes, item([]), item([]))[0]] == ["hit:1_conv:2", "valid-2"]


@given(
    tokens=st.lists(st.text(alphabet="abB.'é", min_size=1, max_size=3), min_size=1, max_size=8),
    gaps=st.lists(st.sampled_from(["", " ", "  "]), min_size=8, max_size=8),
    data=st.data(),
)
def test_every_token_slices_back_whatever_spaces_the_raw_text_has(
    tmp_path_factory: pytest.TempPathFactory, tokens: list[str], gaps: list[str], data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("situations")
    number = data.draw(st.integers(0, len(tokens) - 1))
    before = "".join(token + gap for token, gap in zip(tokens[:number], gaps, strict=False))
    text = before + "".join(token + gap for token, gap in zip(tokens[number:], gaps[number:], strict=False))
    entry = item([[tokens[number], number]], original_situation=text, tokenized_situation=[t.lower() for t in tokens])
    (folder / "test.json").write_text(json.dumps([entry]))
    (sample,) = find_dataset(EMOCAUSE).read(folder, "test")
    assert isinstance(sample, Sample)
    assert sample.gold is not None
    token = tokens[number]
    start = len(before)
    assert sample.gold.causes == (Cause(token, 0, None, start, start + len(token), verified=True),)
