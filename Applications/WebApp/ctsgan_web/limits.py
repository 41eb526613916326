"""How much one visitor, and all together, may ask of the machine."""

from __future__ import annotations

from dataclasses import dataclass

from ctsgan.plan import WORKING_MEMORY

MEMORY_SHARE = 0.8
"""Of the memory that is free when the server starts; the rest stays for the server itself and the system."""

VOLUME_SHARE = 5
"""A volume that is enhanced x2 needs itself and four times itself; larger ones would be read for nothing."""


@dataclass(frozen=True)
class Limits:
    """What is refused, and how long things are kept.

    Args:
        memory_bytes: of all jobs that run at a time, together.
        workers: volumes that are enhanced at a time.
        picture_bytes: size of a picture's file.
        picture_pixels: of a picture when it is unpacked.
        files: in an upload or an archive.
        jobs: unfinished ones of one visitor.
        kept_s: seconds after which a visitor's files are removed, counted from what was last asked for.
        away_s: seconds after which the files of a visitor whose page is closed are removed.
    """

    memory_bytes: int
    workers: int = 1
    picture_bytes: int = 200 * 10**6
    picture_pixels: int = 64 * 10**6
    files: int = 5000
    jobs: int = 50
    kept_s: float = 3600.0
    away_s: float = 30.0

    @property
    def volume_bytes(self) -> int:
        """Of the voxels of a volume, and of an upload."""
        return max(self.memory_bytes - WORKING_MEMORY, 0) // VOLUME_SHARE


def shown_bytes(count: int) -> str:
    """A size as a person reads it."""
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.1f} MB"
