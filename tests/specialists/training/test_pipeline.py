"""Laws of a whole training: from a recipe and files to a folder that tells clues, however often it is interrupted."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
import yaml

from emowhy.errors import MissingError, UsageError
from emowhy.specialists import Classifier, find_clues, load_specialists
from emowhy.specialists.cause import CauseSpans
from emowhy.specialists.cue import Cue
from emowhy.specialists.emotion import Emotion32, EmotionSpecialist
from emowhy.specialists.training import pipeline, rows, teacher
from emowhy.specialists.training.heads import LabelsHead
from emowhy.specialists.training.loop import Progress, Source
from emowhy.specialists.training.network import Network
from emowhy.specialists.training.recipe import HeadRecipe, Recipe
from emowhy.specialists.valence import Valence
from emowhy.taxonomy import find_taxonomy
from emowhy.types import Clue, Sample

if TYPE_CHECKING:
    from specialists.training.conftest import Trained

GO = find_taxonomy("goemotions")
WORDS = {"anger": "furious", "gratitude": "thanks", "joy": "happy", "sadness": "miserable"}
Make = Callable[..., Recipe]


def quiet(line: str) -> None:
    pass


def told(specialist: Any, *texts: str) -> list[list[Clue]]:
    samples = [Sample(str(i), text) for i, text in enumerate(texts)]
    joy: list[list[Clue]] = [[Clue("emotion", "x", "joy", score=0.9, chosen=True)] for _ in samples]
    found: list[list[Clue]] = specialist.find_clues(samples, joy)
    return found


# What comes out ----------------------------------------------------------------------------------------------------


def test_a_trained_folder_is_an_emotion_specialist_that_learned_its_labels(trained: Trained) -> None:
    specialist = EmotionSpecialist(GO, trained.folder)
    said = specialist.probabilities([f"our teacher made me {word} again" for word in WORDS.values()])
    own = [GO.labels.index(label) for label in WORDS]
    assert said[:, own].argmax(0).tolist() == [0, 1, 2, 3]  # a label is likeliest where its word stands
    assert trained.figures["emotion"]["top1"] > 0.8
    found = specialist.probabilities(["furious", "", "日本語", "a" * 5000])
    assert found.shape == (4, 28)
    assert ((found >= 0) & (found <= 1)).all()


def test_a_trained_folder_tells_words_and_values_too(trained: Trained) -> None:
    text = "the plumber made me happy again"
    (cues,) = told(Cue(trained.folder), text)
    assert cues
    assert all(text[clue.start : clue.end] == clue.quote for clue in cues)
    glad, cross = told(Valence(trained.folder), text, "the plumber made me furious again")
    assert [clue.label for clue in glad] == ["valence", "arousal", "dominance"]
    assert all(1 <= (clue.value or 0) <= 5 for clue in [*glad, *cross])
    assert (glad[0].value or 0) > (cross[0].value or 0)


def test_a_trained_folder_is_named_behind_an_at_sign(trained: Trained) -> None:
    names = [f"{name}@{trained.folder}" for name in ("emotion", "cue", "valence")]
    loaded = load_specialists([*names, "occlusion"], find_taxonomy("ekman"))
    assert sorted(type(one).name for one in loaded) == ["cue", "emotion", "occlusion", "valence"]
    (clues,) = find_clues(loaded, [Sample("a", "your letter made me miserable again")])
    assert {clue.source for clue in clues} == {one.name for one in loaded} == {*names, "occlusion"}
    assert next(clue for clue in clues if clue.source == names[0]).label == "sadness"


def test_every_label_set_with_a_name_is_calibrated_and_has_candidate_sets(trained: Trained) -> None:
    for name in ("goemotions", "ekman", "plutchik", "parrott", "empathetic", "meld"):
        specialist = EmotionSpecialist(find_taxonomy(name), trained.folder)
        assert specialist.candidate_bound(0.9) is not None
        assert ((specialist.thresholds() > 0) & (specialist.thresholds() < 1)).all()


def test_the_config_says_what_it_was_made_from(trained: Trained) -> None:
    config = json.loads((trained.folder / "config.json").read_text())
    assert (config["name"], config["seed"], config["max_tokens"]) == ("tiny", 3, 32)
    assert config["commercial"] is True
    assert config["data"] == "GoEmotions, CC BY 4.0; EmoBank, CC BY-SA 4.0"
    assert {name: head["kind"] for name, head in config["heads"].items()} == {
        "emotion": "labels",
        "valence": "values",
        "cue": "cues",
    }


def test_the_card_names_data_licences_seed_command_and_figures(trained: Trained) -> None:
    card = (trained.folder / "README.md").read_text()
    for words in ("GoEmotions", "CC BY 4.0", "EmoBank", "CC BY-SA 4.0", "commercial use allowed"):
        assert words in card
    assert "`emowhy specialists train finetune/specialists/tiny.yaml`, seed 3" in card
    for head, name, key in (
        ("emotion", "macro-F1", "macro_f1"),
        ("emotion", "gold at top 1", "top1"),
        ("valence", "r of arousal", "r_arousal"),
        ("cue", "token F1 against occlusion", "token_f1"),
    ):
        after, before = (where[head][key] for where in (trained.figures, trained.figures["before export"]))
        assert f"| {head} | {name} | {after:.4f} | {before:.4f} |" in card
    assert "| nan" not in card
    assert card.count("| train | ") == 2 * 4
    assert card.count("| finish | ") == 2


def test_what_was_measured_before_the_export_is_what_the_export_measures(trained: Trained) -> None:
    """Of the same rows: 70 of them, so that one that flips with a rounding level is .015."""
    before = trained.figures["before export"]
    for head, keys in {"emotion": ("top1", "macro_f1"), "valence": ("r",), "cue": ("token_f1",)}.items():
        for key in keys:
            assert trained.figures[head][key] == pytest.approx(before[head][key], abs=0.05)


def test_silver_words_are_those_that_tell(trained: Trained) -> None:
    silver = json.loads((trained.folder / "work" / "silver-cue.json").read_text())
    lines = (trained.data / "goemotions" / "train.tsv").read_text().splitlines()[:40]  # as the recipe's `rows` says
    assert len(silver) == 40 + 70
    right = []
    for line, spans in zip(lines, silver, strict=False):
        text, number, _ = line.split("\t")
        if word := WORDS.get(GO.labels[int(number)]):
            right.append(any(word in text[start:end] for start, end in spans))
        assert all(0 <= start < end <= len(text) for start, end in spans)
    assert np.mean(right) > 0.8


def test_the_encoder_it_leaves_is_a_base_for_another_recipe(
    trained: Trained, make_recipe: Make, tmp_path: Path
) -> None:
    recipe = make_recipe(base=str(trained.folder / "encoder"), train={"epochs": 1, "batch": 8}, finish=None)
    pipeline.run(recipe, trained.data, tmp_path, "x", quiet)
    assert told(Valence(tmp_path), "ok")[0]


def test_rows_that_cannot_be_read_are_reported_once_and_left_out(data: Path, make_recipe: Make, tmp_path: Path) -> None:
    lines = (data / "emobank" / "emobank.csv").read_text().splitlines()
    lines[3:3] = ["x1,train,9,3,3,Hm.", "x2,train,three,3,3,Hm.", "x3,trian,3,3,3,Hm."]
    (tmp_path / "emobank.csv").write_text("\n".join(lines) + "\n")
    said: list[str] = []
    short = {"epochs": 1, "batch": 8, "average": 0.8}
    for name, folder in (("whole", data), ("torn", tmp_path)):
        pipeline.run(make_recipe(train=short, finish=None), folder, tmp_path / name, "x", said.append)
    notes = [line for line in said if "left out" in line]
    assert [note.split(" left out")[0] for note in notes] == [
        "emobank train, line 4",
        "emobank train, line 5",
        "emobank train, line 6",
        "emobank train: 3 of 51 rows",
        "emobank dev, line 6",
        "emobank dev: 1 of 25 rows",
    ]
    files = ("model.onnx", "config.json")
    assert all((tmp_path / "whole" / f).read_bytes() == (tmp_path / "torn" / f).read_bytes() for f in files)


def research_recipe(make_recipe: Make) -> Recipe:
    """Cause spans and 32 exclusive labels, from data for research only."""
    short = {"epochs": 2, "batch": 8, "peak": 3e-3, "average": 0.8}
    return make_recipe(
        heads={
            "cause": {"kind": "causes", "data": "reccon"},
            "emotion": {"kind": "labels", "data": "empathetic_dialogues", "exclusive": True, "smoothing": 0.1},
        },
        folds=2,
        train=short,
    )


# Further rows ---------------------------------------------------------------------------------------------------


def test_further_rows_teach_in_finish_what_the_data_lack(data: Path, make_recipe: Make, tmp_path: Path) -> None:
    more = [f"{who} heard a ghost" for who in ("the baker", "my cousin", "our nurse", "his boss", "a boy", "the king")]
    gold = [{"text": text, "gold": {"emotions": ["fear"]}} for text in more]
    lines = [*gold, {"text": "no label here"}, {"text": "unknown", "gold": {"emotions": ["hunger"]}}]
    (tmp_path / "more.jsonl").write_text("\n".join(json.dumps(line) for line in lines))
    also = {"file": "more.jsonl", "licence": "mine alone", "commercial": False, "times": 8}
    heads = {
        "emotion": {"kind": "labels", "data": "goemotions", "also": also},
        "cue": {"kind": "cues", "data": "goemotions", "rows": 8},
    }
    recipe = make_recipe(heads=heads, finish={"epochs": 1, "batch": 4, "peak": 1e-2, "peak_head": 3e-2, "average": 0.8})
    with pytest.raises(MissingError, match=r"more\.jsonl \(licence: mine alone\)"):
        pipeline.run(recipe, data, tmp_path / "out", "it", quiet, tmp_path / "elsewhere")
    said: list[str] = []
    pipeline.run(recipe, data, tmp_path / "out", "it", said.append, tmp_path)
    assert "more.jsonl: 2 of 8 rows left out: unreadable, or without a label" in said
    after, before = (
        EmotionSpecialist(GO, folder) for folder in (tmp_path / "out", tmp_path / "out" / "work" / "early")
    )
    unseen, fear = ["the queen heard a ghost"], GO.labels.index("fear")
    assert after.logits(unseen)[0, fear] > before.logits(unseen)[0, fear] + 1
    told_after, told_before = (json.loads((one.folder / "config.json").read_text()) for one in (after, before))
    assert told_after["trained_on"] == ["goemotions:train", "more.jsonl"]
    assert (told_after["commercial"], told_after["licence"]) == (False, "research only: see data")
    assert (told_before["trained_on"], told_before["commercial"]) == (["goemotions:train"], True)
    assert "`more.jsonl`, mine alone: each of its rows 8 times" in (tmp_path / "out" / "README.md").read_text()


@pytest.fixture(scope="module")
def research(research_data: Path, make_recipe: Make, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("research") / "tiny"
    pipeline.run(research_recipe(make_recipe), research_data, folder, "x", quiet)
    return folder


def test_a_data_set_for_research_makes_weights_for_research(research: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = json.loads((research / "config.json").read_text())
    assert config["commercial"] is False
    assert "research only" in config["licence"]
    assert "CC BY-NC 4.0" in config["data"]
    card = (research / "README.md").read_text()
    assert "research only" in card
    assert "commercial use allowed" not in card
    assert "CC BY-NC-SA 4.0" in card


def test_labels_that_exclude_each_other_share_one_probability(research: Path) -> None:
    specialist = Emotion32(find_taxonomy("empathetic"), research)
    found = specialist.probabilities(["your letter made me furious again", "ok"])
    assert found.shape == (2, 32)
    assert found.sum(1) == pytest.approx([1, 1], abs=1e-4)


def test_causes_are_told_in_words_of_the_dialogue(research: Path) -> None:
    from emowhy.types import Turn

    sample = Sample("a", "Oh, is it so?", "B", (Turn("Listen: the dog made me happy again.", "A"),))
    joy = [Clue("emotion", "x", "joy", score=0.9, chosen=True)]
    specialist = CauseSpans(GO, research)
    (clues,) = specialist.find_clues([sample], [joy])
    assert all(sample.turns()[c.turn or 0].text[c.start : c.end] == c.quote for c in clues)
    (spans,) = specialist.spans([sample], ["happiness"])
    assert [span.turn for span in spans] == [1, 0]


# The teacher -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", [0, 1])
def test_no_soft_label_comes_from_a_network_that_saw_the_text(
    seed: int, data: Path, make_recipe: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each fold's network is replaced by one that says nothing but its number, whatever it reads."""
    lines = (data / "goemotions" / "train.tsv").read_text().splitlines()[:30]
    doubled = [line.replace("the ", "THE, ").replace("\t", "!\t", 1).replace("train", "again") for line in lines]
    (tmp_path / "train.tsv").write_text("\n".join([*lines, *doubled]) + "\n")
    (tmp_path / "dev.tsv").write_text("\n".join(lines) + "\n")
    one = HeadRecipe(kind="labels", data="goemotions")
    recipe = make_recipe(heads={"emotion": one}, teacher={"folds": 3, "share": 1.0, "seed": seed})
    assert recipe.base
    tokenizer = pipeline._tokenizer(Path(recipe.base), 32)
    head = LabelsHead("emotion", one, tmp_path, tokenizer, quiet)
    learned: list[list[list[int]]] = []

    def constant(
        network: Network,
        sources: Sequence[Source],
        losses: object,
        evaluate: object,
        schedule: object,
        work: Path,
        **how: object,
    ) -> Progress:
        learned.append(sources[0].ids)
        work.mkdir(parents=True)
        with torch.no_grad():
            weight, bias = network.heads["emotion"].parameters()
            weight.zero_()
            bias.fill_(float(len(learned)))
        return Progress()

    monkeypatch.setattr(teacher, "train", constant)
    assert recipe.teacher
    assert recipe.train
    teacher.teach(recipe.teacher, recipe.train, "emotion", head, Path(recipe.base), tmp_path, lambda *_: None, quiet)
    assert len(learned) == 3
    assert head.soft is not None
    keys = {tuple(ids): rows.text_key(s.words()) for ids, s in zip(head.train.ids, head.train.samples, strict=True)}
    assert len(set(keys.values())) == len(keys) / 2  # every text stands there twice, in other letters
    read = {number: [keys[tuple(ids)] for ids in some] for number, some in enumerate(learned, 1)}
    for sample, row in zip(head.train.samples, head.soft, strict=True):
        said = next(k for k in read if np.allclose(row, head.untilt(np.full((1, 28), float(k)))))
        assert rows.text_key(sample.words()) not in read[said]
    assert all(sorted(some) != sorted(keys.values()) and some for some in read.values())


# Interrupted -------------------------------------------------------------------------------------------------------


def same(one: Path, other: Path) -> bool:
    names = ("model.onnx", "config.json", "encoder/model.safetensors")
    return all((one / name).read_bytes() == (other / name).read_bytes() for name in names)


def test_a_training_that_is_interrupted_again_and_again_ends_with_the_same_files(
    trained: Trained, tmp_path: Path
) -> None:
    """Each run is stopped when it tells something for the third time that no run told before."""
    known: set[str] = set()
    stops: list[str] = []

    def until_news(line: str) -> None:
        key = line.partition(" (")[0]
        if key not in known:
            known.add(key)
            news.append(key)
            if len(news) == 3:
                raise KeyboardInterrupt

    for _ in range(20):
        news: list[str] = []
        try:
            figures = pipeline.run(trained.recipe, trained.data, tmp_path, "x", until_news)
        except KeyboardInterrupt:
            stops.append(news[-1])
        else:
            break
    assert known == {line.partition(" (")[0] for line in trained.said}
    assert len(stops) >= 4
    assert any("teacher" in stop for stop in stops) or any("epoch" in stop for stop in stops)
    assert same(tmp_path, trained.folder)
    assert figures == trained.figures
    again: list[str] = []
    pipeline.run(trained.recipe, trained.data, tmp_path, "x", again.append)
    assert not any("epoch" in line or "teacher" in line or "silver" in line for line in again)
    assert same(tmp_path, trained.folder)


def test_a_cross_validation_that_is_interrupted_ends_with_the_same_files(
    research: Path, research_data: Path, make_recipe: Make, tmp_path: Path
) -> None:
    for stop in ("fold 1 of 2", "fold 2 of 2", "epoch 1 weights", "epoch 2 average"):

        def until(line: str, stop: str = stop) -> None:
            if line.startswith(stop):
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            pipeline.run(research_recipe(make_recipe), research_data, tmp_path, "x", until)
    pipeline.run(research_recipe(make_recipe), research_data, tmp_path, "x", quiet)
    assert same(tmp_path, research)


def test_a_killed_training_goes_on_with_the_same_command_to_the_same_weights(
    data: Path, make_recipe: Make, tmp_path: Path
) -> None:
    epochs = {"epochs": 12, "batch": 4, "patience": 12, "peak": 1e-3, "average": 0.8}
    recipe = make_recipe(train=epochs)
    file, out = tmp_path / "tiny.yaml", tmp_path / "out"
    file.write_text(yaml.safe_dump(recipe.model_dump()))
    command = [sys.executable, "-m", "emowhy", "specialists", "train", str(file), "--data", str(data), "-o", str(out)]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("EMOWHY_")}
    environment |= {"OMP_NUM_THREADS": "1", "TQDM_DISABLE": "1"}
    with (tmp_path / "stderr").open("w") as errors:
        process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=errors)
        while not (out / "work" / "train" / "state.pt").is_file():
            assert process.poll() is None, (tmp_path / "stderr").read_text()
            time.sleep(0.01)
        process.kill()
    assert process.wait() == -signal.SIGKILL
    assert not (out / "model.onnx").exists()
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert f"{out} is trained" in done.stderr
    assert next(line for line in done.stderr.splitlines() if line.startswith("epoch "))[:8] != "epoch 1 "
    straight = pipeline.run(recipe, data, tmp_path / "whole", "x", quiet)
    assert json.loads(done.stdout) == straight
    assert same(out, tmp_path / "whole")
    assert "`emowhy specialists train finetune/specialists/tiny.yaml`, seed 3" in (out / "README.md").read_text()


def test_two_processes_train_one_specialist_and_one_of_them_tells(trained: Trained, tmp_path: Path) -> None:
    file, out = tmp_path / "tiny.yaml", tmp_path / "out"
    file.write_text(yaml.safe_dump(trained.recipe.model_dump()))
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2", "-m", "emowhy"]
    command = [*launch, "specialists", "train", str(file), "--data", str(trained.data), "-o", str(out)]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("EMOWHY_")}
    environment |= {"OMP_NUM_THREADS": "1", "TQDM_DISABLE": "1", "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("is trained") == 1
    figures = json.loads(done.stdout)
    assert {"emotion", "valence", "cue"} <= set(figures)
    assert load_specialists([f"emotion@{out}"], find_taxonomy("goemotions"))[0].find_clues(
        [Sample("a", "I am so happy")], [()]
    )[0]


# Refused -----------------------------------------------------------------------------------------------------------


def test_a_work_folder_of_another_recipe_is_refused_with_its_cure(trained: Trained, make_recipe: Make) -> None:
    before = {path: path.stat().st_mtime_ns for path in trained.folder.rglob("*")}
    for other in (make_recipe(), trained.recipe.model_copy(update={"seed": 99})):
        with pytest.raises(UsageError, match="another recipe") as refused:
            pipeline.run(other, trained.data, trained.folder, "x", quiet)
        assert "-o" in refused.value.cure
        assert str(trained.folder / "work") in refused.value.cure
    assert {path: path.stat().st_mtime_ns for path in trained.folder.rglob("*")} == before


def test_a_folder_in_which_nothing_was_learned_belongs_to_no_recipe(
    data: Path, make_recipe: Make, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    with pytest.raises(MissingError, match="emobank"):
        pipeline.run(make_recipe(), tmp_path, out, "x", quiet)
    with pytest.raises(MissingError, match=r"no tokenizer\.json"):
        pipeline.run(make_recipe(base=str(tmp_path / "none")), data, out, "x", quiet)
    wrong = {"emotion": {"kind": "labels", "data": "reccon"}}
    with pytest.raises(UsageError, match="no named label set"):
        pipeline.run(make_recipe(heads=wrong), data, out, "x", quiet)
    unknown = {"emotion": {"kind": "labels", "data": "goemotoins"}}
    with pytest.raises(UsageError) as refused:
        pipeline.run(make_recipe(heads=unknown), data, out, "x", quiet)
    assert "did you mean 'goemotions'?" in refused.value.cure
    pipeline.run(make_recipe(train={"epochs": 1, "batch": 8}, finish=None), data, out, "x", quiet)
    assert isinstance(load_specialists([f"valence@{out}"], GO)[0], Valence)


def test_what_a_folder_does_not_tell_is_said(trained: Trained, research: Path) -> None:
    with pytest.raises(MissingError, match="has no head 'cue', only cause, emotion"):
        Cue(research)
    assert all(not isinstance(one, Classifier) for one in load_specialists([f"valence@{trained.folder}"], GO))
