"""Memory is bounded by input and output, however many slices there are."""

import os
import subprocess
import sys
from pathlib import Path

BUNDLE = Path(__file__).resolve().parents[2] / "monai_bundle"

PROGRAM = """
import re, sys
import numpy as np
from ctsgan.enhancement import enhance_slices
from ctsgan.networks import LightGenerator

slices = int(sys.argv[1])
voxels = np.random.default_rng(0).integers(-100, 100, (slices, 256, 256), dtype=np.int16)
result = enhance_slices(voxels, (0.8, 0.8), LightGenerator(2, features=8, blocks=1))
# not ru_maxrss, which begins with that of the process it was forked from
peak = int(re.search(r"VmHWM:\\s+(\\d+) kB", open("/proc/self/status").read())[1]) * 1024
print(peak - voxels.nbytes - result.nbytes)
"""


def working_memory(slices):
    """Peak memory in bytes beside input and output, Python and PyTorch included."""
    environment = {**os.environ, "PYTHONPATH": str(BUNDLE), "OMP_NUM_THREADS": "2"}
    command = [sys.executable, "-c", PROGRAM, str(slices)]
    return int(subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout)


def test_more_slices_need_no_more_working_memory():
    few, many = working_memory(4), working_memory(80)
    assert many < 2**30
    # 80 slices and their result are 50 MB; as floats they would be 100 MB and more
    assert many - few < 20e6
