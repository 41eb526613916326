"""An archive by DICOMweb: QIDO-RS, WADO-RS and STOW-RS."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
from dicomweb_client.web import DICOMwebClient
from pydicom import dcmread

from ctsgan.errors import CTError

from .archive import SeriesFound, Stored, identity
from .security import Tls

AS_STORED = (("application/dicom", "*"),)
"""Each image in the transfer syntax that the archive holds it in."""

SECONDS = 60
"""Without an answer, before a request is given up."""

TAGS = {"StudyInstanceUID": "0020000D", "SeriesInstanceUID": "0020000E", "SeriesNumber": "00200011"}
TAGS |= {"SeriesDescription": "0008103E", "Modality": "00080060"}


@dataclass(frozen=True)
class WebNode:
    """Where an archive serves DICOMweb.

    Args:
        url: its root, such as https://host/dicom-web.
        authorization: see :func:`ctsgan_pacs.security.read_authorization`; ``None`` for none.
        tls: for https; ``None`` trusts the system's authorities.
    """

    url: str
    authorization: str | None = None
    tls: Tls | None = None


class WebArchive:
    """See :class:`ctsgan_pacs.archive.Archive`."""

    def __init__(self, node: WebNode) -> None:
        self.node = node
        session = requests.Session()
        # no proxy and no .netrc of the environment: nothing but what the user named gets images or credentials
        session.trust_env = False
        if node.authorization:
            session.headers["Authorization"] = node.authorization
        if node.tls and node.tls.authority:
            session.verify = str(node.tls.authority)
        if node.tls and node.tls.certificate:
            session.cert = (str(node.tls.certificate), str(node.tls.key or node.tls.certificate))
        try:
            self._client = DICOMwebClient(node.url, session=session, timeout=SECONDS)
        except (TypeError, ValueError):
            raise CTError(f"{node.url} is not the address of a DICOMweb server, as https://host/dicom-web is") from None
        self._client.set_http_retry_params(retry=False)

    def __str__(self) -> str:
        return self.node.url

    def find(self, *, study: str | None = None, accession: str | None = None) -> list[SeriesFound]:
        with self._answering("the query"):
            if study:
                studies = [study]
            else:
                filters = {"AccessionNumber": accession}
                found = self._client.search_for_studies(search_filters=filters, get_remaining=True)
                studies = [_text(item, "StudyInstanceUID") for item in found]
            fields = ["SeriesDescription", "SeriesNumber"]
            return [
                SeriesFound(uid, *(_text(item, keyword) for keyword in list(TAGS)[1:]))
                for uid in studies
                for item in self._client.search_for_series(uid, fields=fields, get_remaining=True)
            ]

    def retrieve(self, series: SeriesFound, folder: Path) -> None:
        with self._answering("WADO-RS"):
            images = self._client.iter_series(series.study_uid, series.uid, media_types=AS_STORED)
            for number, image in enumerate(images):
                image.save_as(folder / f"{number:05d}.dcm", enforce_file_format=True)

    def store(self, files: Sequence[Path], stored: Stored) -> None:
        for file in files:
            with self._answering("STOW-RS"):
                answer = self._client.store_instances([dcmread(file)])
            if answer.get("FailedSOPSequence"):
                failed = answer.FailedSOPSequence[0].get("FailureReason", 0)
                raise CTError(f"{self} did not store an image (reason 0x{failed:04X}); its log says why")
            stored(file)

    def holds(self, file: Path) -> bool:
        study, series, instance = identity(file)
        try:
            with self._answering("the query"):
                return bool(
                    self._client.search_for_instances(study, series, search_filters={"SOPInstanceUID": instance})
                )
        except CTError:
            return False

    @contextmanager
    def _answering(self, what: str) -> Iterator[None]:
        """Failures of HTTP as sentences, which hold no part of a request: it may name the patient."""
        try:
            yield
        except requests.HTTPError as error:
            status = error.response.status_code
            hint = "check the credentials" if status in (401, 403) else "its log says why"
            raise CTError(f"{self} answered {what} with HTTP status {status}; {hint}") from None
        except requests.RequestException as error:
            kind = type(error).__name__
            raise CTError(f"{self} does not answer {what} ({kind}); check the address and certificates") from None


def _text(item: dict[str, Any], keyword: str) -> str:
    """The first value of an attribute in DICOM JSON, or ''."""
    return str(next(iter(item.get(TAGS[keyword], {}).get("Value", [])), ""))
