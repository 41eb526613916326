"""A label map of what is above a threshold that lies in the app's folder."""

import tempfile
from pathlib import Path

import SimpleITK
from monailabel.interfaces.tasks.infer_v2 import InferTask, InferType


class BonesTask(InferTask):
    def __init__(self, app_dir):
        super().__init__(type=InferType.SEGMENTATION, labels=["bone"], dimension=3, description="Above a threshold")
        self.threshold = float((Path(app_dir) / "threshold.txt").read_text())

    def is_valid(self):
        return True

    def __call__(self, request):
        path = tempfile.mkstemp(suffix=".nii.gz")[1]
        SimpleITK.WriteImage(SimpleITK.ReadImage(request["image"]) > self.threshold, path)
        return path, {}
