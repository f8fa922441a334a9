"""What `import emowhy` gives: every public name, and nothing heavy."""

from __future__ import annotations

import subprocess
import sys

import emowhy


def test_every_public_name_is_there_and_is_what_it_says() -> None:
    for name in emowhy.__all__:
        assert isinstance(getattr(emowhy, name), type), name


def test_importing_it_loads_nothing_heavy() -> None:
    heavy = "torch transformers vllm onnxruntime openai pyarrow numpy jinja2 typer rich"
    code = f"import sys, emowhy; print(*[name for name in '{heavy}'.split() if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
