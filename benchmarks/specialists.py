"""Texts a second of the `emotion` specialist against transformers' text-classification pipeline, both in one run.

    python benchmarks/specialists.py [--texts FILE] [--checkpoint best.pt] [--rounds 5] [--threads 2]

The pipeline runs the same network before export, in fp32, at batch size 32, on the same texts with
the same number of threads. Without `--checkpoint` (what `finetune/specialists/emotion.py train`
leaves) its head is untrained: the arithmetic, and so the speed, is the same. `--texts`: one a line;
by default the demo set's, over and over.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import statistics
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent


def demo_texts(count: int) -> list[str]:
    rows = [json.loads(line) for line in (HERE / "demo" / "demo.jsonl").read_text(encoding="utf-8").splitlines()]
    turns = [turn["text"] for row in rows for turn in row.get("context", [])] + [
        r["text"] for r in rows if r.get("text")
    ]
    return [f"{text} ({i})" for i, text in zip(range(count), itertools.cycle(turns))]


def build_pipeline(checkpoint: Path | None) -> Any:
    """The pipeline around the fp32 network: MiniLM, mean pooling, a linear head."""
    import torch
    from transformers import AutoConfig, AutoModel, AutoTokenizer, PreTrainedModel, pipeline
    from transformers.modeling_outputs import SequenceClassifierOutput

    from emowhy.models import find_encoder

    folder = str(find_encoder())

    class MeanPooled(PreTrainedModel):  # type: ignore[misc]
        config_class = AutoConfig.for_model("bert").__class__

        def __init__(self, config: Any) -> None:
            super().__init__(config)
            self.encoder = AutoModel.from_pretrained(folder)
            self.head = torch.nn.Linear(config.hidden_size, 28)
            self.post_init()

        def forward(self, input_ids: Any, attention_mask: Any, **_: Any) -> Any:
            hidden = self.encoder(input_ids=input_ids, attention_mask=attention_mask)[0]
            mask = attention_mask.unsqueeze(-1).to(hidden.dtype)
            return SequenceClassifierOutput(logits=self.head((hidden * mask).sum(1) / mask.sum(1)))

    model = MeanPooled(AutoConfig.from_pretrained(folder, num_labels=28, problem_type="multi_label_classification"))
    if checkpoint:
        model.load_state_dict(torch.load(checkpoint))
    tokenizer = AutoTokenizer.from_pretrained(folder, model_max_length=128)
    return pipeline("text-classification", model=model.eval(), tokenizer=tokenizer, batch_size=32, top_k=None)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--texts", type=Path)
    parser.add_argument("--checkpoint", type=Path)
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    args = parser.parse_args()

    import torch

    from emowhy.specialists.emotion import EmotionSpecialist
    from emowhy.taxonomy import find_taxonomy

    torch.set_num_threads(args.threads)
    texts = args.texts.read_text(encoding="utf-8").splitlines()[: args.count] if args.texts else demo_texts(args.count)
    theirs, ours = build_pipeline(args.checkpoint), EmotionSpecialist(find_taxonomy("goemotions"))
    runs: dict[str, list[float]] = {"pipeline": [], "emotion": []}
    ours.probabilities(texts[:64])
    theirs(texts[:64], truncation=True)
    for _ in range(args.rounds):
        started = time.perf_counter()
        theirs(texts, truncation=True)
        runs["pipeline"].append(len(texts) / (time.perf_counter() - started))
        started = time.perf_counter()
        ours.probabilities(texts)
        runs["emotion"].append(len(texts) / (time.perf_counter() - started))
    median = {name: statistics.median(values) for name, values in runs.items()}
    print(
        json.dumps(
            {
                "texts": len(texts),
                "threads": args.threads,
                **{f"{name}, texts/s": round(value, 1) for name, value in median.items()},
                "ratio": round(median["emotion"] / median["pipeline"], 2),
            },
            indent=1,
        )
    )


if __name__ == "__main__":
    main()
