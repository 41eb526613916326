"""An archive by DIMSE: C-FIND, C-GET or C-MOVE, and C-STORE."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pydicom import Dataset, dcmread
from pydicom.uid import (
    JPEG2000,
    UID,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
    RLELossless,
)
from pynetdicom import AE, build_context, build_role, evt
from pynetdicom.association import Association
from pynetdicom.presentation import PresentationContext
from pynetdicom.sop_class import (
    StudyRootQueryRetrieveInformationModelFind,
    StudyRootQueryRetrieveInformationModelGet,
    StudyRootQueryRetrieveInformationModelMove,
)

from ctsgan.errors import CTError

from .archive import STORED_CLASSES, SeriesFound, Stored, identity
from .security import Tls

UNCOMPRESSED = [ExplicitVRLittleEndian, ImplicitVRLittleEndian]

COMPRESSED = [
    JPEGLosslessSV1,
    JPEGLossless,
    JPEGLSLossless,
    JPEGLSNearLossless,
    JPEG2000Lossless,
    JPEG2000,
    RLELossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
]

PENDING = (0xFF00, 0xFF01)

SECONDS = 60
"""Without an answer, before a connection is given up."""


@dataclass(frozen=True)
class Node:
    """Where an archive listens.

    Args:
        aet: its application entity title.
        host, port: its address.
        calling: the title by which we are known to it.
        tls: ``None`` for a plain connection.
        move_port: where we listen for what a C-MOVE sends; ``None`` retrieves by C-GET.
    """

    aet: str
    host: str
    port: int
    calling: str = "CTSGAN"
    tls: Tls | None = None
    move_port: int | None = None


def accepted_contexts() -> list[PresentationContext]:
    """For who waits for images: one for each class, with every encoding."""
    return [build_context(kind, [*UNCOMPRESSED, *COMPRESSED]) for kind in STORED_CLASSES]


def offered_contexts() -> list[PresentationContext]:
    """For who asks for images: one for each class and encoding, so that each can come as it is stored."""
    syntaxes = [UNCOMPRESSED, *([syntax] for syntax in COMPRESSED)]
    return [build_context(kind, offered) for kind in STORED_CLASSES for offered in syntaxes]


class DimseArchive:
    """See :class:`ctsgan_pacs.archive.Archive`."""

    def __init__(self, node: Node) -> None:
        self.node = node

    def __str__(self) -> str:
        return f"{self.node.aet} at {self.node.host}:{self.node.port}"

    def find(self, *, study: str | None = None, accession: str | None = None) -> list[SeriesFound]:
        studies = [study] if study else [found.StudyInstanceUID for found in self._query("STUDY", accession=accession)]
        return [
            SeriesFound(
                str(study_uid),
                *(str(found.get(f"Series{what}", "")) for what in ("InstanceUID", "Number", "Description")),
                str(found.get("Modality", "")),
            )
            for study_uid in studies
            for found in self._query("SERIES", study=study_uid)
        ]

    def _query(self, level: str, study: str = "", accession: str | None = None) -> list[Dataset]:
        wanted = Dataset()
        wanted.QueryRetrieveLevel, wanted.StudyInstanceUID = level, study
        if accession is not None:
            wanted.AccessionNumber = accession
        if level == "SERIES":
            wanted.SeriesInstanceUID = wanted.SeriesDescription = wanted.Modality = ""
            wanted.SeriesNumber = None
        return self._matches(wanted)

    def _matches(self, wanted: Dataset) -> list[Dataset]:
        model = StudyRootQueryRetrieveInformationModelFind
        found = []
        with self._associated([build_context(model)]) as association:
            for status, identifier in association.send_c_find(wanted, model):
                self._require_success(status, "the query", PENDING)
                if identifier is not None:
                    found.append(identifier)
        return found

    def holds(self, file: Path) -> bool:
        wanted = Dataset()
        wanted.QueryRetrieveLevel = "IMAGE"
        wanted.StudyInstanceUID, wanted.SeriesInstanceUID, wanted.SOPInstanceUID = identity(file)
        try:
            return bool(self._matches(wanted))
        except CTError:
            return False

    def retrieve(self, series: SeriesFound, folder: Path) -> None:
        wanted = Dataset()
        wanted.QueryRetrieveLevel = "SERIES"
        wanted.StudyInstanceUID, wanted.SeriesInstanceUID = series.study_uid, series.uid

        def receive(event: evt.Event) -> int:
            number = len(list(folder.iterdir()))
            (folder / f"{number:05d}.dcm").write_bytes(event.encoded_dataset())
            return 0x0000

        handlers = [(evt.EVT_C_STORE, receive)]
        if self.node.move_port is None:
            self._get(wanted, handlers)
        else:
            self._move(wanted, handlers, self.node.move_port)
        if not any(folder.iterdir()):
            raise CTError(f"{self} sent no image of series {series.uid}; check that it is CT and still there")

    def _get(self, wanted: Dataset, handlers: list) -> None:
        model = StudyRootQueryRetrieveInformationModelGet
        roles = [build_role(kind, scp_role=True) for kind in STORED_CLASSES]
        contexts = [build_context(model), *offered_contexts()]
        with self._associated(contexts, ext_neg=roles, evt_handlers=handlers) as association:
            for status, _ in association.send_c_get(wanted, model):
                self._require_success(status, "C-GET", PENDING)

    def _move(self, wanted: Dataset, handlers: list, port: int) -> None:
        model = StudyRootQueryRetrieveInformationModelMove
        receiver = AE(self.node.calling)
        receiver.require_called_aet = True
        context = self.node.tls.server() if self.node.tls else None
        try:
            server = receiver.start_server(
                ("", port), block=False, contexts=accepted_contexts(), evt_handlers=handlers, ssl_context=context
            )
        except OSError:
            raise CTError(f"port {port} is taken, where C-MOVE should send to; choose another --move-port") from None
        try:
            with self._associated([build_context(model)]) as association:
                for status, _ in association.send_c_move(wanted, self.node.calling, model):
                    self._require_success(status, "C-MOVE", PENDING)
        finally:
            server.shutdown()

    def store(self, files: Sequence[Path], stored: Stored) -> None:
        kinds = dict.fromkeys(_kind(file) for file in files)
        contexts = [build_context(kind, syntax) for kind, syntax in kinds]
        with self._associated(contexts) as association:
            for file in files:
                try:
                    status = association.send_c_store(file)
                except (RuntimeError, ValueError):
                    raise CTError(f"{self} accepts no {_kind(file)[1].name} or ended the association") from None
                self._require_success(status, "C-STORE", ())
                stored(file)

    @contextmanager
    def _associated(self, contexts: list[PresentationContext], **options: object) -> Iterator[Association]:
        entity = AE(self.node.calling)
        entity.connection_timeout = entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = SECONDS
        if self.node.tls:
            options["tls_args"] = (self.node.tls.client(), self.node.host)
        association = entity.associate(
            self.node.host, self.node.port, contexts=contexts, ae_title=self.node.aet, **options
        )
        if not association.is_established:
            how = "rejected us" if association.is_rejected else "does not answer"
            raise CTError(f"{self} {how}; check title, host, port and TLS, and that it knows {self.node.calling}")
        try:
            yield association
        finally:
            association.release()

    def _require_success(self, status: Dataset, what: str, others: tuple[int, ...]) -> None:
        if "Status" not in status:
            raise CTError(f"{self} ended the association during {what}; try again")
        if status.Status not in (0x0000, *others):
            raise CTError(f"{self} answered {what} with status 0x{status.Status:04X}; its log says why")


def _kind(file: Path) -> tuple[UID, UID]:
    meta = dcmread(file, stop_before_pixels=True, specific_tags=[]).file_meta
    return meta.MediaStorageSOPClassUID, meta.TransferSyntaxUID
