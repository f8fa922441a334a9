"""What the tests of training share: a model as small as models get, rows of our own writing, a recipe."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emowhy.prompt import load_strategy
from emowhy.tune.recipe import TuneRecipe

if TYPE_CHECKING:
    import torch

    from emowhy.tune.learned import Looks

COMMAND = "emowhy tune run tiny.yaml --rows rows"

SPAN = {"anger": "lost my keys", "joy": "won the cup", "fear": "heard a noise", "sadness": "the dog is gone"}
WHO = ("Mum", "The coach", "Our neighbour", "My boss", "Nina")
Changes = Mapping[str, Any]
Weights = dict[str, "torch.Tensor"]


def make_base(folder: Path, tokenizer: Path) -> Path:
    """A Llama with two narrow layers and random weights, and the embedded model's tokenizer."""
    import torch
    from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

    words = AutoTokenizer.from_pretrained(tokenizer)
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(words),
        hidden_size=16,
        intermediate_size=24,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        max_position_embeddings=512,
        tie_word_embeddings=True,
        bos_token_id=words.bos_token_id,
        eos_token_id=words.eos_token_id,
        pad_token_id=words.pad_token_id,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    words.save_pretrained(folder)
    return folder


def row(number: int, **other: Any) -> dict[str, Any]:
    """A row as `emowhy tune rows` writes it."""
    label, span = list(SPAN.items())[number % len(SPAN)]
    text = f"{WHO[number % len(WHO)]} says: I {span}, " + "again " * (number % 7) + "today."
    reply = {"emotions": [label], "causes": [{"turn": 0, "quote": span}]}
    return {
        "id": f"r{number}",
        "prompt": [{"role": "system", "content": "You explain."}, {"role": "user", "content": f"Text:\n[0] {text}"}],
        "completion": [{"role": "assistant", "content": json.dumps(reply)}],
        "strategy": "direct",
        "data": "goemotions:train",
        "sample": {"text": text},
        **other,
    }


def write_rows(
    folder: Path, train: list[dict[str, Any]], dev: list[dict[str, Any]], about: Mapping[str, Any] | None = None
) -> Path:
    """A folder as `emowhy tune rows` leaves it."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, rows in (("train", train), ("dev", dev)):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(one) + "\n" for one in rows))
    hashes = {"templates": {"direct": load_strategy("direct").hash}}
    (folder / "about.json").write_text(json.dumps(about or hashes))
    return folder


def make_recipe(base: Path, lora: Changes | None = None, **train: Any) -> TuneRecipe:
    """Six steps of four rows in an epoch and a half, a look at the dev rows after every second."""
    schedule = {"epochs": 1.5, "batch": 4, "peak": 1e-2, "evaluate_every": 2, "precision": "fp32", "max_tokens": 160}
    return TuneRecipe.model_validate(
        {
            "name": "tiny",
            "seed": 3,
            "base": str(base),
            "licence": "Apache-2.0",
            "rows": {"sets": [{"data": "goemotions", "rows": 16}], "reply_tokens": 64},
            "lora": {"rank": 4, "alpha": 8, "dropout": 0.2, **(lora or {})},
            "train": {**schedule, **train},
        }
    )


@contextmanager
def one_thread() -> Iterator[None]:
    """Networks this small are slower on several threads."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@dataclass
class Done:
    """One call of the training: where, what it gave back, what it said."""

    out: Path
    about: dict[str, Any]
    said: list[str] = field(default_factory=list)

    def weights(self, step: int | None = None) -> Weights:
        """The adapter's weights, or those of a checkpoint, as they lie there."""
        from safetensors.torch import load_file

        folder = self.out if step is None else self.out / "work" / f"checkpoint-{step}"
        return dict(load_file(folder / "adapter_model.safetensors"))


Tune = Callable[..., Done]


def tuner(base: Path, rows: Path) -> Tune:
    """Tuning of that base on those rows; each look answers one dev row."""
    from emowhy.tune.learned import Looks
    from emowhy.tune.train import run

    def call(
        out: Path, recipe: TuneRecipe | None = None, looks: Looks | None = None, stop_after: int | None = None
    ) -> Done:
        said: list[str] = []
        about = run(recipe or make_recipe(base), rows, out, COMMAND, said.append, looks or Looks(1), stop_after)
        return Done(out, about, said)

    return call


def same(a: Weights, b: Weights) -> bool:
    """Bit for bit."""
    return a.keys() == b.keys() and all(a[name].equal(b[name]) for name in a)
