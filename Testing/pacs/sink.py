"""An archive that only takes, and remembers every image it was ever sent."""

from __future__ import annotations

import threading
from collections import Counter
from io import BytesIO

from pydicom import Dataset, dcmread
from pynetdicom import AE, evt
from pynetdicom.sop_class import StudyRootQueryRetrieveInformationModelFind

from ctsgan_pacs.dimse import accepted_contexts
from pacs.processes import free_ports


class Sink:
    """Listens as SINK.

    ``answers`` holds statuses for the next images; after them, all are taken. ``deaf_after`` cuts the connection
    instead of acknowledging the image with that number, once it is kept.
    """

    def __init__(self) -> None:
        (self.port,) = free_ports(1)
        self.sent: Counter[str] = Counter()
        self.images: list[Dataset] = []
        self.answers: list[int] = []
        self.deaf_after = 0
        self._lock = threading.Lock()
        self._entity = AE("SINK")
        self._entity.require_called_aet = True
        self._entity.supported_contexts = accepted_contexts()
        self._entity.add_supported_context(StudyRootQueryRetrieveInformationModelFind)

    def start(self, tls: object = None) -> None:
        handlers = [(evt.EVT_C_STORE, self._store), (evt.EVT_C_FIND, self._find)]
        self._server = self._entity.start_server(
            ("127.0.0.1", self.port), block=False, evt_handlers=handlers, ssl_context=tls
        )

    def stop(self) -> None:
        self._server.shutdown()

    def options(self) -> list[object]:
        """Of `ctsgan pacs listen`, to send here."""
        return ["--aet", "SINK", "--port", self.port]

    def of_series(self) -> Counter[str]:
        """Images by SeriesInstanceUID."""
        return Counter(str(image.SeriesInstanceUID) for image in self.images)

    def _store(self, event: evt.Event) -> int:
        if self.answers:
            return self.answers.pop(0)
        image = dcmread(BytesIO(event.encoded_dataset()))
        with self._lock:
            self.sent[image.SOPInstanceUID] += 1
            self.images.append(image)
            cut = len(self.images) == self.deaf_after
        if cut:
            event.assoc.abort()
        return 0x0000

    def _find(self, event: evt.Event):
        wanted = event.identifier
        if wanted.SOPInstanceUID in self.sent:
            yield 0xFF00, wanted
