"""Why: free-text explanations against gold ones. English only."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from emowhy.bench.measure import Array, Measure, means
from emowhy.bench.metrics.clue_similarity import (
    Encoder,
    by_modality,
    clue_f1,
    clue_similarity,
    fit_threshold,
    floor,
    match_clues,
)
from emowhy.bench.metrics.clue_text import MODALITIES, ClueText, echo_rate, find_clues
from emowhy.bench.metrics.descriptions import content_f1, is_english, modality_completeness, rouge_l
from emowhy.bench.scorers.base import Case, Scorer
from emowhy.types import Explanation, Sample

_FALLBACK = 0.5  # a cosine, where no reference data were there to fit it on
_WRONG_PAIRS = 200


def _why_not(case: Case) -> str | None:
    if not is_english(case.language):
        return f"the texts are not English ({case.language})"
    if not any(references(sample) for sample in case.samples):
        return "no row has a gold explanation"
    if case.answered.any() and not any(said(answer) for answer in case.answers if answer is not None):
        return "no answer has an explanation"  # labels alone are another task, not a bad explanation
    return None


def references(sample: Sample) -> list[str]:
    """The gold explanations of a row: one, or one of each annotator (`answers["explanations"]`)."""
    gold = sample.gold
    several = gold.answers.get("explanations") if gold else None
    found = several if isinstance(several, list) else [gold.explanation if gold else None]
    return [text for text in found if isinstance(text, str) and text.strip()]


def said(answer: Explanation) -> str:
    """What an answer gives as its why: its explanation, or its reasoning where it has none."""
    return answer.explanation or answer.reasoning or ""


class Descriptions(Scorer):
    """ROUGE-L and overlap of content words with the nearest gold explanation, and how much only echoes the subtitle."""

    title = "descriptions"
    perfect = ("rouge_l", "content_f1")

    def applies(self, case: Case) -> str | None:
        return _why_not(case)

    def measure(self, case: Case) -> Measure:
        known = np.array([bool(references(sample)) for sample in case.samples])

        def score(sample: Sample, answer: Explanation) -> tuple[float, ...]:
            text = said(answer)
            golds = references(sample)
            rouge = max(((rouge_l(gold, text) or (0, 0, 0))[2] for gold in golds), default=0.0)
            content = max(((content_f1(gold, text) or (0, 0, 0))[2] for gold in golds), default=0.0)
            return rouge, content, echo_rate(text, sample.text or "")

        values = np.where(known[:, None], case.each(3, score), np.nan)
        answered = np.array([answer is not None for answer in case.answers])
        values[~answered, 2] = np.nan  # an answer that is missing echoes nothing
        return means(("rouge_l", "content_f1", "echo_rate"), values)


class Clues(Scorer):
    """Clue overlap: both texts cut into clues and matched by meaning (MiniLM), as METRICS defines `clue_f1`.

    `clue_similarity` is given over all clues and per modality, there of the rows where either text has such a clue.
    `clue_floor` is what texts paired with another row's text earn at this threshold, on the rows scored here.
    """

    title = "clue overlap"
    perfect = ("clue_f1", "clue_similarity", "modality_completeness")

    def applies(self, case: Case) -> str | None:
        from importlib.util import find_spec

        if not all(map(find_spec, ("torch", "transformers"))):
            return 'clue similarity needs packages that are not installed: pip install "emowhy[local]"'
        return _why_not(case)

    def measure(self, case: Case) -> Measure:
        threshold = case.settings.get("clue_threshold") or _FALLBACK
        golds = [_clues_of(texts[0], sample.text) if (texts := references(sample)) else None for sample in case.samples]
        table = np.full((len(golds), len(_FIGURES)), np.nan)
        for row, (sample, gold, answer) in enumerate(zip(case.samples, golds, case.answers, strict=True)):
            if gold is not None and answer is not None:
                table[row] = _overlap(gold, _clues_of(said(answer), sample.text), threshold)
            elif gold is not None:  # wrong even where there is nothing to match
                told = {clue.modality for clue in gold}
                table[row] = (0.0, 0.0, 0.0, *(0.0 if modality in told else np.nan for modality in MODALITIES))
        shared = means(_FIGURES, table)
        reached = floor(wrong_pairs([gold for gold in golds if gold]), threshold)

        def figures(added: Array) -> dict[str, Array]:
            found = dict(shared.figures(added))
            return {**found, "clue_floor": np.full_like(found["clue_f1"], reached)}

        return Measure(shared.sums, figures, shared.rows)


_FIGURES = (*Clues.perfect, *(f"clue_similarity_{modality}" for modality in MODALITIES))


def _overlap(gold: Sequence[ClueText], told: Sequence[ClueText], threshold: float) -> tuple[float, ...]:
    """`_FIGURES` of one row; NaN for what neither text speaks of."""
    cosines = _cosines(gold, told)
    matched = [g for g, _ in match_clues(cosines, threshold)] if cosines.size else []
    complete = modality_completeness([clue.modality for clue in gold], matched)
    parts = by_modality(cosines, gold, told)
    return (
        clue_f1(cosines, threshold)[2],
        clue_similarity(cosines)[2],
        np.nan if complete is None else complete,
        *(clue_similarity(parts[modality])[2] if modality in parts else np.nan for modality in MODALITIES),
    )


def fitted_threshold(samples: Sequence[Sample]) -> float | None:
    """The clue threshold that reference rows ask for; None where fewer than two have a gold explanation."""
    golds = [_clues_of(texts[0], sample.text) for sample in samples if (texts := references(sample))]
    pairs = wrong_pairs([gold for gold in golds if gold])
    return fit_threshold(pairs) if pairs else None


def wrong_pairs(golds: Sequence[Sequence[ClueText]]) -> list[Array]:
    """Cosines of each text's clues with the next text's: texts that do not belong together."""
    if len(golds) < 2:
        return []
    return [_cosines(golds[k], golds[(k + 1) % len(golds)]) for k in range(min(len(golds), _WRONG_PAIRS))]


@lru_cache(maxsize=4096)
def _clues_of(text: str, subtitle: str | None) -> tuple[ClueText, ...]:
    return tuple(find_clues(text, subtitle))


def _cosines(gold: Sequence[ClueText], told: Sequence[ClueText]) -> Array:
    return _encoder().similarities([clue.text for clue in gold], [clue.text for clue in told])


@lru_cache(maxsize=1)
def _encoder() -> Encoder:
    return Encoder()
