"""A trained network -> one ONNX file with int8 weights, from which texts are read without torch."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from emowhy.specialists.training.network import Network, pad
from emowhy.specialists.training.quantise import (
    WEIGHT_LEVEL,
    RoundedLinear,
    rounded_linears,
    set_mode,
    weight_scales,
)


class _Table(nn.Module):
    """Word vectors with 8 bits a value and one scale a word."""

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        scale = (weight.abs().amax(1, keepdim=True) / 127).clamp(min=1e-8)
        self.register_buffer("values", (weight / scale).round().to(torch.int8))
        self.register_buffer("scale", scale)
        self.values: Tensor
        self.scale: Tensor

    def forward(self, ids: Tensor) -> Tensor:
        return self.values[ids].float() * self.scale[ids]


class _Outputs(nn.Module):
    """The network with its heads' logits in a fixed order."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> tuple[Tensor, ...]:
        return tuple(self.network(input_ids, attention_mask).values())


def shrink_words(network: Network) -> None:
    """Round the word vectors to 8 bits, in place: what the export holds is what dev figures are measured with."""
    table = network.encoder.embeddings.word_embeddings
    if isinstance(table, nn.Embedding):
        small = _Table(table.weight.data)
        table.weight.data = small.values.float() * small.scale


def export(network: Network, path: Path) -> None:
    """Write the network as ONNX (opset 17): inputs `input_ids`, `attention_mask`; an output for each head.

    Where the network was trained with rounding, its products run on 8-bit integers.
    """
    import copy

    import onnx

    network = copy.deepcopy(network).cpu().eval()
    network.encoder.set_attn_implementation("eager")  # its plain operators are what the runtime fuses best
    linears = dict(rounded_linears(network))
    rounded = bool(linears) and all(linear.range.mode == "round" for linear in linears.values())
    set_mode(network, "off")
    network.encoder.embeddings.word_embeddings = _Table(network.encoder.embeddings.word_embeddings.weight.data)
    names = list(network.heads)
    ids, mask = pad([[101, 2019, 2742, 102], [101, 2178, 1010, 5399, 2936, 102]])
    axes = {0: "rows", 1: "tokens"}
    shapes: dict[str, Any] = {"input_ids": axes, "attention_mask": axes}
    shapes |= {name: axes if network.kinds[name].level == "token" else {0: "rows"} for name in names}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about shapes that are traced as constants: the mask's are not
        torch.onnx.export(
            _Outputs(network),
            (ids, mask),
            str(path),
            input_names=["input_ids", "attention_mask"],
            output_names=names,
            dynamic_axes=shapes,
            opset_version=17,
            dynamo=False,  # the newer exporter fixes shapes of the attention mask
        )
    if rounded:
        graph = onnx.load(str(path))
        _round_products(graph, list(linears.values()))
        onnx.checker.check_model(graph)
        onnx.save(graph, str(path))


def _round_products(model: Any, linears: list[RoundedLinear]) -> None:
    """Every product with trained weights: its input through QuantizeLinear, its weights as int8."""
    from onnx import helper, numpy_helper

    graph = model.graph
    weights = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    by_value = {linear.linear.weight.detach().numpy().T.tobytes(): linear for linear in linears}
    nodes: list[Any] = []
    done: dict[str, str] = {}
    replaced: set[str] = set()

    def keep(name: str, array: np.ndarray) -> str:
        graph.initializer.append(numpy_helper.from_array(array, name))
        return name

    for node in graph.node:
        linear = None
        if node.op_type == "MatMul" and node.input[1] in weights:
            linear = by_value.get(np.ascontiguousarray(weights[node.input[1]]).tobytes())
        if linear is None:
            nodes.append(node)
            continue
        entry, weight = node.input[0], node.input[1]
        if entry not in done:
            scale, zero = linear.range.grid()
            at = f"{entry}_range"
            keep(f"{at}_scale", np.array(scale.item(), dtype=np.float32))
            keep(f"{at}_zero", np.array(int(zero.item()), dtype=np.uint8))
            grid = [f"{at}_scale", f"{at}_zero"]
            nodes.append(helper.make_node("QuantizeLinear", [entry, *grid], [f"{at}_u8"], name=f"{at}_quantise"))
            nodes.append(
                helper.make_node("DequantizeLinear", [f"{at}_u8", *grid], [f"{at}_f32"], name=f"{at}_dequantise")
            )
            done[entry] = f"{at}_f32"
        scales = weight_scales(linear.linear.weight)
        integers = (linear.linear.weight.detach() / scales[:, None]).round().clamp(-WEIGHT_LEVEL, WEIGHT_LEVEL)
        keep(f"{weight}_i8", integers.T.contiguous().numpy().astype(np.int8))
        keep(f"{weight}_scale", scales.numpy().astype(np.float32))
        keep(f"{weight}_zero", np.zeros(len(scales), dtype=np.int8))
        parts = [f"{weight}_i8", f"{weight}_scale", f"{weight}_zero"]
        nodes.append(
            helper.make_node("DequantizeLinear", parts, [f"{weight}_f32"], name=f"{weight}_dequantise", axis=1)
        )
        nodes.append(helper.make_node("MatMul", [done[entry], f"{weight}_f32"], list(node.output), name=node.name))
        replaced.add(weight)
    if len(replaced) != len(linears):
        raise RuntimeError(f"{len(linears) - len(replaced)} of {len(linears)} products were not found in the graph")
    kept = [tensor for tensor in graph.initializer if tensor.name not in replaced]
    del graph.node[:], graph.initializer[:]
    graph.node.extend(nodes)
    graph.initializer.extend(kept)
