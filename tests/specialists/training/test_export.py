"""Laws of the export: one small file that says what the network says, on integers where it was trained to."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from emowhy.models import find_encoder
from emowhy.specialists.onnx import OnnxModel
from emowhy.specialists.training.export import export, shrink_words
from emowhy.specialists.training.loop import predict, start_rounding
from emowhy.specialists.training.network import Head, Network, build
from emowhy.specialists.training.quantise import WEIGHT_LEVEL, prepare, ranges, rounded_linears

HEADS = {"emotion": Head(5), "cue": Head(1, "token")}
TEXTS = [
    "They cancelled it and nobody even told us!",
    "ok",
    "",
    "Thank you so much 😀",
    "I can't stop thinking about what I said to her, and it has been two weeks now. " * 4,
    "日本語のテキスト",
    *(f"the {word} came {k} times" for k, word in enumerate(["dog", "letter", "bill", "rain", "bus", "moon"])),
]


@dataclass(frozen=True)
class Exported:
    network: Network
    model: OnnxModel
    ids: list[list[int]]
    path: Path


@pytest.fixture(scope="module", params=["plain", "rounded"])
def exported(request: pytest.FixtureRequest, tiny_base: Path, tmp_path_factory: pytest.TempPathFactory) -> Exported:
    from tokenizers import Tokenizer

    folder = tmp_path_factory.mktemp(request.param)
    tokenizer = Tokenizer.from_file(str(find_encoder() / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(48)
    ids = [encoded.ids for encoded in tokenizer.encode_batch(TEXTS)]
    network = build(tiny_base, HEADS, 0)
    with torch.no_grad():  # weights of the size that training gives them, so that texts differ
        for name, weight in network.encoder.named_parameters():
            if name.endswith("weight") and weight.ndim == 2 and "embeddings" not in name:
                weight.mul_(8)
    if request.param == "rounded":
        start_rounding(network, ids, prepare)
    shrink_words(network)
    export(network, folder / "model.onnx")
    tokenizer.save(str(folder / "tokenizer.json"))
    config = {"name": "tiny", "heads": {}, "data": "none", "licence": "none", "max_tokens": 48}
    (folder / "config.json").write_text(json.dumps(config))
    return Exported(network, OnnxModel(folder), ids, folder / "model.onnx")


def is_rounded(exported: Exported) -> bool:
    return bool(ranges(exported.network))


def test_the_file_says_what_the_network_says(exported: Exported) -> None:
    said, meant = exported.model.run(exported.ids), predict(exported.network, exported.ids)
    for head in HEADS:
        a, b = np.concatenate(said[head]).ravel(), np.concatenate(meant[head]).ravel()
        assert a.shape == b.shape
        assert b.std() > 0.05  # there is something to be missed
        if is_rounded(exported):
            # a value between two levels may fall to either, and one level changes what comes after it
            assert np.abs(a - b).mean() < 0.05 * b.std()
            assert np.abs(a - b).max() < 0.5 * b.std()
        else:
            assert np.abs(a - b).max() < 1e-4


def test_a_text_is_read_alone_as_in_any_company(exported: Exported) -> None:
    together = exported.model.read(TEXTS)
    turned = exported.model.read(TEXTS[::-1])
    for i, text in enumerate(TEXTS):
        alone = exported.model.read([text])
        for head in HEADS:
            np.testing.assert_allclose(alone.outputs[head][0], together.outputs[head][i], rtol=0, atol=1e-5)
            np.testing.assert_allclose(turned.outputs[head][-1 - i], together.outputs[head][i], rtol=0, atol=1e-5)


def test_exporting_changes_nothing_in_the_network(exported: Exported, tmp_path: Path) -> None:
    before = predict(exported.network, exported.ids)["emotion"]
    weights = {name: value.clone() for name, value in exported.network.state_dict().items()}
    export(exported.network, tmp_path / "again.onnx")
    assert np.array_equal(predict(exported.network, exported.ids)["emotion"], before)
    assert all(torch.equal(value, weights[name]) for name, value in exported.network.state_dict().items())


def graph(path: Path) -> Any:
    import onnx

    return onnx.load(str(path)).graph


def test_products_run_on_integers_where_the_network_was_trained_so(exported: Exported, tmp_path: Path) -> None:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    # what the runtime makes of the file when it loads it
    options.optimized_model_filepath = str(tmp_path / "loaded.onnx")
    options.log_severity_level = 3
    onnxruntime.InferenceSession(str(exported.path), options, providers=["CPUExecutionProvider"])
    kinds = [node.op_type for node in graph(tmp_path / "loaded.onnx").node]
    assert kinds.count("MatMulIntegerToFloat") == len(list(rounded_linears(exported.network)))
    assert kinds.count("DequantizeLinear") == 0


def test_weights_are_eight_bits_and_the_word_table_too(exported: Exported) -> None:
    from onnx import TensorProto, numpy_helper

    kept = {tensor.name: tensor for tensor in graph(exported.path).initializer}
    tables = [
        t
        for t in kept.values()
        if list(t.dims) == list(exported.network.encoder.embeddings.word_embeddings.weight.shape)
    ]
    assert [table.data_type for table in tables] == [TensorProto.INT8]
    inner = [t for t in kept.values() if t.name.endswith("_i8")]
    assert len(inner) == len(list(rounded_linears(exported.network)))
    assert all(np.abs(numpy_helper.to_array(t).astype(int)).max() <= WEIGHT_LEVEL for t in inner)
    if is_rounded(exported):
        left = [
            t
            for t in kept.values()
            if t.data_type == TensorProto.FLOAT and len(t.dims) == 2 and "position" not in t.name
        ]
        assert max(np.prod(t.dims) for t in left if t.dims[1] > 1) <= 1024  # heads and token types
    # a byte a word value, four a word's scale, and positions, which stay as they are
    words, width = exported.network.encoder.embeddings.word_embeddings.weight.shape
    assert exported.path.stat().st_size < words * (width + 4) + 4 * 512 * width + 200_000


def test_word_vectors_are_rounded_once(tiny_base: Path) -> None:
    network = build(tiny_base, HEADS, 0)
    before = network.encoder.embeddings.word_embeddings.weight.detach().clone()
    shrink_words(network)
    once = network.encoder.embeddings.word_embeddings.weight.detach().clone()
    shrink_words(network)
    twice = network.encoder.embeddings.word_embeddings.weight.detach()
    scale = before.abs().amax(1, keepdim=True) / 127
    assert bool(((once - before).abs() <= scale * 0.501).all())
    assert not torch.equal(once, before)
    torch.testing.assert_close(twice, once, rtol=1e-6, atol=1e-9)
