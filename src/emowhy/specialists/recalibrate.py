"""Fit a shipped classifier's probabilities, thresholds and candidate sets to rows of the user's own."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from emowhy.errors import InputError
from emowhy.specialists.calibration import conformal_bounds, cross_fitted, fit, to_rows
from emowhy.specialists.emotion import TrainedClassifier
from emowhy.specialists.gold import gold_labels
from emowhy.specialists.onnx import FILES, load_onnx
from emowhy.specialists.words import has_words
from emowhy.types import Sample

LEAST_ROWS = 50


def recalibrate(classifier: TrainedClassifier, samples: Sequence[Sample], out: Path) -> dict[str, dict[str, float]]:
    """Write `out`: the classifier's files with calibration fitted on these samples; returns figures before and after.

    Two thirds of the rows fit probabilities and thresholds, staying close to what was shipped where a label is rare;
    every third row fits the candidate sets and nothing else. "before" are the shipped probabilities on all rows,
    "after" is fitted on one half and scored on the other, both ways. Raises InputError below 50 rows with gold labels.
    """
    rows = [s for s in samples if s.gold and s.gold.emotions is not None and has_words(s.words())]
    gold = gold_labels(rows, classifier.taxonomy.labels) * classifier.reach  # what it can never say has no bound
    known = np.flatnonzero(gold.any(1))
    rows, gold = [rows[i] for i in known], gold[known]
    if len(rows) < LEAST_ROWS:
        raise InputError(
            f"{len(rows)} rows have a gold emotion of {classifier.taxonomy.name}; {LEAST_ROWS} are needed",
            "a few hundred are good; check --labels, and gold.emotions (--column gold.emotions=COLUMN)",
        )
    scores = classifier.scores([sample.words() for sample in rows])
    prior = classifier.fitted
    kept = np.arange(len(rows)) % 3 == 0
    fitted = fit(scores[~kept], gold[~kept], prior.exclusive, None if prior.exclusive else prior)
    bounds = conformal_bounds(fitted.probabilities(scores[kept]), gold[kept])
    out.mkdir(parents=True, exist_ok=True)
    source = classifier.folder
    for name in (*FILES, "README.md"):
        if (source / name).is_file() and source.resolve() != out.resolve():
            shutil.copyfile(source / name, out / name)
    config = json.loads((out / "config.json").read_text(encoding="utf-8"))
    settings = config["heads"][classifier.head]
    settings.setdefault("carried", settings["calibration"].get(classifier.own, {}))
    settings["calibration"][classifier.taxonomy.name] = to_rows(fitted, classifier.taxonomy.labels)
    settings["conformal"][classifier.taxonomy.name] = {f"{level:.2f}": round(b, 5) for level, b in bounds.items()}
    config["calibrated"] = {"labels": classifier.taxonomy.name, "rows": len(rows)}
    (out / "config.json").write_text(json.dumps(config, indent=1) + "\n", encoding="utf-8")
    with (out / "README.md").open("a", encoding="utf-8") as card:
        told = (
            f"Fitted on {len(rows)} rows for the labels {classifier.taxonomy.name}: probabilities, thresholds and sets."
        )
        card.write(f"\n## Calibrated again\n\n{told} The figures above are of the specialist before that.\n")
    load_onnx.cache_clear()
    from emowhy.specialists.evaluate import label_figures

    return {"before": label_figures(classifier, rows), "after": cross_fitted(scores, gold, prior.exclusive, prior)}
