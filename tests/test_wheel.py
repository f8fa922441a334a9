"""Laws of the wheel: it carries all it needs, and works without the checkout."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

pytest.importorskip("build")
pytest.importorskip("hatchling")

ROOT = Path(__file__).parents[1]

EXPLAIN = """
import json, sys
import emowhy
from emowhy import Reasoner
from emowhy.prompt import prompts_folder

reasoner = Reasoner.load(engine="scripted", strategy="two_stage", labels="ekman")
why = reasoner.explain("They cancelled my flight and nobody told us.")
print(json.dumps({
    "module": emowhy.__file__,
    "prompts": str(prompts_folder()),
    "status": why.status,
    "emotions": [emotion.label for emotion in why.emotions],
    "quotes": [cause.quote for cause in why.causes if cause.verified],
    "clues": sorted({clue.kind for clue in why.clues}),
    "files": sorted({m.__file__ for n, m in sys.modules.items() if n.split(".")[0] == "emowhy"}),
}))
"""


def run(*command: str, cwd: Path, **environment: str) -> str:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("EMOWHY_", "PYTHONPATH"))}
    done = subprocess.run(
        [sys.executable, *command], cwd=cwd, env=kept | environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("dist")
    run("-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(ROOT), cwd=out)
    (made,) = out.glob("*.whl")
    return made


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel's files and nothing else."""
    target = tmp_path_factory.mktemp("installed")
    options = ("--no-deps", "--no-index", "--no-compile", "--disable-pip-version-check")
    run("-m", "pip", "install", "--quiet", *options, "--target", str(target), str(wheel), cwd=target)
    return target


def test_the_wheel_carries_every_file_of_the_package_and_every_template(wheel: Path) -> None:
    held = set(zipfile.ZipFile(wheel).namelist())
    expected = {
        *(f"emowhy/{path.relative_to(ROOT / 'src' / 'emowhy')}" for path in (ROOT / "src" / "emowhy").rglob("*")),
        *(f"emowhy/prompts/{path.relative_to(ROOT / 'prompts')}" for path in (ROOT / "prompts").rglob("*.jinja")),
        *(f"emowhy/benchmarks/tasks/{path.name}" for path in (ROOT / "benchmarks" / "tasks").glob("*.yaml")),
    }
    expected = {name for name in expected if "__pycache__" not in name and "." in Path(name).name}
    assert expected <= held
    assert {
        "emowhy/py.typed",
        "emowhy/report/page.html.jinja",
        "emowhy/report/page.js",
        "emowhy/benchmarks/demo/demo.jsonl",
        "emowhy/prompts/_parts.jinja",
        "emowhy/prompts/two_stage/1-answer.jinja",
        "emowhy/specialists/weights/emotion/model.onnx",
        "emowhy/specialists/weights/emotion/tokenizer.json",
        "emowhy/specialists/weights/emotion/config.json",
        *(f"emowhy/taxonomies/{name}.tsv" for name in ("branches", "labels", "maps", "words")),
    } <= held


def test_the_wheel_carries_nothing_else(wheel: Path) -> None:
    held = zipfile.ZipFile(wheel).namelist()
    assert {name.partition("/")[0].partition("-")[0] for name in held} == {"emowhy"}
    assert not [name for name in held if "__pycache__" in name or name.endswith((".part", ".gguf"))]
    weights = [name for name in held if name.endswith(".safetensors")]
    assert weights == ["emowhy/adapters/smollm2-135m/adapter_model.safetensors"]


def test_the_wheel_stays_under_sixty_megabytes(wheel: Path) -> None:
    assert wheel.stat().st_size < 60e6


def test_a_text_is_explained_from_the_wheel_s_own_files(installed: Path, tmp_path: Path) -> None:
    told = json.loads(run("-c", EXPLAIN, cwd=tmp_path, PYTHONPATH=str(installed)))
    inside = str(installed / "emowhy") + os.sep
    assert told["module"].startswith(inside)
    assert told["prompts"] == f"{inside}prompts"
    assert all(file.startswith(inside) for file in told["files"])
    assert told["status"] == "ok"
    assert told["emotions"]
    assert told["quotes"] == ["They cancelled my flight"]
    assert "emotion" in told["clues"], "the specialist's weights were not found"


def test_a_file_is_explained_and_reported_from_the_wheel_s_own_files(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_text('{"id": "a", "text": "They cancelled my flight."}\n')
    line = ("-m", "emowhy", "explain", "in.jsonl", "-o", "run", "--engine", "scripted", "--json")
    summary = json.loads(run(*line, cwd=tmp_path, PYTHONPATH=str(installed)))
    assert summary["counts"] == {"ok": 1}
    assert "They cancelled" in (tmp_path / "run" / "report.html").read_text()
