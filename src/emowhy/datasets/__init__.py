"""Public data sets: the user's files -> samples with gold. Found by name, by entry point (`emowhy.datasets`) or
as `module:Name`.

    dataset = find_dataset("goemotions")
    for row in dataset.read(find_folder(dataset, None), "dev"):
        ...

Nothing is downloaded and nothing is shipped: every data set states where its files are to be had, and its licence.
"""

from __future__ import annotations

from emowhy.datasets.base import DataSet, find_folder
from emowhy.errors import UsageError
from emowhy.plugins import find_plugin

__all__ = ["DATASETS", "DataSet", "find_dataset", "find_folder"]

DATASETS = {
    "emobank": "emowhy.datasets.emobank:EmoBank",
    "empathetic_dialogues": "emowhy.datasets.empathetic_dialogues:EmpatheticDialogues",
    "goemotions": "emowhy.datasets.goemotions:GoEmotions",
    "reccon": "emowhy.datasets.reccon:Reccon",
}


def find_dataset(name: str) -> DataSet:
    """The data set that is called `name`.

    Raises:
        UsageError: an unknown name (the nearest known one is named), or something that is no data set.
        MissingError: a module that is not there, or that imports what is not.
    """
    kind = find_plugin("dataset", name, DATASETS)
    if not (isinstance(kind, type) and issubclass(kind, DataSet)):
        raise UsageError(f"{name} is no data set", "derive it from emowhy.datasets.DataSet")
    return kind()
