"""CovidET (Zhan et al. 2022, EMNLP): Reddit posts, the emotions that annotators see in them, and what triggers each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

from emowhy.datasets.base import DataSet, json_items
from emowhy.formats import BOM, Record

# Our name -> what the files call it: as published, as in the annotators' files, and in lower case.
_NAMES = {
    "id": ("Reddit ID", "id"),
    "text": ("Reddit Post", "Post", "text"),
    "annotations": ("Annotations", "annotations"),
    "emotion": ("Emotion", "emotion"),
    "summary": ("Abstractive", "abstractive", "summary", "trigger"),
}
_NO_EMOTION = ("na", "n/a", "none")


class CovidEt(DataSet):
    """JSON: a list of posts `{id, text, annotations}`, or an object of them under the names as published.

    A sample is a post and one emotion of it: it asks what triggers that emotion. `gold.explanation` is the first
    annotator's summary of the trigger, `answers["explanations"]` are all of them; `extra["post"]` is the post's id.
    A post in which nobody saw an emotion gives no sample. The files without posts hold no texts: get those WITH_POSTS.
    """

    name = "covidet"
    title = "CovidET (triggers of emotions)"
    labels = ("anger", "anticipation", "disgust", "fear", "joy", "sadness", "trust")
    licence = "not stated by its authors; Reddit texts, research use"
    commercial = False
    source = "https://github.com/honglizhan/CovidET"
    splits: ClassVar = {
        split: (f"{split}_anonymized-WITH_POSTS.json", f"{split}_anonymized_post.json", f"{split}.json")
        for split in ("train", "val", "test")
    }

    def records(self, path: Path) -> Iterator[Record]:
        """One for each emotion of a post, or one for a post that is broken; `line` counts the posts, from 1."""
        for record in _posts(path, super().records(path)):
            if record.row is None:
                yield record
                continue
            row = {name: _first(record.row, keys) for name, keys in _NAMES.items()}
            post = str(row["id"] if row["id"] is not None else record.row.get("key", record.number))
            try:
                said = _by_emotion(row["annotations"])
            except ValueError as error:
                yield record._replace(row=None, problem=f"post {post[:50]!r}: {error}")
                continue
            for emotion, summaries in said.items():
                told = {"id": f"{post}-{emotion}", "post": post, "text": row["text"], "emotion": emotion}
                yield record._replace(row={**told, "summaries": summaries})

    def row(self, cells: Mapping[str, Any], split: str) -> Mapping[str, Any]:
        emotion, summaries = self.label(cells["emotion"]), cells["summaries"]
        if cells["text"] is None:
            raise ValueError("the post's text is not in this file; get the one WITH_POSTS")
        if not summaries:
            raise ValueError(f"nobody says what triggers {emotion}")
        return {
            "id": cells["id"],
            "text": cells["text"],
            "question": f"What triggers the writer's {emotion}?",
            "gold": {"emotions": [emotion], "explanation": summaries[0], "answers": {"explanations": summaries}},
            "extra": {"post": cells["post"]},
        }


def _posts(path: Path, listed: Iterator[Record]) -> Iterator[Record]:
    """The posts of a list, or of an object, with their keys."""
    with path.open("rb") as file:
        if not file.read(4096).removeprefix(BOM).lstrip().startswith(b"{"):
            yield from listed
            return
    for number, (key, value) in enumerate(json_items(path), 1):
        if isinstance(value, Mapping):
            yield Record(number, number, {"key": key, **value})
        else:
            yield Record(number, number, problem=f"post {key[:50]!r}: expected an object")


def _first(found: Mapping[str, Any], keys: Iterable[str]) -> Any:
    return next((found[key] for key in keys if found.get(key) is not None), None)


def _by_emotion(annotations: Any) -> dict[str, list[str]]:
    """Every emotion that somebody saw, in the order in which they were named, with the summaries of its trigger."""
    if not isinstance(annotations, Mapping | list):
        raise ValueError("expected its annotations by annotator")
    said: dict[str, list[str]] = {}
    for one in annotations.values() if isinstance(annotations, Mapping) else annotations:
        for emotion, summary in _of_annotator(one):
            if not isinstance(emotion, str):
                raise ValueError("an annotation without an emotion")
            if emotion.strip().casefold() not in _NO_EMOTION:
                summaries = said.setdefault(emotion.strip().casefold(), [])
                summaries += [summary] if isinstance(summary, str) and summary.strip() else []
    return said


def _of_annotator(said: Any) -> list[tuple[Any, Any]]:
    """(emotion, summary): of a list of annotations, of one, or of an object `{emotion: summary}`."""
    if isinstance(said, Mapping) and _first(said, _NAMES["emotion"]) is None:
        return list(said.items())
    found = said if isinstance(said, list) else [said]
    if not all(isinstance(item, Mapping) for item in found):
        raise ValueError("expected annotations of an emotion and its trigger")
    return [(_first(item, _NAMES["emotion"]), _first(item, _NAMES["summary"])) for item in found]
