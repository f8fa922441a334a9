"""Runs to report on, and what a page is made of: shared by the tests of reports."""

from __future__ import annotations

import json
from collections.abc import Mapping
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from emowhy.report import write_html
from emowhy.rows import dump_row, to_row
from emowhy.types import Cause, Clue, Cut, Emotion, Explanation, Gold, Sample, Step, Turn, Usage

HOSTILE = [
    "<script>window.hacked = 1</script>",
    '"><img src=x onerror="window.hacked = 1">',
    "' onmouseover='window.hacked = 1",
    "</script><script>window.hacked = 1</script><!--",
    "</style></title></pre></noscript><base href=//evil><meta http-equiv=refresh content=0>",
    "{{ 7 * 7 }}{% raw %}&lt;b&gt;\u2028]]>",
    "javascript:window.hacked=1//\x00\x1b[31m\ud800\u202egnirts",
    "__proto__",
]
SAMPLE = Sample(
    "d1",
    "They cancelled it.",
    "A",
    (Turn("How was it? 😀", "B"),),
    observations={"face": "brows lowered", "voice": None},
)
ANSWER = Explanation(
    "d1",
    emotions=(Emotion("anger", 0.81), Emotion("sadness")),
    causes=(Cause("cancelled", 1, None, 5, 14, True),),
    reasoning="A flight was lost.",
    explanation="They are angry.",
    score_source="engine",
    parse="strict",
    usage=Usage(200, 50),
    seconds=0.5,
)


def row_of(answer: Explanation, sample: Sample) -> dict[str, Any]:
    """The row of `explanations.jsonl`, as it is read back."""
    return json.loads(dump_row(to_row(answer, sample, "0")))  # type: ignore[no-any-return]


def write_run(
    folder: Path, *pairs: tuple[Explanation, Sample], asked: Mapping[str, Any] | None = None, **manifest: Any
) -> Path:
    """A run with these rows."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "explanations.jsonl").write_bytes(b"".join(dump_row(to_row(a, s, "0")) for a, s in pairs))
    about = {"state": "done", "asked": asked or {}, "versions": {"emowhy": "0.1.0"}, "counts": {}, **manifest}
    (folder / "run.json").write_text(json.dumps(about), encoding="utf-8")
    return folder


def hostile(text: str) -> tuple[Explanation, Sample]:
    """A row with `text` in every place that holds words."""
    cause = Cause(text, 0, None, 0, len(text), True)
    sample = Sample(
        text, text, text, (Turn(text, text),), (Turn(text, text),), {text: text}, text, (text,),
        Gold((text,), (cause, Cause(text, observation=text)), text, {text: text}), {text: text, "kind": text},
    )  # fmt: skip
    answer = Explanation(
        text, 0, "ok", (Emotion(text, 0.5),), (cause, Cause(text, None, text)), text, f"{text}.", "engine",
        {text: [text]}, (Clue("emotion", text, text, score=0.5), Clue(text, text, quote=text, observation=text)),
        "lenient", Cut(1, 2), text, text, (Step(text, text, text, text, Usage()),), Usage(), 0.0, 2,
        {text: text, "kind": text},
    )  # fmt: skip
    return answer, sample


class Page(HTMLParser):
    """What a page is made of, as a browser that knows no script would see it."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.text = path.read_text(encoding="utf-8")
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str | None]] = []
        self.scripts: dict[str | None, str] = {}
        self.styles: list[str] = []
        self.words: list[str] = []
        self._inside = ""
        self._name: str | None = None
        self.feed(self.text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value) for name, value in attrs]
        self._inside, self._name = tag, dict(attrs).get("id")
        if tag == "script":
            self.scripts[self._name] = ""

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside == "script":
            self.scripts[self._name] += data
        elif self._inside == "style":
            self.styles.append(data)
        elif data.strip():
            self.words.append(data.strip())

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The cards that the page carries."""
        return json.loads(self.scripts["row-data"])  # type: ignore[no-any-return]

    def said(self) -> str:
        """All words outside scripts, in one string."""
        return " ".join(self.words)


def page_of(folder: Path, *pairs: tuple[Explanation, Sample], asked: Mapping[str, Any] | None = None) -> Page:
    """The page of a run with these rows."""
    return Page(write_html(write_run(folder, *pairs, asked=asked)))
