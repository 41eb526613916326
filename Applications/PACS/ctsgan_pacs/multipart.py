"""A body of multipart/related, part by part onto the disk as it arrives."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import BinaryIO

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from .inbox import Damaged, Inbox, Refused

LARGEST_HEADER = 4096
"""Bytes of one line of a part's header."""


def boundary_of(content_type: str) -> bytes | None:
    """Of a body of DICOM files; ``None`` if it is another kind."""
    kind, options = parse_options_header(content_type)
    if kind != b"multipart/related" or options.get(b"type", b"application/dicom") != b"application/dicom":
        return None
    return options.get(b"boundary") or None


class PartsToFiles:
    """Writes each part into a file of the inbox; who iterates takes them over one by one.

    Args:
        inbox: which says how large a part may be and whether there is room.
        boundary: between parts.
    """

    def __init__(self, inbox: Inbox, boundary: bytes) -> None:
        self._inbox = inbox
        self._path: Path | None = None
        self._file: BinaryIO | None = None
        self._complete: list[Path] = []
        callbacks = {"on_part_begin": self._begin, "on_part_data": self._write, "on_part_end": self._end}
        self._parser = MultipartParser(boundary, callbacks, max_header_size=LARGEST_HEADER)

    async def files(self, chunks: AsyncIterator[bytes]) -> AsyncIterator[Path]:
        """The complete parts of a body.

        Raises:
            Refused: if a part is too large, there is no room for it, or the body is cut short or no multipart.
        """
        try:
            async for chunk in chunks:
                self._parser.write(chunk)
                for path in self._complete:
                    yield path
                self._complete = []
            self._parser.finalize()
            if self._file:
                raise Damaged("the body is cut short")
        except FormParserError:
            raise Damaged("the body is no multipart/related") from None
        finally:
            self._abandon()

    def _begin(self) -> None:
        self._path = self._inbox.new_file()
        self._file = self._path.open("wb")

    def _write(self, data: bytes, start: int, end: int) -> None:
        if self._file.tell() + end - start > self._inbox.limits.instance_bytes:
            raise Refused(f"an image is larger than {self._inbox.limits.instance_bytes} bytes")
        self._inbox.require_room(end - start)
        self._file.write(data[start:end])

    def _end(self) -> None:
        self._file.close()
        self._complete.append(self._path)
        self._file = self._path = None

    def _abandon(self) -> None:
        if self._file:
            self._file.close()
        for path in filter(None, [self._path, *self._complete]):
            path.unlink(missing_ok=True)
