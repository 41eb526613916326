"""Which volumes train and which validate, with no patient in both."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..errors import CTError
from ..io.files import find_volumes, is_dicom_folder

SPLITS = {"train": "training", "val": "validation"}
"""Names of the two splits, and their keys in a datalist of the Medical Segmentation Decathlon's form."""

IDENTITIES = ("PatientID", "StudyInstanceUID", "FrameOfReferenceUID")
"""What tells DICOM patients apart; anonymised series often have no PatientID."""

HELD_OUT = 0.1
"""Share of the patients that validate where a dataset does not say who does."""


def find_sources(dataset: str | Path, split: str) -> list[dict[str, Any]]:
    """The volumes of one split of a dataset.

    Args:
        dataset: one of

            - a folder with ``train`` and ``val`` in it, each with volumes of any kind that can be read (DICOM
              series in sub-folders too);
            - any other folder of volumes, of which about a tenth of the patients validate, the same ones each time;
            - a JSON datalist with the keys ``training`` and ``validation``, lists of ``{"image": path}``, paths
              relative to the datalist; an entry may name its ``patient``.
        split: "train" or "val".

    Returns:
        dictionaries with ``image`` (path) and ``patient``: as given, else a hash of the first of the DICOM
        attributes :data:`IDENTITIES` that is filled, else the path itself.

    Raises:
        CTError: if there is no volume in either split, or a patient is in both.
    """
    dataset = Path(dataset)
    if dataset.suffix.lower() == ".json":
        found = _from_datalist(dataset)
    elif all((dataset / name).is_dir() for name in SPLITS):
        found = {name: _entries(find_volumes(dataset / name, recursive=True)) for name in SPLITS}
    elif dataset.is_dir():
        found = _divided(_entries(find_volumes(dataset, recursive=True)))
    else:
        raise CTError(f"there is no dataset {dataset}; give a folder of CT volumes or a JSON datalist")
    for name, entries in found.items():
        if not entries:
            raise CTError(f"{dataset} has no volume for {name}; put some into {dataset / name}, or name them in a list")
    shared = {entry["patient"] for entry in found["train"]} & {entry["patient"] for entry in found["val"]}
    if shared:
        raise CTError(
            f"patient {sorted(shared)[0]} is in both splits of {dataset}; keep each patient's volumes in one of them"
        )
    return found[split]


def _from_datalist(path: Path) -> dict[str, list[dict[str, Any]]]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return {
            name: _entries(
                [path.parent / item["image"] for item in content[key]], [item.get("patient") for item in content[key]]
            )
            for name, key in SPLITS.items()
        }
    except FileNotFoundError:
        raise CTError(f"there is no datalist {path}; check the name") from None
    except (json.JSONDecodeError, KeyError, TypeError) as error:
        raise CTError(
            f"{path} is not a datalist ({error!r}); it needs the keys training and validation, lists of "
            '{"image": path}'
        ) from None


def _entries(paths: list[Path], patients: Sequence[str | None] | None = None) -> list[dict[str, Any]]:
    named = patients or [None] * len(paths)
    return [{"image": path, "patient": patient or _patient(path)} for path, patient in zip(paths, named, strict=True)]


def _patient(path: Path) -> str:
    """Who it is: files without patients in them count as one patient each."""
    if is_dicom_folder(path):
        from pydicom import dcmread

        for file in sorted(path.iterdir()):
            if file.is_file() and not file.name.startswith("."):
                header = dcmread(file, force=True, stop_before_pixels=True)
                identity = next((str(header[name].value) for name in IDENTITIES if header.get(name)), None)
                if identity:
                    return hashlib.sha256(identity.encode()).hexdigest()[:16]
    return str(path)


def _divided(entries: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """The patients with the smallest hashes validate: more data later moves nobody but by the new share."""

    def rank(patient: str) -> str:
        return hashlib.sha256(Path(patient).name.encode()).hexdigest()

    patients = sorted({entry["patient"] for entry in entries}, key=rank)
    held_out = set(patients[: max(1, round(HELD_OUT * len(patients)))])
    return {
        "train": [entry for entry in entries if entry["patient"] not in held_out],
        "val": [entry for entry in entries if entry["patient"] in held_out],
    }
