"""`emotion`: MiniLM-L6 on GoEmotions, int8 ONNX, calibrated, one threshold a label. Needs no torch."""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from emowhy.errors import MissingError
from emowhy.models import file_hash
from emowhy.specialists.base import Classifier
from emowhy.taxonomy import Taxonomy, carry, find_taxonomy, reachable

WEIGHTS = Path(__file__).parent / "weights" / "emotion"
MAX_TOKENS = 128
_THREADS = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class EmotionSpecialist(Classifier):
    """GoEmotions' 28 labels, carried to other label sets and recalibrated there."""

    name = "emotion"

    def __init__(self, taxonomy: Taxonomy, weights: Path = WEIGHTS) -> None:
        own = find_taxonomy("goemotions")
        super().__init__(own if taxonomy.is_open else taxonomy)
        self._model = load_onnx(weights)
        self._own = own
        fitted = self._model.config["calibration"]
        reach = np.array(reachable(own, self.taxonomy))
        # A label set of the user's own was never fitted: carried probabilities stand as they are.
        plain = {"scale": 1.0, "shift": 0.0, "threshold": 0.3}
        rows = [fitted.get(self.taxonomy.name, {}).get(label, plain) for label in self.taxonomy.labels]
        self._scale = np.array([row["scale"] for row in rows], dtype=np.float32)
        self._shift = np.array([row["shift"] for row in rows], dtype=np.float32)
        self._thresholds = np.array([row["threshold"] for row in rows], dtype=np.float32)
        self._reach = reach

    def probabilities(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        logits = self._model.logits(texts)
        if self.taxonomy != self._own:
            own = self._model.config["calibration"][self._own.name]
            scale = np.array([own[label]["scale"] for label in self._own.labels])
            shift = np.array([own[label]["shift"] for label in self._own.labels])
            carried = carry(sigmoid(logits * scale + shift), self._own, self.taxonomy)
            logits = logit(carried)
        found = sigmoid(logits * self._scale + self._shift)
        return np.where(self._reach, found, 0.0).astype(np.float32)

    def thresholds(self) -> npt.NDArray[np.float32]:
        return self._thresholds

    def identity(self) -> Mapping[str, Any]:
        card = self._model.config
        return {"name": self.name, "sha256": self._model.sha256, "data": card["data"], "licence": card["licence"]}


def sigmoid(x: npt.NDArray[Any]) -> npt.NDArray[Any]:
    found: npt.NDArray[Any] = 1 / (1 + np.exp(-x))
    return found


def logit(p: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Log-odds, of probabilities kept off 0 and 1."""
    p = np.clip(p, 1e-6, 1 - 1e-6)
    found: npt.NDArray[Any] = np.log(p / (1 - p))
    return found


class OnnxModel:
    """An exported text encoder with its head: texts in, logits out."""

    def __init__(self, folder: Path) -> None:
        import onnxruntime
        from tokenizers import Tokenizer

        cure = "pip install --force-reinstall --no-deps emowhy, or train it: see finetune/specialists/emotion.py"
        for name in ("model.onnx", "tokenizer.json", "config.json"):
            if not (folder / name).is_file():
                raise MissingError(f"the specialist's file {folder / name} is missing", cure)
        try:
            self.config: dict[str, Any] = json.loads((folder / "config.json").read_text(encoding="utf-8"))
            self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
            options = onnxruntime.SessionOptions()
            options.intra_op_num_threads = 1  # texts run side by side instead (see `logits`)
            self._session = onnxruntime.InferenceSession(
                folder / "model.onnx", options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # onnxruntime and tokenizers raise their own kinds for a damaged file
            raise MissingError(f"the specialist in {folder} is damaged: {str(error).splitlines()[0]}", cure) from error
        needed = {"labels", "calibration", "data", "licence"}
        if not (isinstance(self.config, dict) and needed <= self.config.keys()):
            raise MissingError(f"{folder / 'config.json'} lacks one of {', '.join(sorted(needed))}", cure)
        self.sha256 = file_hash(folder / "model.onnx")
        self._tokenizer.enable_truncation(MAX_TOKENS)
        self._tokenizer.no_padding()

    def logits(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Shape (texts, labels)."""
        # characters beyond any that 128 tokens can hold would only be tokenized to be dropped
        heads = [text[: MAX_TOKENS * 20].encode("utf-8", "replace").decode() for text in texts]  # no lone surrogates
        ids = [e.ids for e in self._tokenizer.encode_batch_fast(heads)]
        # One text a call: the int8 export scales its activations by a whole batch's range, and company moved
        # probabilities by up to .09, more than the drops that occlusion looks for. Long ones go first, so that
        # the threads end together.
        order = sorted(range(len(ids)), key=lambda i: -len(ids[i]))
        found = np.zeros((len(texts), len(self.config["labels"])), dtype=np.float32)
        for i, row in zip(order, _pool().map(self._one, [ids[i] for i in order]), strict=True):
            found[i] = row
        return found

    def _one(self, tokens: list[int]) -> npt.NDArray[np.float32]:
        read = np.array([tokens], dtype=np.int64)
        scores: npt.NDArray[np.float32] = self._session.run(
            None, {"input_ids": read, "attention_mask": np.ones_like(read)}
        )[0][0]
        return scores


@functools.cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(_THREADS, thread_name_prefix="emowhy-specialist")


@functools.lru_cache(maxsize=4)
def load_onnx(folder: Path) -> OnnxModel:
    """The model in `folder`, loaded once a process."""
    return OnnxModel(folder)
