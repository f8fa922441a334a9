"""Laws of valence, arousal and dominance, with a head whose scale is known."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emowhy.errors import MissingError
from emowhy.specialists.onnx import load_onnx
from emowhy.specialists.valence import Valence
from emowhy.types import Clue, Sample

NAMES = ("valence", "arousal", "dominance")
SCALE, SHIFT = (1.5, 0.4, 0.3), (3.0, 3.1, 3.2)  # the tiny specialist's
BATCH = ["I am so happy!", "It is a table.", "no " * 40, "😭 they cancelled it", "x", "今天", "I HATE IT", "\x00 a"]


def test_values_are_the_heads_outputs_scaled_back_and_kept_within_their_range(tiny_specialist: Path) -> None:
    raw = np.stack(load_onnx(tiny_specialist).read(BATCH).outputs["valence"])
    found = Valence(tiny_specialist).values(BATCH)
    assert found == pytest.approx(np.clip(raw * SCALE + SHIFT, 1, 5), abs=1e-5)
    assert (np.abs(raw * SCALE + SHIFT - 3) > 2).any()  # something was there to keep within


@given(st.lists(st.text(max_size=60), max_size=4))
@settings(max_examples=40, deadline=None)
def test_any_text_has_three_values_from_one_to_five(tiny_specialist: Path, texts: list[str]) -> None:
    found = Valence(tiny_specialist).values(texts)
    assert found.shape == (len(texts), 3)
    assert ((found >= 1) & (found <= 5)).all()


def test_a_text_has_a_clue_for_each_dimension_and_one_without_words_none(tiny_specialist: Path) -> None:
    specialist = Valence(tiny_specialist)
    samples = [Sample("a", BATCH[0]), Sample("b", "?!"), Sample("c", None, observations={"face": "a smile", "b": None})]
    clues, none, seen = specialist.find_clues(samples, [()] * 3)
    wanted = specialist.values([BATCH[0], "a smile"])
    for found, row in zip((clues, seen), wanted, strict=True):
        assert found == [
            Clue("valence", "valence", label=name, value=round(float(value), 2))
            for name, value in zip(NAMES, row, strict=True)
        ]
    assert none == []
    assert specialist.find_clues([], []) == []


@pytest.mark.parametrize("order", [list(reversed(range(len(BATCH)))), [0], [3, 3, 3], list(range(len(BATCH))) * 9])
def test_neither_order_nor_company_changes_values(tiny_specialist: Path, order: list[int]) -> None:
    specialist = Valence(tiny_specialist)
    whole = specialist.values(BATCH)
    assert specialist.values([BATCH[i] for i in order]) == pytest.approx(whole[order], abs=1e-4)


def test_the_identity_names_weights_data_and_licence(tiny_specialist: Path) -> None:
    identity = Valence(tiny_specialist).identity()
    assert {"name", "sha256", "data", "licence"} <= identity.keys()
    assert json.loads(json.dumps(identity)) == identity


def test_a_folder_without_the_head_is_named_with_a_cure(tiny_specialist: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(tiny_specialist, tmp_path / "copy")
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    del config["heads"]["valence"]
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    with pytest.raises(MissingError, match="no head 'valence'") as caught:
        Valence(folder)
    assert str(folder) in caught.value.message
    assert "emowhy" in caught.value.cure
