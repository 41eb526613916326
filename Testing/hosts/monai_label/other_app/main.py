"""Another app, as others write them: a model of its own that it finds in a package named lib."""

from lib.bones import BonesTask
from monailabel.interfaces.app import MONAILabelApp


class MyApp(MONAILabelApp):
    def __init__(self, app_dir, studies, conf):
        super().__init__(app_dir=app_dir, studies=studies, conf=conf, name="Bones")

    def init_infers(self):
        return {"bones": BonesTask(self.app_dir)}
