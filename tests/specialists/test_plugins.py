"""Laws of plug-ins: a class in a file beside the input is found as `module:Name`, a wrong name meets its nearest."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from emowhy.engines import ENGINES, load_engine
from emowhy.errors import EmowhyError, MissingError, UsageError
from emowhy.plugins import find_plugin
from emowhy.reasoner import Reasoner
from emowhy.specialists import SPECIALISTS, Classifier, find_clues, load_specialists
from emowhy.taxonomy import find_taxonomy
from emowhy.types import Sample

GO = find_taxonomy("goemotions")
MODULE = """
import numpy as np
from emowhy.engines import Engine
from emowhy.specialists import Classifier, Specialist
from emowhy.types import Clue, Reply


class Shouting(Specialist):
    name = "shouting"
    kind = "style"

    def find_clues(self, samples, clues):
        return [[Clue("style", self.name, label="shouting")] if s.words().isupper() else [] for s in samples]


class Doubt(Specialist):
    name = "doubt"
    kind = "doubt"
    needs = ("emotion",)

    def find_clues(self, samples, clues):
        return [[Clue("doubt", self.name, value=float(sum(c.kind == "emotion" for c in known)))] for known in clues]


class Styled(Specialist):
    name = "styled"
    kind = "styled"
    needs = ("style",)

    def find_clues(self, samples, clues):
        return [[Clue("styled", self.name, value=float(any(c.kind == "style" for c in known)))] for known in clues]


class Always(Classifier):
    name = "always"

    def probabilities(self, texts):
        return np.array([[float("hate" in t)] * len(self.taxonomy.labels) for t in texts], dtype=np.float32)


class Labels(Specialist):
    name = "labels"
    kind = "emotion"

    def find_clues(self, samples, clues):
        return [[Clue("emotion", self.name, "anger", score=0.9, chosen=True)] for _ in samples]


class Parrot(Engine):
    name = "parrot"

    def __init__(self, model=None, adapter=None, say="joy"):
        self.say = say

    def generate(self, chats):
        return [Reply(text='{"emotions": ["%s"], "causes": []}' % self.say) for _ in chats]


class Mute(Engine):
    name = "mute"


number = 3
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The name of a module with plug-ins in the current directory, which is not on the path."""
    name = f"plugs_{tmp_path.name.replace('-', '_')}"
    (tmp_path / f"{name}.py").write_text(MODULE)
    (tmp_path / f"{name}_broken.py").write_text("import no_such_package_anywhere\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry not in ("", str(tmp_path))])
    yield name
    for loaded in (name, f"{name}_broken"):
        sys.modules.pop(loaded, None)


def test_a_specialist_from_a_file_in_the_current_directory_works(module: str) -> None:
    specialists = load_specialists([f"{module}:Shouting"], GO)
    assert [[c.label for c in clues] for clues in find_clues(specialists, [Sample("a", "NO"), Sample("b", "no")])] == [
        ["shouting"],
        [],
    ]


def test_an_engine_from_a_file_in_the_current_directory_works_with_its_options(module: str) -> None:
    reasoner = Reasoner.load(
        engine=f"{module}:Parrot", strategy="direct", specialists=(), engine_options={"say": "fear"}
    )
    answer = reasoner.explain("Boo")
    assert (answer.status, [e.label for e in answer.emotions]) == ("ok", ["fear"])


def test_an_engine_that_overrides_nothing_says_so(module: str) -> None:
    with pytest.raises(UsageError, match="Mute"):
        load_engine(f"{module}:Mute").generate([])


def test_a_specialist_that_needs_emotions_brings_the_shipped_one_and_sees_its_clues(module: str) -> None:
    specialists = load_specialists([f"{module}:Doubt"], GO)
    assert [s.name for s in specialists] == ["emotion", "doubt"]
    clues = find_clues(specialists, [Sample("a", "I am so angry")])[0]
    assert clues[-1].value == len(clues) - 1 > 0


def test_specialists_run_after_those_they_need_in_whatever_order_they_are_named(module: str) -> None:
    for names in (["Styled", "Shouting"], ["Shouting", "Styled"]):
        specialists = load_specialists([f"{module}:{name}" for name in names], GO)
        assert [s.name for s in specialists] == ["shouting", "styled"]
    with pytest.raises(UsageError, match="style"):
        load_specialists([f"{module}:Styled"], GO)


def test_occlusion_asks_the_classifier_that_was_named_and_no_other(module: str) -> None:
    specialists = load_specialists(["occlusion", f"{module}:Always"], GO)
    assert [s.name for s in specialists] == ["always", "occlusion"]
    assert isinstance(specialists[0], Classifier)
    found = find_clues(specialists, [Sample("a", "I hate it")])[0]
    assert [clue.quote for clue in found if clue.kind == "cause"] == ["hate"]
    with pytest.raises(UsageError, match="classifier"):
        load_specialists(["occlusion", f"{module}:Labels"], GO)


def test_a_specialist_named_twice_runs_once() -> None:
    assert [s.name for s in load_specialists(["occlusion", "emotion", "occlusion"], GO)] == ["emotion", "occlusion"]


@pytest.mark.parametrize(
    ("role", "wrong", "right", "shipped"),
    [("engine", "script", "scripted", ENGINES), ("specialist", "oclusion", "occlusion", SPECIALISTS)],
)
def test_an_unknown_name_meets_the_nearest_known_one(
    role: str, wrong: str, right: str, shipped: dict[str, str]
) -> None:
    with pytest.raises(UsageError) as caught:
        find_plugin(role, wrong, shipped)
    assert f"did you mean {right!r}" in caught.value.cure
    assert all(name in caught.value.cure for name in shipped)


def test_an_unknown_attribute_meets_the_nearest_of_the_module_and_no_dunder(module: str) -> None:
    with pytest.raises(UsageError) as caught:
        find_plugin("specialist", f"{module}:Shoutin", SPECIALISTS)
    assert "did you mean 'Shouting'" in caught.value.cure
    assert "__builtins__" not in str(caught.value)


def test_a_module_that_is_not_there_and_one_that_lacks_a_package_have_different_cures(module: str) -> None:
    with pytest.raises(MissingError) as absent:
        find_plugin("engine", "no_such_module_here:Parrot", ENGINES)
    assert "no_such_module_here.py" in absent.value.cure
    with pytest.raises(MissingError) as lacking:
        find_plugin("engine", f"{module}_broken:Parrot", ENGINES)
    assert "no_such_package_anywhere" in lacking.value.message
    assert "broken.py" not in lacking.value.cure


@pytest.mark.parametrize("name", ["", ":", ":Name", "module:", ".relative:Name", "..:x", "a..b:x"])
def test_half_an_address_is_an_error_with_a_cure(name: str) -> None:
    with pytest.raises(EmowhyError) as caught:
        find_plugin("engine", name, ENGINES)
    assert caught.value.cure


@pytest.mark.parametrize("thing", ["number", "Parrot", "np"])
def test_what_is_no_specialist_is_refused(module: str, thing: str) -> None:
    with pytest.raises(UsageError, match="no specialist"):
        load_specialists([f"{module}:{thing}"], GO)


def test_every_shipped_name_leads_to_a_class_of_its_role() -> None:
    for name in SPECIALISTS:
        assert isinstance(find_plugin("specialist", name, SPECIALISTS), type)
    assert load_engine("scripted").name == "scripted"
