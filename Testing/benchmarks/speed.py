"""Time of the shipped models beside ESRGAN's 23 blocks, in one run, as ratios.

    python Testing/benchmarks/speed.py [--repeats 5] [--threads 2]

Both networks make slices of the same output size, in turns, so that a busy machine slows both. ESRGAN is the
plain RRDBNet with 23 blocks; what its weights are does not change its time. Printed is the median of the
ratios, and the seconds of the fastest turn.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import torch

from ctsgan.models import load_generator, scales
from ctsgan.networks import CTsGANGenerator

OUTPUT = 512


def seconds(network: torch.nn.Module, image: torch.Tensor) -> float:
    started = time.perf_counter()
    network(image)
    return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="light")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int)
    arguments = parser.parse_args()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    print(f"{OUTPUT} x {OUTPUT} output pixels, float32, {torch.get_num_threads()} threads")
    with torch.inference_mode():
        for scale in scales(arguments.model):
            ours = load_generator(arguments.model, scale).to(memory_format=torch.channels_last)
            esrgan = CTsGANGenerator(scale, blocks=23, batch_norm=False).eval().to(memory_format=torch.channels_last)
            image = torch.rand(1, 1, OUTPUT // scale, OUTPUT // scale)
            pairs = [(seconds(ours, image), seconds(esrgan, image)) for _ in range(arguments.repeats + 1)][1:]
            ratio = np.median([mine / theirs for mine, theirs in pairs])
            fastest = np.min(pairs, axis=0)
            names = (arguments.model, "ESRGAN-23")
            times = ", ".join(f"{name} {value:.3f} s" for name, value in zip(names, fastest, strict=True))
            print(f"x{scale}: {times}, median ratio {ratio:.4f}")


if __name__ == "__main__":
    main()
