"""The bundle as MONAI's own tools see it."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import onnxruntime
import pytest
import torch
from monai.bundle import ConfigParser, create_workflow
from monai.data import MetaTensor

from ctsgan.cli import main
from ctsgan.geometry import cropped_affine
from ctsgan.inferer import VolumeEnhancer
from ctsgan.io.files import write_volume
from ctsgan.models import load_generator
from ctsgan.paths import bundle_root

ROOT = Path(__file__).resolve().parents[2]
BUNDLE = ROOT / "monai_bundle"
CONFIGS = BUNDLE / "configs"

SCHEMA = {
    "type": "object",
    "required": [
        "schema",
        "version",
        "monai_version",
        "pytorch_version",
        "numpy_version",
        "required_packages_version",
        "task",
        "description",
        "authors",
        "copyright",
        "network_data_format",
    ],
    "properties": {
        "changelog": {"type": "object"},
        "references": {"type": "array", "items": {"type": "string"}},
        "network_data_format": {
            "type": "object",
            "required": ["inputs", "outputs"],
            "additionalProperties": {
                "additionalProperties": {
                    "required": ["type", "format", "num_channels", "spatial_shape", "dtype", "value_range"]
                }
            },
        },
    },
}
"""What MONAI's metadata schema of 2024-07-25 requires, since tests do not download it."""


def monai_bundle(*arguments, cwd=ROOT):
    command = [sys.executable, "-m", "monai.bundle", *map(str, arguments)]
    environment = {"PYTHONPATH": str(BUNDLE), "PATH": "/usr/bin:/bin", "HOME": str(cwd)}
    result = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=600)
    assert result.returncode == 0, result.stdout[-2000:] + result.stderr[-4000:]
    return result.stdout + result.stderr


@pytest.fixture
def dataset(clinical_volume, tmp_path):
    """A folder with one small NIfTI volume of the clinical CT, in place."""
    folder = tmp_path / "dataset"
    folder.mkdir()
    voxels = np.ascontiguousarray(clinical_volume.voxels[8:10, 200:264, 150:198])
    affine = cropped_affine(clinical_volume.affine, (150, 200, 8))
    write_volume(replace(clinical_volume, voxels=voxels, affine=affine, header={}), folder / "ct.nii.gz")
    return folder


def assert_same(bundle_file, cli_file):
    bundle, cli = nib.load(bundle_file), nib.load(cli_file)
    np.testing.assert_array_equal(np.asarray(bundle.dataobj), np.asarray(cli.dataobj))
    np.testing.assert_allclose(bundle.affine, cli.affine, atol=1e-6)
    assert bundle.get_data_dtype() == cli.get_data_dtype() == np.int16


def test_bundle_run_and_command_line_give_the_same_voxels(dataset, tmp_path):
    monai_bundle(
        *("run", "--config_file", CONFIGS / "inference.json", "--bundle_root", BUNDLE),
        *("--dataset_dir", dataset, "--output_dir", tmp_path / "out"),
    )
    assert main(["enhance", str(dataset / "ct.nii.gz"), str(tmp_path / "cli.nii.gz")]) == 0
    assert_same(tmp_path / "out" / "ct_x2.nii.gz", tmp_path / "cli.nii.gz")


@pytest.mark.parametrize(
    ("model", "scale", "fidelity"),
    [("light", 2, 20.0), ("light", 4, 0), ("full", 1, 5.0), ("full", 2, 5.0), ("ctsgan", 4, 5.0)],
)
def test_a_workflow_with_other_settings_does_too(dataset, tmp_path, model, scale, fidelity):
    workflow = create_workflow(
        workflow_type="infer",
        config_file=str(CONFIGS / "inference.json"),
        logging_file=False,
        bundle_root=str(BUNDLE),
        dataset_dir=str(dataset),
        output_dir=str(tmp_path / "out"),
        model=model,
        scale=scale,
        fidelity_mm=fidelity,
        progress="none",
    )
    workflow.run()
    options = ["--model", model, "--scale", str(scale), "--fidelity", str(fidelity or "off")]
    assert main(["enhance", str(dataset / "ct.nii.gz"), str(tmp_path / "cli.nii.gz"), *options]) == 0
    assert_same(tmp_path / "out" / f"ct_x{scale}.nii.gz", tmp_path / "cli.nii.gz")


def test_metadata_is_valid(tmp_path):
    schema = tmp_path / "schema.json"
    schema.write_text(json.dumps(SCHEMA))
    output = monai_bundle("verify_metadata", "--meta_file", CONFIGS / "metadata.json", "--filepath", schema)
    assert "verified" in output


def test_network_takes_and_gives_what_the_metadata_says():
    monai_bundle(
        *("verify_net_in_out", "network_def", "--meta_file", CONFIGS / "metadata.json"),
        *("--config_file", CONFIGS / "inference.json", "--n", 9),
    )


@pytest.mark.parametrize("config", ["inference", "train_psnr"])
def test_required_properties_are_there(config, dataset, tmp_path):
    kind = "train" if config.startswith("train") else "infer"
    for split in ("train", "val"):
        (dataset / split).mkdir()
        nib.save(nib.load(dataset / "ct.nii.gz"), dataset / split / "ct.nii.gz")
    workflow = create_workflow(
        workflow_type=kind,
        config_file=str(CONFIGS / f"{config}.json"),
        meta_file=str(CONFIGS / "metadata.json"),
        logging_file=False,
        bundle_root=str(BUNDLE),
        dataset_dir=str(dataset),
        output_dir=str(tmp_path / "out"),
        patch_size=4,
    )
    assert workflow.check_properties() == []


def test_exported_torchscript_gives_the_same_output(tmp_path):
    exported = tmp_path / "model.ts"
    monai_bundle(
        *("ckpt_export", "network_def", "--filepath", exported, "--ckpt_file", BUNDLE / "models" / "light_x2.pt"),
        *("--meta_file", CONFIGS / "metadata.json", "--config_file", CONFIGS / "inference.json"),
    )
    image = torch.rand(1, 1, 36, 52)
    with torch.no_grad():
        expected = load_generator("light", 2)(image)
        np.testing.assert_allclose(torch.jit.load(exported)(image), expected, atol=1e-5)


def test_exported_onnx_takes_any_size(tmp_path):
    exported = tmp_path / "model.onnx"
    axes = {"image": {0: "batch", 2: "rows", 3: "columns"}, "pred": {0: "batch"}}
    names = {"input_names": ["image"], "output_names": ["pred"], "dynamic_axes": axes}
    monai_bundle(
        *("onnx_export", "network_def", "--filepath", exported, "--ckpt_file", BUNDLE / "models" / "light_x2.pt"),
        *("--meta_file", CONFIGS / "metadata.json", "--config_file", CONFIGS / "inference.json"),
        *("--input_shape", "[1,1,32,32]", "--converter_kwargs", names),
    )
    session = onnxruntime.InferenceSession(str(exported), providers=["CPUExecutionProvider"])
    generator = load_generator("light", 2)
    for shape in ((1, 1, 32, 32), (2, 1, 36, 52)):
        image = torch.rand(shape)
        with torch.no_grad():
            expected = generator(image)
        (result,) = session.run(None, {session.get_inputs()[0].name: image.numpy()})
        np.testing.assert_allclose(result, expected, atol=1e-4)


def test_the_inferer_moves_the_affine_of_each_volume_of_a_batch(abdomen):
    voxels = torch.from_numpy(abdomen[:, :32, :40].transpose(2, 1, 0).copy())
    affine = torch.diag(torch.tensor([-0.8, -0.8, 3.0, 1.0], dtype=torch.float64))
    batch = MetaTensor(voxels[None, None].repeat(2, 1, 1, 1, 1), meta={"affine": torch.stack([affine] * 2)})
    batch.is_batch = True
    result = VolumeEnhancer(progress="none")(batch, load_generator("light", 2))
    assert result.shape == (2, 1, 80, 64, 3)
    for moved in result.affine:
        np.testing.assert_allclose(np.diag(moved), (-0.4, -0.4, 3.0, 1.0))
        np.testing.assert_allclose(moved[:3, 3], (0.2, 0.2, 0.0))


def test_a_plain_tensor_is_enhanced_too(abdomen):
    voxels = torch.from_numpy(abdomen[:1, :32, :40].transpose(2, 1, 0).copy())[None, None]
    result = VolumeEnhancer(progress="none")(voxels, load_generator("light", 4))
    assert result.shape == (1, 1, 160, 128, 1)
    assert result.dtype == torch.int16


def below(config: str) -> list[str]:
    """The configs that one overrides."""
    overrides_training = config.startswith(("train_", "finetune")) and config != "train_psnr"
    others = {"evaluate": ["inference"], "distil": ["train_psnr", "train_taught"]}
    return others.get(config, ["train_psnr"] if overrides_training else [])


def test_configs_are_json_and_refer_to_nothing_missing():
    for path in CONFIGS.glob("*.json"):
        parser = ConfigParser()
        parser.read_config([str(CONFIGS / f"{name}.json") for name in (*below(path.stem), path.stem)])
        parser.parse()
    assert bundle_root() == BUNDLE
