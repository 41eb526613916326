"""A small real CT that comes with the module, for its tutorial and its self test."""

from __future__ import annotations

from pathlib import Path

SAMPLE = "CTsGANEnhanceAbdomen"
"""What Slicer's SampleData module knows it by."""

CHECKSUM = "SHA256:8aa4113812ebdae751ee9f407cdb24b357c47c98573cb343b44f28e4dbd597b6"


def register_sample_data(resources: Path) -> None:
    """Offer the CT in Slicer's SampleData module; it needs no network.

    Args:
        resources: folder that holds ``SampleData`` and ``Icons``.
    """
    import SampleData

    SampleData.SampleDataLogic.registerCustomSampleDataSource(
        category="CTsGANEnhance",
        sampleName=SAMPLE,
        uris=(resources / "SampleData/abdomen.nrrd").as_uri(),
        fileNames=f"{SAMPLE}.nrrd",
        nodeNames=SAMPLE,
        checksums=CHECKSUM,
        thumbnailFileName=str(resources / f"Icons/{SAMPLE}.png"),
    )
