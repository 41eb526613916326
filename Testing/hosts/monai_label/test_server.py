"""The MONAI Label app, called over HTTP: the voxels and the place of ``ctsgan enhance``."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest
import SimpleITK

from ctsgan.cli import main
from ctsgan.io.files import read_volume
from ctsgan.models import scales
from hosts.monai_label.server import Server, curl, started


def by_slicers_client(server: Server, call: str, **values: object) -> str:
    """What ``call`` prints, with ``client``, the client of Slicer's module, and ``values``."""
    code = (
        "import json, sys; from monailabel.client import MONAILabelClient; values = json.loads(sys.argv[2]); "
        f"client = MONAILabelClient(sys.argv[1], values['folder']); {call}"
    )
    command = [server.python, "-c", code, server.url, json.dumps(values)]
    return subprocess.run(
        command, env=server.environment, capture_output=True, text=True, check=True, timeout=300
    ).stdout


def require_same(result: Path, source: Path, folder: Path, *options: str) -> None:
    """The voxels and the affine that the command line gives for the same source and options."""
    expected = folder / "expected.nii.gz"
    assert main(["enhance", str(source), str(expected), "--progress", "none", *options]) == 0
    got, wanted = read_volume(result), read_volume(expected)
    assert got.voxels.dtype == wanted.voxels.dtype
    np.testing.assert_array_equal(got.voxels, wanted.voxels)
    np.testing.assert_allclose(got.affine, wanted.affine, atol=1e-4)


@pytest.mark.parametrize("scale", scales("light"))
def test_curl_gets_what_the_command_line_writes(server, tmp_path, scale):
    parameters = {"scale": scale, "strength": 0.0, "device": "cpu"}
    output = tmp_path / "fine.nii.gz"
    assert curl(server, "/infer/ct_enhance?image=slab&output=image", output, parameters) == 200
    require_same(output, server.folder / "studies/slab.nii.gz", tmp_path, "--scale", str(scale))


def test_an_uploaded_file_is_enhanced_too(server, slab, tmp_path):
    source = server.folder / "studies/slab.nii.gz"
    output = tmp_path / "fine.mha"
    parameters = {"result_extension": ".mha"}
    assert curl(server, "/infer/ct_enhance?output=image", output, parameters, "--form", f"file=@{source}") == 200
    require_same(output, source, tmp_path)


def test_slicers_client_gets_hu_in_place_though_it_asks_for_labels(server, tmp_path):
    source = tmp_path / "volume.nrrd"
    SimpleITK.WriteImage(SimpleITK.ReadImage(str(server.folder / "studies/slab.nii.gz")), str(source))
    # what Slicer's module does: the options that the server lists first, its own wishes, a volume sent as a session
    choices = server.info()["models"]["ct_enhance"]["config"]
    parameters = {name: values[0] for name, values in choices.items()}
    parameters |= {"result_extension": ".nrrd", "result_dtype": "uint8"}
    call = (
        "session = client.create_session(values['source'])['session_id']; "
        "path, facts = client.infer('ct_enhance', 'volume', values['parameters'], session_id=session); "
        "print(json.dumps([path, facts]))"
    )
    answer = by_slicers_client(server, call, folder=str(tmp_path), source=str(source), parameters=parameters)
    path, facts = json.loads(answer.splitlines()[-1])
    assert Path(path).suffix == ".nrrd"
    assert facts["shape"] == [3, 128, 96]
    require_same(Path(path), source, tmp_path)


def test_progress_is_in_the_log(server, tmp_path):
    assert curl(server, "/infer/ct_enhance?image=slab&output=image", tmp_path / "fine.nii.gz", {}) == 200
    for number in (1, 2, 3):
        assert f"ct_enhance: slice {number} of 3" in server.log


@pytest.mark.parametrize(
    ("image", "parameters", "sentence"),
    [
        ("slab", {"scale": 3}, "is not offered for x3"),
        ("slab", {"scale": "big"}, "scale must be 1, 2 or 4, not big"),
        ("slab", {"strength": "very"}, "strength must be low, medium, high or a number"),
        ("slab", {"device": "abacus"}, "there is no device 'abacus'"),
        ("slab", {"result_extension": ".dcm"}, "result_extension must be one of"),
        ("broken", {}, "broken.nii.gz"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_sentence(server, tmp_path, image, parameters, sentence):
    output = tmp_path / "answer.json"
    assert curl(server, f"/infer/ct_enhance?image={image}&output=image", output, parameters) == 422
    assert sentence in json.loads(output.read_text())["detail"]


def test_dicom_files_are_refused_in_a_sentence(server, series, tmp_path):
    output, form = tmp_path / "answer.json", f"file=@{series / '000'};filename=slice.dcm"
    assert curl(server, "/infer/ct_enhance?output=image", output, {}, "--form", form) == 422
    assert "DICOMweb" in json.loads(output.read_text())["detail"]


def test_nothing_is_left_behind(server, tmp_path):
    assert curl(server, "/infer/ct_enhance?image=slab&output=image", tmp_path / "fine.nii.gz", {}) == 200
    assert curl(server, "/infer/ct_enhance?image=broken&output=image", tmp_path / "answer.json", {}) == 422
    assert [path.name for path in (server.folder / "temporary").rglob("*ct_enhance*")] == []


def test_another_apps_model_is_served_beside_it(server, slab, tmp_path):
    info = server.info()
    assert info["name"] == "Bones with CTsGANEnhance"
    assert list(info["models"]) == ["bones", "ct_enhance"]
    assert info["labels"] == ["bone"]
    for model in ("bones", "ct_enhance", "bones"):
        output = tmp_path / f"{model}.nii.gz"
        assert curl(server, f"/infer/{model}?image=slab&output=image", output, {}) == 200
    bones = SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(tmp_path / "bones.nii.gz")))
    np.testing.assert_array_equal(bones, slab.voxels > 300)


def test_it_is_served_alone_too(host_python, host_environment, slab, server, tmp_path):
    (tmp_path / "studies").mkdir()
    with started(host_python("monai_label"), host_environment, tmp_path) as alone:
        assert list(alone.info()["models"]) == ["ct_enhance"]
        source = server.folder / "studies/slab.nii.gz"
        output = tmp_path / "fine.nii.gz"
        assert curl(alone, "/infer/ct_enhance?output=image", output, {}, "--form", f"file=@{source}") == 200
        require_same(output, source, tmp_path)
