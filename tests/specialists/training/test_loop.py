"""Laws of the training loop: it stops and goes on as if it never had, keeps the best, and wastes no row."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from emowhy.specialists.training.loop import Progress, Source, keep_array, predict, start_rounding, train
from emowhy.specialists.training.network import Head, Network
from emowhy.specialists.training.quantise import prepare
from emowhy.specialists.training.recipe import Schedule

HEADS = {"text": Head(2), "token": Head(1, "token")}
QUICK = Schedule(epochs=2, batch=4, peak=1e-3, peak_head=1e-2, average=0.5, patience=2)
Weights = dict[str, Tensor]


def build(heads: Mapping[str, Head], seed: int) -> Network:
    """A network as small as networks get: a step takes a few milliseconds."""
    from transformers import BertConfig, BertModel

    torch.manual_seed(seed)
    sizes = {"vocab_size": 100, "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    encoder: Any = BertModel(BertConfig(**sizes, intermediate_size=16, max_position_embeddings=16))
    encoder.pooler = None
    return Network(encoder, heads)


def quiet(line: str) -> None:
    pass


def sources(count: int = 18) -> list[Source]:
    """Two data sets: one with a target a text, one with a target a token and rows that teach nothing."""
    rng = np.random.default_rng(0)
    ids = [[1, *rng.integers(3, 90, size=rng.integers(1, 9)).tolist(), 2] for _ in range(count)]
    text = rng.normal(size=(count, 2)).astype(np.float32)
    token = [rng.normal(size=(len(row), 1)).astype(np.float32) for row in ids[:7]]
    token[-1][:] = np.nan
    return [Source("one", ids, {"text": text}), Source("two", ids[:7], {"token": token})]


def squares(logits: Tensor, targets: Tensor) -> Tensor:
    known = ~torch.isnan(targets)
    found: Tensor = (((logits - torch.nan_to_num(targets)) ** 2) * known).sum() / known.sum().clamp(min=1)
    return found


LOSSES = {"text": (squares, 1.0), "token": (squares, 0.5)}


def far(candidate: Network) -> Mapping[str, float]:
    """A figure of the weights themselves."""
    some = sources()[0]
    return {"choose": -float(np.abs(predict(candidate, some.ids)["text"] - some.targets["text"]).mean())}


def weights(network: Network) -> Weights:
    return {name: value.clone() for name, value in network.state_dict().items()}


def same(a: Weights, b: Weights) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


@pytest.fixture(scope="module", params=["plain", "rounded"])
def fresh(request: pytest.FixtureRequest) -> Callable[[], Network]:
    """A new network, each time the same."""

    def make() -> Network:
        network = build(HEADS, 0)
        if request.param == "rounded":
            start_rounding(network, sources()[0].ids, prepare)
        return network

    return make


@pytest.fixture(scope="module")
def whole(fresh: Callable[[], Network], tmp_path_factory: pytest.TempPathFactory) -> tuple[Weights, Progress]:
    """What an uninterrupted training ends with."""
    network = fresh()
    done = train(network, sources(), LOSSES, far, QUICK, tmp_path_factory.mktemp("whole"), seed=4, say=quiet)
    return weights(network), done


STEPS = 5 + 2  # batches an epoch


@pytest.mark.parametrize("stops", [[3], [STEPS], [STEPS + 2], [1, 1, 4], [2 * STEPS]], ids=str)
def test_a_training_that_was_stopped_ends_with_the_same_weights_bit_for_bit(
    fresh: Callable[[], Network], whole: tuple[Weights, Progress], stops: list[int], tmp_path: Path
) -> None:
    wanted, straight = whole
    for stop in stops:
        part = train(fresh(), sources(), LOSSES, far, QUICK, tmp_path / "parts", seed=4, say=quiet, stop_after=stop)
        assert part.epoch * STEPS + part.step <= 2 * STEPS
    network = fresh()
    resumed = train(network, sources(), LOSSES, far, QUICK, tmp_path / "parts", seed=4, say=quiet)
    assert same(weights(network), wanted)
    assert not same(weights(network), weights(fresh()))
    assert resumed.log == straight.log
    assert (resumed.best, resumed.epoch, resumed.stale) == (straight.best, straight.epoch, straight.stale)


def test_a_training_that_is_done_is_not_done_again(tmp_path: Path) -> None:
    first, second = build(HEADS, 0), build(HEADS, 1)
    done = train(first, sources(), LOSSES, far, QUICK, tmp_path, seed=4, say=quiet)

    def never(candidate: Network) -> Mapping[str, float]:
        raise AssertionError("evaluated again")

    again = train(second, sources(), LOSSES, never, QUICK, tmp_path, seed=4, say=quiet)
    assert again == done
    assert same(weights(second), weights(first))


def test_the_precision_of_a_launcher_or_of_another_training_is_not_taken_over(
    fresh: Callable[[], Network], whole: tuple[Weights, Progress], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from accelerate import Accelerator
    from accelerate.state import AcceleratorState

    AcceleratorState._reset_state()
    monkeypatch.setenv("ACCELERATE_MIXED_PRECISION", "bf16")
    assert Accelerator().mixed_precision == "bf16"  # as a language model's tuning leaves it
    network, other = fresh(), fresh()
    train(network, sources(), LOSSES, far, QUICK, tmp_path, seed=4, say=quiet)
    assert same(weights(network), whole[0])
    other.load_state_dict(whole[0])
    some = sources()[0].ids
    assert np.array_equal(predict(network, some)["text"], predict(other, some)["text"])


def test_another_seed_is_another_training(tmp_path: Path) -> None:
    one, two = build(HEADS, 0), build(HEADS, 0)
    train(one, sources(), LOSSES, far, QUICK, tmp_path / "one", seed=4, say=quiet)
    train(two, sources(), LOSSES, far, QUICK, tmp_path / "two", seed=5, say=quiet)
    assert not same(weights(one), weights(two))


@pytest.mark.parametrize("best", range(6))
def test_the_best_weights_are_kept_and_training_stops_when_none_better_come(tmp_path: Path, best: int) -> None:
    """`best` counts the candidates: each epoch's weights, then their average."""
    seen: list[Weights] = []

    def once(candidate: Network) -> Mapping[str, float]:
        seen.append(weights(candidate))
        return {"choose": 1.0 if len(seen) - 1 == best else 0.9 ** len(seen)}

    network = build(HEADS, 0)
    schedule = QUICK.model_copy(update={"epochs": 6, "patience": 2})
    progress = train(network, sources(8)[:1], LOSSES, once, schedule, tmp_path, seed=0, say=quiet)
    assert same(weights(network), seen[best])
    assert progress.epoch == best // 2 + 1 + 2  # two epochs without a better figure
    assert [(line["epoch"], line["of"]) for line in progress.log[:4]] == [
        (1, "weights"),
        (1, "average"),
        (2, "weights"),
        (2, "average"),
    ]
    assert not same(seen[0], seen[1])


def test_without_a_judge_the_last_weights_count_and_a_stop_changes_nothing(tmp_path: Path) -> None:
    one, two = build(HEADS, 0), build(HEADS, 0)
    progress = train(one, sources(), LOSSES, None, QUICK, tmp_path / "one", seed=4, say=quiet)
    assert (progress.epoch, progress.log) == (2, [])
    train(two, sources(), LOSSES, None, QUICK, tmp_path / "two", seed=4, say=quiet, stop_after=STEPS + 1)
    assert same(weights(two), torch.load(tmp_path / "two" / "state.pt", weights_only=False)["model"])
    two = build(HEADS, 0)
    train(two, sources(), LOSSES, None, QUICK, tmp_path / "two", seed=4, say=quiet)
    assert same(weights(one), weights(two))
    assert same(weights(one), torch.load(tmp_path / "one" / "state.pt", weights_only=False)["model"])


@pytest.mark.parametrize(("rows", "batch"), [(1, 4), (2, 1), (10, 1)])
@pytest.mark.parametrize("warmup", [0.0, 0.1, 0.5])
def test_a_training_may_have_any_number_of_steps(tmp_path: Path, rows: int, batch: int, warmup: float) -> None:
    schedule = Schedule(epochs=1, batch=batch, warmup=warmup)
    network = build({"text": Head(2)}, 0)
    done = train(network, sources(rows)[:1], LOSSES, lambda one: {"choose": 0.0}, schedule, tmp_path, seed=0, say=quiet)
    assert done.epoch == 1
    assert all(bool(torch.isfinite(value).all()) for value in network.state_dict().values())


def test_every_row_is_learned_from_once_an_epoch_in_another_order_each_time(tmp_path: Path) -> None:
    some = sources(22)[:1]
    some[0].targets["text"] = np.repeat(np.arange(22, dtype=np.float32)[:, None], 2, axis=1)
    batches: list[list[int]] = []

    def noting(logits: Tensor, targets: Tensor) -> Tensor:
        batches.append(targets[:, 0].int().tolist())
        return squares(logits, targets)

    schedule = QUICK.model_copy(update={"epochs": 3, "patience": 3})
    train(build({"text": Head(2)}, 0), some, {"text": (noting, 1.0)}, far, schedule, tmp_path, seed=0, say=quiet)
    epochs = [[row for batch in batches[at : at + 6] for row in batch] for at in range(0, 18, 6)]
    assert len(batches) == 18
    assert all(len(batch) <= 4 for batch in batches)
    assert all(sorted(epoch) == list(range(22)) for epoch in epochs)
    assert epochs[0] != epochs[1] != epochs[2]


def test_a_target_that_is_not_a_number_teaches_nothing(tmp_path: Path) -> None:
    """Two token targets, one of them blank: the weights are those of learning from the other alone."""
    row = [1, 23, 3, 59, 2]
    known = np.array([[0.0], [1.0], [np.nan], [np.nan], [0.5]], dtype=np.float32)
    seen: list[float] = []

    def noting(logits: Tensor, targets: Tensor) -> Tensor:
        seen.append(float((~torch.isnan(targets)).sum()))
        return squares(logits, targets)

    for name, length in (("short", 5), ("padded", 9)):
        source = [Source("x", [row, [1] * length], {"token": [known, np.full((length, 1), np.nan, dtype=np.float32)]})]
        train(
            build({"token": Head(1, "token")}, 0),
            source,
            {"token": (noting, 1.0)},
            lambda one: {"choose": 0.0},
            Schedule(epochs=1, batch=2),
            tmp_path / name,
            seed=0,
            say=quiet,
        )
    assert seen == [3.0, 3.0]


def test_a_half_written_state_is_never_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    train(build(HEADS, 0), sources(), LOSSES, far, QUICK, tmp_path, seed=4, say=quiet, stop_after=2)
    whole = (tmp_path / "state.pt").read_bytes()

    def cut(state: Any, path: Path) -> None:
        path.write_bytes(whole[:1000])
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(torch, "save", cut)
        with pytest.raises(KeyboardInterrupt):
            train(build(HEADS, 0), sources(), LOSSES, far, QUICK, tmp_path, seed=4, say=quiet, stop_after=2)
        patch.setattr(np, "save", lambda path, array: cut(array, path))
        with pytest.raises(KeyboardInterrupt):
            keep_array(tmp_path / "a.npy", np.zeros(3, dtype=np.float32))
    assert (tmp_path / "state.pt").read_bytes() == whole
    assert not (tmp_path / "a.npy").exists()
    keep_array(tmp_path / "a.npy", np.arange(3, dtype=np.float32))
    assert np.load(tmp_path / "a.npy").tolist() == [0, 1, 2]


def test_a_fresh_training_has_done_nothing() -> None:
    assert (Progress().epoch, Progress().step, Progress().stale, Progress().log) == (0, 0, 0, [])
