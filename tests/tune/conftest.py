"""What the tests of trainings share: a small base, and one thread, which is quicker for it than several."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tune.training import make_base, one_thread


@pytest.fixture(scope="module")
def one_threaded() -> Iterator[None]:
    with one_thread():
        yield


@pytest.fixture(scope="module")
def base(embedded: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny network with the embedded model's tokenizer."""
    return make_base(tmp_path_factory.mktemp("base"), embedded)
