"""Laws of `emowhy specialists`: what was measured on stdout, what was wrong on stderr with its cure."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from emowhy.cli import app
from emowhy.specialists.emotion import EmotionSpecialist
from emowhy.taxonomy import find_taxonomy

GO = find_taxonomy("goemotions")
SAID = {
    "anger": "I am so angry at them, I hate {}",
    "gratitude": "Thank you so much for {}",
    "joy": "I am so happy about {}",
    "sadness": "I am so sad about {}, I cried",
    "fear": "I am terrified of {}",
    "love": "I love {}",
}
WHAT = (
    "the dog",
    "my aunt",
    "that letter",
    "the bus",
    "Tuesday",
    "our house",
    "the news",
    "this song",
    "it",
    "all that",
)
ROWS = [(label, text.format(what)) for what in WHAT for label, text in SAID.items()]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in [name for name in os.environ if name.startswith("EMOWHY_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    rows = [{"id": f"r{i}", "text": text, "gold": {"emotions": [label]}} for i, (label, text) in enumerate(ROWS)]
    Path("gold.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    Path("data/goemotions").mkdir(parents=True)
    lines = [f"{text}\t{GO.labels.index(label)}\tx{i}" for i, (label, text) in enumerate(ROWS[:24])]
    Path("data/goemotions/dev.tsv").write_text("\n".join([lines[0], "no label", *lines[1:]]) + "\n")
    return tmp_path


def specialists(*arguments: str) -> Any:
    return CliRunner().invoke(app, ["specialists", *arguments])


def figures(*arguments: str) -> Any:
    done = specialists("eval", *arguments, "--json")
    assert done.exit_code == 0, done.stderr
    return json.loads(done.stdout)


# eval --------------------------------------------------------------------------------------------------------------


def test_a_specialist_is_judged_on_a_file_with_gold() -> None:
    found = figures("emotion", "--on", "gold.jsonl")
    assert list(found) == ["emotion"]
    assert found["emotion"]["n"] == len(ROWS)
    assert all(0 <= found["emotion"][key] <= 1 for key in ("macro_f1", "top1", "top3", "top5", "ece_top"))
    assert found["emotion"]["top1"] <= found["emotion"]["top3"] <= found["emotion"]["top5"]


def test_a_specialist_is_judged_on_a_split_of_a_data_set() -> None:
    done = specialists("eval", "emotion", "--on", "goemotions:dev", "--data", "data", "--json")
    assert done.exit_code == 0
    assert json.loads(done.stdout)["emotion"]["n"] == 24
    assert done.stderr.splitlines()[-1] == "1 rows of goemotions:dev left out: they cannot be read"
    assert figures("emotion", "--on", "goemotions", "--data", "data/goemotions") == json.loads(done.stdout)


def test_a_data_set_of_ones_own_is_named_by_its_module(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("diary_beside.py").write_text(
        "from emowhy.datasets import DataSet\n"
        "class Diary(DataSet):\n"
        "    name, title, licence, source = 'diary', 'x', 'x', 'x'\n"
        "    labels = ('joy', 'fear')\n"
        "    splits = {'all': ('diary.jsonl',)}\n"
        "    def row(self, cells, split):\n"
        "        return {'text': cells['entry'], 'gold': {'emotions': [self.label(cells['mood'])]}}\n"
    )
    rows = [{"entry": text, "mood": label} for label, text in ROWS if label in ("joy", "fear")]
    Path("diary.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert figures("emotion", "--on", "diary_beside:Diary:all", "--data", ".")["emotion"]["n"] == 20


def test_figures_for_eyes_are_those_for_programs() -> None:
    done = specialists("eval", "emotion", "--on", "gold.jsonl")
    assert done.exit_code == 0
    shown = dict(line.strip().rsplit(maxsplit=1) for line in done.stdout.splitlines() if line.startswith("  "))
    found = figures("emotion", "--on", "gold.jsonl")["emotion"]
    assert set(shown) == set(found)
    assert all(float(shown[key]) == pytest.approx(value, abs=1e-4) for key, value in found.items())


def test_only_the_first_rows_are_read_where_a_limit_is_given() -> None:
    assert figures("emotion", "--on", "gold.jsonl", "--limit", "7")["emotion"]["n"] == 7
    assert figures("emotion", "--on", "goemotions:dev", "--data", "data", "--limit", "7")["emotion"]["n"] == 7


def test_the_label_set_that_was_asked_for_is_judged_and_gold_outside_it_counted() -> None:
    found = figures("emotion", "--on", "gold.jsonl", "--labels", "ekman")["emotion"]
    assert found["gold labels of no use"] == 20  # gratitude and love


def test_rows_that_cannot_be_read_are_named(here: Path) -> None:
    Path("gold.jsonl").write_text('{"id": "a"}\n{"text": "I am happy", "gold": {"emotions": ["joy"]}}\n')
    done = specialists("eval", "emotion", "--on", "gold.jsonl", "--json")
    assert done.exit_code == 0
    assert "line 1 rejected: neither text nor observation" in done.stderr
    assert json.loads(done.stdout)["emotion"]["n"] == 1


def test_rows_without_gold_are_an_error_with_its_cure() -> None:
    Path("plain.jsonl").write_text('{"text": "I am happy"}\n')
    done = specialists("eval", "emotion", "--on", "plain.jsonl")
    assert (done.exit_code, done.stdout) == (2, "")
    assert "plain.jsonl has no gold for what emotion tell" in done.stderr
    assert "--on" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "told", "cure"),
    [
        (["emotion", "--on", "goemotoins:dev"], "no dataset 'goemotoins'", "did you mean 'goemotions'?"),
        (
            ["emotion", "--on", "goemotions:dve", "--data", "data"],
            "goemotions has no split 'dve'",
            "did you mean 'dev'?",
        ),
        (["emotion", "--on", "goemotions:dev"], "where is goemotions?", "--data FOLDER"),
        (["emotion", "--on", "goemotions:dev", "--data", "nowhere"], "no file of goemotions", "licence: CC BY 4.0"),
        (["emotion", "--on", "goemotions:test", "--data", "data"], "the test split of goemotions is not there", "http"),
        (["emotion", "--on", "golden.jsonl"], "there is no file 'golden.jsonl'", "did you mean gold.jsonl?"),
        (["emotoin", "--on", "gold.jsonl"], "no specialist 'emotoin'", "did you mean 'emotion'?"),
        (["emotion@nowhere", "--on", "gold.jsonl"], "the specialist's file nowhere/model.onnx is missing", "nowhere"),
        (["occlusion@nowhere", "--on", "gold.jsonl"], "occlusion has no trained weights", "without @nowhere"),
        (
            ["emotion", "--on", "gold.jsonl", "--labels", "ekmann"],
            "unknown label set 'ekmann'",
            "did you mean 'ekman'?",
        ),
    ],
)
def test_what_cannot_be_judged_is_told_with_its_cure(arguments: list[str], told: str, cure: str) -> None:
    done = specialists("eval", *arguments)
    assert (done.exit_code, done.stdout) == (2, "")
    first, second = done.stderr.strip().splitlines()
    assert told in first
    assert first.startswith("emowhy: ")
    assert cure in second


# calibrate ---------------------------------------------------------------------------------------------------------


def test_a_calibrated_folder_is_used_behind_an_at_sign() -> None:
    done = specialists("calibrate", "emotion", "--data", "gold.jsonl", "-o", "mine")
    assert done.exit_code == 0, done.stderr
    assert done.stdout.splitlines()[0] == "before"
    assert "after" in done.stdout.splitlines()
    assert done.stderr.splitlines()[-1] == "use it: --specialist emotion@mine"
    shipped, mine = EmotionSpecialist(GO), EmotionSpecialist(GO, Path("mine"))
    texts = [text for _, text in ROWS]
    assert (shipped.logits(texts) == mine.logits(texts)).all()
    assert not (shipped.probabilities(texts) == mine.probabilities(texts)).all()
    assert figures("emotion@mine", "--on", "gold.jsonl")["emotion@mine"]["n"] == len(ROWS)
    assert json.loads(Path("mine/config.json").read_text())["calibrated"] == {"labels": "goemotions", "rows": len(ROWS)}


def test_a_calibrated_folder_can_be_calibrated_again_in_its_place() -> None:
    assert specialists("calibrate", "emotion", "--data", "gold.jsonl", "-o", "mine").exit_code == 0
    place = Path("mine").absolute()
    done = specialists("calibrate", "emotion@mine", "--data", "gold.jsonl", "-o", str(place))
    assert done.exit_code == 0, done.stderr
    assert done.stderr.splitlines()[-1] == f"use it: --specialist emotion@{place}"
    assert EmotionSpecialist(GO, Path("mine")).probabilities(["ok"]).shape == (1, 28)


def test_another_label_set_and_other_columns_are_calibrated_too() -> None:
    ekman = {"gratitude": "joy", "love": "joy"}
    Path("own.csv").write_text("said,mood\n" + "".join(f'"{t}",{ekman.get(label, label)}\n' for label, t in ROWS))
    columns = ("--column", "text=said", "--column", "gold.emotions=mood")
    done = specialists("calibrate", "emotion", "--data", "own.csv", "--labels", "ekman", *columns)
    assert done.exit_code == 0, done.stderr
    config = json.loads(Path("runs/emotion-calibrated/config.json").read_text())
    assert config["calibrated"] == {"labels": "ekman", "rows": len(ROWS)}


def test_fewer_than_fifty_rows_are_an_error_with_its_cure() -> None:
    lines = Path("gold.jsonl").read_text().splitlines(keepends=True)
    Path("few.jsonl").write_text("".join(lines[:49]))
    done = specialists("calibrate", "emotion", "--data", "few.jsonl", "-o", "mine")
    assert (done.exit_code, done.stdout) == (2, "")
    first, second = done.stderr.splitlines()
    assert first == "emowhy: 49 rows have a gold emotion of goemotions; 50 are needed"
    assert "a few hundred are good" in second
    assert not Path("mine").exists()
    Path("enough.jsonl").write_text("".join(lines[:50]))
    assert specialists("calibrate", "emotion", "--data", "enough.jsonl", "-o", "mine").exit_code == 0


def test_what_has_no_probabilities_cannot_be_calibrated() -> None:
    done = specialists("calibrate", "occlusion", "--data", "gold.jsonl")
    assert done.exit_code == 2
    assert "occlusion has no probabilities to fit" in done.stderr
    assert "emotion32 or reader" in done.stderr


def test_judging_and_calibrating_need_no_torch(tmp_path: Path) -> None:
    without = (
        "import sys; sys.modules['torch'] = sys.modules['transformers'] = None; from emowhy.cli import main; main()"
    )
    for arguments in (
        ["eval", "emotion", "--on", "gold.jsonl", "--json"],
        ["calibrate", "emotion", "--data", "gold.jsonl", "-o", "mine"],
    ):
        command = [sys.executable, "-c", without, "specialists", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr


# train -------------------------------------------------------------------------------------------------------------

RECIPE = "name: mine\nheads:\n  emotion: {kind: labels, data: goemotions}\nfinish: {epochs: 1}\n"


@pytest.mark.parametrize(
    ("recipe", "arguments", "told", "cure"),
    [
        (RECIPE, ["--data", "nowhere"], "no file of goemotions", "licence: CC BY 4.0"),
        (RECIPE, [], "where is goemotions?", "--data FOLDER"),
        (RECIPE, ["--data", "data"], "the train split of goemotions is not there", "http"),
        (RECIPE.replace("goemotions", "goemotoins"), ["--data", "data"], "no dataset", "did you mean 'goemotions'?"),
        (RECIPE.replace("finish", "finnish"), ["--data", "data"], "unknown key finnish", "did you mean 'finish'?"),
        (RECIPE + "base: nowhere\n", ["--data", "data"], "nowhere has no tokenizer.json", "train that base first"),
        (None, ["--data", "data"], "the recipe mine.yaml cannot be read", "finetune/specialists/"),
    ],
)
def test_what_cannot_be_trained_is_told_with_its_cure(
    recipe: str | None, arguments: list[str], told: str, cure: str
) -> None:
    if recipe is not None:
        Path("mine.yaml").write_text(recipe)
    done = specialists("train", "mine.yaml", *arguments)
    assert (done.exit_code, done.stdout) == (2, "")
    *_, first, second = done.stderr.strip().splitlines()
    assert first.startswith("emowhy: ")
    assert told in first
    assert cure in second
    assert not Path("runs/mine/work/recipe.json").exists()


@pytest.mark.parametrize("package", ["torch", "onnx", "accelerate"])
def test_training_without_its_packages_names_the_extra(package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("mine.yaml").write_text(RECIPE)
    monkeypatch.setitem(sys.modules, package, None)
    done = specialists("train", "mine.yaml", "--data", "data")
    assert (done.exit_code, done.stdout) == (2, "")
    assert 'pip install "emowhy[tune]"' in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(("given", "told"), [([], ""), (["--seed", "0"], " --seed 0"), (["--seed", "7"], " --seed 7")])
def test_the_command_on_the_card_is_the_one_that_was_typed(
    given: list[str], told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from emowhy.specialists.training import pipeline

    Path("mine.yaml").write_text(RECIPE + "seed: 5\n")
    ran: list[Any] = []

    def run(*how: Any) -> Any:
        ran.append(how)
        return {"emotion": {"top1": 0.5}}

    monkeypatch.setattr(pipeline, "run", run)
    done = specialists("train", "mine.yaml", "--data", "data", *given)
    assert done.exit_code == 0
    assert json.loads(done.stdout) == {"emotion": {"top1": 0.5}}
    ((recipe, data, out, command, _, folder),) = ran
    assert recipe.seed == (int(given[1]) if given else 5)
    assert (data, out, folder) == (Path("data"), Path("runs/mine"), Path())
    assert command == "emowhy specialists train finetune/specialists/mine.yaml" + told
