"""Laws of EMER: the subtitle is the input, the explanation is gold only, labels come from where they are annotated."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from emowhy.datasets import find_dataset
from emowhy.datasets.emer import quoted_subtitle
from emowhy.errors import InputError
from emowhy.read import Rejected
from emowhy.types import Gold, Sample

Read = Callable[[str, Mapping[str, str | bytes], str], tuple[list[Sample], list[Rejected]]]
V1, ZH, V2 = (f"emowhy.datasets.emer:{name}" for name in ("Emer", "EmerChinese", "EmerV2"))
HEAD = "names,emotions,subtitles,reasons\n"
BARKING = (
    "In the video, she frowns. In the audio, she shouts. "
    'In the text, the subtitle says "Who let him bark, Jo?". She is cross.'
)
SILENT = "In the video, he smiles at the sea. In the audio, waves are heard."


def cell(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def v2(*rows: tuple[str, str]) -> str:
    return "name,chinese,english\n" + "".join(f"{name},略,{cell(text)}\n" for name, text in rows)


def test_the_subtitle_is_the_text_and_the_rest_is_gold(outcomes: Read) -> None:
    first = "clip_1,\"['worried', 'sad']\",\"Late, again?\",Her voice trembles.\n"
    file = HEAD + first + "clip_2,angry,Out!,\nclip_3,,So.,He nods.\n"
    assert outcomes(V1, {"gt-eng.csv": file}, "all") == (
        [
            Sample("clip_1", "Late, again?", gold=Gold(("worried", "sad"), explanation="Her voice trembles.")),
            Sample("clip_2", "Out!", gold=Gold(("angry",))),
            Sample("clip_3", "So.", gold=Gold(None, explanation="He nods.")),
        ],
        [],
    )


def test_the_chinese_file_is_a_data_set_of_its_own(outcomes: Read) -> None:
    samples, _ = outcomes(ZH, {"gt-chi.csv": HEAD + "clip_1,\"['担忧', '难过']\",又迟到了？,声音发抖。\n"}, "all")
    assert samples == [Sample("clip_1", "又迟到了？", gold=Gold(("担忧", "难过"), explanation="声音发抖。"))]
    assert find_dataset(ZH).language == "zh"


def test_a_clip_without_subtitle_needs_observations_from_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "gt-eng.csv").write_text(HEAD + "clip_1,sad, ,She weeps.\nclip_2,sad,Oh.,She sighs.\n")
    dataset = find_dataset(V1)
    alone = list(dataset.read(tmp_path, "all"))
    assert [(row.id, row.reason) for row in alone if isinstance(row, Rejected)] == [
        ("clip_1", "blank text and no observation")
    ]
    joined = list(dataset.read(tmp_path, "all", lambda id: {"face": "tears"} if id == "clip_1" else {}))
    assert joined[0] == Sample("clip_1", observations={"face": "tears"}, gold=Gold(("sad",), explanation="She weeps."))


def test_a_corrupt_row_is_told_and_the_others_are_read(outcomes: Read) -> None:
    file = HEAD + "clip_1,sad,Oh.\nclip_2,sad,O\0h.,She sighs.\nclip_3,sad,Oh.,She sighs.\n,sad,Ah.,She sighs.\n"
    samples, rejected = outcomes(V1, {"gt-eng.csv": file}, "all")
    assert [sample.id for sample in samples] == ["clip_3", "all-5"]
    assert [row.line for row in rejected] == [2, 3]
    assert rejected[0].reason == "3 cells where the header has 4"
    assert "NUL" in rejected[1].reason


@pytest.mark.parametrize(("name", "file"), [(V1, "gt-eng.csv"), (V2, "final-EMER-reason.csv")])
def test_a_file_with_other_columns_is_refused_as_a_whole(outcomes: Read, name: str, file: str) -> None:
    with pytest.raises(InputError, match="no column"):
        outcomes(name, {file: "clip,text\nc,Oh.\n"}, "all")


# Version 2


def test_the_text_is_the_quoted_subtitle_and_never_the_explanation(outcomes: Read) -> None:
    samples, rejected = outcomes(V2, {"final-EMER-reason.csv": v2(("c1", BARKING), ("c2", SILENT))}, "all")
    assert samples == [Sample("c1", "Who let him bark, Jo?", gold=Gold(None, explanation=BARKING))]
    assert [(row.id, row.line, row.reason) for row in rejected] == [("c2", 3, "neither text nor observation")]


def test_labels_and_groups_are_read_from_the_same_folder_where_they_are(outcomes: Read, tmp_path: Path) -> None:
    import numpy as np

    (tmp_path / "openset-synonym").mkdir()
    np.save(tmp_path / "openset-synonym" / "c1.npy", "[['cross', 'angry']]")
    files = {
        "final-EMER-reason.csv": v2(*((name, BARKING) for name in ("c1", "c2", "c3"))),
        "check-openset.csv": "name,openset\nc1,\"['cross', 'loud']\"\nc2,[]\nelsewhere,[calm]\ntorn\n",
    }
    samples, rejected = outcomes(V2, files, "all")
    assert [sample.gold for sample in samples] == [
        Gold(("cross", "loud"), explanation=BARKING, answers={"groups": [["cross", "angry"]]}),
        Gold((), explanation=BARKING),
        Gold(None, explanation=BARKING),
    ]
    assert [row.reason for row in rejected] == ["check-openset.csv: 1 cells where the header has 2"]


@pytest.mark.parametrize(
    ("paragraph", "words"),
    [
        ('In the text, the subtitle says: "Stay here." He fears the dark.', "Stay here."),
        ("In the text, the subtitle reads “Stay, I don’t mind.” He lies.", "Stay, I don’t mind."),
        ("In the text, the speaker's line is 'I don't mind'. He lies.", "I don't mind"),
        ("in the text , the content is ‘I don’t mind’. He lies.", "I don’t mind"),
        ('The sign says "Exit". The subtitle is "Stay here."', "Stay here."),
        ('The subtitles ("Exit") fade. In the text, one reads "Stay here."', "Stay here."),
        ('In the text, nothing is said. He looks "lost".', None),
        ('In the text, the subtitle is " ".', None),
        ('He says "Stay here."', None),
        ("", None),
    ],
)
def test_a_subtitle_is_what_is_quoted_where_the_text_is_spoken_of(paragraph: str, words: str | None) -> None:
    assert quoted_subtitle(paragraph) == words
