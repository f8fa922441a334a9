"""Texts a second of the shipped specialists against transformers' text-classification pipeline, both in one run.

    python benchmarks/specialists.py [--texts FILE] [--rounds 5] [--threads 2]

The pipeline runs the network of `emotion` alone before export, in fp32, at batch size 32, on the same texts with the
same number of threads; its head is untrained, which costs the same arithmetic. Ours is timed twice: `emotion` alone,
and all shipped heads with their clues made (emotions, cue words with their places, valence). `--texts`: one a line; by
default the demo set's, over and over.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent


def demo_texts(count: int) -> list[str]:
    rows = [json.loads(line) for line in (HERE / "demo" / "demo.jsonl").read_text(encoding="utf-8").splitlines()]
    turns = [turn["text"] for row in rows for turn in row.get("context", [])] + [
        r["text"] for r in rows if r.get("text")
    ]
    return [f"{text} ({i})" for i, text in zip(range(count), itertools.cycle(turns))]


def build_pipeline() -> Any:
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
    tokenizer = AutoTokenizer.from_pretrained(folder, model_max_length=128)
    return pipeline("text-classification", model=model.eval(), tokenizer=tokenizer, batch_size=32, top_k=None)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--texts", type=Path)
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    args = parser.parse_args()

    import torch

    from emowhy.specialists import Classifier, find_clues, load_specialists
    from emowhy.taxonomy import find_taxonomy
    from emowhy.types import Sample

    torch.set_num_threads(args.threads)
    texts = args.texts.read_text(encoding="utf-8").splitlines()[: args.count] if args.texts else demo_texts(args.count)
    samples = [Sample(str(i), text=text) for i, text in enumerate(texts)]
    theirs, ours = build_pipeline(), load_specialists(["emotion", "cue", "valence"], find_taxonomy("goemotions"))
    emotion = next(one for one in ours if isinstance(one, Classifier))

    def tell_all() -> None:
        for at in range(0, len(samples), 64):
            find_clues(ours, samples[at : at + 64])

    def score() -> None:
        for at in range(0, len(texts), 64):
            emotion.probabilities(texts[at : at + 64])

    jobs: dict[str, Callable[[], object]] = {
        "pipeline": lambda: theirs(texts, truncation=True),
        "emotion": score,
        "all heads": tell_all,
    }
    runs: dict[str, list[float]] = {name: [] for name in jobs}
    theirs(texts[:64], truncation=True)
    find_clues(ours, samples[:64])
    for _ in range(args.rounds):
        for name, job in jobs.items():
            started = time.perf_counter()
            job()
            runs[name].append(len(texts) / (time.perf_counter() - started))
    median = {name: statistics.median(values) for name, values in runs.items()}
    print(
        json.dumps(
            {
                "texts": len(texts),
                "threads": args.threads,
                **{f"{name}, texts/s": round(value, 1) for name, value in median.items()},
                "emotion / pipeline": round(median["emotion"] / median["pipeline"], 2),
                "all heads / pipeline": round(median["all heads"] / median["pipeline"], 2),
            },
            indent=1,
        )
    )


if __name__ == "__main__":
    main()
