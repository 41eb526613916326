"""The service's door for DIMSE: C-STORE and C-ECHO."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence

from pynetdicom import AE, build_context, evt
from pynetdicom.association import Association
from pynetdicom.pdu import P_DATA_TF
from pynetdicom.sop_class import Verification
from pynetdicom.transport import ThreadedAssociationServer

from ctsgan.errors import CTError, reason

from .dimse import SECONDS, accepted_contexts
from .inbox import Full, Inbox, Refused
from .security import Tls

SUCCESS, OUT_OF_RESOURCES, CANNOT_UNDERSTAND = 0x0000, 0xA700, 0xC000

ASSOCIATIONS = 20
"""At once; more are told to come back later."""

logger = logging.getLogger(__name__)


class Receiver:
    """Takes CT images from those who call us by our title.

    Args:
        inbox: where they go.
        title: ours; associations that call another are rejected.
        callers: titles that may call; empty lets everyone.
    """

    def __init__(self, inbox: Inbox, title: str, callers: Sequence[str] = ()) -> None:
        self._inbox = inbox
        self._lock = threading.Lock()
        # what each association has brought: series, and bytes of the message that is arriving
        self._brought: dict[Association, set[str]] = {}
        self._arriving: dict[Association, int] = {}
        self._entity = AE(title)
        self._entity.require_called_aet = True
        self._entity.require_calling_aet = list(callers)
        self._entity.maximum_associations = ASSOCIATIONS
        self._entity.network_timeout = self._entity.acse_timeout = self._entity.dimse_timeout = SECONDS
        self._entity.supported_contexts = [build_context(Verification), *accepted_contexts()]

    def start(self, address: str, port: int, tls: Tls | None = None) -> ThreadedAssociationServer:
        """Listen in threads of its own, until ``shutdown()`` of what is returned.

        Raises:
            CTError: if the port is not to be had.
        """
        handlers = [
            (evt.EVT_C_STORE, self._store),
            (evt.EVT_RELEASED, self._released),
            (evt.EVT_CONN_CLOSE, self._closed),
            (evt.EVT_PDU_RECV, self._measure),
        ]
        context = tls.server() if tls else None
        try:
            return self._entity.start_server((address, port), block=False, evt_handlers=handlers, ssl_context=context)
        except OSError as error:
            raise CTError(f"port {port} of {address} cannot be listened at: {reason(error)}; choose another") from None

    def _store(self, event: evt.Event) -> int:
        self._arriving.pop(event.assoc, None)
        file = self._inbox.new_file()
        try:
            self._inbox.require_room(len(event.request.DataSet.getbuffer()))
            file.write_bytes(event.encoded_dataset())
            _, _, series = self._inbox.add(file, event.request.AffectedSOPInstanceUID)
        except (Refused, OSError) as refusal:
            file.unlink(missing_ok=True)
            logger.warning("an image of %s is refused: %s", event.assoc.requestor.ae_title.strip(), refusal)
            return OUT_OF_RESOURCES if isinstance(refusal, (Full, OSError)) else CANNOT_UNDERSTAND
        with self._lock:
            self._brought.setdefault(event.assoc, set()).add(series)
        return SUCCESS

    def _measure(self, event: evt.Event) -> None:
        """End an association whose message grows beyond the largest image: it is held in memory."""
        if not isinstance(event.pdu, P_DATA_TF):
            return
        size = self._arriving.get(event.assoc, 0) + len(event.pdu)
        self._arriving[event.assoc] = size
        if size > self._inbox.limits.instance_bytes * 1.01 + 65536:
            logger.warning("%s sends more than one image may have, and is cut off", event.assoc.requestor.ae_title)
            event.assoc.abort()

    def _released(self, event: evt.Event) -> None:
        with self._lock:
            series = self._brought.pop(event.assoc, set())
        self._inbox.goodbye(series)

    def _closed(self, event: evt.Event) -> None:
        self._arriving.pop(event.assoc, None)
        with self._lock:
            series = self._brought.pop(event.assoc, set())
        if series:
            logger.warning(
                "%s left without goodbye; %d series wait for it", event.assoc.requestor.ae_title, len(series)
            )
