"""`hf:<id>`: any sequence classifier from the Hub or a folder, its labels brought to the label set in use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from emowhy.errors import MissingError, UsageError, missing_extra
from emowhy.specialists.base import Classifier
from emowhy.taxonomy import Taxonomy, find_taxonomy, normalise


class HubClassifier(Classifier):
    """Labels that have no counterpart in the label set are left out; if none has one, that is an error.

    Probabilities are the model's own (softmax, or sigmoid for a multi-label model): not recalibrated.
    """

    def __init__(self, taxonomy: Taxonomy, model: str) -> None:
        try:
            import torch  # noqa: F401
            from transformers import AutoModelForSequenceClassification, AutoTokenizer
        except ImportError as error:
            raise missing_extra(f"the specialist hf:{model}", "local") from error
        super().__init__(find_taxonomy("goemotions") if taxonomy.is_open else taxonomy)
        self.name = f"hf:{model}"  # type: ignore[misc]
        try:
            self._tokenizer = AutoTokenizer.from_pretrained(model)
            self._model = AutoModelForSequenceClassification.from_pretrained(model).eval()
        except (OSError, ValueError) as error:
            raise MissingError(
                f"specialist {self.name}: {str(error).splitlines()[0]}", "check the id or folder"
            ) from error
        names = self._model.config.id2label
        known = {label: k for k, label in enumerate(self.taxonomy.labels)}
        self._places = {i: known[label] for i, name in names.items() if (label := normalise(name, known)) in known}
        if not self._places:
            given = ", ".join(map(str, names.values()))
            raise UsageError(
                f"{self.name} has the labels {given}; none is known in {self.taxonomy.name!r}",
                "choose --labels that share some",
            )
        self._multi = self._model.config.problem_type == "multi_label_classification"

    def probabilities(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        import torch

        found = np.zeros((len(texts), len(self.taxonomy.labels)), dtype=np.float32)
        order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
        for start in range(0, len(order), 32):
            part = order[start : start + 32]
            batch = self._tokenizer([texts[i] for i in part], truncation=True, padding=True, return_tensors="pt")
            with torch.inference_mode():
                logits = self._model(**batch).logits.float()
            scores = (logits.sigmoid() if self._multi else logits.softmax(-1)).numpy()
            for source, target in self._places.items():  # several of its labels may mean one of ours
                found[part, target] = 1 - (1 - found[part, target]) * (1 - scores[:, source])
        return found

    def identity(self) -> Mapping[str, Any]:
        return {"name": self.name, "revision": getattr(self._model.config, "_commit_hash", None)}
