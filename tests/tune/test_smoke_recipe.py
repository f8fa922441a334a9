"""The smoke recipe, from rows to a vLLM server on the CPU that answers with the adapter: the commands a user types."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from emowhy.engines.lora import adapter_name
from emowhy.engines.server import ServerEngine
from emowhy.engines.transformers import TransformersEngine
from engines.local import TEXTS, label_logprobs
from engines.serving import serve

pytestmark = pytest.mark.vllm

SMOKE = Path(__file__).parents[2] / "finetune" / "smoke.yaml"


def emowhy(*arguments: str | Path, cwd: Path) -> str:
    """What the command prints; a command that fails fails the test with its last words."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("EMOWHY_")}
    env |= {"EMOWHY_CACHE": os.environ["EMOWHY_CACHE"]} if "EMOWHY_CACHE" in os.environ else {}
    command = [sys.executable, "-m", "emowhy", *map(str, arguments)]
    done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{arguments}: {done.stdout[-2000:]}{done.stderr[-2000:]}"
    return done.stdout


def test_the_smoke_recipe_goes_from_rows_to_a_server_that_answers_with_its_adapter(
    embedded: Path, tmp_path: Path
) -> None:
    adapter = tmp_path / "runs" / "smoke"
    emowhy("tune", "rows", SMOKE, "-o", "rows/smoke", cwd=tmp_path)
    assert "\u2717" not in emowhy("tune", "audit", "rows/smoke", cwd=tmp_path)
    emowhy("tune", "run", SMOKE, "--rows", "rows/smoke", "-o", adapter, cwd=tmp_path)
    checked = emowhy("tune", "check", adapter, "--engine", "transformers", cwd=tmp_path)
    assert f"emowhy serve --model smollm2-135m --adapter {adapter}" in checked

    inputs = tmp_path / "texts.jsonl"
    inputs.write_text("".join(json.dumps({"id": str(i), "text": text}) + "\n" for i, text in enumerate(TEXTS)))
    with serve(adapter, tmp_path / "log") as served:
        asked = ("--engine", "server", "--base-url", served.url, "--adapter", adapter, "--strategy", "given")
        emowhy("explain", inputs, "-o", "run", *asked, cwd=tmp_path)
        with_it = label_logprobs(ServerEngine(base_url=served.url, adapter=str(adapter)))
        without = label_logprobs(ServerEngine(base_url=served.url))
    rows = [json.loads(line) for line in (tmp_path / "run" / "explanations.jsonl").read_text().splitlines()]
    assert [row["status"] for row in rows] == ["ok"] * len(TEXTS)
    assert adapter_name(adapter) in (tmp_path / "run" / "run.json").read_text()

    engine = TransformersEngine(adapter=str(adapter))
    peft = label_logprobs(engine)
    engine.close()
    effect = sum(abs(a - b) for a, b in zip(with_it, without, strict=True))
    assert effect > 2 * sum(abs(a - b) for a, b in zip(with_it, peft, strict=True))  # both round to bf16
