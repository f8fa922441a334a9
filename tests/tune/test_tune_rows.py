"""Laws of making rows, from files to files: whole, counted, repeatable, and free of what will be scored."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from emowhy.cli import tune
from emowhy.datasets import find_dataset
from emowhy.errors import InputError, MissingError, UsageError
from emowhy.parse import parse, read_emotions
from emowhy.prompt import load_strategy
from emowhy.read import sample_from
from emowhy.specialists.training.rows import text_key
from emowhy.tune.folder import read_folder
from emowhy.tune.pool import DEV_LEAK, LEAK, REPEATED
from emowhy.tune.reading import READER
from emowhy.tune.recipe import TuneRecipe
from emowhy.tune.rows import make_rows
from emowhy.types import Reply
from lookalikes import COMMENTS, goemotions, reccon
from tune.test_tune_rationales import Writer
from tune.tuning import GO, Base, Words, recipe

FINETUNE = Path(__file__).parents[2] / "finetune"
FILES = ("train.jsonl", "dev.jsonl", "dropped.jsonl", "about.json")
SETS = [{"data": "goemotions", "tasks": {"explain": 3, "answer": 1}}]
WHAT = (
    "the dog that barked all night",
    "my aunt with her five suitcases",
    "that letter nobody ever opened",
    "a bus driver who sings badly",
    "Tuesday being cold and grey",
    "our house near the old mill",
    "yesterday's news about some football club",
    "this song from another summer",
    "thunder rolling over empty fields",
    "lunch at Rosa's on Friday",
)
MANY = [(f"{text[:-1]} and {what}{text[-1]}", label) for what in WHAT for text, label in COMMENTS]


@pytest.fixture(autouse=True)
def own_specialists(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hints and readings from a table of words: no weights are loaded."""
    words = {"Thank": "gratitude", "angry": "anger", "cried": "sadness", "love": "love", "What": "confusion"}
    monkeypatch.setattr("emowhy.tune.hints.load_specialists", lambda names, taxonomy: [Words(words)])
    # explanations hide label words, so the reader goes by others
    monkeypatch.setattr("emowhy.tune.rows.find_reader", lambda labels: Words({"blue lamp": "gratitude"}))


@pytest.fixture
def data(tmp_path: Path) -> Path:
    goemotions(tmp_path / "data", "train", MANY)
    return tmp_path / "data"


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def make(
    data: Path | None, out: Path, asked: TuneRecipe | None = None, folder: Path | None = None, **given: Any
) -> dict[str, Any]:
    return make_rows(asked or recipe(**{"sets": SETS, **given}), folder or FINETUNE, data, out, Base())


def test_every_row_is_whole_and_its_completion_reads_back_to_gold(data: Path, tmp_path: Path) -> None:
    make(data, tmp_path / "rows", dev=6, strategies={"cot": 1, "direct": 1, "two_stage": 1})
    rows = [*lines(tmp_path / "rows" / "train.jsonl"), *lines(tmp_path / "rows" / "dev.jsonl")]
    assert len(rows) == len(MANY)
    assert len({row["id"] for row in rows}) == len(rows)
    for row in rows:
        sample = sample_from(row["sample"], row["sample_id"])
        assert [message["role"] for message in row["prompt"]] == ["system", "user"]
        text = row["completion"][0]["content"]
        parsed = parse(Reply(text), tuple(json.loads(text)), sample)
        assert parsed.how == "strict"
        assert sample.gold is not None
        assert tuple(read_emotions(parsed.answer, GO)) == sample.gold.emotions
        assert (row["data"], row["hint_state"]) == ("goemotions:train", "as found")
        assert row["source"] == ("annotation" if row["strategy"] == "direct" else "verbaliser")


def test_the_folder_is_what_tuning_reads(data: Path, tmp_path: Path) -> None:
    make(data, tmp_path / "rows", dev=6)
    found = read_folder(tmp_path / "rows")
    assert (len(found.train) + len(found.dev), found.notes) == (len(MANY), ())


def test_the_same_recipe_makes_the_same_bytes(data: Path, tmp_path: Path) -> None:
    given: dict[str, Any] = {
        "dev": 5,
        "strategies": {"cot": 1, "given": 1},
        "dropout": {"missing": 0.2, "wrong": 0.3},
        "wordings": 3,
    }
    for name in ("one", "two"):
        make(data, tmp_path / name, **given)
    for name in FILES:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    make(data, tmp_path / "three", recipe(sets=SETS, **given).model_copy(update={"seed": 1}))
    assert (tmp_path / "one" / "train.jsonl").read_bytes() != (tmp_path / "three" / "train.jsonl").read_bytes()


def test_a_row_does_not_depend_on_those_beside_it(data: Path, tmp_path: Path) -> None:
    make(data, tmp_path / "all", dropout={"wrong": 0.5})
    make(data, tmp_path / "some", sets=[{**SETS[0], "rows": 20}], dropout={"wrong": 0.5})
    every = {row["id"]: row for row in lines(tmp_path / "all" / "train.jsonl")}
    some = lines(tmp_path / "some" / "train.jsonl")
    assert len(some) == 20
    assert all(every[row["id"]] == row for row in some)


def test_each_use_of_a_sample_is_a_row_of_its_own(data: Path, tmp_path: Path) -> None:
    make(data, tmp_path / "rows", sets=[{**SETS[0], "rows": 10, "times": 3}], wordings=4)
    rows = lines(tmp_path / "rows" / "train.jsonl")
    assert Counter(Counter(row["sample_id"] for row in rows).values()) == {3: 10}
    assert len({json.dumps(row["prompt"]) for row in rows}) > 10


def test_explanations_that_annotators_wrote_are_taught_unless_the_set_says_no(tmp_path: Path) -> None:
    one = {"file": "own.jsonl", "labels": "goemotions", "licence": "Apache-2.0", "rows": 40}
    sources = {}
    for taught in (True, False):
        make(None, tmp_path / str(taught), sets=[{**one, "explanations": taught}], strategies={"given": 1})
        sources[taught] = Counter(row["source"] for row in lines(tmp_path / str(taught) / "train.jsonl"))
    assert sources[True]["annotation"] > 30
    assert sources[False].keys() == {"verbaliser"}


# What is kept apart and left out --------------------------------------------------------------------------------


def test_near_duplicates_of_other_splits_and_repeats_are_left_out_and_counted(data: Path, tmp_path: Path) -> None:
    goemotions(data, "train", [*MANY, MANY[0]])
    goemotions(data, "dev", [(MANY[1][0].upper(), "anger")])
    about = make(data, tmp_path / "rows")
    dropped = lines(tmp_path / "rows" / "dropped.jsonl")
    assert Counter(row["reason"] for row in dropped) == {LEAK: 1, REPEATED: 1} == about["dropped"]
    assert {row["id"] for row in dropped} == {"t1", f"t{len(MANY)}"}
    assert "goemotions:dev" in about["benchmarks_at_hand"]
    (unseen,) = [note for note in about["notes"] if "not at hand" in note]
    assert "empathetic_dialogues" in unseen
    assert "goemotions:test" in unseen
    assert "goemotions:dev" not in unseen
    assert about["rows"]["train"] == len(MANY) - 1


def test_dev_rows_are_a_tenth_at_most_and_share_no_text_with_the_others(data: Path, tmp_path: Path) -> None:
    goemotions(data, "train", [*MANY, (MANY[0][0].upper() + "!!", "gratitude")])
    for wanted, least, most in ((4, 4, 5), (50, 6, 7)):
        make(data, tmp_path / f"rows{wanted}", dev=wanted)
        parts = [lines(tmp_path / f"rows{wanted}" / name) for name in FILES[:2]]
        train, dev = ({text_key(row["sample"]["text"]) for row in part} for part in parts)
        assert least <= len(parts[1]) <= most
        assert not train & dev


def test_no_set_teaches_what_another_keeps_apart(data: Path, tmp_path: Path) -> None:
    own = [{"text": f"{text} Really.", "gold": {"emotions": [label]}} for text, label in MANY]
    (tmp_path / "own.jsonl").write_text("".join(json.dumps(row) + "\n" for row in own))
    mine = {"file": "own.jsonl", "labels": "goemotions", "licence": "Apache-2.0", "commercial": True}
    make(data, tmp_path / "rows", folder=tmp_path, sets=[*SETS, mine], dev=6)
    parts = [lines(tmp_path / "rows" / name) for name in FILES[:2]]
    train, dev = ({text_key(row["sample"]["text"]).removesuffix(" really") for row in part} for part in parts)
    assert {row["data"] for row in parts[0]} == {row["data"] for row in parts[1]} == {"goemotions:train", "own.jsonl"}
    assert not train & dev
    left = Counter(row["data"] for row in lines(tmp_path / "rows" / "dropped.jsonl") if row["reason"] == DEV_LEAK)
    assert set(left) == {"goemotions:train", "own.jsonl"}


def test_a_dialogue_is_on_one_side(tmp_path: Path) -> None:
    reccon(tmp_path, "train", dialogues=20)
    make(tmp_path, tmp_path / "rows", sets=[{"data": "reccon", "labels": "goemotions"}], dev=4)
    parts = [{row["sample_id"].rsplit("-", 1)[0] for row in lines(tmp_path / "rows" / name)} for name in FILES[:2]]
    left = {row["id"] for row in lines(tmp_path / "rows" / "dropped.jsonl") if row["reason"] == DEV_LEAK}
    assert parts[1]
    assert not parts[0] & parts[1]
    assert len(left) > 0  # the same sentence ends every dialogue


def test_balance_draws_rare_labels_more_often(tmp_path: Path) -> None:
    texts = [
        (f"Sentence number {n} says that all is well on day {n * 7}.", "joy" if n % 10 else "fear") for n in range(200)
    ]
    goemotions(tmp_path, "train", texts)
    shares = []
    for balance in (0.0, 1.0):
        make(tmp_path, tmp_path / f"rows{balance}", sets=[{**SETS[0], "rows": 40, "balance": balance}])
        labels = [row["sample"]["gold"]["emotions"][0] for row in lines(tmp_path / f"rows{balance}" / "train.jsonl")]
        shares.append(labels.count("fear") / 40)
    # as it is a tenth; evened out about a third (20 of 200 at weight 9 to 1, drawn without replacement)
    assert shares[0] < 0.25 < 0.3 < shares[1]


def test_rows_whose_reasons_the_reader_does_not_follow_are_left_out(data: Path, tmp_path: Path) -> None:
    about = make(data, tmp_path / "rows", reader=1, strategies={"cot": 1}, sets=[{"data": "goemotions"}])
    labels = [row["sample"]["gold"]["emotions"][0] for row in lines(tmp_path / "rows" / "train.jsonl")]
    assert set(labels) <= {"gratitude", "neutral"}
    assert about["dropped"][READER] + len(labels) == len(MANY)


def test_wordings_that_do_not_fit_are_passed_over_where_others_do(data: Path, tmp_path: Path) -> None:
    """In a budget this small some of the variants that a reader asks for have no room."""
    given: dict[str, Any] = {"reader": 1, "strategies": {"cot": 1, "given": 1}, "reply_tokens": 64}
    about = make(data, tmp_path / "rows", sets=[{"data": "goemotions", "times": 4}], **given)
    assert about["rows"]["train"] > 0
    assert about["rows"]["train"] + sum(about["dropped"].values()) == 4 * len(MANY)


# Errors ---------------------------------------------------------------------------------------------------------


def test_when_nothing_is_left_the_filter_and_its_count_are_told(data: Path, tmp_path: Path) -> None:
    goemotions(data, "train", [row for row in MANY if row[1] == "sadness"])
    with pytest.raises(InputError) as told:
        make(data, tmp_path / "rows", reader=1, strategies={"cot": 1}, sets=[{"data": "goemotions"}])
    assert f"{READER} (10)" in told.value.message
    assert "rows.reader" in told.value.cure
    with pytest.raises(InputError, match=r"no gold answer for its tasks \(10\)"):
        make(data, tmp_path / "rows", sets=[{"data": "goemotions", "tasks": {"intensity": 1}}])
    assert not (tmp_path / "rows" / "train.jsonl").exists()


def test_an_empty_split_names_what_was_left_out(data: Path, tmp_path: Path) -> None:
    goemotions(data, "train", MANY[:3])
    goemotions(data, "dev", MANY[:3])
    with pytest.raises(InputError, match=r"no row is left of 3: near-duplicate of a benchmark row \(3\)"):
        make(data, tmp_path / "rows")


def test_missing_data_name_their_source_and_licence(tmp_path: Path) -> None:
    with pytest.raises(MissingError) as told:
        make(tmp_path, tmp_path / "rows")
    assert "CC BY 4.0" in told.value.cure
    assert "https://" in told.value.cure
    with pytest.raises(MissingError, match=r"no file .*own\.jsonl \(licence: Apache-2\.0\)"):
        make_rows(recipe(), tmp_path, None, tmp_path / "rows", Base())
    with pytest.raises(UsageError, match="no split 'trian'"):
        make(tmp_path, tmp_path / "rows", sets=[{"data": "goemotions", "split": "trian"}])


def test_the_verbaliser_refuses_what_is_not_english(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="'zh'"):
        make(
            tmp_path, tmp_path / "rows", sets=[{"data": "emer_zh", "split": next(iter(find_dataset("emer_zh").splits))}]
        )


def test_an_engine_must_be_named_where_the_recipe_wants_one(data: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="by an engine, and none is named"):
        make(data, tmp_path / "rows", rationales="engine")


def test_an_engines_failures_are_counted(data: Path, tmp_path: Path) -> None:
    asked = recipe(sets=SETS, rationales="engine", strategies={"cot": 1})
    only = recipe(sets=[{"data": "goemotions"}], rationales="engine", strategies={"cot": 1})
    with pytest.raises(InputError) as told:
        make_rows(only, FINETUNE, data, tmp_path / "none", Base(), Writer("no"))
    assert f"the engine wrote no readable rationale ({len(MANY)})" in told.value.message
    about = make_rows(asked, FINETUNE, data, tmp_path / "rows", Base(), Writer())
    assert about["counts"]["train"]["source"].keys() == {"engine", "annotation"}
    assert about["rationales"]["engine"] == "writer"


# What the folder says of itself ---------------------------------------------------------------------------------


def test_counts_are_those_of_the_rows(data: Path, tmp_path: Path) -> None:
    about = make(data, tmp_path / "rows", dev=5, hints={"order": 1, "none": 1}, strategies={"cot": 1, "given": 1})
    assert about == json.loads((tmp_path / "rows" / "about.json").read_text(encoding="utf-8"))
    for part in ("train", "dev"):
        rows = lines(tmp_path / "rows" / f"{part}.jsonl")
        assert about["rows"][part] == len(rows)
        for name, counts in about["counts"][part].items():
            assert counts == Counter(row[name] for row in rows)
    used = {row["strategy"] for row in lines(tmp_path / "rows" / "train.jsonl")}
    assert about["templates"] == {name: load_strategy(name).hash for name in used}
    assert about["trained_on"] == ["goemotions:train"]
    assert (about["commercial"], about["data"][0]["licence"]) == (True, "CC BY 4.0")
    assert about["data"][0]["read"] == len(MANY)


def test_one_set_that_allows_no_trade_is_enough(data: Path, tmp_path: Path) -> None:
    reccon(data, "train")
    about = make(data, tmp_path / "rows", sets=[*SETS, {"data": "reccon", "labels": "goemotions"}])
    assert about["commercial"] is False


def test_the_command_makes_the_smoke_recipes_rows(tmp_path: Path, embedded: Path) -> None:
    run: Callable[..., Any] = CliRunner().invoke
    found = run(tune.app, ["rows", str(FINETUNE / "smoke.yaml"), "-o", str(tmp_path / "rows"), "--quiet"])
    assert found.exit_code == 0, found.output
    rows = lines(tmp_path / "rows" / "train.jsonl")
    assert rows
    assert f"{len(rows)} rows to learn from" in found.stdout
    about = json.loads((tmp_path / "rows" / "about.json").read_text(encoding="utf-8"))
    assert about["base"]["model"] == "smollm2-135m"
    wrong = run(tune.app, ["rows", str(tmp_path / "none.yaml")])
    assert (wrong.exit_code, "cannot be read" in wrong.stderr) == (2, True)
