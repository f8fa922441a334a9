"""Will an adapter reach serving, whole and with an effect? Found out before anybody waits for a server."""

from __future__ import annotations

import gc
import importlib.util
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from emowhy.engines import Engine, load_engine
from emowhy.engines.lora import RANKS, largest_rank, unserved
from emowhy.errors import UsageError, missing_extra
from emowhy.models import Model, adapter_config, adapter_folder, find_model, origin
from emowhy.tune.finding import Finding
from emowhy.tune.fit import Fit, compare_tensors
from emowhy.tune.probes import FALLBACK, Distance, Scores, distance, make_probes, read_probes, without_adapter
from emowhy.tune.templates import changed_templates, tuned_templates

Load = Callable[..., Engine]

CLEARLY = 3.0
"""How many times further from its base than from its own other readings an adapter must be to count as effective. An
engine that drops it reads it as far away as its base is (1), one that applies half of it half as far (2)."""


@dataclass(frozen=True)
class Check:
    """What is to be checked; `folder` may be the shipped adapter's name, too.

    `engines` are those that read the probes, `options` vLLM's own; `precision` is what transformers computes in:
    "float32", in which an adapter's effect stands out from rounding, or "auto" where that does not fit into memory.
    """

    folder: Path
    model: str | None = None
    prompts: Path | None = None
    engines: Sequence[str] = ("transformers",)
    options: Mapping[str, Any] = field(default_factory=dict)
    precision: str = "float32"
    load: Load = load_engine

    def __post_init__(self) -> None:
        object.__setattr__(self, "folder", adapter_folder(self.folder))

    @cached_property
    def told(self) -> dict[str, Any]:
        """What tuning wrote about the adapter."""
        return origin(self.folder)

    @cached_property
    def config(self) -> dict[str, Any]:
        """What PEFT wrote about it."""
        return adapter_config(self.folder)

    @cached_property
    def base(self) -> Model:
        """The model that it was tuned on, or the one that was named instead."""
        name = self.model or self.told.get("base") or self.config.get("base_model_name_or_path")
        if not name:
            raise UsageError(f"{self.folder} does not say which model it was tuned on", "name it with --model")
        return find_model(str(name))


def wanted_engines(asked: str | None) -> tuple[str, ...]:
    """transformers always; vllm if it is asked for, or is here and nothing is asked for."""
    if asked not in (None, "transformers", "vllm"):
        raise UsageError(f"an adapter cannot be checked with the engine {asked!r}", "--engine transformers or vllm")
    with_vllm = asked == "vllm" or (asked is None and importlib.util.find_spec("vllm") is not None)
    return ("transformers", "vllm") if with_vllm else ("transformers",)


def check_adapter(check: Check) -> Iterator[Finding]:
    """Everything there is to say about an adapter, what costs nothing first.

    The models are only loaded for an adapter that fits its base.
    """
    served = list(_servable(check))
    fit = compare_tensors(check.folder, check.base)
    yield from served
    yield _same_base(check)
    yield from _fitting(fit)
    yield from _templates(check)
    if fit.same:
        yield from _effect(check, servable=all(one.grade != "fault" for one in served))


def _servable(check: Check) -> Iterator[Finding]:
    """What vLLM takes, from the adapter's configuration alone."""
    cure = f"emowhy tune merge {check.folder} -o DIR, then serve DIR"
    reasons = unserved(check.config)
    for reason in reasons:
        yield Finding("vLLM", "fault", f"vLLM cannot serve it: {reason}", cure)
    rank = largest_rank(check.config)
    if rank in RANKS:
        yield Finding("rank", "good", f"{rank}, one that vLLM has")
    elif rank <= RANKS[-1]:
        yield Finding("rank", "note", f"{rank} is none of vLLM's ({_listed(RANKS)}): it is served in the room of more")
    if not reasons:
        yield Finding("vLLM", "good", "no DoRA, no trained biases, no modules saved whole")


def _same_base(check: Check) -> Finding:
    told, known = check.told.get("base_sha256"), check.base.identity.get("sha256")
    if told and known and told != known:
        what = f"it was tuned on {check.told.get('base')} {told}; the weights of {check.base.name} here are {known}"
        return Finding("base", "fault", what, "use the weights that it was tuned on (--model), or tune it again")
    if told and known:
        return Finding("base", "good", f"{check.base.name}, the very weights that it was tuned on ({known})")
    return Finding("base", "note", f"{check.base.name}; whether these are the weights of its tuning is not known")


def _fitting(fit: Fit) -> Iterator[Finding]:
    for what in fit.faults:
        yield Finding("modules", "fault", what, "base and adapter do not belong together: check --model")
    if fit.same:
        yield Finding("modules", "good", f"{fit.modules} modules ({', '.join(fit.kinds)}), each where the base has one")
    if fit.modules < fit.of:
        what = f"{fit.modules} of the {fit.of} modules of these names that the base has are tuned"
        yield Finding("modules", "note", what, "if all were, this is another base")
    if fit.embeddings:
        what = f"{', '.join(fit.embeddings)}: vLLM serves an adapter of these for some architectures only"
        yield Finding("modules", "note", what, "check with --engine vllm, or merge it")
    if fit.idle:
        yield Finding(
            "weights", "fault", "every lora_B is 0: the adapter changes nothing", "it was saved before it was trained"
        )


def _templates(check: Check) -> Iterator[Finding]:
    strategies = tuned_templates(check.told)
    if not strategies:
        yield Finding("templates", "note", "there is no word of the templates that it was tuned on (emowhy.json)")
        return
    changed = changed_templates(check.told, check.prompts)
    for name, how in changed.items():
        cure = "use the prompts that it was tuned on (--prompts), or make rows and tune again"
        yield Finding("templates", "fault", f"it was tuned on the strategy {name!r}, but {how}", cure)
    if same := [name for name in strategies if name not in changed]:
        yield Finding("templates", "good", f"{', '.join(same)}: the same in tuning and inference")


def _effect(check: Check, servable: bool) -> Iterator[Finding]:
    """Whether the adapter moves log-probabilities, and whether every engine that serves it moves them alike."""
    changed = changed_templates(check.told, check.prompts)
    strategies = [name for name in tuned_templates(check.told) if name not in changed]
    adapted = {"model": check.base.name, "adapter": str(check.folder)}
    engine = check.load("transformers", dtype=check.precision, **adapted)
    try:
        probes = make_probes(strategies or FALLBACK, engine.control_tokens, check.prompts)
        tuned = read_probes(engine, probes)
        with without_adapter(engine):
            plain = read_probes(engine, probes)
        engine.batch_size = 1
        again = read_probes(engine, probes)
    finally:
        engine.close()
        _free_memory()
    yield judge(distance(tuned, plain), distance(tuned, again), "batches of other sizes")
    if "vllm" not in check.engines:
        yield Finding("vLLM", "note", "not asked: it is not installed, or was left out", "--engine vllm")
    elif servable:
        options = {"enforce_eager": True, "max_num_seqs": 8, **check.options}
        served = check.load("vllm", **adapted, **options)
        try:
            yield _agreement(tuned, plain, read_probes(served, probes))
        finally:
            served.close()


def _free_memory() -> None:
    """Give back what a closed engine held on a GPU: vLLM wants most of it."""
    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def _agreement(tuned: Scores, plain: Scores, served: Scores) -> Finding:
    try:
        apart = distance(tuned, served)
    except ValueError as error:
        return Finding("effect", "fault", f"vLLM and transformers: {error}", "serve the base's own tokenizer")
    return judge(distance(tuned, plain), apart, "vLLM and PEFT")


def judge(effect: Distance, noise: Distance, between: str) -> Finding:
    """Whether an adapter is further from its base than its own readings, `between` which is noise, are apart."""
    told = f"{effect} from its base; {between} differ by {noise.mean:.4f}"
    if effect.mean == 0:
        return Finding("effect", "fault", "none: every log-probability is the base's", "is it the adapter you meant?")
    if effect.mean < CLEARLY * noise.mean:
        cure = "the adapter does not reach the engine, or hardly learned: tune it longer"
        return Finding("effect", "fault", f"not clear: {told}", cure)
    return Finding("effect", "good", told)


def needs_packages() -> None:
    """Raises MissingError where torch, transformers or peft are not installed."""
    try:
        import peft  # noqa: F401
        import torch  # noqa: F401
        import transformers  # noqa: F401
    except ImportError as error:
        raise missing_extra(f"looking into an adapter ({error.name})", "local") from error


def _listed(numbers: Sequence[int]) -> str:
    return ", ".join(map(str, numbers))
