"""An adapter put into its base: a plain checkpoint, compared with the unmerged model, made whole or not at all."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from emowhy.engines.transformers import TransformersEngine
from emowhy.errors import EngineError, UsageError, nearest
from emowhy.models import Model, _make_whole, adapter_folder, adapter_identity, origin
from emowhy.tune.check import CLEARLY, Check
from emowhy.tune.fit import compare_tensors
from emowhy.tune.probes import (
    FALLBACK,
    Distance,
    Probe,
    Scores,
    distance,
    make_probes,
    read_probes,
    without_adapter,
)
from emowhy.tune.templates import changed_templates, tuned_templates

DTYPES = ("bfloat16", "float16", "float32")
PRECISIONS = ("float32", "auto")

_MOST_APART = {"float32": 0.5, "auto": 2.0}
"""Nats that any one token may be apart: what rounding the weights to bf16 costs, and what computing in bf16 does. The
mean must besides be clearly less than what the adapter does."""

Say = Callable[[str], None]


@dataclass(frozen=True)
class Merged:
    """A checkpoint that was made: how far it is from the unmerged model, and that one from its base."""

    folder: Path
    dtype: str
    apart: Distance
    effect: Distance


def merge_adapter(
    adapter: Path,
    out: Path,
    *,
    model: str | None = None,
    dtype: str | None = None,
    precision: str = "float32",
    say: Say = lambda line: None,
) -> Merged:
    """Write base and adapter as one checkpoint to `out`: weights, tokenizer, chat template, generation config.

    `dtype` is what the weights are written in (None: as the base's are); `precision` what they are added up and
    compared in: "float32", or "auto" (the engine's own) for models of which so much does not fit into memory.

    Raises:
        UsageError: `out` holds something, adapter and base do not belong together, or an unknown `dtype`.
        MissingError: adapter or base are not there.
        EngineError: the merged model does not answer as the unmerged one does; nothing is left in `out`.
    """
    for given, known in ((dtype or DTYPES[0], DTYPES), (precision, PRECISIONS)):
        if given not in known:
            raise UsageError(f"unknown number type {given!r}", nearest(given, known))
    adapter = adapter_folder(adapter)
    base = Check(adapter, model).base
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UsageError(f"{out} holds something already", "name a new folder with -o")
    if faults := compare_tensors(adapter, base).faults:
        raise UsageError(f"{adapter} does not fit {base.name}: {faults[0]}", f"emowhy tune check {adapter}")
    say(f"merging {adapter} into {base.name}")
    net, tokenizer, probes, tuned, effect = _merge(adapter, base, precision)
    dtype = dtype or _own_dtype(base)
    found: list[Distance] = []

    def write(part: Path) -> None:
        nonlocal net
        _save(net, tokenizer, dtype, part)
        net = None  # room for the one that is read back
        found.append(_compare(part, probes, tuned, precision))
        _accept(found[0], effect, precision)
        _describe(part, adapter, base, Merged(out, dtype, found[0], effect))

    if out.is_dir():
        out.rmdir()
    _make_whole(out, write)
    return Merged(out, dtype, found[0], effect)


def _merge(adapter: Path, base: Model, precision: str) -> tuple[Any, Any, list[Probe], Scores, Distance]:
    """The merged network and its tokenizer; probes, how the unmerged one read them, and how far it is from its base."""
    told = origin(adapter)
    changed = changed_templates(told)
    strategies = [name for name in tuned_templates(told) if name not in changed] or FALLBACK
    engine = TransformersEngine(model=base.name, adapter=str(adapter), dtype=precision)
    probes = make_probes(strategies, engine.control_tokens)
    tuned = read_probes(engine, probes)
    with without_adapter(engine):
        plain = read_probes(engine, probes)
    net = engine.model.merge_and_unload(safe_merge=True)
    return net, engine.tokenizer, probes, tuned, distance(tuned, plain)


def _own_dtype(base: Model) -> str:
    """The number type that a base's weights are kept in."""
    from transformers import AutoConfig

    found = str(getattr(AutoConfig.from_pretrained(base.path), "dtype", None)).removeprefix("torch.")
    return found if found in DTYPES else DTYPES[0]


def _save(net: Any, tokenizer: Any, dtype: str, part: Path) -> None:
    import torch
    from safetensors import SafetensorError

    from emowhy.tune.rounding import round_model

    if dtype == "bfloat16":
        round_model(net)
    try:
        net.to(getattr(torch, dtype)).save_pretrained(part)
        tokenizer.save_pretrained(part)
    except SafetensorError as error:  # a full disk, mostly
        raise EngineError(f"the checkpoint could not be written: {error}", "make room, then the same again") from error


def _compare(part: Path, probes: list[Probe], tuned: Scores, precision: str) -> Distance:
    """How far what was written is from the unmerged model."""
    engine = TransformersEngine(model=str(part), dtype=precision)
    try:
        return distance(tuned, read_probes(engine, probes))
    finally:
        engine.close()


def _accept(apart: Distance, effect: Distance, precision: str) -> None:
    """Raises EngineError where two models are further apart than rounding makes them, or the adapter is lost in it."""
    if apart.most <= _MOST_APART[precision] and apart.mean * CLEARLY <= effect.mean:
        return
    raise EngineError(
        f"merged and unmerged differ by {apart}; the adapter itself makes {effect}",
        "--precision float32 adds up without loss, --dtype float32 rounds no weight; an adapter of tied embeddings "
        "cannot be merged",
    )


def _describe(part: Path, adapter: Path, base: Model, merged: Merged) -> None:
    """`emowhy.json` as the adapter's, with what became of it; and the adapter's card under a line that says so."""
    told = {"base": base.name, "base_sha256": base.identity.get("sha256"), **origin(adapter)}
    how = {"dtype": merged.dtype, "apart": asdict(merged.apart), "effect": asdict(merged.effect)}
    told["merged"] = {"adapter_sha256": adapter_identity(adapter)["adapter_sha256"], **how}
    (part / "emowhy.json").write_text(json.dumps(told, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    (part / "README.md").write_text(_card(adapter, told, merged), encoding="utf-8")
    if (adapter / "README.md").is_file():
        shutil.copyfile(adapter / "README.md", part / "ADAPTER.md")


def _card(adapter: Path, told: Mapping[str, Any], merged: Merged) -> str:
    card = "; its card is ADAPTER.md" if (adapter / "README.md").is_file() else ""
    lines = [
        f"# {merged.folder.name}",
        "",
        f"The model {told['base']} with the adapter `{adapter.name}` merged into it, in {merged.dtype}{card}.",
        "",
        f"* **Licence**: {told.get('licence') or 'not stated; the base and the data of the adapter have theirs'}.",
        f"* **Trained on**: {', '.join(told.get('trained_on') or ()) or 'not stated'}.",
        f"* **Against the unmerged model**: {merged.apart}.",
        f"* **Against the base**: {merged.effect}.",
        "",
    ]
    return "\n".join(lines)
