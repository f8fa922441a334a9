"""The training loop: batches, averaged weights, evaluation, early stopping, and a state that resumes exactly."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from emowhy.errors import UsageError
from emowhy.specialists.training.network import Network, pad
from emowhy.specialists.training.quantise import Range, set_mode
from emowhy.specialists.training.recipe import Schedule

Array = npt.NDArray[np.float32]
Loss = Callable[[Tensor, Tensor], Tensor]
Say = Callable[[str], None]

_POOL = 50
"""Batches are cut from pools of so many, sorted by length, so that little is padded."""


@dataclass(slots=True)
class Source:
    """Rows of one data set: token ids, and for each head that learns from them one target a row.

    Targets of a text head have shape (rows, size); those of a token head are a list of (tokens, size).
    A target that is NaN teaches nothing.
    """

    name: str
    ids: list[list[int]]
    targets: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Progress:
    """Where a training stands; saved with its weights."""

    epoch: int = 0
    step: int = 0
    best: float = -math.inf
    stale: int = 0
    seconds: float = 0.0
    log: list[dict[str, Any]] = field(default_factory=list)


def train(
    network: Network,
    sources: Sequence[Source],
    losses: Mapping[str, tuple[Loss, float]],
    evaluate: Callable[[Network], Mapping[str, float]] | None,
    schedule: Schedule,
    work: Path,
    *,
    seed: int,
    say: Say = print,
    save_every: int = 250,
    stop_after: int | None = None,
) -> Progress:
    """Train; leaves the best weights by `evaluate`'s figure `choose` in `work/best.pt` and loads them into `network`.

    Without `evaluate` no epoch is chosen: the last weights count.
    `losses` gives each head its loss and weight. Interrupted, the same call goes on from `work/state.pt` and ends
    with the same weights: the order of an epoch follows from (seed, epoch), the noise of a step from (seed, step).
    `stop_after` ends the call after so many steps, as an interruption would.
    """
    from accelerate import Accelerator, DistributedDataParallelKwargs
    from accelerate.state import AcceleratorState

    # a batch teaches the heads that its source has targets for, not every one
    partial = DistributedDataParallelKwargs(find_unused_parameters=True)
    # bfloat16 only where `_step_loss` says so, whatever a launcher asks or another training of this process has left
    AcceleratorState._reset_state()
    accelerator = Accelerator(mixed_precision="no", kwargs_handlers=[partial])
    work.mkdir(parents=True, exist_ok=True)
    optimizer = torch.optim.AdamW(_groups(network, schedule), weight_decay=0.01, fused=True)
    plan = [_batches(sources, schedule.batch, seed, epoch) for epoch in range(schedule.epochs)]
    share = accelerator.num_processes
    plan = [epoch[: len(epoch) // share * share] for epoch in plan]  # processes go in step
    steps = max(4, sum(len(epoch) // share for epoch in plan))
    peaks = [group["lr"] for group in optimizer.param_groups]
    warmup = max(schedule.warmup, 2 / steps)  # a warm-up of one step would be divided by its length, 0
    cycle = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=peaks, total_steps=steps, pct_start=warmup)
    ema: Any = torch.optim.swa_utils
    average = ema.AveragedModel(network, multi_avg_fn=ema.get_ema_multi_avg_fn(schedule.average))
    average.to(accelerator.device)
    model, optimizer = accelerator.prepare(network, optimizer)
    bare: Network = accelerator.unwrap_model(model)
    parts = {"model": bare, "average": average, "optimizer": optimizer, "cycle": cycle}
    progress = _load(work / "state.pt", parts)
    done = 0
    while progress.epoch < schedule.epochs and progress.stale < max(1, schedule.patience):
        mine = plan[progress.epoch][accelerator.process_index :: share]
        model.train()
        started, total, begun = time.perf_counter(), 0.0, progress.step
        while progress.step < len(mine):
            source, rows = mine[progress.step]
            torch.manual_seed(hash((seed, progress.epoch, progress.step)) & 0x7FFFFFFF)
            loss = _step_loss(model, sources[source], rows, losses, accelerator)
            optimizer.zero_grad()
            accelerator.backward(loss)
            accelerator.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            cycle.step()
            average.update_parameters(bare)
            total += float(loss.detach())
            progress.step, done = progress.step + 1, done + 1
            if progress.step % save_every == 0:
                progress.seconds += time.perf_counter() - started
                started = time.perf_counter()
                _save(work / "state.pt", parts, progress, accelerator)
                mean = total / (progress.step - begun)
                say(f"epoch {progress.epoch + 1}/{schedule.epochs}, step {progress.step}/{len(mine)}, loss {mean:.4f}")
            if done == stop_after:
                _save(work / "state.pt", parts, progress, accelerator)
                return progress
        progress.seconds += time.perf_counter() - started
        _judge(bare, average, evaluate, work, progress, accelerator, say)
        progress.epoch, progress.step = progress.epoch + 1, 0
        _save(work / "state.pt", parts, progress, accelerator)
    accelerator.wait_for_everyone()
    if not (work / "best.pt").is_file():
        raise UsageError("the training diverged: no figure on dev is a number", "lower peak in the recipe")
    network.load_state_dict(torch.load(work / "best.pt", weights_only=True))
    return progress


def _step_loss(
    model: Any, source: Source, rows: npt.NDArray[np.int64], losses: Mapping[str, tuple[Loss, float]], accelerator: Any
) -> Tensor:
    tokens, mask = pad([source.ids[i] for i in rows])
    device = accelerator.device
    with torch.autocast(device.type, dtype=torch.bfloat16):
        logits = model(tokens.to(device), mask.to(device))
    loss = torch.zeros((), device=device)
    for head, targets in source.targets.items():
        of, weight = losses[head]
        wanted = _stack([targets[i] for i in rows], tokens.shape[1] if isinstance(targets, list) else None)
        loss = loss + weight * of(logits[head].float(), wanted.to(device))
    return loss


def _stack(targets: list[Any], length: int | None) -> Tensor:
    """Targets as one tensor; those of tokens are padded with NaN."""
    if length is None:
        return torch.from_numpy(np.stack(targets))
    found = np.full((len(targets), length, targets[0].shape[1]), np.nan, dtype=np.float32)
    for row, target in enumerate(targets):
        found[row, : len(target)] = target
    return torch.from_numpy(found)


def _judge(
    network: Network,
    average: Any,
    evaluate: Callable[[Network], Mapping[str, float]] | None,
    work: Path,
    progress: Progress,
    accelerator: Any,
    say: Say,
) -> None:
    """Evaluate the weights and their average; keep the better if it is the best so far."""
    if evaluate is None:
        if accelerator.is_main_process:
            torch.save(network.state_dict(), work / "best.pt")
        return
    progress.stale += 1
    for name, candidate in {"weights": network, "average": average.module}.items():
        candidate.eval()
        figures = {key: float(value) for key, value in evaluate(candidate).items()}
        progress.log.append({"epoch": progress.epoch + 1, "of": name, **figures})
        told = ", ".join(f"{key} {value:.4f}" for key, value in figures.items())
        say(f"epoch {progress.epoch + 1} {name}: {told} ({progress.seconds:.0f} s of training)")
        if figures["choose"] > progress.best:
            progress.best, progress.stale = figures["choose"], 0
            if accelerator.is_main_process:
                torch.save(candidate.state_dict(), work / "best.pt")


def _groups(network: Network, schedule: Schedule) -> list[dict[str, Any]]:
    """Encoder, heads, and the ranges of rounding, which decay towards nothing."""
    ranges = {id(p) for module in network.modules() if isinstance(module, Range) for p in module.parameters()}
    inner = [p for p in network.encoder.parameters() if id(p) not in ranges]
    groups = [
        {"params": inner, "lr": schedule.peak},
        {"params": list(network.heads.parameters()), "lr": schedule.peak_head},
    ]
    if ranges:
        learned = [p for p in network.encoder.parameters() if id(p) in ranges]
        groups.append({"params": learned, "lr": schedule.peak_head, "weight_decay": 0.0})
    return groups


def _batches(sources: Sequence[Source], size: int, seed: int, epoch: int) -> list[tuple[int, npt.NDArray[np.int64]]]:
    """An epoch: every row of every source once, in batches of similar lengths, shuffled."""
    rng = np.random.default_rng([seed, epoch])
    found: list[tuple[int, npt.NDArray[np.int64]]] = []
    for number, source in enumerate(sources):
        lengths = np.array([len(ids) for ids in source.ids])
        order = rng.permutation(len(lengths))
        for at in range(0, len(order), size * _POOL):
            pool = order[at : at + size * _POOL]
            pool = pool[np.argsort(lengths[pool], kind="stable")]
            found += [(number, pool[i : i + size]) for i in range(0, len(pool), size)]
    return [found[i] for i in rng.permutation(len(found))]


def _save(path: Path, parts: Mapping[str, Any], progress: Progress, accelerator: Any) -> None:
    if accelerator.is_main_process:
        state = {name: part.state_dict() for name, part in parts.items()} | {"progress": asdict(progress)}
        torch.save(state, path.with_suffix(".tmp"))
        path.with_suffix(".tmp").replace(path)


def keep_array(path: Path, array: Array) -> None:
    """Save an array as `.npy`, whole or not at all: an interrupted run reads what is there."""
    part = path.with_name(f"{path.name}.part.npy")
    np.save(part, array)
    part.replace(path)


def _load(path: Path, parts: Mapping[str, Any]) -> Progress:
    if not path.is_file():
        return Progress()
    state = torch.load(path, weights_only=False, map_location="cpu")
    for name, part in parts.items():
        part.load_state_dict(state[name])
    return Progress(**state["progress"])


@torch.inference_mode()
def predict(network: Network, ids: Sequence[list[int]], batch: int = 64) -> dict[str, Any]:
    """Every head's logits as float32: (rows, size) for a text head, a list of (tokens, size) for a token head."""
    network.eval()
    device = next(network.parameters()).device
    order = sorted(range(len(ids)), key=lambda i: len(ids[i]))
    found: dict[str, list[Any]] = {name: [None] * len(ids) for name in network.heads}
    for start in range(0, len(order), batch):
        part = order[start : start + batch]
        tokens, mask = pad([ids[i] for i in part])
        logits = network(tokens.to(device), mask.to(device))
        for name, values in logits.items():
            rows = values.float().cpu().numpy()
            for place, row in zip(part, rows, strict=True):
                found[name][place] = row[: len(ids[place])] if network.kinds[name].level == "token" else row
    return {name: rows if network.kinds[name].level == "token" else np.stack(rows) for name, rows in found.items()}


def start_rounding(network: Network, ids: Sequence[list[int]], prepare: Callable[[Any], None]) -> None:
    """Put ranges in (see `quantise`), observe them on these rows, and round from now on."""
    prepare(network.encoder)
    set_mode(network, "observe")
    predict(network, ids)
    set_mode(network, "round")
