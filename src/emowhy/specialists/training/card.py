"""The model card: written by the run that it describes, from what that run measured."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from emowhy.datasets import find_dataset
from emowhy.models import ENCODER, file_hash
from emowhy.specialists.training.recipe import HeadRecipe, Recipe

_NAMES = {
    "macro_f1": "macro-F1",
    "top1": "gold at top 1",
    "top3": "gold in top 3",
    "top5": "gold in top 5",
    "ece_top": "ECE of the top label",
    "brier_skill": "Brier skill",
    "coverage_90": "coverage of 90 % sets",
    "set_size_90": "their mean size",
    "r": "mean r",
    "token_f1": "token F1 against occlusion",
    "em_pos": "EM_pos",
    "f1_pos": "F1_pos",
    "f1": "F1",
    "f1_neg": "F1_neg",
    "turn_macro": "causal turn macro-F1",
}


def write(
    recipe: Recipe,
    origin: Mapping[str, Any],
    figures: Mapping[str, Any],
    seconds: Mapping[str, float],
    logs: Mapping[str, Any],
    command: str,
    out: Path,
) -> None:
    """Write `out/README.md`."""
    sets = {one.data: find_dataset(one.data) for one in recipe.heads.values()}
    weights = out / "model.onnx"
    teacher = sum(cost for part, cost in seconds.items() if part.startswith("teacher"))
    own = sum(cost for part, cost in seconds.items() if not part.startswith("teacher"))
    lines = [
        f"# `{recipe.name}`",
        "",
        f"Heads: {', '.join(f'`{name}` ({_told(one)})' for name, one in recipe.heads.items())}.",
        f"One ONNX file, {weights.stat().st_size / 1e6:.1f} MB, SHA-256 {file_hash(weights)}….",
        "",
        f"* **Base**: {f'{ENCODER}, Apache-2.0' if recipe.base is None else f'`{recipe.base}`'}.",
        *(
            f"* **Data**: {found.title} ({found.source}), {found.licence}: trained on its training rows, everything "
            "chosen and calibrated on its development rows; its test rows were not used."
            for found in sets.values()
        ),
        *(
            f"* **Data**: `{one.also.name}`, {one.also.licence}: each of its rows {one.also.times} times in `finish`."
            for one in recipe.heads.values()
            if one.also
        ),
        "* **Licence of these weights**: "
        + ("Apache-2.0; commercial use allowed" if origin["commercial"] else "research only")
        + f"; seen in all: {origin['data']}.",
        f"* **Recipe**: `{command}`, seed {recipe.seed}.",
        f"* **Time**: {own / 60:.0f} minutes of training on the machine that made it"
        + (f", and {teacher / 60:.0f} for the teacher" if teacher else "")
        + ".",
        "",
        "## Figures on development rows",
        "",
        "Of the exported int8 model. For labels, calibration, thresholds and candidate sets are fitted on one half of",
        "the rows and scored on the other, both ways, mean.",
        "",
        *_table(figures),
        "",
        "## Epochs",
        "",
        "| stage | epoch | of | figures |",
        "|---|---|---|---|",
        *(
            f"| {stage} | {one['epoch']} | {one['of']} | "
            + ", ".join(f"{key} {value:.4f}" for key, value in one.items() if key not in ("epoch", "of"))
            + " |"
            for stage, log in logs.items()
            for one in log
        ),
        "",
        "## Limits",
        "",
        f"English; it reads {recipe.max_tokens} tokens. It names what words express, not what a person feels; irony",
        "and unspoken context escape it. Labels with few training rows are the least reliable. Judging people's",
        "emotions is sensitive: do not decide about people by it.",
        "",
    ]
    (out / "README.md").write_text("\n".join(lines), encoding="utf-8")


def _told(one: HeadRecipe) -> str:
    part = f", half {one.part} of the rows" if one.part else ""
    return f"{one.kind}, {one.data}{part}{', label words hidden' if one.mask_labels else ''}"


def _table(figures: Mapping[str, Any]) -> list[str]:
    rows = ["| head | figure | int8 | before export |", "|---|---|---|---|"]
    for head, found in figures.items():
        if head == "before export":
            continue
        before = figures.get("before export", {}).get(head, {})
        for key, value in found.items():
            if key in _NAMES or key.startswith("r_"):
                name = _NAMES.get(key, f"r of {key.removeprefix('r_')}")
                rows.append(f"| {head} | {name} | {value:.4f} | {f'{before[key]:.4f}' if key in before else '–'} |")
    return rows
