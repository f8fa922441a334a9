"""A tiny trained specialist, made with the project's own parts: random weights, every head, real tokenizer."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def tiny_base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random BERT (2 layers, width 32) as a checkpoint, with the shipped encoder's tokenizer.json."""
    import torch
    from tokenizers import Tokenizer
    from transformers import BertConfig, BertModel

    from emowhy.models import find_encoder

    folder = tmp_path_factory.mktemp("specialists") / "base"
    words = find_encoder() / "tokenizer.json"
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=Tokenizer.from_file(str(words)).get_vocab_size(),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
    )
    BertModel(config).save_pretrained(folder)
    shutil.copy(words, folder)
    return folder


@pytest.fixture(scope="session")
def tiny_specialist(tiny_base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An exported folder with the heads emotion, cue, valence and cause; 64 tokens, nothing calibrated."""
    import torch

    from emowhy.specialists.training.export import export
    from emowhy.specialists.training.network import Head, build
    from emowhy.taxonomy import find_taxonomy

    folder = tmp_path_factory.mktemp("specialists") / "tiny"
    folder.mkdir()
    labels = find_taxonomy("goemotions").labels
    heads = {"emotion": Head(len(labels)), "cue": Head(1, "token"), "valence": Head(3), "cause": Head(4, "token")}
    network = build(tiny_base, heads, seed=1)
    with torch.no_grad():  # far enough apart that a text's words matter
        for weight in network.heads.parameters():
            weight.mul_(6)
    export(network, folder / "model.onnx")
    shutil.copy(tiny_base / "tokenizer.json", folder)
    settings = {
        "emotion": {
            "kind": "labels",
            "taxonomy": "goemotions",
            "labels": list(labels),
            "exclusive": False,
            "calibration": {},
            "conformal": {"goemotions": {"0.90": 0.25}},
        },
        "cue": {"kind": "cues", "threshold": 0.5},
        "valence": {
            "kind": "values",
            "names": ["valence", "arousal", "dominance"],
            "range": [1, 5],
            "scale": [1.5, 0.4, 0.3],
            "shift": [3.0, 3.1, 3.2],
        },
        "cause": {"kind": "causes", "threshold": 0.3, "turns": [0.0, 1.0, *[0.0] * 9], "favour": [1.0] * 6},
    }
    config = {
        "name": "tiny",
        "max_tokens": 64,
        "seed": 1,
        "data": "none: random weights",
        "licence": "Apache-2.0",
        "commercial": True,
        "heads": settings,
    }
    (folder / "config.json").write_text(json.dumps(config, indent=1) + "\n", encoding="utf-8")
    return folder
