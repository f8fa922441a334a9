"""Laws of the emotion wheel scores, on five small wheels of our own, with worked examples by hand."""

from __future__ import annotations

import hashlib
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emowhy.bench.metrics.wheel import FILES, Level, Wheel, ew_f, hit_rate
from emowhy.errors import InputError, MissingError

LEVELS = ("level1", "level2", "level3")
GLAD: list[tuple[str | None, ...]] = [(" Glad", "Merry", "Gleeful"), (None, None, "jolly"), (None, "Calm", "serene")]
BLUE: list[tuple[str | None, ...]] = [("blue", "gloomy", "tearful"), (None, "hurt", "stung")]
# wheels 1 to 3 have both sectors, wheel 4 only blue, wheel 5 only glad
SECTORS = {1: GLAD + BLUE, 2: GLAD + BLUE, 3: GLAD + BLUE, 4: BLUE, 5: GLAD}
SYNONYMS = {
    1: [("Gleeful", "['cheerful', 'sunny']"), ("tearful", "['weepy']"), ("serene", "[]"), ("glad", "[]")],
    2: [("merry", '["sunny"]'), ("gleeful", "[]"), ("serene", "peaceful, Sunny")],
}
FORMS = [
    ("cheerful", "['cheerfully', 'cheery']"),
    ("weepy", "['cheery', 'weepily']"),
    ("sunny", "sunnier"),
    ("glad", "['gladly']"),
    ("stray", "['strays']"),
]
WORDS = ("cheery", "weepily", "weepy", "sunnier", "gladly", "strays", "zorbly", "neutral")
rows = st.lists(st.lists(st.sampled_from(WORDS), max_size=4), min_size=1, max_size=5)


def write_sheet(path: Path, *lines: Sequence[str | None]) -> None:
    book = openpyxl.Workbook()
    for line in lines:
        book.active.append(line)
    book.save(path)


def write_wheels(folder: Path) -> Path:
    for k, sectors in SECTORS.items():
        write_sheet(folder / f"wheel{k}.xlsx", LEVELS, *sectors)
    names = [f"{column}_run{run}" for run in range(1, 9) for column in ("word", "synonym")]
    lines = [[cell for run in range(1, 9) for cell in SYNONYMS[min(run, 2)][i]] for i in range(3)]
    lines.append([*SYNONYMS[1][3], *[""] * 14])  # a run may be shorter than another
    write_sheet(folder / "synonym.xlsx", names, *lines)
    text = ["name,format", *(f'{name},"{forms}"' for name, forms in FORMS)]
    (folder / "format.csv").write_text("\n".join(text), encoding="utf-8-sig")
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_wheels(tmp_path_factory.mktemp("wheels"))


@pytest.fixture(scope="module")
def wheel(folder: Path) -> Wheel:
    return Wheel.load(folder)


# The ways to a sector


def test_a_form_belongs_to_its_bases_and_a_base_to_itself(wheel: Wheel) -> None:
    assert wheel.forms["cheery"] == ("cheerful", "weepy")
    assert wheel.forms["weepy"] == ("weepy",)


def test_a_synonym_belongs_to_the_words_of_every_run_and_a_wheel_word_to_itself(wheel: Wheel) -> None:
    assert wheel.synonyms["sunny"] == ("gleeful", "merry", "serene")
    assert wheel.synonyms["gleeful"] == ("gleeful",)


def test_m1_is_the_first_base_and_m2_its_first_wheel_word(wheel: Wheel) -> None:
    words = (" CHEERY", "weepily", "sunnier", "strays", "zorbly")
    assert [wheel.m1(word) for word in words] == ["cheerful", "weepy", "sunny", "stray", None]
    # cheerful -> gleeful; weepy -> tearful; sunny -> gleeful, merry, serene; stray is nobody's synonym
    assert [wheel.m2(word) for word in words] == ["gleeful", "tearful", "gleeful", None, None]


@pytest.mark.parametrize(
    ("word", "k", "level", "sector"),
    [
        ("cheery", 1, 1, "glad"),  # reaches gleeful and tearful: the first decides
        ("cheery", 4, 1, "blue"),  # the first that is on this wheel
        ("cheery", 1, 2, "merry"),
        ("cheery", 4, 2, "gloomy"),
        ("gladly", 1, 2, "calm"),  # an inner word has its first middle word
        ("gladly", 4, 1, None),
        ("weepily", 5, 1, None),
        ("zorbly", 1, 1, None),
    ],
)
def test_m3_is_the_place_of_the_first_reachable_word_that_is_on_the_wheel(
    wheel: Wheel, word: str, k: int, level: Level, sector: str | None
) -> None:
    assert wheel.m3(word, k, level) == sector


def test_blank_cells_repeat_the_word_above_and_the_last_place_of_a_word_wins(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    lines = [("glad", "merry", "gleeful"), ("blue", "hurt", "stung"), (None, "gloomy", None), ("merry", "wild", "odd")]
    write_sheet(tmp_path / "wheel1.xlsx", LEVELS, *lines)
    sectors = Wheel.load(tmp_path).sectors
    # stung stands below hurt and, by the blank, below gloomy too; merry is a middle word and an inner one
    assert (sectors[1, 1]["stung"], sectors[1, 2]["stung"]) == ("blue", "gloomy")
    assert (sectors[1, 1]["merry"], sectors[1, 2]["merry"], sectors[1, 1]["gleeful"]) == ("merry", "wild", "glad")


# Scores


def test_wheel_scores_by_hand(wheel: Wheel) -> None:
    scores = wheel.scores([["cheery", "weepily"], ["weepy"]], [["gladly", "zorbly"], []], 1)
    # row 1, wheels 1 to 3: {glad, blue} against {glad}; wheel 4: both blue against nothing; wheel 5: glad, glad
    # row 2: {blue} against nothing, and wheel 5 has no place for it
    assert scores.precision.tolist() == [[1, 1, 1, 0, 1], [0, 0, 0, 0, 0]]
    assert scores.recall.tolist() == [[0.5, 0.5, 0.5, 0, 1], [0, 0, 0, 0, 0]]
    assert scores.counted.tolist() == [[1, 1, 1, 1, 1], [1, 1, 1, 1, 0]]
    # P_S 1/2 and R_S 1/4 on three wheels: F 1/3 each; 0 on the fourth; 1 on the fifth, over its one row
    assert ew_f(scores.precision.sum(0), scores.recall.sum(0), scores.counted.sum(0)) == pytest.approx(
        (3 / 3 + 0 + 1) / 5
    )


def test_level_2_tells_apart_what_level_1_does_not(wheel: Wheel) -> None:
    gold, said = [["cheery"]], [["gladly"]]  # merry and calm, both glad
    assert wheel.scores(gold, said, 1).recall[0, 0] == 1
    assert wheel.scores(gold, said, 2).recall[0, 0] == 0


def test_stages_before_the_wheels_by_hand(wheel: Wheel) -> None:
    gold, said = [["cheery", "neutral"], ["sunnier"]], [["cheerfully", "sunny"], ["cheerful"]]
    # M1: {cheerful} against {cheerful, sunny}; {sunny} against {cheerful}. M2: gleeful throughout
    first, second = wheel.stage_scores(gold, said, 1), wheel.stage_scores(gold, said, 2)
    assert (first.precision.tolist(), first.recall.tolist()) == ([[0.5], [0]], [[1], [0]])
    assert (second.precision.tolist(), second.recall.tolist()) == ([[1], [1]], [[1], [1]])
    assert ew_f(first.precision.sum(0), first.recall.sum(0), first.counted.sum(0)) == pytest.approx(1 / 3)


def test_f_is_0_where_nothing_is_hit_and_not_defined_where_no_row_counts(wheel: Wheel) -> None:
    missed = wheel.scores([["cheery"]], [[]], 1)
    assert ew_f(missed.precision.sum(0), missed.recall.sum(0), missed.counted.sum(0)) == 0
    unplaced = wheel.scores([["weepy"]], [["weepy"]], 1)  # wheel 5 counts no row
    assert np.isnan(ew_f(unplaced.precision.sum(0), unplaced.recall.sum(0), unplaced.counted.sum(0)))


def test_hit_by_hand_and_gold_without_a_sector_is_skipped(wheel: Wheel) -> None:
    hits, counted = wheel.hits(["cheery", "weepy", "neutral"], [["gladly"], ["weepily", "gladly"], ["neutral"]])
    assert hits.tolist() == [[1, 1, 1, 0, 1], [1, 1, 1, 1, 0], [0, 0, 0, 0, 0]]
    assert counted.tolist() == [[1, 1, 1, 1, 1], [1, 1, 1, 1, 0], [0, 0, 0, 0, 0]]
    # 2/2 on three wheels, 1/2 on the fourth, 1/1 on the fifth
    assert hit_rate(hits.sum(0), counted.sum(0)) == pytest.approx((3 + 1 / 2 + 1) / 5)


def test_coverage_counts_different_words_by_hand(wheel: Wheel) -> None:
    mapped, words = wheel.coverage([["Cheery", " cheery", "zorbly", ""], ["gladly", "weepily"], []])
    assert words.tolist() == [2, 2, 0]
    assert mapped.tolist() == [[1, 1, 1, 1, 1], [2, 2, 2, 1, 1], [0, 0, 0, 0, 0]]


@given(gold=rows, level=st.sampled_from([1, 2]))
def test_gold_scores_1_on_every_row_that_counts(wheel: Wheel, gold: list[list[str]], level: Level) -> None:
    scores = wheel.scores(gold, gold, level)
    assert (scores.precision == scores.counted).all()
    assert (scores.recall == scores.counted).all()


@given(gold=rows, words=st.lists(st.sampled_from(WORDS), max_size=6), random=st.randoms(use_true_random=False))
def test_scores_keep_their_bounds_and_ignore_order_repetition_and_words_without_a_place(
    wheel: Wheel, gold: list[list[str]], words: list[str], random: np.random.Generator
) -> None:
    scores = wheel.scores(gold, [words] * len(gold), 1)
    assert ((scores.precision >= 0) & (scores.precision <= scores.counted)).all()
    assert ((scores.recall >= 0) & (scores.recall <= scores.counted)).all()
    more = [*words, *words, "zorbly"]
    random.shuffle(more)
    again = wheel.scores([["neutral", *row[::-1]] for row in gold], [more] * len(gold), 1)
    assert (again.precision == scores.precision).all()
    assert (again.recall == scores.recall).all()


# Files


def test_hashes_are_those_of_the_seven_files(folder: Path, wheel: Wheel) -> None:
    assert wheel.hashes == {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in FILES}
    assert len(FILES) == 7


def test_without_openpyxl_the_error_names_the_cure(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    with pytest.raises(MissingError) as caught:
        Wheel.load(folder)
    assert caught.value.cure == 'pip install "emowhy[bench]"'


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_named(folder: Path, tmp_path: Path, name: str) -> None:
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    (tmp_path / name).unlink()
    with pytest.raises(InputError, match=rf"{name}: expected .* found no file") as caught:
        Wheel.load(tmp_path)
    assert "MER-UniBench" in caught.value.cure


@pytest.mark.parametrize(
    ("lines", "found"),
    [
        ([["inner", "level2"], ["glad", "merry"]], "expected the columns level1, level3 .* found inner, level2"),
        ([], "expected the columns level1, level2, level3 .* found nothing"),
        ([LEVELS], "expected rows of words, found none"),
        ([LEVELS, [None, "merry", "jolly"]], "row 2: expected a word at each level .* 'merry', 'jolly'"),
    ],
)
def test_a_wheel_of_another_shape_says_what_was_expected_and_found(
    folder: Path, tmp_path: Path, lines: list[Sequence[str | None]], found: str
) -> None:
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    write_sheet(tmp_path / "wheel3.xlsx", *lines)
    with pytest.raises(InputError, match=rf"wheel3\.xlsx.*{found}"):
        Wheel.load(tmp_path)


@pytest.mark.parametrize(
    ("name", "content", "found"),
    [
        ("synonym.xlsx", b"not a workbook", "expected an Excel workbook, found BadZipFile"),
        ("format.csv", b"name;format\nglad;gladly\n", "expected the columns name, format .* found name;format"),
        ("format.csv", b"name,format\n\xff,x\n", "expected a CSV file in UTF-8"),
    ],
)
def test_a_file_that_cannot_be_read_says_what_was_expected_and_found(
    folder: Path, tmp_path: Path, name: str, content: bytes, found: str
) -> None:
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=rf"{name}: {found}"):
        Wheel.load(tmp_path)
