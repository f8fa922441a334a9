"""`hf:<id>` with a tiny classifier made here: random weights, real loading, real batching."""

from __future__ import annotations

from pathlib import Path

import pytest

from emowhy.errors import EmowhyError
from emowhy.specialists import find_clues, load_specialists
from emowhy.taxonomy import find_taxonomy
from emowhy.types import Sample

TEXTS = ("I got the job!", "They cancelled it and nobody even told us about it until the morning.", "", "ok")


def save_classifier(folder: Path, labels: list[str]) -> Path:
    import torch
    from transformers import BertConfig, BertForSequenceClassification, BertTokenizerFast

    torch.manual_seed(0)
    words = [
        "[PAD]",
        "[UNK]",
        "[CLS]",
        "[SEP]",
        "[MASK]",
        *"abcdefghijklmnopqrstuvwxyz",
        *["the", "job", "it", "they", "i"],
    ]
    folder.mkdir()
    (folder / "vocab.txt").write_text("\n".join(words))
    BertTokenizerFast(vocab=str(folder / "vocab.txt")).save_pretrained(folder)
    config = BertConfig(
        vocab_size=len(words),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        id2label=dict(enumerate(labels)),
        label2id={label: i for i, label in enumerate(labels)},
    )
    BertForSequenceClassification(config).save_pretrained(folder)
    return folder


def test_its_labels_come_in_the_spelling_of_the_label_set_and_unknown_ones_are_left_out(tmp_path: Path) -> None:
    folder = save_classifier(tmp_path / "tiny", ["Angry", "happiness", "LABEL_2"])
    loaded = load_specialists([f"hf:{folder}", "occlusion"], find_taxonomy("ekman"))
    samples = [Sample(str(i), text=text) for i, text in enumerate(TEXTS)]
    found = find_clues(loaded, samples)
    assert {clue.label for clue in found[0] if clue.kind == "emotion" and clue.score} == {"anger", "joy"}
    assert found[2] == ()
    for sample, clues in zip(samples, found, strict=True):
        for clue in clues:
            assert clue.kind == "emotion" or (sample.text or "")[clue.start : clue.end] == clue.quote
            assert 0 <= (clue.score or 0) <= 1


def test_a_classifier_that_shares_no_label_is_refused_with_its_labels(tmp_path: Path) -> None:
    folder = save_classifier(tmp_path / "stars", ["1 star", "5 stars"])
    with pytest.raises(EmowhyError, match="5 stars"):
        load_specialists([f"hf:{folder}"], find_taxonomy("ekman"))


def test_a_classifier_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(EmowhyError, match="nowhere"):
        load_specialists([f"hf:{tmp_path / 'nowhere'}"], find_taxonomy("ekman"))
