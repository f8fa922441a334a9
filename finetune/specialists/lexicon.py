"""Fit the numbers of `lexicon.tsv`'s @ rows on GoEmotions' training rows; the words and their weights stay as written.

    python finetune/specialists/lexicon.py DIR      # DIR/goemotions holds train.tsv, dev.tsv, emotions.txt

Prints each label's shift, scale, rival and threshold, in the order of the table's columns, and figures on dev.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize

from emowhy.bench.metrics.calibration import top_label_ece
from emowhy.bench.metrics.closed import gold_in_top, macro_f1
from emowhy.specialists.calibration import fit_thresholds, sigmoid
from emowhy.specialists.gold import gold_labels
from emowhy.specialists.lexicon import Lexicon
from emowhy.specialists.training.recipe import HeadRecipe
from emowhy.specialists.training.rows import read_samples
from emowhy.taxonomy import find_taxonomy

Array = npt.NDArray[np.floating]


def split(evidence: Array) -> tuple[Array, Array]:
    """What is said for each label, and for all others; both flattened, so that many words do not count in full."""
    rest = np.maximum(evidence.sum(1, keepdims=True) - evidence, 0)
    return np.log1p(evidence / 2), np.log1p(rest / 2)


def fit_label(own: Array, rest: Array, gold: Array) -> Array:
    """Shift, scale (at least 0) and rival (at most 0) of a logistic regression with a unit prior on the last two."""

    def loss(at: Array) -> tuple[float, Array]:
        z = at[0] + at[1] * own + at[2] * rest
        slope = sigmoid(z) - gold
        value = (np.logaddexp(0, z) - gold * z).sum() + (at[1:] ** 2).sum() / 2
        return float(value), np.array([slope.sum(), slope @ own + at[1], slope @ rest + at[2]])

    bounds = [(None, None), (0, None), (None, 0)]
    found: Array = minimize(loss, np.array([-3.0, 1.0, -0.1]), jac=True, method="L-BFGS-B", bounds=bounds).x
    return found


def main() -> None:
    taxonomy = find_taxonomy("goemotions")
    lexicon, recipe = Lexicon(taxonomy), HeadRecipe(kind="labels", data="goemotions")
    data = Path(sys.argv[1])
    rows = {name: read_samples(recipe, data, name, print) for name in ("train", "dev")}
    gold = {name: gold_labels(samples, taxonomy.labels).astype(float) for name, samples in rows.items()}
    said = {name: split(lexicon.evidence([s.words() for s in samples])) for name, samples in rows.items()}
    own, rest = said["train"]
    numbers = np.array([fit_label(own[:, k], rest[:, k], gold["train"][:, k]) for k in range(len(taxonomy.labels))])
    p = {name: sigmoid(numbers[:, 0] + numbers[:, 1] * a + numbers[:, 2] * b) for name, (a, b) in said.items()}
    thresholds = fit_thresholds(p["train"], gold["train"])
    for label, row, threshold in zip(taxonomy.labels, numbers, thresholds, strict=True):
        print(f"@{label}\t" + "\t".join(f"{value:.3g}" for value in (*row, threshold)))
    decided = (p["dev"] >= thresholds).astype(float)
    print(
        f"dev: macro-F1 {macro_f1(decided, gold['dev']):.3f}, top 3 {gold_in_top(p['dev'], gold['dev'], 3):.3f}, "
        f"ECE {top_label_ece(p['dev'], gold['dev']):.3f}"
    )


if __name__ == "__main__":
    main()
