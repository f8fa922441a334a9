"""A trained specialist's folder: texts in, every head's outputs in one pass. Needs no torch."""

from __future__ import annotations

import functools
import json
import os
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from emowhy.errors import MissingError
from emowhy.models import cache_folder, file_hash

Array = npt.NDArray[np.float32]

SHIPPED = Path(__file__).parent / "weights"
FILES = ("model.onnx", "tokenizer.json", "config.json")

_THREADS = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
_BATCH = 32
_STEP = 4
"""A text is always padded to the same multiple of so many tokens, so that its scores never depend on its company."""
_CHARACTERS = 20
"""More than a token ever takes: what lies beyond would only be tokenized to be dropped."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What the model made of some texts.

    `outputs[head][i]` has shape (size,) for a head that reads whole texts and (tokens, size) for one that reads
    tokens; `offsets[i]` holds each token's place in text i (code points, half-open; empty for special tokens).
    """

    offsets: list[list[tuple[int, int]]]
    outputs: Mapping[str, list[Array]]


class OnnxModel:
    """An exported encoder with its heads."""

    def __init__(self, folder: Path) -> None:
        import onnxruntime
        from tokenizers import Tokenizer

        self.folder = folder
        cure = restore(folder)
        for name in FILES:
            if not (folder / name).is_file():
                raise MissingError(f"the specialist's file {folder / name} is missing", cure)
        try:
            self.config: dict[str, Any] = json.loads((folder / "config.json").read_text(encoding="utf-8"))
            self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
            options = onnxruntime.SessionOptions()
            options.intra_op_num_threads = 1  # batches run side by side instead
            self._session = onnxruntime.InferenceSession(
                folder / "model.onnx", options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # onnxruntime and tokenizers raise their own kinds for a damaged file
            raise MissingError(f"the specialist in {folder} is damaged: {str(error).splitlines()[0]}", cure) from error
        needed = {"name", "heads", "data", "licence", "max_tokens"}
        if not (isinstance(self.config, dict) and needed <= self.config.keys()):
            raise MissingError(f"{folder / 'config.json'} lacks one of {', '.join(sorted(needed))}", cure)
        if not isinstance(self.config["heads"], dict):
            raise MissingError(f"{folder / 'config.json'} is damaged: its heads are no object", cure)
        self.sha256 = file_hash(folder / "model.onnx")
        self.settings_hash = file_hash(folder / "config.json")
        self.max_tokens = int(self.config["max_tokens"])
        self._heads = [output.name for output in self._session.get_outputs()]
        self.tokenizer.enable_truncation(self.max_tokens)
        self.tokenizer.no_padding()
        self._last: tuple[tuple[str, ...], Reading] | None = None
        if not self.config.get("commercial", True):
            told = f"{self.config['name']}: weights for research only ({self.config['data']})"
            print(told, file=sys.stderr, flush=True)

    def identity(self) -> Mapping[str, Any]:
        """Content hashes of the weights and of their calibration, training data and licence.

        `trained_on` and `chosen_on` name splits ("goemotions:train"): benchmarks refuse the first and mark the second.
        """
        return {
            "sha256": self.sha256,
            "settings": self.settings_hash,
            "data": self.config["data"],
            "licence": self.config["licence"],
            **{key: self.config[key] for key in ("trained_on", "chosen_on") if key in self.config},
        }

    def head(self, name: str) -> Mapping[str, Any]:
        """What the config keeps about a head. Raises MissingError where the folder has no such head."""
        heads = self.config["heads"]
        if name not in heads or name not in self._heads:
            raise MissingError(
                f"the specialist in {self.folder} has no head {name!r}, only {', '.join(heads) or 'none'}",
                restore(self.folder),
            )
        found: Mapping[str, Any] = heads[name]
        return found

    def read(self, texts: Sequence[str]) -> Reading:
        """Every head's outputs for every text. The last reading is kept: heads that ask one after another share it."""
        asked = tuple(texts)
        if self._last is None or self._last[0] != asked:
            # lone surrogates are no Unicode text; each becomes one other character, so that offsets stay
            heads = [t[: self.max_tokens * _CHARACTERS].encode("utf-8", "replace").decode() for t in asked]
            encoded = self.tokenizer.encode_batch(heads)
            reading = Reading([e.offsets for e in encoded], self.run([e.ids for e in encoded]))
            self._last = asked, reading
        return self._last[1]

    def run(self, ids: Sequence[Sequence[int]]) -> Mapping[str, list[Array]]:
        """Every head's outputs for rows of token ids, in their order."""
        buckets: dict[int, list[int]] = defaultdict(list)
        for i, tokens in enumerate(ids):
            buckets[-len(tokens) // _STEP * -_STEP].append(i)
        parts = [
            (width, rows[at : at + _BATCH]) for width, rows in buckets.items() for at in range(0, len(rows), _BATCH)
        ]
        parts.sort(key=lambda part: -part[0] * len(part[1]))  # large ones first, so that the threads end together
        found: dict[str, list[Any]] = {head: [None] * len(ids) for head in self._heads}

        def run_part(part: tuple[int, list[int]]) -> None:
            width, rows = part
            tokens = np.zeros((len(rows), width), dtype=np.int64)
            mask = np.zeros_like(tokens)
            for row, i in enumerate(rows):
                tokens[row, : len(ids[i])] = ids[i]
                mask[row, : len(ids[i])] = 1
            outputs = self._session.run(None, {"input_ids": tokens, "attention_mask": mask})
            for head, values in zip(self._heads, outputs, strict=True):
                for row, i in enumerate(rows):
                    found[head][i] = values[row] if values.ndim == 2 else values[row, : len(ids[i])]

        list(_pool().map(run_part, parts))
        return found


@functools.cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(_THREADS, thread_name_prefix="emowhy-specialist")


@functools.lru_cache(maxsize=8)
def load_onnx(folder: Path) -> OnnxModel:
    """The model in `folder`, loaded once a process."""
    return OnnxModel(folder)


def find_weights(name: str) -> Path:
    """The folder of a trained specialist: shipped in the package, beside a checkout's recipes, or in the cache."""
    checkout = Path(__file__).resolve().parents[3] / "finetune" / "specialists" / name
    places = [SHIPPED / name, checkout, cache_folder() / "specialists" / name]
    return next(
        (place for place in places if (place / "config.json").is_file()), places[0 if places[0].is_dir() else 2]
    )


def restore(folder: Path) -> str:
    """What brings a specialist's files back."""
    if folder.parent == SHIPPED:
        return "pip install --force-reinstall --no-deps emowhy"
    name = folder.name
    return (
        f"copy finetune/specialists/{name} of emowhy's repository to {folder}, or train it: "
        f"emowhy specialists train finetune/specialists/{name}.yaml --data DIR -o {folder}"
    )
