"""Train, export and calibrate the `emotion` specialist: MiniLM-L6 on GoEmotions, int8 ONNX.

    python finetune/specialists/emotion.py train --data goemotions/ --work runs/emotion  # 6 minutes an epoch, 2 cores
    python finetune/specialists/emotion.py export --work runs/emotion
    python finetune/specialists/emotion.py calibrate --data goemotions/ --work runs/emotion \
        --out src/emowhy/specialists/weights/emotion

`--data` is the folder with GoEmotions' `train.tsv`, `dev.tsv` and `emotions.txt` (CC BY 4.0).
Everything is fitted on train and chosen on dev; no test row is read. `train` saves after every
epoch and continues where it stopped; needs `pip install "emowhy[tune]"` and the encoder.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from pathlib import Path
from typing import Any

import numpy as np

EPOCHS = 4
PATIENCE = 1  # epochs without a better dev figure before it stops
BATCH = 32
MAX_TOKENS = 128
PEAK = 1.5e-4  # encoder; one cycle
PEAK_HEAD = 1e-3
MAX_POSITIVE_WEIGHT = 8.0  # sqrt(negatives / positives), so that rare labels are learned without drowning the rest
AVERAGE = 0.999  # exponential moving average of the weights: evaluated beside the raw ones, the better is kept
SEED = 0


def rows(data: Path, split: str) -> tuple[list[str], np.ndarray]:
    """Texts and a 0/1 matrix (rows, 28)."""
    labels = (data / "emotions.txt").read_text(encoding="utf-8").split()
    texts: list[str] = []
    gold: list[list[int]] = []
    for line in (data / f"{split}.tsv").read_text(encoding="utf-8").splitlines():
        text, ids, _ = line.split("\t")
        texts.append(text)
        gold.append([int(i) for i in ids.split(",")])
    matrix = np.zeros((len(texts), len(labels)), dtype=np.float32)
    for row, ids_ in enumerate(gold):
        matrix[row, ids_] = 1
    return texts, matrix


def best_thresholds(probabilities: np.ndarray, gold: np.ndarray) -> np.ndarray:
    """The threshold per label that gives the best F1 on these rows (midpoints between neighbouring scores)."""
    found = []
    for p, y in zip(probabilities.T, gold.T, strict=True):
        order = np.argsort(-p)
        hits = np.cumsum(y[order])
        f1 = 2 * hits / (np.arange(1, len(p) + 1) + y.sum())
        best = int(np.argmax(f1))
        ranked = p[order]
        found.append(float((ranked[best] + ranked[min(best + 1, len(p) - 1)]) / 2))
    return np.array(found)


def macro_f1(decided: np.ndarray, gold: np.ndarray) -> float:
    both = (decided * gold).sum(0)
    return float(np.mean(2 * both / np.maximum(decided.sum(0) + gold.sum(0), 1)))


def build() -> tuple[Any, Any]:
    """The encoder with mean pooling and a linear head, and its tokenizer."""
    import torch
    from transformers import AutoModel, AutoTokenizer

    from emowhy.models import find_encoder

    folder = str(find_encoder())

    class Classifier(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            # eager attention: the plain graph exports to ONNX operators that quantise well
            self.encoder = AutoModel.from_pretrained(folder, attn_implementation="eager")
            self.head = torch.nn.Linear(self.encoder.config.hidden_size, 28)

        def forward(self, input_ids: Any, attention_mask: Any) -> Any:
            hidden = self.encoder(input_ids=input_ids, attention_mask=attention_mask)[0]
            mask = attention_mask.unsqueeze(-1).to(hidden.dtype)
            pooled = (hidden * mask).sum(1) / mask.sum(1).clamp(min=1)
            return self.head(torch.nn.functional.dropout(pooled, 0.1, self.training))

    return Classifier(), AutoTokenizer.from_pretrained(folder)


def batches(lengths: list[int], rng: np.random.Generator) -> list[np.ndarray]:
    """Shuffled batches whose rows have similar lengths (sorted within pools of 50 batches)."""
    order = rng.permutation(len(lengths))
    pools = [order[i : i + BATCH * 50] for i in range(0, len(order), BATCH * 50)]
    found = []
    for pool in pools:
        pool = pool[np.argsort([lengths[i] for i in pool], kind="stable")]
        found += [pool[i : i + BATCH] for i in range(0, len(pool), BATCH)]
    rng.shuffle(found)
    return found


def pad(ids: list[list[int]]) -> tuple[Any, Any]:
    import torch

    width = max(map(len, ids))
    out = torch.zeros(len(ids), width, dtype=torch.long)
    mask = torch.zeros(len(ids), width, dtype=torch.long)
    for row, some in enumerate(ids):
        out[row, : len(some)] = torch.tensor(some)
        mask[row, : len(some)] = 1
    return out, mask


def predict(model: Any, ids: list[list[int]]) -> np.ndarray:
    """Logits (rows, 28) as float32."""
    import torch

    model.eval()
    order = sorted(range(len(ids)), key=lambda i: len(ids[i]))
    logits = np.zeros((len(ids), 28), dtype=np.float32)
    with torch.inference_mode():
        for start in range(0, len(order), 128):
            part = order[start : start + 128]
            device = next(model.parameters()).device
            tokens, mask = pad([ids[i] for i in part])
            logits[part] = model(tokens.to(device), mask.to(device)).float().cpu().numpy()
    return logits


def train(data: Path, work: Path) -> None:
    import torch

    torch.manual_seed(SEED)
    rng = np.random.default_rng(SEED)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model, tokenizer = build()
    model.to(device)
    texts, gold = rows(data, "train")
    dev_texts, dev_gold = rows(data, "dev")
    ids = tokenizer(texts, truncation=True, max_length=MAX_TOKENS)["input_ids"]
    dev_ids = tokenizer(dev_texts, truncation=True, max_length=MAX_TOKENS)["input_ids"]
    positives = gold.sum(0)
    weight = torch.tensor(np.minimum(np.sqrt((len(gold) - positives) / positives), MAX_POSITIVE_WEIGHT), device=device)
    loss_of = torch.nn.BCEWithLogitsLoss(pos_weight=weight)
    optimizer = torch.optim.AdamW(
        [{"params": model.encoder.parameters(), "lr": PEAK}, {"params": model.head.parameters(), "lr": PEAK_HEAD}],
        weight_decay=0.01,
    )
    steps = EPOCHS * math.ceil(len(ids) / BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=[PEAK, PEAK_HEAD], total_steps=steps, pct_start=0.1
    )
    ema: Any = torch.optim.swa_utils
    average = ema.AveragedModel(model, multi_avg_fn=ema.get_ema_multi_avg_fn(AVERAGE))
    work.mkdir(parents=True, exist_ok=True)
    state_file, first, best, seconds, stale = work / "state.pt", 0, -1.0, 0.0, 0
    if state_file.exists():
        state = torch.load(state_file, weights_only=False)
        for name, part in {"model": model, "average": average, "optimizer": optimizer, "schedule": schedule}.items():
            part.load_state_dict(state[name])
        first, best, seconds, stale = state["epoch"], state["best"], state["seconds"], state["stale"]
        rng.bit_generator.state = state["rng"]
        torch.set_rng_state(state["torch_rng"])
    for epoch in range(first, EPOCHS):
        if stale >= PATIENCE:
            print(f"stopped after epoch {epoch}: nothing better came", flush=True)
            break
        model.train()
        started, total = time.perf_counter(), 0.0
        todo = batches([len(i) for i in ids], rng)
        for step, part in enumerate(todo):
            tokens, mask = pad([ids[i] for i in part])
            with torch.autocast(device, dtype=torch.bfloat16):
                logits = model(tokens.to(device), mask.to(device))
            loss = loss_of(logits.float(), torch.tensor(gold[part], device=device))
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            average.update_parameters(model)
            total += loss.item()
            if step % 200 == 199:
                print(
                    f"epoch {epoch + 1}/{EPOCHS} step {step + 1}/{len(todo)} loss {total / (step + 1):.4f}", flush=True
                )
        seconds += time.perf_counter() - started
        stale += 1
        for name, candidate in {"raw": model, "average": average.module}.items():
            logits = predict(candidate, dev_ids)
            figure = cross_fitted(1 / (1 + np.exp(-logits)), dev_gold)["macro_f1"]
            print(f"epoch {epoch + 1} {name}: dev macro-F1 {figure:.4f}, {seconds:.0f} s of training", flush=True)
            if figure > best:
                best, stale = figure, 0
                torch.save(candidate.state_dict(), work / "best.pt")
        state = {
            name: part.state_dict()
            for name, part in {"model": model, "average": average, "optimizer": optimizer, "schedule": schedule}.items()
        }
        state |= {
            "epoch": epoch + 1,
            "best": best,
            "seconds": seconds,
            "stale": stale,
            "rng": rng.bit_generator.state,
            "torch_rng": torch.get_rng_state(),
        }
        torch.save(state, state_file.with_suffix(".tmp"))
        state_file.with_suffix(".tmp").replace(state_file)


def cross_fitted(probabilities: np.ndarray, gold: np.ndarray) -> dict[str, float]:
    """Thresholds fitted on one half, scored on the other, both ways."""
    even = np.arange(len(gold)) % 2 == 0
    figures = []
    for fit, score in ((even, ~even), (~even, even)):
        thresholds = best_thresholds(probabilities[fit], gold[fit])
        figures.append(macro_f1((probabilities[score] >= thresholds).astype(float), gold[score]))
    top3 = np.argsort(-probabilities, 1)[:, :3]
    return {"macro_f1": float(np.mean(figures)), "top3": float(np.mean(np.take_along_axis(gold, top3, 1).max(1)))}


def export(work: Path) -> None:
    """The best weights as fp32 ONNX, then with dynamically quantised int8 weights."""
    import torch
    from onnxruntime.quantization import QuantType, quantize_dynamic

    model, tokenizer = build()
    model.load_state_dict(torch.load(work / "best.pt"))
    model.eval()
    ids, mask = pad(tokenizer(["An example.", "Another, somewhat longer one."])["input_ids"])
    axes = {0: "batch", 1: "length"}
    # The tracing exporter: the graph of the newer one carries shapes that the quantiser then contradicts.
    torch.onnx.export(
        model,
        (ids, mask),
        str(work / "model.fp32.onnx"),
        input_names=["input_ids", "attention_mask"],
        output_names=["logits"],
        dynamic_axes={"input_ids": axes, "attention_mask": axes, "logits": {0: "batch"}},
        dynamo=False,
    )
    quantize_dynamic(work / "model.fp32.onnx", work / "model.onnx", weight_type=QuantType.QInt8, per_channel=True)
    tokenizer.backend_tokenizer.save(str(work / "tokenizer.json"))
    size = (work / "model.onnx").stat().st_size
    print(f"{work / 'model.onnx'}: {size / 1e6:.1f} MB")


def fit_platt(logits: np.ndarray, gold: np.ndarray, prior: float = 5.0) -> tuple[float, float]:
    """Scale and shift that make sigmoid(scale * logit + shift) a probability (Platt 1999), by Newton's method.

    A Gaussian prior holds the scale near 1: some labels have two dozen positives.
    """
    at = np.array([1.0, 0.0])

    def loss(place: np.ndarray) -> float:
        z = place[0] * logits + place[1]
        return float((np.logaddexp(0, z) - gold * z).sum() + prior / 2 * (place[0] - 1) ** 2)

    for _ in range(100):
        p = 1 / (1 + np.exp(-np.clip(at[0] * logits + at[1], -50, 50)))
        weight = p * (1 - p) + 1e-9
        gradient = np.array([((p - gold) * logits).sum() + prior * (at[0] - 1), (p - gold).sum()])
        cross = (weight * logits).sum()
        curvature = np.array([[(weight * logits**2).sum() + prior, cross], [cross, weight.sum() + 1e-6]])
        step = np.linalg.solve(curvature, gradient)
        while loss(at - step) > loss(at) and np.abs(step).max() > 1e-9:
            step /= 2  # far from the optimum a whole step can overshoot
        at = at - step
        if np.abs(step).max() < 1e-8:
            break
    return float(at[0]), float(at[1])


def calibrated(logits: np.ndarray, fitted: np.ndarray) -> np.ndarray:
    """Probabilities of logits (rows, labels) under (labels, 2) scales and shifts."""
    found: np.ndarray = 1 / (1 + np.exp(-(logits * fitted[:, 0] + fitted[:, 1])))
    return found


def fit_all(logits: np.ndarray, gold: np.ndarray) -> np.ndarray:
    return np.array([fit_platt(z, y) for z, y in zip(logits.T, gold.T, strict=True)])


def expected_calibration_error(probabilities: np.ndarray, gold: np.ndarray, bins: int = 15) -> float:
    """Of the top label: mean |confidence - accuracy| over bins of equal mass (Guo et al. 2017, with quantile bins)."""
    top = probabilities.argmax(1)
    sure, right = probabilities.max(1), gold[np.arange(len(gold)), top]
    parts = np.array_split(np.argsort(sure), bins)
    return float(sum(len(part) * abs(sure[part].mean() - right[part].mean()) for part in parts) / len(sure))


def brier_skill(probabilities: np.ndarray, gold: np.ndarray) -> float:
    """1 - Brier / Brier of always saying the base rates (Murphy 1973)."""
    return float(1 - ((probabilities - gold) ** 2).mean() / ((gold.mean(0) - gold) ** 2).mean())


def dev_figures(logits: np.ndarray, gold: np.ndarray) -> dict[str, float]:
    """Everything fitted on one half of dev and scored on the other, both ways, mean of the two."""
    even = np.arange(len(gold)) % 2 == 0
    found: list[dict[str, float]] = []
    for fit, score in ((even, ~even), (~even, even)):
        fitted = fit_all(logits[fit], gold[fit])
        thresholds = best_thresholds(calibrated(logits[fit], fitted), gold[fit])
        p, y = calibrated(logits[score], fitted), gold[score]
        top3 = np.argsort(-p, 1)[:, :3]
        found.append(
            {
                "macro_f1": macro_f1((p >= thresholds).astype(float), y),
                "gold_in_top1": float(y[np.arange(len(y)), p.argmax(1)].mean()),
                "gold_in_top3": float(np.take_along_axis(y, top3, 1).max(1).mean()),
                "ece_top": expected_calibration_error(p, y),
                "brier_skill": brier_skill(p, y),
            }
        )
    return {name: round(float(np.mean([one[name] for one in found])), 4) for name in found[0]}


def calibrate(data: Path, work: Path, out: Path) -> None:
    """Fit scales, shifts and thresholds for every label set on dev; write the shipped folder with its card."""
    from emowhy.models import file_hash
    from emowhy.specialists.emotion import OnnxModel, logit
    from emowhy.taxonomy import carry, find_taxonomy

    texts, gold = rows(data, "dev")
    own = find_taxonomy("goemotions")
    config: dict[str, Any] = {
        "labels": list(own.labels),
        "data": "GoEmotions (train; calibrated on dev)",
        "licence": "Apache-2.0 (weights); data CC BY 4.0",
        "calibration": {},
    }
    out.mkdir(parents=True, exist_ok=True)
    for name in ("model.onnx", "tokenizer.json"):
        (out / name).write_bytes((work / name).read_bytes())
    (out / "config.json").write_text(json.dumps(config), encoding="utf-8")
    model = OnnxModel(out)
    logits = model.logits(texts).astype(np.float64)
    figures = {}
    for name in ("goemotions", "ekman", "meld", "plutchik", "parrott", "empathetic"):
        target = find_taxonomy(name)
        z: np.ndarray = logits
        y: np.ndarray = gold.astype(np.float64)
        if name != own.name:
            fitted = config["calibration"][own.name]
            scales = np.array([[fitted[label]["scale"], fitted[label]["shift"]] for label in own.labels])
            z, y = logit(carry(calibrated(logits, scales), own, target)), carry(y, own, target)
        fit = fit_all(z, y)
        bounds = best_thresholds(calibrated(z, fit), y)
        config["calibration"][name] = {
            label: {"scale": round(a, 5), "shift": round(b, 5), "threshold": round(t, 5)}
            for label, (a, b), t, n in zip(target.labels, fit.tolist(), bounds.tolist(), y.sum(0), strict=True)
            if n > 0
        }
        seen = y.sum(0) > 0
        figures[name] = dev_figures(z[:, seen], y[:, seen]) | {"labels": int(seen.sum())}
    (out / "config.json").write_text(json.dumps(config, indent=1) + "\n", encoding="utf-8")
    (out / "model.onnx").replace(out / "model.int8")  # the same reading of the fp32 export: what int8 loses
    (out / "model.onnx").write_bytes((work / "model.fp32.onnx").read_bytes())
    whole = OnnxModel(out).logits(texts).astype(np.float64)
    (out / "model.int8").replace(out / "model.onnx")
    figures["goemotions, before quantising"] = dev_figures(whole, gold.astype(np.float64)) | {"labels": len(own.labels)}
    state = work / "state.pt"
    seconds = 0.0
    if state.exists():
        import torch

        seconds = torch.load(state, weights_only=False)["seconds"]
    (out / "README.md").write_text(
        card(figures, seconds, file_hash(out / "model.onnx"), out / "model.onnx"), encoding="utf-8"
    )
    print(json.dumps(figures, indent=1))


def card(figures: dict[str, dict[str, float]], seconds: float, digest: str, weights: Path) -> str:
    """The model card, written by the run that it describes."""
    names = ["macro_f1", "gold_in_top1", "gold_in_top3", "ece_top", "brier_skill"]
    lost = figures["goemotions, before quantising"]["macro_f1"] - figures["goemotions"]["macro_f1"]
    table = [
        f"| {name} | {row['labels']} | " + " | ".join(f"{row[key]:.3f}" for key in names) + " |"
        for name, row in figures.items()
    ]
    return f"""# `emotion`: which emotions a text expresses

MiniLM-L6 (22 M parameters), fine-tuned for multi-label classification over GoEmotions' 28 labels;
int8 ONNX, {weights.stat().st_size / 1e6:.1f} MB, SHA-256 {digest}….

* **Base**: sentence-transformers/all-MiniLM-L6-v2, Apache-2.0.
* **Data**: GoEmotions (Demszky et al. 2020), CC BY 4.0: trained on its 43,410 training comments, everything
  chosen and calibrated on its 5,426 development comments; its test part was not used.
* **Licence of these weights**: Apache-2.0; commercial use allowed.
* **Recipe**: `finetune/specialists/emotion.py`, seed {SEED}, at most {EPOCHS} epochs, batch {BATCH}, one cycle
  with peak {PEAK} (head {PEAK_HEAD}), binary cross-entropy with square-root positive weights
  (at most {MAX_POSITIVE_WEIGHT:g}); the better of the raw and the averaged weights of every epoch, until an epoch
  brings nothing better.
  {seconds / 60:.0f} minutes of training on 2 CPU cores that did other work as well.
* **Quantising** to int8 (a scale for each output channel) cost {lost:.4f} macro-F1.
* **Calibration**: one scale and shift a label (Platt), for GoEmotions' labels and for each label set they are carried
  to; one threshold a label for the best F1.

## Figures on GoEmotions dev

Calibration and thresholds fitted on one half and scored on the other, both ways, mean; the int8 model. For the other
label sets gold is GoEmotions' own, carried over by the same map (labels that nothing maps to are left out): these
figures say how well the carried probabilities fit, not how well annotators of those sets would agree.

| label set | labels | macro-F1 | gold at top 1 | gold in top 3 | ECE of the top label | Brier skill |
|---|---|---|---|---|---|---|
{chr(10).join(table)}

## Limits

English comments of one web forum, labelled by a small group of raters; short texts (it reads 128 tokens). It names
expressed emotion in words, not what a person feels; irony and unspoken context escape it. Rare labels (grief, pride,
relief, nervousness) are the least reliable. Judging people's emotions is sensitive: do not decide about people by it.
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("stage", choices=["train", "export", "calibrate"])
    parser.add_argument("--data", type=Path, help="the folder of GoEmotions")
    parser.add_argument("--work", type=Path, required=True, help="where checkpoints and exports are kept")
    parser.add_argument("--out", type=Path, help="the folder to ship")
    args = parser.parse_args()
    if args.stage == "train":
        train(args.data, args.work)
    elif args.stage == "export":
        export(args.work)
    else:
        calibrate(args.data, args.work, args.out)


if __name__ == "__main__":
    main()
