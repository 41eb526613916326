"""Sample data that modules register, fetched and checked as Slicer does it, into the folder for temporary files."""

import urllib.request
from pathlib import Path

import slicer
from slicer.util import computeChecksum, extractAlgoAndDigest

SOURCES: dict[str, dict] = {}


class SampleDataLogic:
    @staticmethod
    def registerCustomSampleDataSource(
        category, sampleName, uris, fileNames, nodeNames, checksums, thumbnailFileName
    ) -> None:
        SOURCES[sampleName] = {**locals()}

    def downloadSample(self, name):
        source = SOURCES[name]
        path = Path(slicer.app.temporaryPath) / source["fileNames"]
        urllib.request.urlretrieve(source["uris"], path)
        algorithm, digest = extractAlgoAndDigest(source["checksums"])
        if computeChecksum(algorithm, str(path)) != digest:
            raise ValueError(f"{name} is not what it should be")
        node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", source["nodeNames"])
        storage = slicer.vtkMRMLNRRDStorageNode()
        storage.SetFileName(str(path))
        assert storage.ReadData(node)
        node.CreateDefaultDisplayNodes()
        return node
