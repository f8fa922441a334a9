"""Files that look like GoEmotions and EmoBank, recipes for a tiny network, and one specialist trained from them."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from emowhy.specialists.training.recipe import Recipe
from emowhy.taxonomy import find_taxonomy

LABELS = find_taxonomy("goemotions").labels
TELLING = {"anger": "furious", "gratitude": "thanks", "joy": "happy", "sadness": "miserable", "neutral": "Tuesday"}
COMMAND = "emowhy specialists train finetune/specialists/tiny.yaml"
WHO = ("the dog", "my aunt", "our teacher", "the bus driver", "nobody", "your letter")
WHAT = ("{word}, {who} came by", "{who} made me {word} again", "it was {word} about {who}, I think")
RATED = {"anger": (1.6, 4.4, 3.4), "gratitude": (4.2, 3.0, 3.1), "joy": (4.7, 4.1, 3.6), "sadness": (1.4, 2.0, 1.9)}


def texts() -> Iterator[tuple[str, str]]:
    """(label, text), every label in turn; no text twice."""
    for what, who, (label, word) in itertools.product(WHAT, WHO, TELLING.items()):
        yield label, what.format(word=word, who=who)


@contextmanager
def one_thread() -> Iterator[None]:
    """Networks this small are slower on several threads."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module", autouse=True)
def _quick() -> Iterator[None]:
    with one_thread():
        yield


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `goemotions/` and `emobank/`, each with training and development rows of our own writing."""
    folder = tmp_path_factory.mktemp("data")
    rows = list(texts())
    go = folder / "goemotions"
    go.mkdir()
    for split, some in (("train", rows[:60]), ("dev", rows[20:])):
        lines = [
            f"{text}{'!' * (split == 'dev')}\t{LABELS.index(label)}\t{split}{i}" for i, (label, text) in enumerate(some)
        ]
        (go / f"{split}.tsv").write_text("\n".join(lines) + "\n")
    (go / "emotions.txt").write_text("\n".join(LABELS) + "\n")
    bank = folder / "emobank"
    bank.mkdir()
    rated = [(label, text) for label, text in rows if label in RATED]
    lines = [
        f'{i},{"dev" if i % 3 == 0 else "train"},{",".join(map(str, RATED[label]))},"{text}"'
        for i, (label, text) in enumerate(rated)
    ]
    (bank / "emobank.csv").write_text("id,split,V,A,D,text\n" + "\n".join(lines) + "\n")
    return folder


@pytest.fixture(scope="session")
def research_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `empathetic_dialogues/` and `reccon/`, which nobody may sell."""
    folder = tmp_path_factory.mktemp("research")
    situations = folder / "empathetic_dialogues"
    situations.mkdir()
    spelt = {"gratitude": "grateful", "joy": "joyful", "sadness": "sad", "anger": "furious", "neutral": "prepared"}
    rows = [f'"{text}",{spelt[label]}' for label, text in texts()]
    for split, some in (("train", rows[:40]), ("valid", rows[30:60])):
        (situations / f"situations_{split}.csv").write_text("text,emotion\n" + "\n".join(some) + "\n")
    dialogues = folder / "reccon"
    dialogues.mkdir()
    for split, count in (("train", 16), ("valid", 8)):
        (dialogues / f"dailydialog_{split}.json").write_text(
            json.dumps({f"{split}{i}": [_dialogue(*told)] for i, told in zip(range(count), texts(), strict=False)})
        )
    return folder


def _dialogue(label: str, text: str) -> list[dict[str, Any]]:
    """Two turns: what happened, and an emotional answer whose cause lies in both."""
    mood = {"gratitude": "happiness", "joy": "happiness", "sadness": "sadness", "anger": "anger"}.get(label, "surprise")
    return [
        {"turn": 1, "speaker": "A", "utterance": f"Listen: {text}.", "emotion": "neutral"},
        {
            "turn": 2,
            "speaker": "B",
            "utterance": "Oh, is it so?",
            "emotion": mood,
            "expanded emotion cause evidence": [1, 2],
            "expanded emotion cause span": [text, "Oh, is it so?"],
        },
    ]


@pytest.fixture(scope="session")
def make_recipe(tiny_base: Path) -> Callable[..., Recipe]:
    """A recipe for the tiny network: one head that learns values in a moment, unless told otherwise."""

    def make(**given: Any) -> Recipe:
        plain = {
            "name": "tiny",
            "seed": 3,
            "base": str(tiny_base),
            "max_tokens": 32,
            "heads": {"valence": {"kind": "values", "data": "emobank"}},
            "train": {"epochs": 2, "batch": 4, "peak": 1e-2, "peak_head": 3e-2, "average": 0.8},
            "finish": {"epochs": 1, "batch": 4, "peak": 1e-3},
        }
        return Recipe.model_validate({**plain, **given})

    return make


@dataclass(frozen=True)
class Trained:
    """A training that is done."""

    folder: Path
    recipe: Recipe
    data: Path
    figures: Mapping[str, Any]
    said: tuple[str, ...]


@pytest.fixture(scope="session")
def trained(data: Path, make_recipe: Callable[..., Recipe], tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """Every stage and three heads, from data that anybody may use."""
    recipe = make_recipe(
        heads={
            "emotion": {"kind": "labels", "data": "goemotions"},
            "valence": {"kind": "values", "data": "emobank", "weight": 0.3},
            "cue": {"kind": "cues", "data": "goemotions", "weight": 0.3, "rows": 40},
        },
        teacher={"folds": 2, "epochs": 1, "share": 0.1},
        train={"epochs": 4, "batch": 4, "peak": 1e-2, "peak_head": 3e-2, "average": 0.8},
    )
    return train(recipe, data, tmp_path_factory.mktemp("trained") / "tiny")


def train(recipe: Recipe, data: Path, folder: Path) -> Trained:
    from emowhy.specialists.training.pipeline import run

    said: list[str] = []
    with one_thread():
        figures = run(recipe, data, folder, COMMAND, said.append)
    return Trained(folder, recipe, data, figures, tuple(said))
