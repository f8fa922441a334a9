"""Laws of EmpatheticDialogues: a situation and its one label, from either form of the files."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from emowhy.read import Rejected
from emowhy.types import Gold, Sample

Read = Callable[[str, Mapping[str, str | bytes], str], tuple[list[Sample], list[Rejected]]]
SITUATIONS = 'text,emotion\n"my boat sank, slowly",devastated\n i found a shell,joyful\n'
TURNS = (
    "conv_id,utterance_idx,context,prompt,utterance,speaker_idx,selfeval,tags\n"
    "hit:1_conv:2,1,devastated,My boat sank_comma_ slowly.,I lost my boat.,5,5|5|5_5|5|5,\n"
    "hit:1_conv:2,2,devastated,My boat sank_comma_ slowly.,Oh no_comma_ how?,6,5|5|5_5|5|5,\n"
    'hit:3_conv:4,1,joyful,I found a "shell.,It was pink.,7,5|5|5_5|5|5,<LAUGH>\n'
)


def test_situations_are_read_with_their_label(outcomes: Read) -> None:
    for file in (SITUATIONS.encode(), b"\xef\xbb\xbf" + SITUATIONS.replace("\n", "\r\n").encode() + b"\r\n\r\n"):
        samples, rejected = outcomes("empathetic_dialogues", {"situations_valid.csv": file}, "valid")
        assert samples == [
            Sample("valid-2", "my boat sank, slowly", gold=Gold(("devastated",))),
            Sample("valid-3", " i found a shell", gold=Gold(("joyful",))),
        ]
        assert rejected == []


def test_of_the_published_files_each_conversation_is_one_situation(outcomes: Read) -> None:
    samples, rejected = outcomes("empathetic_dialogues", {"train.csv": TURNS}, "train")
    assert samples == [
        Sample("hit:1_conv:2", "My boat sank, slowly.", gold=Gold(("devastated",))),
        Sample("hit:3_conv:4", 'I found a "shell.', gold=Gold(("joyful",))),
    ]
    assert rejected == []


def test_a_corrupt_row_is_told_with_its_line_and_the_others_are_read(outcomes: Read) -> None:
    head, first, second = SITUATIONS.splitlines()
    file = "\n".join([head, first, "i am blue,bluish", "no label", ",sad", second])
    samples, rejected = outcomes("empathetic_dialogues", {"situations_train.csv": file}, "train")
    assert [sample.id for sample in samples] == ["train-2", "train-6"]
    assert [(row.line, row.reason) for row in rejected] == [
        (3, '"bluish" is no label of empathetic_dialogues'),
        (4, "1 cells where the header has 2"),
        (5, "blank text and no observation"),
    ]
    torn = TURNS + "hit:5_conv:6,1,sad,The end of the fi\n\n"
    samples, rejected = outcomes("empathetic_dialogues", {"test.csv": torn}, "test")
    assert len(samples) == 2
    assert [(row.line, row.reason) for row in rejected] == [(5, "4 cells where there should be 8")]


def test_a_quotation_mark_that_is_never_closed_is_told_and_loses_nothing_silently(outcomes: Read) -> None:
    file = SITUATIONS + '"my hat,sad\nthen it came back,joyful\n'
    samples, rejected = outcomes("empathetic_dialogues", {"situations_train.csv": file}, "train")
    assert len(samples) == 2
    assert [row.line for row in rejected] == [4]
    assert "lines 4 to 5" in rejected[0].reason
