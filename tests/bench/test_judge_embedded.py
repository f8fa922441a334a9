"""A whole judgment with the embedded model: shapes, ranges and statuses, for it is too small to be right."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from emowhy.bench.judge import NO_ANSWER, Judge, find_judge
from emowhy.bench.judge_cache import JudgeCache
from emowhy.engines.transformers import TransformersEngine
from emowhy.types import Emotion, Explanation, Gold, Sample

SAMPLES = [
    Sample("door", text="Get out!", gold=Gold(explanation="He shouts. His fists are clenched, so he is angry.")),
    Sample("letter", text="I got in.", gold=Gold(explanation="She laughs and waves the letter. She is happy.")),
    Sample("lost", text="Oh.", gold=Gold(explanation="He looks down. He is sad.")),
]
ANSWERS = [
    Explanation("door", emotions=(Emotion("anger"),), explanation="His voice is loud."),
    Explanation("letter", emotions=(Emotion("joy"),), explanation="She cries. She is disappointed."),
    None,
]


@pytest.fixture(scope="module")
def engine(embedded: Path) -> Iterator[TransformersEngine]:
    made = TransformersEngine(batch_size=8)
    yield made
    made.close()


@pytest.mark.parametrize(
    ("name", "ranges"),
    [
        ("emer_legacy", {"clue": (1, 10), "label": (1, 10)}),
        ("atomic", dict.fromkeys(("precision", "recall", "f1", "contradiction"), (0, 1))),
    ],
)
def test_the_embedded_model_judges_rows_and_a_second_run_repeats_its_verdicts_from_the_cache(
    name: str, ranges: dict[str, tuple[int, int]], engine: TransformersEngine, tmp_path: Path
) -> None:
    def judge() -> Judge:
        return find_judge(name)(engine, JudgeCache(tmp_path / "judge.jsonl"))

    verdicts = judge().judge(SAMPLES, ANSWERS)
    kept = (tmp_path / "judge.jsonl").read_bytes()
    assert [verdict.id for verdict in verdicts] == ["door", "letter", "lost"]
    assert verdicts[2].why == NO_ANSWER
    for verdict in verdicts[:2]:
        assert verdict.status == "ok", verdict  # every reply is bound to its schema and has room to end
        assert verdict.scores.keys() == ranges.keys()
        assert all(low <= verdict.scores[score] <= high for score, (low, high) in ranges.items())
        assert verdict.reason
        assert verdict.replies
    assert judge().judge(SAMPLES, ANSWERS) == verdicts
    assert (tmp_path / "judge.jsonl").read_bytes() == kept
