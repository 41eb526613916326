"""Many visitors of the web app at once: memory, times, errors.

    PYTHONPATH=Testing python Testing/benchmarks/web_load.py [--visitors 20] [--seconds 300]

A server is started, and each visitor sends it a file again and again (a volume, a DICOM series, a picture, in turn),
waits for the result and compares its voxels with those of the first answer; the tests compare such answers with the
command line's. One request of ten goes away while it waits. The environment is that of `make hosts`.
"""

from __future__ import annotations

import argparse
import hashlib
import http.client
import io
import json
import statistics
import tempfile
import threading
import time
import uuid
import zipfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from ctsgan.io.files import read_volume, write_volume
from ctsgan.volume import Volume
from hosts.environments import ENVIRONMENTS, ROOT
from hosts.web.server import Server, started

CT = ROOT / "data/totalsegmentator-2.18.0/tests/reference_files/example_ct_dicom"


@dataclass
class Seen:
    """What happened, of all visitors."""

    seconds: list[float] = field(default_factory=list)
    results: dict[str, str] = field(default_factory=dict)
    errors: Counter[str] = field(default_factory=Counter)
    lost: int = 0
    left: int = 0


def sources(folder: Path) -> dict[str, bytes]:
    """Three files of a real CT."""
    volume = read_volume(CT)
    part = Volume(np.ascontiguousarray(volume.voxels[8:12, 150:350, 130:330]), volume.affine)
    write_volume(part, folder / "part.nii.gz")
    grey = np.clip((part.voxels[0] + 160) * (255 / 400), 0, 255).astype(np.uint8)
    Image.fromarray(grey).save(folder / "slice.png")
    with zipfile.ZipFile(folder / "series.zip", "w") as archive:
        for path in sorted(CT.iterdir())[:2]:
            archive.write(path, path.name)
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def fingerprint(name: str, content: bytes) -> str:
    """Of what a result shows: a derived series has new identifiers each time, and gzip a time."""
    if name.endswith(".zip"):
        from pydicom import dcmread

        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            content = b"".join(dcmread(io.BytesIO(archive.read(one))).PixelData for one in sorted(archive.namelist()))
    elif name.endswith(".gz"):
        import gzip

        content = gzip.decompress(content)
    return hashlib.sha256(content).hexdigest()


def form(name: str, content: bytes) -> tuple[bytes, str]:
    """A file as the body of a request, and its type."""
    boundary = uuid.uuid4().hex
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'
    return head.encode() + content + f"\r\n--{boundary}--\r\n".encode(), f"multipart/form-data; boundary={boundary}"


def visit(server: Server, number: int, files: dict[str, bytes], end: float, seen: Seen, lock: threading.Lock) -> None:
    """One visitor, until the end."""
    turn = number
    while time.monotonic() < end:
        name, content = list(files.items())[turn % len(files)]
        leaves, turn = turn % 10 == 9, turn + 1
        began = time.monotonic()
        connection = http.client.HTTPConnection(server.url.removeprefix("http://"), timeout=2 if leaves else 600)
        try:
            body, kind = form(name, content)
            connection.request("POST", "/enhance", body, {"Content-Type": kind})
            answer = connection.getresponse()
            got = answer.read()
            with lock:
                if answer.status != 200:
                    seen.errors[json.loads(got)["detail"]] += 1
                    continue
                seen.seconds.append(time.monotonic() - began)
                mark = fingerprint(name, got)
                seen.lost += seen.results.setdefault(name, mark) != mark
        except TimeoutError:
            with lock:
                seen.left += 1
        except OSError as error:
            with lock:
                seen.errors[type(error).__name__] += 1
        finally:
            connection.close()


def resident(server: Server) -> int:
    """Bytes that the server and its processes hold at the moment, shared pages counted once."""
    total = 0
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            identity, parent = int(folder.name), int((folder / "stat").read_text().rsplit(")", 1)[1].split()[1])
            if server.process.pid in (identity, parent):
                total += int((folder / "smaps_rollup").read_text().split("Pss:")[1].split()[0]) * 1024
        except (OSError, ValueError, IndexError):
            continue
    return total


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--visitors", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=300.0)
    arguments = parser.parse_args()
    seen, lock, peak, alone = Seen(), threading.Lock(), 0, 0
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        (folder / "files").mkdir()
        files = sources(folder / "files")
        with started(ENVIRONMENTS / "web/bin/python", folder / "kept") as server:
            alone = resident(server)
            end = time.monotonic() + arguments.seconds
            visitors = [
                threading.Thread(target=visit, args=(server, number, files, end, seen, lock))
                for number in range(arguments.visitors)
            ]
            for visitor in visitors:
                visitor.start()
            while any(visitor.is_alive() for visitor in visitors):
                peak = max(peak, resident(server))
                time.sleep(0.5)
            # who went away is noticed within a second
            time.sleep(2)
            kept, after = len(server.kept()), resident(server)
    print(
        f"{arguments.visitors} visitors, {arguments.seconds:.0f} s: {len(seen.seconds)} results, {seen.left} went away"
    )
    print(
        f"errors {sum(seen.errors.values())} {dict(seen.errors)}, other voxels than the first {seen.lost}, kept {kept}"
    )
    if seen.seconds:
        longest, middle = max(seen.seconds), statistics.median(seen.seconds)
        print(f"seconds from sending to the result: median {middle:.1f}, longest {longest:.1f}")
    server_alone, most, then = (f"{count / 1e6:.0f} MB" for count in (alone, peak, after))
    print(f"memory: server alone {server_alone}, at most with its processes {most}, afterwards {then}")


if __name__ == "__main__":
    main()
