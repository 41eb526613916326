"""The app that ``monailabel start_server`` loads: the task "ct_enhance", alone or beside another app's models."""

from __future__ import annotations

from pathlib import Path

from ct_enhance import NAME, EnhanceTask
from monailabel.config import settings
from monailabel.interfaces.app import MONAILabelApp
from monailabel.interfaces.exception import MONAILabelError, MONAILabelException
from monailabel.interfaces.tasks.infer_v2 import InferTask
from monailabel.utils.others.class_utils import get_class_of_subclass_from_file

BESIDE = settings.MONAI_LABEL_APP_CONF.get("beside")
"""Folder of another app, from ``--conf beside FOLDER``, whose models, training and strategies are served too."""


def neighbour() -> type[MONAILabelApp]:
    """The class of the other app, or where there is none one without models.

    Raises:
        MONAILabelException: if the folder holds no app.
    """
    if not BESIDE:
        return type("Alone", (MONAILabelApp,), {})
    program = Path(BESIDE) / "main.py"
    other = get_class_of_subclass_from_file("beside", str(program), "MONAILabelApp") if program.is_file() else None
    if other is None:
        raise MONAILabelException(MONAILabelError.APP_INIT_ERROR, f"{BESIDE} is not the folder of a MONAI Label app")
    return other


# the server looks for a class that names MONAILabelApp among its own bases
class EnhanceApp(neighbour(), MONAILabelApp):
    """The other app with one more inference task; its own folder is where it finds its models."""

    def __init__(self, app_dir: str, studies: str, conf: dict[str, str]) -> None:
        super().__init__(app_dir=BESIDE or app_dir, studies=studies, conf=conf)
        self.name = f"{self.name} with CTsGANEnhance" if self.name else "CTsGANEnhance"

    def init_infers(self) -> dict[str, InferTask]:
        return {**super().init_infers(), NAME: EnhanceTask()}
