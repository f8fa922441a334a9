"""Explanations on a terminal: the emotion, the words that say so, and why."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from rich.console import Console
from rich.text import Text

from emowhy.report import Line, branch, lines, notes

_COLOURS = {
    "love": "bright_magenta",
    "joy": "yellow",
    "surprise": "cyan",
    "anger": "red",
    "sadness": "blue",
    "fear": "magenta",
    "disgust": "green",
}
_BREAKS = re.compile("\r\n?|[\x0b\x0c\x85\u2028\u2029]")
# Control characters but the line break, and what turns the writing direction: a terminal would obey them.
_ACTING = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_INDENT = 2


def show(rows: Iterable[Mapping[str, Any]], console: Console) -> None:
    """Print rows of a run: labels with their scores, turns with the telling words marked, then the why.

    Marked in the colour of the first label's branch or, where there is no colour, «like this». Text is
    printed as it is (no markup of rich's) without what a terminal would obey.
    """
    page = _Page(console)
    for number, row in enumerate(rows):
        if number:
            console.print()
        page.show(row)


class _Page:
    def __init__(self, console: Console) -> None:
        self.console = console
        self.width = max(20, console.width) - _INDENT
        marks = ("[", "]") if console.options.ascii_only else ("«", "»")
        self.marks = marks if console.color_system is None or console.no_color else ("", "")

    def show(self, row: Mapping[str, Any]) -> None:
        emotions = row["emotions"]
        colour = _COLOURS.get(branch(emotions[0]["label"]), "default") if emotions else "default"
        self._print(self._head(row), 0)
        for line in lines(row):
            self._print(self._line(line, colour), _INDENT)
        if row["explanation"]:
            self._print(self._text(row["explanation"]), _INDENT)
        for cause in row["causes"]:
            if not cause["verified"]:
                missed = self._text("not verbatim in the input: ", "red")
                self._print(missed.append(self._text(cause["quote"])), _INDENT)
        for note in notes(row):
            self._print(self._text(note, "dim"), _INDENT)

    def _head(self, row: Mapping[str, Any]) -> Text:
        head = Text()
        for emotion in row["emotions"]:
            colour = _COLOURS.get(branch(emotion["label"]), "default")
            head.append(", " if head else "").append(self._text(emotion["label"], f"bold {colour}"))
            if emotion["score"] is not None:
                head.append(f" {emotion['score']:.2f}", "bold")
        if row["status"] != "ok":
            head.append(self._text(row["status"], "bold red"))
            head.append(self._text(f": {row['error']}" if row["error"] else "", "red"))
        elif not head:
            head.append("no emotion named", "bold")
        return head.append("  ").append(self._text(row["id"], "dim"))

    def _line(self, line: Line, colour: str) -> Text:
        style = "" if line.target else "dim"
        names = [str(part) for part in (line.number, line.name) if part is not None]
        alone = line.target and line.number == 0 and line.name is None
        text = Text() if alone else Text().append(self._text(f"{' '.join(names)}: ", "bold" if line.target else "dim"))
        if line.pieces is None:
            return text.append("missing", "dim italic")
        for words, marked in line.pieces:
            if marked:
                text.append(self.marks[0]).append(self._text(words, f"bold reverse {colour}")).append(self.marks[1])
            else:
                text.append(self._text(words, style))
        return text

    def _text(self, words: str, style: str = "") -> Text:
        """Words as they can be printed here: nothing that acts, nothing that the output's encoding lacks."""
        words = _ACTING.sub(lambda m: " " if m[0] == "\t" else "", _BREAKS.sub("\n", words))
        return Text(words.encode(self.console.encoding, "replace").decode(self.console.encoding), style)

    def _print(self, text: Text, indent: int) -> None:
        for line in text.wrap(self.console, self.width):
            line.rstrip()
            self.console.print(Text(" " * indent).append(line), no_wrap=True, overflow="ignore", crop=False)
