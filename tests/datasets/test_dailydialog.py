"""Laws of DailyDialog: two files, line by line, and turn by turn."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emowhy.datasets import find_dataset, find_folder
from emowhy.errors import InputError, MissingError
from emowhy.read import Rejected
from emowhy.types import Gold, Sample, Turn

Read = Callable[[str, Mapping[str, str | bytes], str], tuple[list[Sample], list[Rejected]]]
NAME = "emowhy.datasets.dailydialog:DailyDialog"
TEXTS = "The soup is cold . __eou__ Oh no ! __eou__\nYou came ! __eou__\n"
EMOTIONS = "0 6 \n4 \n"


def read(outcomes: Read, texts: str | bytes, emotions: str | bytes) -> tuple[list[Sample], list[Rejected]]:
    return outcomes(NAME, {"dialogues_train.txt": texts, "dialogues_emotion_train.txt": emotions}, "train")


def test_a_dialogue_is_a_line_and_a_number_a_label(outcomes: Read) -> None:
    first, second = Turn("The soup is cold ."), Turn("Oh no !")
    of_1, of_2 = {"dialogue": "train-1"}, {"dialogue": "train-2"}
    assert read(outcomes, TEXTS, EMOTIONS) == (
        [
            Sample("train-1-0", first.text, after=(second,), gold=Gold(("neutral",)), extra=of_1),
            Sample("train-1-1", second.text, context=(first,), gold=Gold(("surprise",)), extra=of_1),
            Sample("train-2-0", "You came !", gold=Gold(("happiness",)), extra=of_2),
        ],
        [],
    )


def test_every_number_has_its_label(outcomes: Read) -> None:
    samples, _ = read(outcomes, " __eou__ ".join("abcdefg") + " __eou__", "0 1 2 3 4 5 6")
    labels = ["neutral", "anger", "disgust", "fear", "happiness", "sadness", "surprise"]
    assert [sample.gold for sample in samples] == [Gold((label,)) for label in labels]


@pytest.mark.parametrize(
    ("split", "texts", "emotions"),
    [
        ("train", "train/dialogues_train.txt", "train/dialogues_emotion_train.txt"),
        ("validation", "validation/dialogues_validation.txt", "validation/dialogues_emotion_validation.txt"),
        ("test", "dialogues_test.txt", "dialogues_emotion_test.txt"),
        ("all", "dialogues_text.txt", "dialogues_emotion.txt"),
    ],
)
def test_files_are_found_where_they_are_unpacked_and_name_the_split(
    tmp_path: Path, split: str, texts: str, emotions: str
) -> None:
    (tmp_path / texts).parent.mkdir(exist_ok=True)
    (tmp_path / texts).write_text(TEXTS)
    (tmp_path / emotions).write_text(EMOTIONS)
    dataset = find_dataset(NAME)
    rows = list(dataset.read(find_folder(dataset, tmp_path), split))
    assert [row.id for row in rows] == [f"{split}-1-0", f"{split}-1-1", f"{split}-2-0"]


def test_a_missing_file_of_emotions_is_told_at_the_call(tmp_path: Path) -> None:
    (tmp_path / "dialogues_test.txt").write_text(TEXTS)
    with pytest.raises(MissingError, match=r"no dialogues_emotion_test\.txt beside it"):
        find_dataset(NAME).read(tmp_path, "test")


def test_files_that_do_not_match_as_a_whole_are_refused(outcomes: Read) -> None:
    with pytest.raises(InputError, match=r"has 2 dialogues, dialogues_emotion_train\.txt 1"):
        read(outcomes, TEXTS, "0 6\n")


def test_a_dialogue_that_does_not_match_its_emotions_is_one_rejected_row(outcomes: Read) -> None:
    samples, rejected = read(outcomes, "Hm . __eou__ Oh . __eou__\n__eou__\n" + TEXTS, "0\n0 0\n" + EMOTIONS)
    assert [sample.id for sample in samples] == ["train-3-0", "train-3-1", "train-4-0"]
    assert [(row.line, row.reason) for row in rejected] == [
        (1, "dialogue 'train-1': 2 turns with 1 emotions"),
        (2, "dialogue 'train-2': 1 turns with 2 emotions"),
    ]


@pytest.mark.parametrize(
    ("turn", "emotion", "reason"),
    [
        ("Hm .", "7", "emotion '7': expected 0 to 6"),
        ("Hm .", "joy", "emotion 'joy': expected 0 to 6"),
        (" ", "0", "blank text and no observation"),
        ("caf\xe9", "0", "text: has a lone surrogate or bytes that are not UTF-8"),
    ],
)
def test_a_broken_turn_is_told_and_its_neighbours_are_read(
    outcomes: Read, turn: str, emotion: str, reason: str
) -> None:
    texts = f"One . __eou__ {turn} __eou__ Three . __eou__\n".encode("latin-1")
    samples, rejected = read(outcomes, texts, f"0 {emotion} 0\n")
    assert [sample.id for sample in samples] == ["train-1-0", "train-1-2"]
    assert len(samples[1].context) == 2
    assert [(row.id, row.reason) for row in rejected] == [("train-1-1", reason)]


@given(st.lists(st.tuples(st.binary(max_size=12), st.text("012 7x", max_size=8)), max_size=5))
def test_no_line_crashes_or_is_lost(tmp_path_factory: pytest.TempPathFactory, lines: list[tuple[bytes, str]]) -> None:
    folder = tmp_path_factory.mktemp("any")
    whole = [(b"a __eou__" + text.replace(b"\n", b"") + b" __eou__", "0" + numbers) for text, numbers in lines]
    (folder / "dialogues_test.txt").write_bytes(b"\n".join(text for text, _ in whole))
    (folder / "dialogues_emotion_test.txt").write_text("\n".join(numbers for _, numbers in whole))
    rows = list(find_dataset(NAME).read(folder, "test"))
    assert len({row.line if isinstance(row, Rejected) else int(row.id.split("-")[1]) for row in rows}) == len(lines)
