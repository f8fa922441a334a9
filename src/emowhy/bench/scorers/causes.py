"""Which words say so: quotes against gold quotes, and the published scores of cause spans, pairs and words."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from emowhy.bench.measure import Array, Measure, means, ratio
from emowhy.bench.metrics.cause_words import recall_at
from emowhy.bench.metrics.pairs import (
    Pair,
    PairScores,
    pair_statistics,
    proportional_scores,
    strict_scores,
    strip_punctuation,
    token_span,
)
from emowhy.bench.metrics.reccon import exact_match, token_f1
from emowhy.bench.metrics.spans import Span, span_f
from emowhy.bench.scorers.base import Case, Scorer
from emowhy.specialists.gold import gold_target
from emowhy.types import Cause, Explanation, Sample

_NO_CAUSES = "no row has gold causes"


def _caused(case: Case) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    return np.array([gold.causes is not None for gold in case.golds()], dtype=bool)


def _spans(causes: Sequence[Cause]) -> list[Span]:
    """Quotes by their place; one that is not verbatim has none: it counts as one made, and overlaps its own words."""
    found = []
    for cause in causes:
        if cause.start is not None and cause.end is not None:
            found.append(Span((cause.turn, cause.observation), cause.start, cause.end))
        else:
            words = " ".join(cause.quote.casefold().split())
            found.append(Span(("nowhere", words), 0, max(1, len(words))))
    return found


class Quotes(Scorer):
    """Quotes against gold quotes as character spans; how many are verbatim where the reply says (`verbatim_rate`) or in
    one other place, by which they are scored (`moved_rate`), and how many rows have one.

    A gold quote without a place (it is not verbatim in the text) is matched by the same words without one only.
    """

    title = "quotes"
    perfect = ("span_f", "span_f_overlap", "quote_rate")

    def applies(self, case: Case) -> str | None:
        return None if _caused(case).any() else _NO_CAUSES

    def measure(self, case: Case) -> Measure:
        known = _caused(case)
        # p, r, f at .5, f by overlap, verbatim, moved, quotes, quoted where gold has one, those
        table = np.zeros((len(known), 9))
        for row, (gold, answer) in enumerate(zip(case.golds(), case.answers, strict=True)):
            if gold.causes is None:
                continue
            table[row, 8] = bool(gold.causes)
            if answer is None:
                continue
            wanted, said = _spans(gold.causes), _spans(answer.causes)
            table[row, :3] = span_f(said, wanted)
            table[row, 3] = span_f(said, wanted, None)[2]
            moved = sum(cause.said is not None for cause in answer.causes)
            table[row, 4:7] = sum(cause.exact for cause in answer.causes), moved, len(said)
            table[row, 7] = bool(gold.causes) and bool(said)
        sums = np.concatenate([table, known[:, None].astype(float)], axis=1)

        def figures(added: Array) -> dict[str, Array]:
            names = ("span_p", "span_r", "span_f", "span_f_overlap")
            found = {name: ratio(added[..., i], added[..., 9]) for i, name in enumerate(names)}
            found = {"span_f": found.pop("span_f"), **found}
            return {
                **found,
                "verbatim_rate": ratio(added[..., 4], added[..., 6]),
                "moved_rate": ratio(added[..., 5], added[..., 6]),
                "quote_rate": ratio(added[..., 7], added[..., 8]),
            }

        return Measure(sums, figures, {"span_f": np.where(known, table[:, 2], np.nan)})


def best_quotes(answer: Explanation) -> dict[int, str]:
    """The first quote in each turn: answers and specialists name the likeliest first."""
    found: dict[int, str] = {}
    for cause in answer.causes:
        if cause.turn is not None:
            found.setdefault(cause.turn, cause.quote)
    return found


def _pairs_of(case: Case, row: int) -> tuple[list[tuple[bool, str | None]], list[tuple[str, str | None]]]:
    """RECCON's pairs of one target: (turn is a cause, its quote or None if missing), and (gold span, quote)."""
    target = gold_target(case.samples[row])
    answer = case.answers[row]
    said = best_quotes(answer) if answer is not None else None
    turns, spans = [], []
    for turn in target.turns():
        quote = None if said is None else said.get(turn, "")
        turns.append((bool(target.gold.get(turn)), quote))
        spans += [(span, quote) for span in target.gold.get(turn, ())]
    return turns, spans


class CauseSpans(Scorer):
    """RECCON's official span scores (2012.11820): every gold span against the one quote in its turn.

    A missing row is wrong on its positives and on its negatives, and in neither F1 of the empty class counts as empty.
    """

    title = "cause spans (RECCON)"
    perfect = ("f1_neg",)  # of several gold spans in one turn, one prediction matches one

    def applies(self, case: Case) -> str | None:
        return None if _caused(case).any() else _NO_CAUSES

    def measure(self, case: Case) -> Measure:
        table = np.zeros((len(case.samples), 6))  # em, f1, positives, empty positives, empty negatives, negatives
        for row, known in enumerate(_caused(case)):
            if not known:
                continue
            turns, spans = _pairs_of(case, row)
            negatives = [quote for cause, quote in turns if not cause]
            table[row] = (
                sum(exact_match(quote, span) for span, quote in spans if quote is not None),
                sum(token_f1(quote, span) for span, quote in spans if quote is not None),
                len(spans),
                sum(quote == "" for _, quote in spans),
                sum(quote == "" for quote in negatives),
                len(negatives),
            )

        def figures(added: Array) -> dict[str, Array]:
            em, f1, positives, empty_positives, empty, negatives = np.moveaxis(added, -1, 0)
            return {
                "f1_pos": ratio(f1, positives),
                "f1": ratio(f1 + empty, positives + negatives),
                "em_pos": ratio(em, positives),
                "f1_neg": ratio(2 * empty, empty + empty_positives + negatives),
            }

        with np.errstate(all="ignore"):
            return Measure(table, figures, {"f1_pos": ratio(table[:, 1], table[:, 2])})


class CausalTurns(Scorer):
    """RECCON's entailment as published: is this turn, up to the target, a cause? F1 of both answers, and their mean.

    A turn of a missing row has the wrong answer, whatever the right one is.
    """

    title = "causal turns (RECCON)"
    perfect = ("turn_macro",)

    def applies(self, case: Case) -> str | None:
        return None if _caused(case).any() else _NO_CAUSES

    def measure(self, case: Case) -> Measure:
        table = np.zeros((len(case.samples), 3))  # right yes, right no, wrong
        for row, known in enumerate(_caused(case)):
            for cause, quote in _pairs_of(case, row)[0] if known else ():
                if quote is None or cause != bool(quote):
                    table[row, 2] += 1
                else:
                    table[row, 0 if cause else 1] += 1

        def figures(added: Array) -> dict[str, Array]:
            yes, no, wrong = np.moveaxis(added, -1, 0)
            f_yes, f_no = ratio(2 * yes, 2 * yes + wrong), ratio(2 * no, 2 * no + wrong)
            return {"turn_macro": (f_yes + f_no) / 2, "turn_f1_pos": f_yes, "turn_f1_neg": f_no}

        return Measure(table, figures)


class Pairs(Scorer):
    """Emotion-cause pairs of SemEval-2024 Task 3, official: strict and proportional, each weighted and micro."""

    title = "emotion-cause pairs (SemEval-2024 Task 3)"
    perfect = ("pairs_strict", "pairs_proportional", "pairs_formula")

    def applies(self, case: Case) -> str | None:
        return None if _caused(case).any() else _NO_CAUSES

    def gold_answer(self, sample: Sample) -> Explanation | None:
        """The gold without punctuation at its ends, which is taken from gold spans but not from predicted ones."""
        answer = super().gold_answer(sample)
        return answer and replace(answer, causes=tuple(_placed(sample, answer.causes)))

    def measure(self, case: Case) -> Measure:
        rows = []
        for sample, gold, answer in zip(case.samples, case.golds(), case.answers, strict=True):
            label = (gold.emotions or ("neutral",))[0]
            wanted = _as_pairs(sample, label, gold.causes or (), gold=True)
            said = case.words(answer)[:1] if answer is not None else []
            told = _as_pairs(sample, said[0], answer.causes, gold=False) if said and answer is not None else []
            rows.append(pair_statistics(wanted, told))
        shape = rows[0].shape if rows else (7, 7)

        def figures(added: Array) -> dict[str, Array]:
            sums = added.reshape(*added.shape[:-1], *shape)
            found: dict[str, PairScores] = {
                "proportional": proportional_scores(sums),
                "strict": strict_scores(sums),
                "formula": proportional_scores(sums, "formula"),
            }
            named = {f"pairs_{name}": scores.weighted[..., 2] for name, scores in found.items()}
            return {**named, **{f"pairs_{name}_micro": scores.micro[..., 2] for name, scores in found.items()}}

        return Measure(np.array(rows, dtype=float).reshape(len(rows), -1), figures)


def _placed(sample: Sample, causes: Sequence[Cause]) -> Iterator[Cause]:
    """The causes that have a place, each as the run of tokens that counts."""
    turns = sample.turns()
    for cause in causes:
        if cause.turn in turns and cause.start is not None and cause.end is not None:
            text = turns[cause.turn].text
            first, last = strip_punctuation(text, *token_span(text, cause.start, cause.end))
            tokens = [match.span() for match in re.finditer(r"\S+", text)][first:last] or [(cause.start, cause.end)]
            start, end = tokens[0][0], tokens[-1][1]
            yield replace(cause, quote=text[start:end], start=start, end=end)


def _as_pairs(sample: Sample, label: str, causes: Sequence[Cause], gold: bool) -> list[Pair]:
    turns = sample.turns()
    found = []
    for cause in causes:
        if cause.turn in turns and cause.start is not None and cause.end is not None:
            text = turns[cause.turn].text
            start, end = token_span(text, cause.start, cause.end)
            start, end = strip_punctuation(text, start, end) if gold else (start, end)
            found.append(Pair(sample.target, label, cause.turn, start, end))
        elif not gold:  # a made-up quote is a pair that is wrong
            found.append(Pair(sample.target, label, -1, 0, max(1, len(cause.quote.split()))))
    return found


class CauseWords(Scorer):
    """EmoCause's top-k recall (2109.08828): the words of the quotes, in their order, against the gold words."""

    title = "cause words (EmoCause)"
    perfect = ()

    def applies(self, case: Case) -> str | None:
        return None if any(gold.causes for gold in case.golds()) else _NO_CAUSES

    def measure(self, case: Case) -> Measure:
        table = np.full((len(case.samples), 3), np.nan)
        for row, (gold, answer) in enumerate(zip(case.golds(), case.answers, strict=True)):
            if not gold.causes:
                continue
            words = [cause.quote for cause in gold.causes]
            said = [w for cause in answer.causes for w in cause.quote.split()] if answer is not None else []
            said = list(dict.fromkeys(word.strip(".,;:!?\"'“”‘’()").casefold() for word in said))
            for place, k in enumerate((1, 3, 5)):
                hit, count = recall_at(words, said, k)
                table[row, place] = hit / count if count else np.nan
        return means(("recall_1", "recall_3", "recall_5"), table)
