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
    "covidet": "emowhy.datasets.covidet:CovidEt",
    "dailydialog": "emowhy.datasets.dailydialog:DailyDialog",
    "dair_emotion": "emowhy.datasets.dair_emotion:DairEmotion",
    "emer": "emowhy.datasets.emer:Emer",
    "emer_v2": "emowhy.datasets.emer:EmerV2",
    "emer_zh": "emowhy.datasets.emer:EmerChinese",
    "emobank": "emowhy.datasets.emobank:EmoBank",
    "emobench_ea": "emowhy.datasets.emobench:EmoBenchEa",
    "emobench_eu": "emowhy.datasets.emobench:EmoBenchEu",
    "emocause": "emowhy.datasets.emocause:EmoCause",
    "emollms_aaid": "emowhy.datasets.emollms:EmollmsAaid",
    "emollms_aeb": "emowhy.datasets.emollms:EmollmsAeb",
    "emorynlp": "emowhy.datasets.meld:EmoryNlp",
    "emotion_stimulus": "emowhy.datasets.emotion_stimulus:EmotionStimulus",
    "emotionlines": "emowhy.datasets.emotionlines:EmotionLines",
    "empathetic_dialogues": "emowhy.datasets.empathetic_dialogues:EmpatheticDialogues",
    "goemotions": "emowhy.datasets.goemotions:GoEmotions",
    "isear": "emowhy.datasets.isear:Isear",
    "meld": "emowhy.datasets.meld:Meld",
    "merr": "emowhy.datasets.merr:Merr",
    "reccon": "emowhy.datasets.reccon:Reccon",
    "semeval2018_ec": "emowhy.datasets.semeval2018:Semeval2018Ec",
    "semeval2018_ei_oc": "emowhy.datasets.semeval2018:Semeval2018EiOc",
    "semeval2018_ei_reg": "emowhy.datasets.semeval2018:Semeval2018EiReg",
    "semeval2018_v_oc": "emowhy.datasets.semeval2018:Semeval2018VOc",
    "semeval2018_v_reg": "emowhy.datasets.semeval2018:Semeval2018VReg",
    "semeval2024": "emowhy.datasets.semeval2024:SemEval2024",
    "software_causes": "emowhy.datasets.software_causes:SoftwareCauses",
    "software_emotions": "emowhy.datasets.software_causes:SoftwareEmotions",
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
