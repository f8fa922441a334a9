"""Laws of tokens: what is taught is the completion and its end, after the very prompt that inference sends."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from emowhy.engines.chat_ids import chat_ids
from emowhy.errors import InputError, MissingError, UsageError
from emowhy.tune.batches import Padded
from emowhy.tune.folder import read_folder, row_of
from emowhy.tune.tokens import IGNORED, check_taught, encode, end_of_turn, stop_ids
from emowhy.types import Chat
from tune.training import row

ROWS = [row_of(row(i)) for i in range(6)]


@pytest.fixture(scope="module")
def tokenizer(embedded: Path) -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(embedded)


@pytest.fixture(scope="module")
def end(tokenizer: Any) -> tuple[int, ...]:
    return end_of_turn(tokenizer, stop_ids(tokenizer, None))


def test_a_row_is_the_prompt_of_inference_then_its_completion_and_the_end_of_the_turn(
    tokenizer: Any, end: tuple[int, ...]
) -> None:
    for one, example in zip(ROWS, encode(ROWS, tokenizer, end, 400).examples, strict=True):
        assert list(example.ids[: example.prompt]) == chat_ids(tokenizer, Chat(one.prompt))
        assert tokenizer.decode(example.taught) == one.completion + "<|im_end|>"
    assert [tokenizer.decode([token]) for token in end] == ["<|im_end|>"]


@pytest.mark.parametrize(("stops", "found"), [([0, 2], True), (2, True), ([0], False), (None, False)], ids=str)
def test_a_reply_must_end_with_a_token_that_ends_generation(tokenizer: Any, stops: Any, found: bool) -> None:
    """The template writes <|im_end|> (2) behind a reply; here the tokenizer calls another token (0) its end."""
    other = SimpleNamespace(
        eos_token_id=0, chat_template="…", apply_chat_template=tokenizer.apply_chat_template, __call__=None
    )
    known = stop_ids(other, SimpleNamespace(eos_token_id=stops))
    if found:
        assert end_of_turn(tokenizer, known) == (2,)
    else:
        with pytest.raises(UsageError, match="never stop"):
            end_of_turn(tokenizer, known)


def test_a_base_without_a_chat_template_cannot_be_tuned() -> None:
    with pytest.raises(UsageError, match="no chat template"):
        end_of_turn(SimpleNamespace(chat_template=None), {2})


@pytest.mark.parametrize("most", [40, 60, 65, 70, 400])
def test_a_row_that_is_too_long_is_left_out_and_counted_never_cut(
    tokenizer: Any, end: tuple[int, ...], most: int
) -> None:
    whole = {e.id: e for e in encode(ROWS, tokenizer, end, 10_000).examples}
    found = encode(ROWS, tokenizer, end, most)
    assert found.examples == tuple(e for e in whole.values() if len(e.ids) <= most)
    assert found.too_long == tuple((e.id, len(e.ids)) for e in whole.values() if len(e.ids) > most)
    assert [one.id for one in found.rows] == [e.id for e in found.examples]
    told = found.told("train", most)
    if found.too_long:
        assert told is not None
        assert told.startswith(f"{len(found.too_long)} of {len(ROWS)} train rows")
        assert f"train.max_tokens: {max(len(e.ids) for e in whole.values())}" in told
    else:
        assert told is None


def test_a_batch_that_teaches_anything_but_its_completions_and_their_ends_is_refused(
    tokenizer: Any, end: tuple[int, ...]
) -> None:
    labels = Padded(0)(encode(ROWS, tokenizer, end, 400).examples)["labels"]
    check_taught(labels, ROWS, tokenizer, end)
    without_end, with_prompt, other_word = labels.clone(), labels.clone(), labels.clone()
    without_end[labels == end[-1]] = IGNORED
    with_prompt[0, int((labels[0] != IGNORED).nonzero()[0]) - 1] = 7
    other_word[2, -3] += 1
    for broken, what in (
        (without_end, "6 tokens fewer"),
        (with_prompt, "1 tokens more"),
        (other_word, "other tokens"),
        (torch.full_like(labels, IGNORED), "fewer"),
    ):
        with pytest.raises(UsageError, match=what):
            check_taught(broken, ROWS, tokenizer, end)


BAD = {
    "no object": 3,
    "completion is no list": row(0, completion="{}"),
    "one message": row(0, completion=[{"role": "user", "content": "x"}]),
    "nothing would be learned": row(0, completion=[{"role": "assistant", "content": " \n"}]),
    "no message": row(0, prompt=[{"role": "tool", "content": "x"}]),
    "ends before it": row(0, prompt=[{"role": "assistant", "content": "x"}]),
    "no strategy": row(0, strategy=None),
    "sample is no object": row(0, sample=[]),
}


@pytest.mark.parametrize("reason", BAD)
def test_what_is_no_row_says_why(reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        row_of(BAD[reason])


def test_lines_that_are_no_rows_are_left_out_counted_and_named(tmp_path: Path) -> None:
    from tune.training import write_rows

    folder = write_rows(tmp_path, [row(0), row(1, id=""), row(2)], [row(3)])
    with (folder / "train.jsonl").open("a") as file:
        file.write("\n{torn")
    found = read_folder(folder)
    assert [one.id for one in found.train] == ["r0", "r2"]
    assert len(found.notes) == 1
    assert found.notes[0].startswith("2 lines of train.jsonl are no rows and are left out: line 2: no id; line 5:")


def test_files_that_are_not_of_one_making_are_refused(tmp_path: Path) -> None:
    from tune.training import write_rows

    folder = write_rows(tmp_path, [row(0), row(1)], [row(3)], {"rows": {"train": 2, "dev": 1}})
    assert len(read_folder(folder).train) == 2
    (folder / "train.jsonl").write_text("")
    with pytest.raises(InputError, match=r"0 \+ 1 rows"):
        read_folder(folder)
    (folder / "about.json").write_text("{}")
    with pytest.raises(InputError, match="no row to learn from"):
        read_folder(folder)
    (folder / "about.json").write_text("{")
    with pytest.raises(InputError, match="damaged"):
        read_folder(folder)
    (folder / "about.json").unlink()
    with pytest.raises(MissingError, match=r"no about\.json"):
        read_folder(folder)
