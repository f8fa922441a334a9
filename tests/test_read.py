"""Laws of reading: every row becomes a sample or a rejection, and nothing else happens."""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emowhy import formats
from emowhy.errors import InputError, MissingError, UsageError
from emowhy.read import Columns, Rejected, content_hash, count_rows, read, sample_from
from emowhy.types import Gold, Sample, Turn

ROW = {
    "id": "d1-3",
    "text": "They cancelled it and nobody even told us.",
    "speaker": "A",
    "context": [{"speaker": "B", "text": "How was the flight?"}],
    "observations": {"face": "brows lowered, lips pressed", "voice": None},
    "gold": {"emotions": ["anger"], "causes": [{"quote": "cancelled it", "turn": 1}], "explanation": "…"},
    "topic": "travel",
}


def write(path: Path, rows: Sequence[Any]) -> Path:
    path.write_text("".join(f"{row if isinstance(row, str) else json.dumps(row)}\n" for row in rows), encoding="utf-8")
    return path


def split(outcomes: Any) -> tuple[list[Sample], list[Rejected]]:
    rows = list(outcomes)
    return [row for row in rows if isinstance(row, Sample)], [row for row in rows if isinstance(row, Rejected)]


def samples(outcomes: Any) -> list[Sample]:
    good, bad = split(outcomes)
    assert not bad, bad
    return good


def reason(row: Any) -> str:
    with pytest.raises(ValueError, match=r"\S") as caught:
        sample_from(row, "1")
    return str(caught.value)


def writable(outcome: Sample | Rejected) -> bool:
    """Whether the row can be written as strict JSON in UTF-8."""
    return bool(json.dumps(asdict(outcome), ensure_ascii=False, allow_nan=False).encode())


# ---------------------------------------------------------------- a row


def test_the_row_of_the_design_is_read_as_it_says() -> None:
    sample = sample_from(ROW, "1")
    assert (sample.id, sample.speaker, sample.target) == ("d1-3", "A", 1)
    assert sample.context == (Turn("How was the flight?", "B"),)
    assert sample.observations == {"face": "brows lowered, lips pressed", "voice": None}
    assert sample.extra == {"topic": "travel"}
    assert sample.gold is not None
    assert sample.gold.causes is not None
    (cause,) = sample.gold.causes
    assert (cause.turn, cause.start, cause.end, cause.verified) == (1, 5, 17, True)


def test_an_integer_id_is_a_string_and_a_missing_or_blank_one_is_the_fallback() -> None:
    assert sample_from({"id": 7, "text": "x"}, "1").id == "7"
    assert [sample_from({"id": id, "text": "x"}, "1").id for id in (None, "", " ")] == ["1", "1", "1"]


def test_turns_may_be_plain_strings_and_blank_ones_keep_their_number() -> None:
    sample = sample_from({"text": "x", "context": ["a", {"speaker": 2, "text": ""}], "after": ["z"]}, "1")
    assert sample.context == (Turn("a"), Turn("", "2"))
    assert sample.after == (Turn("z"),)


def test_a_blank_text_beside_an_observation_is_no_text() -> None:
    assert sample_from({"text": " \u200b", "observations": {"face": "smiles"}}, "1").text is None


@pytest.mark.parametrize("blank", ["", " \t\n", "\u200b\ufeff", "\x07", "\u3164", "\u00a0\u2060"])
def test_nothing_visible_and_nothing_observed_is_no_sample(blank: str) -> None:
    assert reason({"text": blank, "observations": {"face": blank}}) == "blank text and no observation"


def test_neither_text_nor_observation_is_no_sample() -> None:
    assert reason({"context": ["a"]}) == "neither text nor observation"


def test_an_emoji_is_visible() -> None:
    assert sample_from({"text": "\U0001f600"}, "1").text == "\U0001f600"


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ({"text": 3}, "text: expected a string, got a number"),
        ({"text": ["x"]}, "text: expected a string, got a list"),
        ({"text": "x", "id": 1.5}, "id: expected a string or an integer, got a number"),
        ({"text": "x", "id": True}, "id: expected a string or an integer, got a boolean"),
        ({"text": "x", "context": "a"}, "context: expected a list, got a string"),
        ({"text": "x", "context": [{"speaker": "A"}]}, "context[0].text: expected a string, got null"),
        ({"text": "x", "after": ["a", 3]}, "after[1]: expected an object or a string, got a number"),
        ({"text": "x", "observations": {"face": 1}}, "observations.face: expected a string, got a number"),
        ({"text": "x", "choices": ["a", " "]}, "choices[1]: is blank"),
        ({"text": "x", "gold": ["joy"]}, "gold: expected an object, got a list"),
        ({"text": "x", "gold": {"emotions": [3]}}, "gold.emotions[0]: expected a string, got a number"),
        ({"text": "x", "gold": {"causes": [{"turn": 0}]}}, "gold.causes[0].quote: expected a string, got null"),
        (
            {"text": "x", "gold": {"causes": [{"quote": "x", "turn": -1}]}},
            "gold.causes[0].turn: expected an integer from 0, got a number",
        ),
        ({"text": "x", "note": {"deep": ["a\0"]}}, "note: has a NUL character"),
        ({"text": "\ud800"}, "text: has a lone surrogate or bytes that are not UTF-8"),
        ({"text": "x", "note": float("inf")}, "note: has an infinite number"),
    ],
)
def test_a_wrong_value_is_named_with_its_field(row: dict[str, Any], why: str) -> None:
    assert reason(row) == why


def test_a_gold_without_content_is_none_and_an_empty_list_is_an_answer() -> None:
    assert sample_from({"text": "x", "gold": {}}, "1").gold is None
    assert sample_from({"text": "x", "gold": {"emotions": []}}, "1").gold == Gold(emotions=())


def test_other_keys_of_gold_are_answers() -> None:
    gold = sample_from({"text": "x", "gold": {"emotions": "joy", "valence": 0.5, "answers": {"choice": "b"}}}, "1").gold
    assert gold == Gold(emotions=("joy",), answers={"choice": "b", "valence": 0.5})


@pytest.mark.parametrize(
    ("cause", "place"),
    [
        ("rain", (2, None, 4, 8, True)),  # the target first, its first occurrence
        ("B says", (1, None, 0, 6, True)),  # then the latest earlier turn
        ("frown", (None, "face", 2, 7, True)),
        ("later", (3, None, 0, 5, True)),
        ("Rain", (None, None, None, None, False)),  # verbatim or not at all
        ({"quote": "rain", "turn": 0}, (0, None, 0, 4, True)),
        ({"quote": "rain", "start": 14}, (2, None, 14, 18, True)),
        ({"quote": "rain", "turn": 9}, (9, None, None, None, False)),
        ({"quote": "rain", "observation": "face"}, (None, "face", None, None, False)),
    ],
)
def test_a_gold_cause_is_placed_where_it_stands_verbatim(cause: Any, place: tuple[Any, ...]) -> None:
    row = {
        "text": "the rain, the rain",
        "context": ["rain", "B says"],
        "after": ["later"],
        "observations": {"face": "a frown"},
        "gold": {"causes": [cause]},
    }
    gold = sample_from(row, "1").gold
    assert gold is not None
    assert gold.causes is not None
    (found,) = gold.causes
    assert (found.turn, found.observation, found.start, found.end, found.verified) == place


def test_values_that_json_lacks_are_carried_as_text() -> None:
    extra = sample_from({"text": "x", "picture": b"\xff\xd8", "nan": float("nan"), "at": Path("a")}, "1").extra
    assert extra == {"picture": "<2 bytes>", "nan": None, "at": "a"}


# ---------------------------------------------------------------- the hash


@pytest.mark.parametrize(
    ("change", "seen"),
    [
        ({"text": "y"}, True),
        ({"speaker": "Z"}, True),
        ({"context": ()}, True),
        ({"after": (Turn("z"),)}, True),
        ({"observations": {}}, True),
        ({"choices": ("a",)}, True),
        ({"id": "other"}, False),
        ({"gold": None}, False),
        ({"extra": {}}, False),
    ],
)
def test_the_hash_depends_on_what_a_model_sees_and_nothing_else(change: dict[str, Any], seen: bool) -> None:
    sample = sample_from(ROW, "1")
    assert (content_hash(sample) != content_hash(replace(sample, **change))) is seen
    assert len(content_hash(sample)) == 16


# ---------------------------------------------------------------- JSONL


@settings(max_examples=150, deadline=None)
@given(st.one_of(st.binary(), st.lists(st.binary() | st.just(b'{"text": "x"}')).map(b"\n".join)))
def test_any_bytes_are_samples_and_rejections_one_for_each_line_that_is_not_blank(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "any.jsonl")
        path.write_bytes(data)
        rows = list(read(path))
        lines = data.removeprefix(formats.BOM).split(b"\n")
        assert len(rows) == sum(1 for line in lines if line.strip()) == count_rows(path)
        assert all(writable(row) for row in rows)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["text", "quote", "turn", "x"]), inner),
    max_leaves=8,
)
FIELDS = st.sampled_from(
    ["id", "text", "speaker", "context", "after", "observations", "choices", "gold", "gold.emotions", "extra", "x"]
)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.dictionaries(FIELDS, VALUES), max_size=4), st.booleans())
def test_any_objects_are_samples_and_rejections_that_can_be_written(rows: list[Any], dialogues: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = write(Path(folder, "any.jsonl"), [{"dialogue": 1, **row} for row in rows])
        outcomes = list(read(path, dialogue_column="dialogue" if dialogues else None))
    assert len(outcomes) == len(rows)
    assert all(writable(outcome) for outcome in outcomes)
    for sample in (outcome for outcome in outcomes if isinstance(outcome, Sample)):
        assert sample.text is not None or any(sample.observations.values())


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ('{"text": "x"', "broken JSON at character"),
        ("[1]", "expected an object, got a list"),
        ('{"text": "x", "v": NaN}', "NaN is not JSON"),
        ('{"text": "x", "v": 1e999}', "v: has an infinite number"),
        ('{"text": "\\ud83d"}', "text: has a lone surrogate"),
        ('{"text": "a\\u0000"}', "text: has a NUL"),
        ('{"x": ' + "[" * 100_000 + "]" * 100_000 + "}", "nested"),
        ('{"text": "x", "v": ' + "[" * 200 + "]" * 200 + "}", "nested more than 100 levels deep"),
        ('{"text": "x", "v": ' + "9" * 5000 + "}", "Exceeds the limit"),
    ],
)
def test_a_bad_line_is_rejected_by_its_number_and_the_rest_goes_on(tmp_path: Path, line: str, why: str) -> None:
    good, (bad,) = split(read(write(tmp_path / "a.jsonl", [{"text": "a"}, "", line, {"text": "b"}])))
    assert [(sample.id, sample.text) for sample in good] == [("1", "a"), ("4", "b")]
    assert bad.line == 3
    assert why in bad.reason
    assert "\n" not in bad.reason
    assert len(bad.raw) <= 500


def test_bytes_that_are_not_utf8_cost_their_line_only_and_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'\xef\xbb\xbf{"text": "a"}\r\n{"text": "\xff\\xff"}\n{"text": "b"}')
    good, (bad,) = split(read(path))
    assert [sample.text for sample in good] == ["a", "b"]
    assert bad.reason == "not UTF-8 at byte 11"
    assert json.loads(f'"{bad.raw}"').encode(errors="surrogateescape") == b'{"text": "\xff\\xff"}\n'


def test_a_line_that_is_too_long_is_skipped_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(formats, "LONGEST_LINE", 100)
    good, bad = split(read(write(tmp_path / "a.jsonl", [{"text": "x" * size} for size in (9, 95, 99, 1000, 9)])))
    assert [len(sample.text or "") for sample in good] == [9, 9]
    assert [row.line for row in bad] == [2, 3, 4]
    assert all("line too long" in row.reason for row in bad)


def test_a_used_id_is_rejected_and_names_its_first_line(tmp_path: Path) -> None:
    rows = [{"id": 1, "text": ""}, {"id": 1, "text": "a"}, {"id": "1", "text": "b"}, {"text": "c"}]
    good, bad = split(read(write(tmp_path / "a.jsonl", rows)))
    assert [(sample.id, sample.text) for sample in good] == [("1", "a"), ("4", "c")]
    assert bad[1] == Rejected(3, "id '1' was already used in line 2", "1", bad[1].raw)


def test_a_json_file_may_hold_one_list(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(formats.BOM + b' \n[{"text": "a"}, 3,\n {"text": "\xff"}, {"text": "b"}]')
    good, bad = split(read(path))
    assert [(sample.id, sample.text) for sample in good] == [("1", "a"), ("4", "b")]
    assert [row.line for row in bad] == [2, 3]
    assert count_rows(path) == 4
    assert [s.text for s in samples(read(write(tmp_path / "lines.json", [{"text": "a"}])))] == ["a"]
    with pytest.raises(InputError, match="begins as a list"):
        list(read(write(tmp_path / "broken.json", ['[{"text": "a"},'])))


# ---------------------------------------------------------------- tables


def test_a_csv_cell_may_hold_json_or_one_turn_a_line(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    context = json.dumps(ROW["context"]).replace('"', '""')
    path.write_bytes(
        formats.BOM
        + f'text,context,gold.emotions,observations.face,n\r\n"[a], ""b""","{context}",joy,,1\r\n'
        f'é,"one\r\ntwo","[""joy"", ""fear""]",smiles,\r\n\r\n'.encode()
    )
    first, second = samples(read(path))
    assert (first.id, first.text, first.context) == ("1", '[a], "b"', (Turn("How was the flight?", "B"),))
    assert first.gold == Gold(emotions=("joy",))
    assert first.observations == {"face": None}
    assert second.context == (Turn("one"), Turn("two"))
    assert second.gold == Gold(emotions=("joy", "fear"))
    assert (first.extra, second.extra) == ({"n": "1"}, {"n": ""})
    assert count_rows(path) == 2


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(FIELDS.map(lambda name: name.replace("id", "n")), VALUES), max_size=3))
def test_any_json_in_csv_cells_is_a_sample_or_a_rejection(cells: list[tuple[str, Any]]) -> None:
    row = dict(cells)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "a.csv")
        with path.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([["n0", *row], ["0", *(json.dumps(value) for value in row.values())]])
        (outcome,) = list(read(path))
    assert writable(outcome)


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b"a,b,c\n", "3 cells where the header has 2"),
        (b"caf\xe9,b\n", "text: has a lone surrogate or bytes that are not UTF-8"),
        (b'"a"b,c\n', "expected after"),
        (b'x,"[1, 2"\n', "context: broken JSON"),
        (b",\n", "neither text nor observation"),
    ],
)
def test_a_bad_csv_row_is_rejected_and_the_rest_goes_on(tmp_path: Path, line: bytes, why: str) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"text,context\n" + b'"one\ntwo",\n' + line + b"last,\n")
    good, (bad,) = split(read(path))
    assert [sample.text for sample in good] == ["one\ntwo", "last"]
    assert [sample.id for sample in good] == ["1", "3"]
    assert bad.line == 4
    assert why in bad.reason
    assert count_rows(path) == 3
    assert writable(bad)


def test_an_open_quote_does_not_pass_for_a_row(tmp_path: Path) -> None:
    _, (bad,) = split(read(write(tmp_path / "a.tsv", ["text\tn", '"open\t1', "swallowed\t2"])))
    assert bad.line == 2
    assert "lines 2 to 3" in bad.reason


def test_a_csv_row_that_is_too_long_is_skipped_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(formats, "LONGEST_LINE", 100)
    good, (bad,) = split(read(write(tmp_path / "a.csv", ["text", "a", "b" * 1000, "c"])))
    assert [sample.text for sample in good] == ["a", "c"]
    assert bad.line == 3
    assert len(bad.raw) <= 500


def test_a_header_that_cannot_be_used_is_an_input_error(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes("text,n\na,1\n".encode("utf-16"))
    write(tmp_path / "b.csv", ["text,text", "a,b"])
    for name in ("a.csv", "b.csv"):
        with pytest.raises(InputError):
            list(read(tmp_path / name))


@settings(max_examples=100, deadline=None)
@given(st.binary() | st.text('a",\n\r').map(str.encode))
def test_any_bytes_below_a_csv_header_are_samples_and_rejections(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "any.csv")
        path.write_bytes(b"text,n\n" + data)
        rows = list(read(path))
        assert count_rows(path) == len(rows)
        assert all(writable(row) for row in rows)


def test_parquet_rows_are_read_in_batches(tmp_path: Path) -> None:
    arrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "a.parquet"
    rows = [{"id": i, "text": f"t{i}", "context": ["a"], "gold": json.dumps(ROW["gold"])} for i in range(3000)]
    rows[7]["text"] = None
    parquet.write_table(arrow.Table.from_pylist(rows), path)
    good, (bad,) = split(read(path))
    assert (len(good), bad.line, bad.id, count_rows(path)) == (2999, 8, "7", 3000)
    assert good[0].context == (Turn("a"),)
    assert good[0].gold is not None
    assert good[0].gold.emotions == ("anger",)
    (tmp_path / "b.parquet").write_bytes(b"no")
    with pytest.raises(InputError, match="not a Parquet file"):
        list(read(tmp_path / "b.parquet"))


def test_a_bad_string_in_parquet_costs_its_row_only(tmp_path: Path) -> None:
    arrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    raw = arrow.array([b"a", b"\xff", b"b"], arrow.binary())
    text = arrow.Array.from_buffers(arrow.string(), 3, raw.buffers())
    parquet.write_table(arrow.table({"text": text}), tmp_path / "a.parquet")
    good, (bad,) = split(read(tmp_path / "a.parquet"))
    assert [sample.text for sample in good] == ["a", "b"]
    assert (bad.line, bad.reason) == (2, "not UTF-8")


# ---------------------------------------------------------------- where rows come from


def test_standard_input_is_jsonl_unless_told_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    for data, format in ((b'{"text": "a"}\n', None), (b"text\na\n", "csv")):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
        assert [sample.text for sample in samples(read("-", format=format))] == ["a"]
    assert count_rows("-") is None
    with pytest.raises(UsageError, match="read only once"):
        read("-", sample=3)
    with pytest.raises(UsageError, match="format"):
        read("-", format="xml")


def test_gzip_is_read_and_a_damaged_one_is_said_to_be(tmp_path: Path) -> None:
    data = gzip.compress(b'{"text": "a"}\n' * 1000)
    (tmp_path / "a.jsonl.gz").write_bytes(data)
    (tmp_path / "b.jsonl.gz").write_bytes(data[:-20])
    (tmp_path / "c.csv.gz").write_bytes(gzip.compress(b"text\na\n"))
    assert len(samples(read(tmp_path / "a.jsonl.gz"))) == count_rows(tmp_path / "a.jsonl.gz") == 1000
    assert len(samples(read(tmp_path / "c.csv.gz"))) == 1
    with pytest.raises(InputError, match="could not be read to its end"):
        list(read(tmp_path / "b.jsonl.gz"))


@pytest.mark.parametrize("name", ["e.jsonl", "e.json", "e.csv", "e.tsv"])
def test_an_empty_file_yields_nothing(tmp_path: Path, name: str) -> None:
    (tmp_path / name).touch()
    assert list(read(tmp_path / name)) == []
    assert count_rows(tmp_path / name) == 0
    assert list(read(tmp_path / name, sample=5)) == []


def test_a_missing_file_says_where_it_was_looked_for_and_what_is_near(tmp_path: Path) -> None:
    write(tmp_path / "dialogues.jsonl", [])
    with pytest.raises(InputError) as caught:
        read(str(tmp_path / "dialouges.jsonl"))
    assert str(tmp_path / "dialouges.jsonl") in str(caught.value)
    assert "dialogues.jsonl" in caught.value.cure
    for bad in (tmp_path, tmp_path / "no" / "a.csv", "nothing"):
        with pytest.raises(InputError):
            read(bad)
    (tmp_path / "a.xlsx").touch()
    with pytest.raises(InputError, match="by its name"):
        read(tmp_path / "a.xlsx")


def test_a_file_that_may_not_be_read_is_an_input_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "a.jsonl", [])
    monkeypatch.setattr(os, "access", lambda *_: False)  # root may read everything
    with pytest.raises(InputError, match="may not be read"):
        read(path)


class Hub:
    """Stands in for the library: one data set with two splits, and no other."""

    def __init__(self, splits: tuple[str, ...]) -> None:
        self.splits = splits

    def load_dataset(self, name: str, config: str | None, streaming: bool) -> Any:
        if name != "owner/name":
            raise FileNotFoundError(f"Dataset '{name}' doesn't exist")
        datasets = pytest.importorskip("datasets")
        kinds = datasets.ClassLabel(names=["joy", "fear"])
        columns = {"text": datasets.Value("string"), "label": kinds, "all": datasets.Sequence(kinds), "none": kinds}
        values = {"text": [config or "-"], "label": [1], "all": [[0, 1]], "none": [-1]}
        rows = datasets.Dataset.from_dict(values, features=datasets.Features(columns))
        return datasets.IterableDatasetDict({split: rows.to_iterable_dataset() for split in self.splits})


def test_a_hub_data_set_streams_and_its_class_numbers_become_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(formats, "_module", lambda *_: Hub(("train", "test")))
    (sample,) = samples(read("hub:owner/name:small@test", columns={"gold.emotions": "all"}))
    assert sample.text == "small"
    assert sample.gold == Gold(emotions=("joy", "fear"))
    assert sample.extra == {"label": "fear", "none": None}
    with pytest.raises(UsageError, match="train, test"):
        list(read("owner/name"))
    with pytest.raises(InputError, match="doesn't exist"):
        list(read("other/name"))
    monkeypatch.setattr(formats, "_module", lambda *_: Hub(("train",)))
    assert [sample.text for sample in samples(read("owner/name"))] == ["-"]
    assert count_rows("owner/name") is None


def test_a_missing_package_names_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(MissingError, match=r"emowhy\[hub\]"):
        list(read("owner/name"))


# ---------------------------------------------------------------- columns


def test_mapped_columns_are_renamed_and_the_others_are_extra(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", ["Utterance,Emotion,text", "hello,joy,old"])
    (sample,) = samples(read(path, columns={"text": "Utterance", "gold.emotions": "Emotion"}))
    assert (sample.text, sample.gold, sample.extra) == ("hello", Gold(emotions=("joy",)), {"text": "old"})


def test_a_column_whose_name_was_taken_joins_what_the_row_has_as_extra(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", [{"words": "new", "text": "old", "extra": {"n": 1}}])
    (sample,) = samples(read(path, columns={"text": "words"}))
    assert (sample.text, sample.extra) == ("new", {"n": 1, "text": "old"})


def test_a_label_column_is_never_taken_for_gold_unasked(tmp_path: Path) -> None:
    (sample,) = samples(read(write(tmp_path / "a.csv", ["text,emotion,label", "hello,joy,1"])))
    assert sample.gold is None
    assert sample.extra == {"emotion": "joy", "label": "1"}


def test_a_column_that_is_not_there_names_the_nearest(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", ["Utterance,Emotion", "hello,joy"])
    with pytest.raises(UsageError, match="did you mean 'Utterance'"):
        list(read(path, columns={"text": "Utterence"}))
    with pytest.raises(UsageError, match="did you mean 'Emotion'"):
        list(read(path, dialogue_column="Emotions"))
    with pytest.raises(UsageError, match="did you mean 'speaker'"):
        Columns({"speeker": "Speaker"})
    with pytest.raises(UsageError, match="dialogue column"):
        Columns(turn="n")


# ---------------------------------------------------------------- dialogues


def test_each_turn_of_a_dialogue_has_the_earlier_ones_as_its_context(tmp_path: Path) -> None:
    rows = ["d,n,who,text", "x,2,A,third", "x,0,A,first", "x,1,B,second", "y,0,A,alone"]
    path = write(tmp_path / "a.csv", rows)
    found = samples(read(path, columns={"speaker": "who"}, dialogue_column="d", turn_column="n"))
    assert [sample.id for sample in found] == ["x-2", "x-0", "x-1", "y-0"]
    assert [len(sample.context) for sample in found] == [2, 0, 1, 0]
    assert found[0].context == (Turn("first", "A"), Turn("second", "B"))
    in_order = samples(read(path, dialogue_column="d"))
    assert [(sample.id, len(sample.context)) for sample in in_order] == [("x-0", 0), ("x-1", 1), ("x-2", 2), ("y-0", 0)]


def test_a_rejected_turn_is_left_out_of_the_context(tmp_path: Path) -> None:
    rows = [{"d": 1, "text": "a"}, {"d": 1, "text": " "}, "broken", {"d": 1, "text": "c"}, {"text": "of none"}]
    good, bad = split(read(write(tmp_path / "a.jsonl", rows), dialogue_column="d"))
    assert [(sample.id, sample.context) for sample in good] == [("1-0", ()), ("1-2", (Turn("a"),))]
    assert sorted(row.line for row in bad) == [2, 3, 5]


def test_a_turn_number_is_a_number_and_used_once(tmp_path: Path) -> None:
    rows = [{"d": 1, "n": n, "text": "a"} for n in (1, "1.0", "one", None, True, float("1e9"))]
    good, bad = split(read(write(tmp_path / "a.jsonl", rows), dialogue_column="d", turn_column="n"))
    assert len(good) == 2
    assert [row.line for row in bad] == [2, 3, 4, 5]


def test_a_dialogue_that_comes_back_is_rejected_with_the_cure(tmp_path: Path) -> None:
    rows = [{"d": name, "text": "a"} for name in "xyxxz"]
    good, bad = split(read(write(tmp_path / "a.jsonl", rows), dialogue_column="d"))
    assert [sample.id for sample in good] == ["x-0", "y-0", "z-0"]
    assert {row.reason for row in bad} == {"dialogue 'x' continues after another began: sort the file by d"}


def test_a_limit_keeps_whole_contexts(tmp_path: Path) -> None:
    rows = [{"d": "x" if n else "y", "n": n, "text": str(n)} for n in (5, 4, 3, 0)]
    path = write(tmp_path / "a.jsonl", rows)
    (sample,) = samples(read(path, dialogue_column="d", turn_column="n", limit=1))
    assert [turn.text for turn in sample.context] == ["3", "4"]


def test_gold_causes_are_placed_in_the_dialogue_that_was_put_together(tmp_path: Path) -> None:
    rows = [{"d": 1, "text": "it rains"}, {"d": 1, "text": "oh", "gold": {"causes": ["rains"]}}]
    gold = samples(read(write(tmp_path / "a.jsonl", rows), dialogue_column="d"))[1].gold
    assert gold is not None
    assert gold.causes is not None
    assert (gold.causes[0].turn, gold.causes[0].start) == (0, 3)


# ---------------------------------------------------------------- observations, limit, sample


@pytest.mark.parametrize(
    "lines",
    [
        ['{"id": "1", "face": "smiles"}', '{"id": 2, "observations": {"face": "frowns", "voice": ""}}', '{"id": "9"}'],
        ["id,face,voice", "1,smiles,", "2,frowns,", "9,,"],
    ],
)
def test_observations_are_joined_by_id_before_a_row_is_called_empty(tmp_path: Path, lines: list[str]) -> None:
    name = "o.jsonl" if lines[0].startswith("{") else "o.csv"
    rows = [{"id": 1}, {"id": 2, "text": "x", "observations": {"face": "winks"}}]
    notes: list[str] = []
    path = write(tmp_path / "a.jsonl", rows)
    first, second = samples(read(path, observations=write(tmp_path / name, lines), on_note=notes.append))
    assert (first.text, first.observations["face"]) == (None, "smiles")
    assert second.observations == {"face": "winks", "voice": None}  # what the row says itself stands
    assert len(notes) == 1
    assert "1 of 3 ids match no row (9" in notes[0]


def test_bad_observations_are_noted_and_a_missing_file_is_an_error(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", [{"id": 1, "text": "x"}])
    lines = [
        '{"id": 1, "face": "a"}',
        '{"id": 1, "face": "b"}',
        "broken",
        '{"face": "c"}',
        '{"id": 2, "observations": 3}',
    ]
    notes: list[str] = []
    (sample,) = samples(read(path, observations=write(tmp_path / "o.jsonl", lines), on_note=notes.append))
    assert sample.observations == {"face": "a"}
    assert len(notes) == 4
    assert "4 rows" in notes[3]
    with pytest.raises(InputError):
        read(path, observations=tmp_path / "none.jsonl")


def test_a_limit_counts_rejected_rows_too(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", [{"text": "a"}, "broken", {"text": "b"}, {"text": "c"}])
    for limit in (0, 1, 3, 9):
        assert len(list(read(path, limit=limit))) == min(limit, 4)
    for first, drawn in ((1, 1), (-1, None), (None, -1)):
        with pytest.raises(UsageError):
            read(path, limit=first, sample=drawn)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 25), st.integers(), st.booleans())
def test_a_sample_is_that_many_rows_in_order_and_the_seed_decides(size: int, seed: int, dialogues: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = write(Path(folder, "a.jsonl"), [{"id": n, "d": n // 3, "text": "x"} for n in range(20)])
        column = "d" if dialogues else None
        drawn = samples(read(path, sample=size, seed=seed, dialogue_column=column))
        everything = samples(read(path, dialogue_column=column))
        assert len(drawn) == min(size, 20)
        assert drawn == [sample for sample in everything if sample in drawn]
        assert drawn == samples(read(path, sample=size, seed=seed, dialogue_column=column))


def test_every_row_has_the_same_chance(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", [{"text": "x"}] * 4)
    counts = dict.fromkeys("1234", 0)
    for seed in range(400):
        counts[samples(read(path, sample=1, seed=seed))[0].id] += 1
    assert all(60 < count < 140 for count in counts.values())


def test_only_what_is_asked_for_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.BytesIO(b'{"text": "a"}\n{"text": "b"}\n')
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(stream))
    assert len(samples(read("-", limit=1))) == 1
    assert stream.read() == b'{"text": "b"}\n'
