"""A small dataset of real slices, and training by the bundle's own configs."""

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from monai.bundle import create_workflow

CONFIGS = Path(__file__).resolve().parents[2] / "monai_bundle" / "configs"


@pytest.fixture(scope="session")
def dataset(clinical_volume, tmp_path_factory):
    """Three slices to train and one to validate on, 288 x 288 pixels around the patient's middle."""
    folder = tmp_path_factory.mktemp("dataset")
    for split, chosen in (("train", slice(5, 8)), ("val", slice(12, 13))):
        (folder / split).mkdir()
        voxels = clinical_volume.voxels[chosen, 110:398, 110:398].transpose(2, 1, 0)
        nib.save(nib.Nifti1Image(voxels, np.diag([0.9765625, 0.9765625, 2.0, 1.0])), folder / split / "ct.nii.gz")
    return folder


@pytest.fixture(scope="session")
def train():
    """A function that trains as ``python -m monai.bundle run`` would and returns the trainer's state."""

    def run(dataset, output, configs=("train_psnr.json",), **settings):
        workflow = create_workflow(
            workflow_type="train",
            config_file=[str(CONFIGS / name) for name in configs],
            meta_file=str(CONFIGS / "metadata.json"),
            logging_file=False,
            bundle_root=str(CONFIGS.parent),
            dataset_dir=str(dataset),
            output_dir=str(output),
            **{"batch_size": 2, "epoch_length": 4, **settings},
        )
        workflow.run()
        return workflow.parser.get_parsed_content("train#trainer").state

    return run
