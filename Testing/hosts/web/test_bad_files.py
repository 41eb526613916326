"""What cannot be read gives one sentence in the visitor's words, and costs no more than it may."""

from __future__ import annotations

import gzip
import io
import struct
import time
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
import pytest
from PIL import Image

from ctsgan.errors import CTError
from ctsgan_web.limits import WORKING_MEMORY, Limits
from ctsgan_web.service import Options, Service
from ctsgan_web.uploads import shown_name
from hosts.web.conftest import service_environment

MEMORY = WORKING_MEMORY + 500 * 10**6
"""So that volumes of 100 MB are the largest."""


def zipped(entries: dict[str, bytes]) -> bytes:
    """A zip file."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in entries.items():
            archive.writestr(name, data)
    return content.getvalue()


def lying_zip() -> bytes:
    """A zip file whose entry is said to hold 10 bytes, and holds 300 MB."""
    content = bytearray(zipped({"slab.nii": bytes(300 * 10**6)}))
    for signature, offset in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        at = content.index(signature) + offset
        content[at : at + 4] = struct.pack("<I", 10)
    return bytes(content)


def encrypted_zip() -> bytes:
    """A zip file whose entry is marked as encrypted."""
    content = bytearray(zipped({"slab.nii": b"x" * 100}))
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(signature) + offset] |= 1
    return bytes(content)


def large_png() -> bytes:
    """A PNG of 60000 x 60000 pixels in a few bytes."""
    header = struct.pack(">IIBBBBB", 60000, 60000, 8, 0, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(bytes(1000))), (b"IEND", b""))
    body = [
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(body)


def large_nifti() -> bytes:
    """A NIfTI file of 2000 x 2000 x 2000 voxels, compressed 1000 times."""
    import nibabel

    header = nibabel.Nifti1Header()
    header.set_data_dtype(np.int16)
    header.set_data_shape((2000, 2000, 2000))
    header.set_zooms((1, 1, 1))
    header["vox_offset"], header["magic"] = 352, b"n+1\0"
    return gzip.compress(header.binaryblock + bytes(4) + bytes(20 * 10**6))


def changed_slice(series: Path, **attributes: object) -> bytes:
    """A DICOM slice with other attributes."""
    dataset = pydicom.dcmread(min(series.iterdir()))
    for keyword, value in attributes.items():
        setattr(dataset, keyword, value)
    content = io.BytesIO()
    dataset.save_as(content)
    return content.getvalue()


def png(pixels: np.ndarray) -> bytes:
    """A picture."""
    content = io.BytesIO()
    Image.fromarray(pixels).save(content, "PNG")
    return content.getvalue()


NRRD = b"NRRD0004\ntype: short\ndimension: 3\nsizes: 4 4 4\nencoding: raw\ndata file: /etc/passwd\n\n"
META = b"ObjectType = Image\nNDims = 3\nDimSize = 4 4 4\nElementType = MET_UCHAR\nElementDataFile = /etc/passwd\n"
SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'

BAD: dict[str, tuple[str, Callable[[dict], bytes], str]] = {
    "a text as NIfTI": ("chest.nii.gz", lambda files: b"no volume", "chest.nii.gz is damaged, cut short"),
    "a volume cut short": (
        "cut.nrrd",
        lambda files: files[".nrrd"].read_bytes()[:5000],
        "cut.nrrd is damaged, cut short",
    ),
    "a volume of 16 GB in a small file": ("bomb.nii.gz", lambda files: large_nifti(), "bomb.nii.gz unpacks to 16.0 GB"),
    "a header that takes another file of the server": ("steal.nrrd", lambda files: NRRD, "names another file"),
    "the same in MetaImage": ("steal.mha", lambda files: META, "names another file"),
    "a header in a file of its own": ("slab.mhd", lambda files: META, "the header of a volume in two files"),
    "a zip that is none": ("series.zip", lambda files: b"PK\x03\x04 and no more", "series.zip is damaged, cut short"),
    "a zip cut short": ("cut.zip", lambda files: files[".zip"].read_bytes()[:3000], "cut.zip is damaged, cut short"),
    "a zip bomb": (
        "bomb.zip",
        lambda files: zipped({"a.nii": bytes(300 * 10**6)}),
        "bomb.zip unpacks to more than 100.0 MB",
    ),
    "a zip that lies about its size": ("lie.zip", lambda files: lying_zip(), "lie.zip is damaged"),
    "a zip of too many files": ("many.zip", lambda files: zipped({f"{n}.dcm": b"" for n in range(5001)}), "5001 files"),
    "an encrypted zip": ("secret.zip", lambda files: encrypted_zip(), "secret.zip is encrypted"),
    "a zip in a zip": ("nest.zip", lambda files: zipped({"in.zip": b"PK"}), "holds another archive"),
    "an empty zip": ("empty.zip", lambda files: zipped({}), "empty.zip holds no files"),
    "a zip of texts": ("texts.zip", lambda files: zipped({"a.txt": b"a"}), "holds no file that can be read"),
    "a zip whose entries climb": (
        "climb.zip",
        lambda files: zipped({"../../../../tmp/climbed.dcm": b"x"}),
        "climb.zip is not of a kind that can be read",
    ),
    "a broken DICOM slice": (
        "1.dcm",
        lambda files: min(files[".dcm"].iterdir()).read_bytes()[:20000],
        "truncated or damaged",
    ),
    "DICOM of huge dimensions": (
        "huge.dcm",
        lambda files: changed_slice(files[".dcm"], Rows=60000, Columns=60000),
        "huge.dcm",
    ),
    "DICOM that is no CT": ("mr.dcm", lambda files: changed_slice(files[".dcm"], Modality="MR"), "not CT but MR"),
    "a picture of 3600 million pixels": ("large.png", lambda files: large_png(), "more than 64 million pixels"),
    "a picture cut short": (
        "cut.png",
        lambda files: files[".png"].read_bytes()[:4000],
        "cut.png is damaged, cut short",
    ),
    "a picture of nothing": ("black.png", lambda files: png(np.zeros((64, 64), np.uint8)), "every pixel of black.png"),
    "SVG": ("logo.svg", lambda files: SVG, "logo.svg is not of a kind that can be read"),
    "SVG called PNG": ("logo.png", lambda files: SVG, "logo.png is damaged, cut short or no picture"),
    "an empty file": ("empty.nii", lambda files: b"", "empty.nii is damaged, cut short"),
    "no CT": ("mask.nrrd", lambda files: files[".nrrd"].read_bytes().replace(b"short", b"ushort"), "mask.nrrd"),
}


@pytest.fixture(scope="module")
def service():
    """One for all bad files."""
    patch = pytest.MonkeyPatch()
    service_environment(patch)
    made = Service(Limits(memory_bytes=MEMORY))
    yield made
    made.close()
    patch.undo()


def answer(service: Service, files: list[tuple[str, bytes]]) -> str:
    """What a visitor is told."""
    visitor = service.visitors.enter()
    try:
        stored = service.store(visitor, [(name, io.BytesIO(content)) for name, content in files])
        job = service.read(visitor, stored, Options())
        assert job.finished.wait(60)
        assert job.state == "failed"
        return job.error
    except CTError as error:
        return str(error)
    finally:
        service.visitors.leave(visitor.id)


@pytest.mark.parametrize("case", BAD)
def test_a_bad_file_is_refused_in_one_sentence(service, files, case):
    name, content, expected = BAD[case]
    started = time.monotonic()
    sentence = answer(service, [(name, content(files))])
    assert expected in sentence
    assert "\n" not in sentence
    assert "ctsgan-web-" not in sentence
    assert "u00000" not in sentence
    assert time.monotonic() - started < 30
    assert not Path("/tmp/climbed.dcm").exists()


def test_files_that_do_not_belong_together_are_refused(service, files):
    both = [("a.nrrd", files[".nrrd"].read_bytes()), ("b.mha", files[".mha"].read_bytes())]
    assert "2 files are there, such as a.nrrd, and they are not one series" in answer(service, both)


def test_an_upload_that_is_too_large_is_refused(service):
    assert "has 120.0 MB" in answer(service, [("large.nii", bytes(120 * 10**6))])
    assert "5001 files were sent" in answer(service, [("a.dcm", b"")] * 5001)
    assert "no file was sent" in answer(service, [])


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("../../etc/passwd.nii", "passwd.nii"),
        ("C:\\scans\\a.dcm", "a.dcm"),
        ("a\x00\n\x1b[31m.nii", "a[31m.nii"),
        ("<script>.png", "<script>.png"),
        (f"{'long' * 100}.nii.gz", f"{('long' * 100)[:60]}...nglonglong.nii.gz"),
    ],
)
def test_names_are_shown_without_paths_and_controls(name, shown):
    assert shown_name(name) == shown


def test_names_never_become_paths(service, files):
    visitor = service.visitors.enter()
    stored = service.store(visitor, [("../../escaped.nrrd", files[".nrrd"].open("rb"))])
    assert [path.name for path in stored.files.iterdir()] == ["u00000.nrrd"]
    assert stored.files.resolve().is_relative_to(visitor.folder.resolve())
    service.visitors.leave(visitor.id)
