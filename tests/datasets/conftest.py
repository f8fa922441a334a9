"""What the tests of data sets share: files written here, read as one of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from emowhy.datasets import find_dataset
from emowhy.read import Rejected
from emowhy.types import Sample


@pytest.fixture
def outcomes(tmp_path: Path) -> Callable[[str, Mapping[str, str | bytes], str], tuple[list[Sample], list[Rejected]]]:
    """(data set's name, its files, split) -> the samples and the rejected rows."""

    def read(name: str, files: Mapping[str, str | bytes], split: str) -> tuple[list[Sample], list[Rejected]]:
        for file, content in files.items():
            (tmp_path / file).write_bytes(content.encode() if isinstance(content, str) else content)
        rows = list(find_dataset(name).read(tmp_path, split))
        return [row for row in rows if isinstance(row, Sample)], [row for row in rows if isinstance(row, Rejected)]

    return read
