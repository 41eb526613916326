"""An archive that speaks DIMSE over TLS only, and wants to see a certificate."""

from __future__ import annotations

from pathlib import Path

import pytest
import trustme
from pydicom import dcmread

from ctsgan.cli import main
from hosts.pacs.conftest import require_orthanc
from pacs.processes import Orthanc, running
from pacs.series import small_series


@pytest.fixture
def certificates(tmp_path: Path) -> Path:
    """A folder with authority.pem, and a certificate and key for server and client."""
    folder = tmp_path / "certificates"
    folder.mkdir()
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "authority.pem")
    for name in ("server", "client"):
        issued = authority.issue_cert("127.0.0.1")
        issued.private_key_pem.write_to_path(folder / f"{name}.key")
        issued.cert_chain_pems[0].write_to_path(folder / f"{name}.crt")
    return folder


def test_a_study_goes_there_and_back(certificates: Path, tmp_path: Path, capfd) -> None:
    require_orthanc()
    settings = {
        "DicomTlsEnabled": True,
        "DicomTlsCertificate": str(certificates / "server.crt"),
        "DicomTlsPrivateKey": str(certificates / "server.key"),
        "DicomTlsTrustedCertificates": str(certificates / "authority.pem"),
    }
    archive = Orthanc(tmp_path / "orthanc", **settings)
    source = small_series(tmp_path / "source", 1)
    command = ["pacs", "enhance", "--study", dcmread(source / "000").StudyInstanceUID, "--scale", "1"]
    command += ["--progress", "none", "--aet", "ARCHIVE", "--port", str(archive.dicom_port), "--tls"]
    ours = ["--tls-certificate", str(certificates / "client.crt"), "--tls-key", str(certificates / "client.key")]
    trust = ["--tls-authority", str(certificates / "authority.pem")]
    with running(archive):
        archive.upload(source)
        assert main([*command, *ours, *trust]) == 0
        assert len(archive.enhanced()) == 1
        for lacking in (ours, trust):  # the system trusts no such authority; the archive wants a certificate
            assert main([*command, *lacking]) == 1
            assert "check title, host, port and TLS" in capfd.readouterr().err
