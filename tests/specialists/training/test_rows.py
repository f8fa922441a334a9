"""Laws of what heads learn from: no row is read that cannot be, equal texts stay together, targets meet their words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emowhy.datasets import DataSet
from emowhy.errors import InputError, UsageError
from emowhy.models import find_encoder
from emowhy.specialists import cause
from emowhy.specialists.gold import gold_labels
from emowhy.specialists.training import rows
from emowhy.specialists.training.recipe import HeadRecipe
from emowhy.specialists.words import find_parts
from emowhy.types import Cause, Gold, Sample, Turn

GO = HeadRecipe(kind="labels", data="goemotions")


def tokenizer() -> Any:
    from tokenizers import Tokenizer

    found = Tokenizer.from_file(str(find_encoder() / "tokenizer.json"))
    found.enable_truncation(24)
    found.no_padding()
    return found


TOKENIZER = tokenizer()


def quiet(line: str) -> None:
    pass


@given(
    st.lists(st.text("abcdé0", min_size=1, max_size=8), min_size=1, max_size=8), st.integers(2, 9), st.integers(0, 9)
)
def test_equal_texts_share_a_fold_whatever_their_case_blanks_and_marks(words: list[str], folds: int, seed: int) -> None:
    plain, loud = " ".join(words), "  “" + ", ".join(words).upper() + "!!”"
    fold = rows.fold_of(rows.text_key(plain), folds, seed)
    assert 0 <= fold < folds
    assert rows.fold_of(rows.text_key(loud), folds, seed) == fold


def test_folds_are_of_like_size_and_another_seed_deals_anew() -> None:
    first, second = ([rows.fold_of(f"text {i}", 4, seed) for i in range(2000)] for seed in (0, 1))
    assert all(400 < first.count(fold) < 600 for fold in range(4))
    assert first != second


def test_the_halves_of_a_data_set_share_no_text_and_miss_none(data: Path) -> None:
    train = data / "goemotions" / "train.tsv"
    whole, one, two = (
        rows.read_samples(HeadRecipe(kind="labels", data="goemotions", part=part), data, "train", quiet)
        for part in (None, "1/2", "2/2")
    )
    assert len(whole) == len(train.read_text().splitlines())
    texts = [{rows.text_key(sample.words()) for sample in some} for some in (whole, one, two)]
    assert texts[1] | texts[2] == texts[0]
    assert not texts[1] & texts[2]
    assert texts[1]
    assert texts[2]


def test_of_the_development_rows_every_half_is_judged_on_all(data: Path) -> None:
    half = HeadRecipe(kind="labels", data="goemotions", part="1/2")
    assert rows.read_samples(half, data, "dev", quiet) == rows.read_samples(GO, data, "dev", quiet)


def test_rows_that_cannot_be_read_are_counted_reported_and_not_trained_on(tmp_path: Path) -> None:
    bad = ["no label", "who knows\t99\tx", "a\tb\tc\td", "blank label\t\tx", "worse\t-1\tx", " \t3\tx", "last\tx\tx"]
    good = ["I hate it\t2\ta", "I love it\t18\tb"]
    (tmp_path / "train.tsv").write_text("\n".join([good[0], *bad, good[1]]) + "\n")
    said: list[str] = []
    samples = rows.read_samples(GO, tmp_path, "train", said.append)
    assert [sample.text for sample in samples] == ["I hate it", "I love it"]
    assert len(said) == 6  # the first five by name, then the count
    assert all(line.startswith(f"goemotions train, line {k + 2} left out: ") for k, line in enumerate(said[:5]))
    assert said[5] == "goemotions train: 7 of 9 rows left out"


def test_a_split_without_a_single_row_is_told(tmp_path: Path) -> None:
    (tmp_path / "train.tsv").write_text("no label\n")
    with pytest.raises(InputError, match="goemotions train: no row is left to learn from"):
        rows.read_samples(GO, tmp_path, "train", quiet)


class Untested(DataSet):
    name = "untested"
    splits = {"train": ("train.csv",)}  # noqa: RUF012


def test_everything_is_chosen_on_the_development_split_whatever_it_is_called() -> None:
    for name, split in (("goemotions", "dev"), ("emobank", "dev"), ("empathetic_dialogues", "valid")):
        assert rows.dev_split(HeadRecipe(kind="labels", data=name)) == split
    with pytest.raises(UsageError, match="no development split") as refused:
        rows.dev_split(HeadRecipe(kind="labels", data=f"{__name__}:Untested"))
    assert "train" in refused.value.cure


def test_gold_labels_are_ones_and_zeros_and_an_unknown_label_is_neither() -> None:
    samples = [Sample("a", "x", gold=Gold(("joy", "fear"))), Sample("b", "x", gold=Gold(("spleen",))), Sample("c", "x")]
    assert gold_labels(samples, ("fear", "anger", "joy")).tolist() == [[1, 0, 1], [0, 0, 0], [0, 0, 0]]


def test_a_value_that_nobody_rated_is_not_a_number() -> None:
    samples = [Sample("a", "x", gold=Gold(answers={"valence": 2, "arousal": 4.5})), Sample("b", "x")]
    found = rows.gold_values(samples, ("valence", "arousal", "dominance"))
    assert np.array_equal(found, [[2, 4.5, np.nan], [np.nan] * 3], equal_nan=True)


TEXTS = st.one_of(
    st.lists(
        st.sampled_from(["I", "hate", "un-believable", "it’s", "café", "😭", ",", "\n", "ß", "…", "ﬁne"]), max_size=30
    ),
    st.lists(st.text(max_size=6), max_size=8),
).map(" ".join)


@given(TEXTS, st.data())
@settings(deadline=None, max_examples=60)
def test_a_token_is_telling_if_its_word_is_and_says_nothing_outside_words(text: str, draw: st.DataObject) -> None:
    sample = Sample("a", text)
    encoded = TOKENIZER.encode(text.encode("utf-8", "replace").decode())
    words = [word for part in find_parts(sample) for word in part.words]
    told = draw.draw(st.lists(st.sampled_from(words), unique=True)) if words else []
    targets = rows.cue_targets(sample, told, encoded.offsets)
    assert targets.shape == (len(encoded.ids), 1)
    for (start, end), target in zip(encoded.offsets, targets[:, 0], strict=True):
        touched = [word for word in words if start < end and word[0] < end and start < word[1]]
        if not touched:
            assert np.isnan(target)
        elif len(touched) == 1:
            assert target == float(touched[0] in told)


@given(st.data())
@settings(deadline=None, max_examples=60)
def test_a_cause_that_is_learned_perfectly_is_read_back_word_by_word(draw: st.DataObject) -> None:
    words = st.lists(
        st.sampled_from(["they", "cancelled", "it", "again", "unbelievably", "late", "why"]), min_size=1, max_size=6
    )
    turns = [
        Turn(" ".join(said), speaker)
        for said, speaker in draw.draw(st.lists(st.tuples(words, st.sampled_from("AB")), min_size=1, max_size=3))
    ]
    causes = []
    for number, turn in enumerate(turns):
        places = [0, *(k + 1 for k, letter in enumerate(turn.text) if letter == " ")]
        if draw.draw(st.booleans()):
            start = draw.draw(st.sampled_from(places))
            ends = [at for at in [*(place - 1 for place in places[1:]), len(turn.text)] if at > start]
            end = draw.draw(st.sampled_from(ends))
            causes.append(Cause(turn.text[start:end], number, start=start, end=end, verified=True))
    sample = Sample("a", turns[-1].text, turns[-1].speaker, tuple(turns[:-1]), gold=Gold(causes=tuple(causes)))
    framed = cause.frame(sample, "anger", TOKENIZER, 128)
    targets = rows.cause_targets(sample, framed)
    assert targets.shape == (len(framed.ids), 4)
    logits = np.where(np.nan_to_num(targets) > 0.5, 9.0, -9.0).astype(np.float32)
    found = {span.turn: (span.start, span.end) for span in cause.read_spans(framed, logits) if span.score > 0.5}
    assert found == {one.turn: (one.start, one.end) for one in causes}


def test_only_turns_whose_causes_were_annotated_are_learned_from() -> None:
    asked = Sample("b", "y", gold=Gold(causes=()), extra={"dialogue": "d"})
    found = rows.cause_rows([Sample("a", "x", gold=Gold(("joy",))), asked, Sample("c", "z")])
    assert found.samples == [asked]
    assert found.dialogues == ["d"]
