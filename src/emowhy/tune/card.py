"""The adapter's card: written by the training that it describes, from what that training measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from emowhy.batch import spell_seconds
from emowhy.engines.lora import unserved
from emowhy.tune.provenance import Seen
from emowhy.tune.recipe import LoraRecipe, RewardRecipe, TuneRecipe

_NAMES = {
    "loss": "loss on the completions",
    "parse_rate": "replies that can be read",
    "strict_rate": "replies that are the asked-for JSON as they stand",
    "graded_f": "graded label overlap",
    "span_f": "quote overlap (F at IoU ≥ .5)",
    "verbatim_rate": "quotes that are verbatim",
    "quote_rate": "rows quoted, of those with a quote",
    "choice_accuracy": "right choices",
}

_BY = {"overlap": "the mean of the overlaps below", "loss": "the loss"}


def card(
    recipe: TuneRecipe, about: Mapping[str, Any], sets: Sequence[Seen], log: Sequence[Mapping[str, Any]], command: str
) -> str:
    """The text of README.md. `about` is what goes into `emowhy.json`; `log` has a row for each look at the dev rows."""
    counts, figures, start = about["rows"], about["figures"], about.get("start")
    by = _BY.get(about["chosen_by"], _NAMES.get(about["chosen_by"], about["chosen_by"]))
    lines = [
        f"# `{recipe.name}`",
        "",
        f"A LoRA adapter for `{about['base']}`: it answers emowhy's prompts. {_size(recipe.lora, about)}",
        "",
        f"* **Base**: `{about['base']}`, {_revision(about)}; licence: {about['base_licence']}.",
        *([f"* **Start**: `{start['adapter']}`, {start['sha256']}; its data are below too."] if start else []),
        *(f"* **Data**: {_told(one)}." for one in sets),
        f"* **Rows**: {counts['train']:,} to learn from, {counts['dev']:,} to look at{_left_out(counts)}; "
        f"strategies: {', '.join(about['templates']) or 'not stated'}.",
        f"* **Licence of these weights**: {about['licence']}; "
        + ("commercial use allowed as far as the base's licence allows it." if about["commercial"] else "no trade."),
        *([f"* **Learned by**: {_earned(recipe.reward)}"] if recipe.reward else []),
        f"* **Recipe**: `{command}`, seed {recipe.seed}; rows {about['rows_sha256']}.",
        f"* **Time**: {spell_seconds(about['seconds'])} on the machine that made it, looks at the dev rows included.",
        *([f"* **Serving**: {'; '.join(reasons)}: merge it first."] if (reasons := _unserved(recipe.lora)) else []),
        "",
        "## Figures on dev rows",
        "",
        f"Step {about['step']} of {about['steps']} was chosen by {by} on these very rows, so the right column flatters",
        f"a little. The loss is that of all of them; replies to {counts['generated']} were generated, free of any",
        f"grammar, and compared with their completions. {_more(recipe)}",
        "",
        *_table(figures, "start" if start else "base"),
        "",
        "## Looks",
        "",
        "| step | figures |",
        "|---|---|",
        *(f"| {one['step']} | {', '.join(f'{k} {v:.4f}' for k, v in one.items() if k != 'step')} |" for one in log),
        "",
        "## Use and limits",
        "",
        "Meant for explaining which emotion a text expresses, with emowhy's prompts and checks; other prompts were not",
        "tuned for. English. It tells what words express, not what a person feels: irony, culture and unspoken context",
        "escape it, rare labels are the least reliable, and a fluent reason can be a wrong one. What its reasons were",
        "learned from has blind spots of its own.",
        "",
        "Inferring people's emotions is sensitive. Do not decide about people by it, least of all at work or school;",
        "tell those whose words are read; see what the law says where you are.",
        "",
    ]
    return "\n".join(lines)


def bench_command(recipe: TuneRecipe, adapter: str) -> str:
    """The command that measures an adapter on what its recipe names."""
    tasks, sample = " ".join(recipe.evaluate.tasks), recipe.evaluate.sample
    return (
        f"emowhy bench run {tasks} --data DIR --sample {sample} --model {recipe.base} --adapter {adapter} "
        f"-o runs/{recipe.name}-bench"
    )


def _more(recipe: TuneRecipe) -> str:
    if not recipe.evaluate.tasks:
        return "Benchmarks say more: see `emowhy bench run`."
    return f"Benchmarks say more:\n\n    {bench_command(recipe, 'ADAPTER')}"


def _size(lora: LoraRecipe, about: Mapping[str, Any]) -> str:
    kind = "".join([", rank-stabilised" * lora.rslora, ", DoRA" * lora.dora])
    modules = "all linear layers" if lora.modules == "all" else ", ".join(lora.modules)
    return f"Rank {lora.rank}, alpha {lora.alpha:g}{kind}, {modules}; {about['bytes'] / 1e6:.1f} MB in bf16."


def _revision(about: Mapping[str, Any]) -> str:
    named = {"SHA-256": about["base_sha256"], "revision": about["base_revision"]}
    told = [f"{what} {value}" for what, value in named.items() if value]
    return ", ".join(told) or "revision not known"


def _told(one: Seen) -> str:
    return f"{one.title} ({one.source}), `{one.name}`: {one.licence}" if one.source else f"`{one.name}`: {one.licence}"


def _left_out(counts: Mapping[str, int]) -> str:
    why = {"too_long": "as too long", "unrewarded": "as their replies name no emotion"}
    return "".join(f", {counts[name]:,} left out {told}" for name, told in why.items() if counts.get(name))


def _earned(reward: RewardRecipe) -> str:
    """How reinforcement learning went; a reader that rewarded is no judge afterwards."""
    parts = ", ".join(f"{name} {getattr(reward, name):g}" for name in ("labels", "format", "length", "consistency"))
    flattered = "; the `reader` flatters it, which rewarded it" if reward.consistency else ""
    return (
        f"GRPO from verifiable rewards ({parts}), {reward.samples} replies of at most {reward.tokens} tokens a prompt "
        f"at temperature {reward.temperature:g}, KL {reward.beta:g}{flattered}."
    )


def _unserved(lora: LoraRecipe) -> list[str]:
    return unserved({"r": lora.rank, "use_dora": lora.dora})


def _table(figures: Mapping[str, Mapping[str, float]], beginning: str) -> list[str]:
    before, after = figures["before"], figures["after"]
    rows = [f"| figure | {beginning} | tuned |", "|---|---|---|"]
    for name in dict.fromkeys([*before, *after]):
        told = _NAMES.get(name, f"r of {name.removeprefix('r_')}")
        rows.append(f"| {told} (`{name}`) | {_figure(before, name)} | {_figure(after, name)} |")
    return rows


def _figure(figures: Mapping[str, float], name: str) -> str:
    return f"{figures[name]:.4f}" if name in figures else "–"
