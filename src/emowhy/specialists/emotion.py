"""`emotion`: MiniLM-L6 on GoEmotions, int8 ONNX, calibrated, one threshold a label. Needs no torch."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping, Sequence
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
_TOKENS_A_BATCH = 2048


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
    return 1 / (1 + np.exp(-x))


def logit(p: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Log-odds, of probabilities kept off 0 and 1."""
    p = np.clip(p, 1e-6, 1 - 1e-6)
    return np.log(p / (1 - p))


class OnnxModel:
    """An exported text encoder with its head: texts in, logits out, batched by length."""

    def __init__(self, folder: Path) -> None:
        import onnxruntime
        from tokenizers import Tokenizer

        cure = 'pip install --force-reinstall --no-deps emowhy, or train it: see finetune/specialists/emotion.py'
        for name in ("model.onnx", "tokenizer.json", "config.json"):
            if not (folder / name).is_file():
                raise MissingError(f"the specialist's file {folder / name} is missing", cure)
        try:
            self.config: dict[str, Any] = json.loads((folder / "config.json").read_text(encoding="utf-8"))
            self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
            self._session = onnxruntime.InferenceSession(folder / "model.onnx", providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime and tokenizers raise their own kinds for a damaged file
            raise MissingError(f"the specialist in {folder} is damaged: {str(error).splitlines()[0]}", cure) from error
        self.sha256 = file_hash(folder / "model.onnx")
        self._tokenizer.enable_truncation(MAX_TOKENS)
        self._tokenizer.no_padding()

    def logits(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Shape (texts, labels)."""
        # characters beyond any that 128 tokens can hold would only be tokenized to be dropped
        ids = [e.ids for e in self._tokenizer.encode_batch_fast([text[: MAX_TOKENS * 20] for text in texts])]
        found = np.zeros((len(texts), len(self.config["labels"])), dtype=np.float32)
        order = sorted(range(len(ids)), key=lambda i: len(ids[i]))
        start = 0
        while start < len(order):
            stop = start + 1
            while stop < len(order) and (stop - start + 1) * len(ids[order[stop]]) <= _TOKENS_A_BATCH:
                stop += 1
            part = order[start:stop]
            width = len(ids[part[-1]])
            tokens = np.zeros((len(part), width), dtype=np.int64)
            mask = np.zeros_like(tokens)
            for row, i in enumerate(part):
                tokens[row, : len(ids[i])] = ids[i]
                mask[row, : len(ids[i])] = 1
            found[part] = self._session.run(None, {"input_ids": tokens, "attention_mask": mask})[0]
            start = stop
        return found


@functools.lru_cache(maxsize=4)
def load_onnx(folder: Path) -> OnnxModel:
    """The model in `folder`, loaded once a process."""
    return OnnxModel(folder)
