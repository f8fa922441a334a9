"""Laws of leaks: what was learned from is not scored, what was chosen on is told, near-duplicates are found."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import lookalikes
from emowhy.bench.leaks import chosen_note, near_duplicates, refuse_trained, splits_of, training_texts
from emowhy.bench.task import find_task
from emowhy.errors import UsageError
from emowhy.specialists import load_specialists
from emowhy.taxonomy import find_taxonomy
from emowhy.types import Sample

TRAINED = {"name": "mine", "trained_on": ["goemotions:train", "emobank:train"], "chosen_on": ["goemotions:dev"]}
SAID = "Thank you so much for the blue lamp, it is lovely!"
words = st.lists(st.sampled_from(["rain", "sun", "wind", "snow"]), min_size=1, max_size=9).map(" ".join)


def samples(*texts: str) -> list[Sample]:
    return [Sample(f"r{row}", text) for row, text in enumerate(texts)]


# Splits -----------------------------------------------------------------------------------------------------------


def test_a_part_that_learned_from_the_scored_split_is_refused_by_name() -> None:
    task, _ = find_task("goemotions:train")
    with pytest.raises(UsageError, match="mine learned from the split 'train'") as error:
        refuse_trained(task, [{"name": "other"}, TRAINED], allowed=False)
    assert "--allow-leaks" in error.value.cure


def test_a_leak_that_was_allowed_is_told() -> None:
    task, _ = find_task("goemotions:train")
    assert "say nothing about new texts" in str(refuse_trained(task, [TRAINED], allowed=True))


@pytest.mark.parametrize("spec", ["goemotions", "goemotions:dev", "meld:train"])
def test_other_splits_and_other_data_sets_are_not_refused(spec: str) -> None:
    assert refuse_trained(find_task(spec)[0], [TRAINED], allowed=False) is None


def test_an_adapter_that_was_tuned_on_the_split_is_refused_too() -> None:
    adapter = {"engine": "vllm", "model": "m", "adapter": "tuned", "trained_on": ["reccon:test"]}
    with pytest.raises(UsageError, match="tuned learned from the split 'test'"):
        refuse_trained(find_task("reccon_spans")[0], [adapter], allowed=False)


def test_a_split_that_something_was_chosen_on_is_told() -> None:
    note = chosen_note(find_task("goemotions:dev")[0], [TRAINED])
    assert "mine: something was chosen on the split 'dev'" in str(note)
    assert chosen_note(find_task("goemotions")[0], [TRAINED]) is None


def test_the_shipped_specialist_says_what_it_learned_from() -> None:
    (specialist,) = load_specialists(["emotion"], find_taxonomy("goemotions"))
    identity = specialist.identity()
    assert splits_of([identity], "trained_on") == {
        "goemotions:train": ["emotion"],
        "emobank:train": ["emotion"],
        "own.jsonl": ["emotion"],
    }
    assert "goemotions:dev" in splits_of([identity], "chosen_on")


def test_training_texts_are_read_where_the_files_are_and_named_where_not(tmp_path: Path) -> None:
    lookalikes.goemotions(tmp_path, "train")
    texts, notes = training_texts([TRAINED], tmp_path)
    assert texts == [text for text, _ in lookalikes.COMMENTS]
    assert notes == ["near-duplicates of emobank:train were not looked for: its files are not at hand"]


# Near-duplicates --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "training",
    [
        SAID,
        SAID.upper(),
        "thank you, so much; for the blue lamp - it is lovely",
        "  Thank   you so much\tfor the blue lamp it is lovely…",
    ],
)
def test_case_punctuation_and_spaces_do_not_hide_a_duplicate(training: str) -> None:
    assert near_duplicates(samples(SAID, "Something else entirely."), [training]) == {"r0"}


def test_texts_are_near_from_four_fifths_of_their_runs_of_three_words() -> None:
    # eleven words have nine runs; one more word at the end makes ten, of which nine are shared: 9/10
    assert near_duplicates(samples(SAID), [SAID + " indeed"]) == {"r0"}
    # another last word: eight runs shared, ten in all: 8/10
    assert near_duplicates(samples(SAID), [SAID.replace("lovely", "pretty")]) == {"r0"}
    # two other words at the end: seven shared, eleven in all
    assert near_duplicates(samples(SAID), [SAID.replace("is lovely", "was pretty")]) == frozenset()


def test_short_texts_are_near_only_if_they_are_the_same_words() -> None:
    assert near_duplicates(samples("Oh no!", "Oh yes!"), ["oh NO"]) == {"r0"}


def test_texts_without_words_are_no_duplicates_of_each_other() -> None:
    assert near_duplicates(samples("!!!", "…"), ["?!", "", "\U0001f600"]) == frozenset()


def test_every_row_with_the_same_words_is_found() -> None:
    assert near_duplicates(samples(SAID, "No.", SAID.lower()), [SAID, SAID]) == {"r0", "r2"}


@given(st.lists(words, min_size=1, max_size=4), st.lists(words, max_size=4))
def test_being_near_is_symmetric(some: list[str], others: list[str]) -> None:
    assert bool(near_duplicates(samples(*some), others)) == bool(near_duplicates(samples(*others), some))


@given(st.lists(words, min_size=1, max_size=4), st.lists(words, max_size=4), words)
def test_more_training_texts_find_no_fewer_duplicates(some: list[str], others: list[str], more: str) -> None:
    assert near_duplicates(samples(*some), others) <= near_duplicates(samples(*some), [*others, more])


@given(st.lists(words, min_size=1, max_size=5))
def test_every_text_is_near_itself(some: list[str]) -> None:
    assert near_duplicates(samples(*some), some) == {f"r{row}" for row in range(len(some))}
