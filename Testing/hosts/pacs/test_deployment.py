"""What the Dockerfile and the compose file start, as plain processes: a CT that comes in comes out enhanced."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import yaml

from hosts.pacs.conftest import require_orthanc
from pacs.processes import PASSWORD, PLUGIN, ROOT, USER, Orthanc, Process, free_ports, running, wait_for
from pacs.series import small_series

FOLDER = ROOT / "Applications/PACS"


def test_a_series_in_the_archive_is_enhanced_without_further_ado(tmp_path: Path) -> None:
    require_orthanc()
    dicom, http, listener, web = free_ports(4)
    compose = yaml.safe_load((FOLDER / "compose.yaml").read_text())["services"]
    entry = json.loads(re.search(r"^ENTRYPOINT (\[.*\])$", (FOLDER / "Dockerfile").read_text(), re.MULTILINE)[1])
    places = {"/queue": str(tmp_path / "queue"), "0.0.0.0": "127.0.0.1", "archive": "127.0.0.1"}
    places |= {"11112": str(listener), "8080": str(web), "4242": str(dicom)}
    command = [places.get(word, word) for word in [*entry[1:], *compose["ctsgan"]["command"]]]

    settings = json.loads((FOLDER / "orthanc.json").read_text())
    assert settings["DicomModalities"]["ctsgan"][1:] == ["ctsgan", 11112]
    assert {volume.split(":")[0] for volume in compose["archive"]["volumes"]} >= {"./orthanc.json", "./route.lua"}
    settings |= {"DicomModalities": {"ctsgan": ["CTSGAN", "127.0.0.1", listener]}, "StableAge": 1}
    settings |= {"LuaScripts": [str(FOLDER / "route.lua")], "RegisteredUsers": {USER: PASSWORD}}
    settings |= {"DicomPort": dicom, "HttpPort": http, "Plugins": [str(PLUGIN)]}
    settings |= {"StorageDirectory": str(tmp_path / "storage")}
    archive = Orthanc(tmp_path / "orthanc", listener, **settings)
    archive.dicom_port, archive.http_port = archive.ports = dicom, http

    service = Process([sys.executable, "-m", "ctsgan", *command, "--settle", 1], [listener, web], tmp_path / "log")
    with running(archive), running(service):
        archive.upload(small_series(tmp_path / "source", 3))
        (made,) = wait_for(archive.enhanced, 60.0)
        wait_for(lambda: len(archive.series()[0]["Instances"]) == len(archive.enhanced()[0]["Instances"]) == 3)
        assert made["MainDicomTags"]["SeriesDescription"] == "CT Body 3.0 enhanced"
        assert service.stop() == 0
