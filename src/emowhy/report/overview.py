"""The page of a run of `emowhy explain`: its summary, counted in one pass, and its rows."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from emowhy.report import page
from emowhy.report.agreement import Agreement
from emowhy.report.blocks import About, Block, Cell, Counts, Facts, Notes
from emowhy.report.cards import plain
from emowhy.report.choose import Chooser
from emowhy.report.groups import Groups
from emowhy.report.rows import right
from emowhy.report.sound import sound
from emowhy.run import read_manifest, read_rows

_MOST_LABELS = 30
_ASKED = ("model", "adapter", "engine", "base_url", "strategy", "labels", "hints", "scores", "coverage", "seed",
          "temperature", "max_tokens", "thinking", "votes")  # fmt: skip
_HASHES = ("sha256", "adapter_sha256", "templates", "schema")
_LEAD = ("engine", "model", "strategy", "labels", "hints")
_PASSWORD = re.compile(r"(?<=://)[^/@\s]*@")


def write_html(folder: Path) -> Path:
    """Write `report.html` into a run's folder, and give its path: one file that loads nothing from elsewhere.

    At most `emowhy.report.page.MOST_ROWS` rows are on it; the summary is of all. Raises RunError if there is no run.
    """
    tally, agreement, groups, chooser = Tally(), Agreement(), Groups(), Chooser(page.MOST_ROWS)
    for row in map(_judged, read_rows(folder)):
        tally.add(row)
        agreement.add(row)
        groups.add(row)
        chooser.offer(row)
    manifest = read_manifest(folder)
    sections: list[Block] = [
        _outcome(tally, agreement),
        *_notes(tally, manifest),
        *_labels(tally),
        *agreement.blocks(),
        *groups.blocks(),
        *_facts(manifest),
    ]
    about = About(_lead(manifest), everything="explanations.jsonl, or a table by `emowhy report RUN --csv FILE`")
    choice = chooser.choice()
    picked = ((rank, _judged(row)) for rank, row in choice.pick(read_rows(folder)))
    shown = ((rank, {**row, "groups": groups.of(row)}) for rank, row in picked)
    return page.write_shown(folder / "report.html", folder.absolute().name, sections, choice, shown, about)


def _judged(row: Mapping[str, Any]) -> dict[str, Any]:
    whole = sound(row)
    return {**whole, "right": right(whole)}


@dataclass
class Tally:
    """What a run's rows amount to, counted as they pass."""

    rows: int = 0
    verified: int = 0
    unverified: int = 0
    moved: int = 0
    lenient: int = 0
    cut: int = 0
    copied: int = 0
    faulty: int = 0
    first_faulty: str = ""
    prompt: int = 0
    completion: int = 0
    seconds: float = 0.0
    statuses: Counter[str] = field(default_factory=Counter)
    labels: Counter[str] = field(default_factory=Counter)

    @property
    def failed(self) -> int:
        return self.rows - self.statuses["ok"]

    def add(self, row: Mapping[str, Any]) -> None:
        """Count a sound row."""
        verified = sum(bool(cause.get("verified")) for cause in row["causes"])
        self.verified += verified
        self.unverified += len(row["causes"]) - verified
        self.moved += sum(cause.get("said") is not None for cause in row["causes"])
        self.lenient += row["parse"] == "lenient"
        self.cut += row["cut"] is not None
        self.copied += row["same_as"] is not None
        if row["faults"]:
            self.first_faulty = self.first_faulty or f"{row['id']}: {', '.join(row['faults'])}"
            self.faulty += 1
        self.prompt += row["usage"]["prompt"]
        self.completion += row["usage"]["completion"]
        self.seconds += row["seconds"]
        self.statuses[row["status"]] += 1
        self.labels.update(emotion["label"] for emotion in row["emotions"])
        self.rows += 1


# Sections -------------------------------------------------------------------------------------------------------


def _outcome(tally: Tally, agreement: Agreement) -> Facts:
    quotes = tally.verified + tally.unverified
    failures = ", ".join(f"{count:,} {status}" for status, count in tally.statuses.most_common() if status != "ok")
    pairs: list[tuple[str, Cell]] = [
        ("rows", tally.rows),
        (f"failed ({failures})" if failures else "failed", tally.failed),
        (f"of {quotes:,} quotes verbatim", tally.verified / quotes if quotes else None),
        *([("quotes found elsewhere than the reply says", tally.moved)] if tally.moved else []),
    ]
    if agreement.rows:
        pairs.append((f"first label is gold ({agreement.rows:,} rows with gold)", agreement.headline()))
    pairs += [
        ("tokens read", tally.prompt),
        ("tokens written", tally.completion),
        ("engine time", spell(tally.seconds)),
    ]
    return Facts("Outcome", pairs, "tiles")


def spell(seconds: float) -> str:
    """A duration in words: "0.4 s", "12 min 5 s", "3 h 2 min"."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60:,} h {minutes % 60} min"


def _notes(tally: Tally, manifest: Mapping[str, Any]) -> list[Block]:
    counts = manifest.get("counts")
    rejected = counts.get("rejected") if isinstance(counts, Mapping) else 0
    said = {
        "Not read from the input (rejected.jsonl says why)": rejected or 0,
        "With fields that could not be read": tally.faulty,
        "Read leniently, small faults of the reply being mended": tally.lenient,
        "Cut to fit the model's context": tally.cut,
        "Copied from a row with the same content": tally.copied,
    }
    notes = [f"{what}: {count:,} {'row' if count == 1 else 'rows'}." for what, count in said.items() if count]
    notes += [f"The first row with an unreadable field is {tally.first_faulty}."] if tally.faulty else []
    return [Notes(notes)] if notes else []


def _labels(tally: Tally) -> list[Block]:
    rest = len(tally.labels) - _MOST_LABELS
    note = f"{rest:,} rarer labels are not listed." if rest > 0 else ""
    items = tally.labels.most_common(_MOST_LABELS)
    return [Counts("Predicted labels", items, note, labels=True)] if items else []


def _lead(manifest: Mapping[str, Any]) -> str:
    sessions, asked = manifest.get("sessions"), _asked(manifest)
    said = ["A run of emowhy", *([str(manifest["state"])] if manifest.get("state") else [])]
    if isinstance(sessions, list) and sessions and isinstance(sessions[0], Mapping) and sessions[0].get("started"):
        said.append(f"begun {_when(plain(sessions[0]['started']))}")
    with_what = " · ".join(f"{name} {plain(asked[name])}" for name in _LEAD if asked.get(name))
    return ", ".join(said) + "." + (f" {with_what}" if with_what else "")


def _when(started: str) -> str:
    """A time of the manifest without its seconds."""
    return re.sub(r"^(\d{4}-\d\d-\d\d)T(\d\d:\d\d).*Z$", r"\1 \2 UTC", started)


def _facts(manifest: Mapping[str, Any]) -> list[Block]:
    """What was asked for and with what, from the manifest; only keys that are known to hold no secret."""
    asked = _asked(manifest)
    run = [(name.replace("_", " "), _public(asked[name])) for name in _ASKED if asked.get(name) is not None]
    run += [("adapter", "none")] if "adapter" in asked and asked["adapter"] is None else []
    hashes = [(name.replace("_", " "), plain(asked[name])) for name in _HASHES if asked.get(name)]
    hashes += [("fingerprint", plain(manifest["fingerprint"]))] if manifest.get("fingerprint") else []
    versions = manifest.get("versions")
    listed = [(name, plain(value)) for name, value in versions.items()] if isinstance(versions, Mapping) else []
    parts = {"Asked for": run, "Licences": _licences(asked), "Versions": listed, "Hashes": hashes}
    return [Facts(title, pairs, "folded") for title, pairs in parts.items() if pairs]


def _licences(asked: Mapping[str, Any]) -> list[tuple[str, str]]:
    found = [(f"{plain(asked.get('model'))} (model)", plain(asked["licence"]))] if asked.get("licence") else []
    specialists = asked.get("specialists")
    for specialist in specialists if isinstance(specialists, list) else ():
        named = specialist if isinstance(specialist, Mapping) else {"name": specialist}
        what = plain(named.get("licence") or "licence not stated")
        what += f"; trained on {plain(named['data'])}" if named.get("data") else ""
        found.append((f"{plain(named.get('name'))} (specialist)", what))
    return found


def _asked(manifest: Mapping[str, Any]) -> Mapping[str, Any]:
    asked = manifest.get("asked")
    return asked if isinstance(asked, Mapping) else {}


def _public(value: Any) -> str:
    """A value in words, a URL without the user and password that it may hold."""
    return _PASSWORD.sub("", plain(value))
