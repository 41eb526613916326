"""Losses, each a small module on images in the networks' range.

Everything that is compared pixel by pixel is in HU, so that a value can be read and weights mean the same
whatever the networks' range is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import nn

from .filters import unsharp
from .intensity import HU_STEPS, from_network_range, to_network_range

LEAST_ERROR = 0.1
"""Below it an image that is almost perfect, such as air, is not followed further; 2 HU where errors are quadratic."""


class _WindowedLoss(nn.Module):
    """Errors over the whole range, plus a share of those inside a soft-tissue window; a subclass says what one is."""

    def __init__(self, window_hu: tuple[float, float], window_weight: float) -> None:
        super().__init__()
        self.window_hu = tuple(window_hu)
        self.window_weight = window_weight

    def _error(self, prediction: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """Of each image in HU, shape (B,)."""
        raise NotImplementedError

    def _summed(self, prediction: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """Both terms of each image in the networks' range, shape (B,)."""
        prediction, target = (from_network_range(image.float()) for image in (prediction, target))
        wide = self._error(prediction, target)
        prediction, target = (image.clamp(*self.window_hu) for image in (prediction, target))
        return wide + self.window_weight * self._error(prediction, target)


class WindowedL1Loss(_WindowedLoss):
    """Mean absolute error in HU over the whole range, plus a share of it inside a soft-tissue window.

    Between two soft tissues lie 20 HU, between bone and air 2000: without the second term the network
    spends itself on the latter.

    The best answer to an absolute error is the median of what could be there, and in noise the median of "a faint
    lesion or none" is none. ``quadratic_hu`` makes the error quadratic where it is small (Huber's loss), which asks
    for the mean.

    An image full of noise has many times the error of a clean one, most of which nobody can take away. ``balance``
    gives the clean one its say: an image of error E is followed with the strength E^-balance. At 1 that is the
    logarithm of E, of which PSNR is made.

    Args:
        window_hu: lower and upper end of the window in HU.
        window_weight: weight of the windowed term.
        quadratic_hu: the error e in HU up to which it counts as e^2 / (2 quadratic_hu), and beyond as
            e - quadratic_hu / 2.
        balance: 0, all pixels count alike, to 1; the loss is then E^(1 - balance) / (1 - balance), at 1 log E, with
            :data:`LEAST_ERROR` added to E, its mean over the images.
    """

    def __init__(
        self,
        window_hu: tuple[float, float] = (-160.0, 240.0),
        window_weight: float = 0.5,
        quadratic_hu: float = 0.0,
        balance: float = 0.0,
    ) -> None:
        super().__init__(window_hu, window_weight)
        self.quadratic_hu = quadratic_hu
        self.balance = balance

    def forward(self, prediction: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        error = self._summed(prediction, target)
        if self.balance == 0.0:
            return error.mean()
        error = error + LEAST_ERROR
        return (error.log() if self.balance == 1.0 else error ** (1.0 - self.balance) / (1.0 - self.balance)).mean()

    def _error(self, prediction: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """Of each image, shape (B,)."""
        return F.smooth_l1_loss(prediction, target, beta=self.quadratic_hu, reduction="none").mean(dim=(1, 2, 3))


class WindowedPSNRLoss(_WindowedLoss):
    """The logarithm of the mean squared error over the whole range, plus a share of that inside a soft-tissue window.

    The mean of both over images is what PSNR averages, but for its unit and sign, so no error is followed in another
    way than it is measured: where an edge is, the best answer is the mean of what could be there, not the median.

    Args:
        window_hu: lower and upper end of the window in HU.
        window_weight: weight of the windowed term.
        least_hu: what is added to each root mean squared error in HU, squared, so that air, which is easy, does not
            count beyond measure.
    """

    def __init__(
        self, window_hu: tuple[float, float] = (-160.0, 240.0), window_weight: float = 1.0, least_hu: float = 2.0
    ) -> None:
        super().__init__(window_hu, window_weight)
        self.least_hu = least_hu

    def forward(self, prediction: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        return self._summed(prediction, target).mean()

    def _error(self, prediction: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """Of each image, shape (B,)."""
        return ((prediction - target).square().mean(dim=(1, 2, 3)) + self.least_hu**2).log()


class PerceptualLoss(nn.Module):
    """Mean absolute difference of a frozen network's features before activation (ESRGAN, Wang et al. 2018).

    L_percep = sum_k w_k E |phi_k(G(x)) - phi_k(y)|, over the responses phi_k of :class:`ctsgan.networks.VGGFeatures`,
    so in percent of their standard deviation.

    Args:
        features: what gives the responses, (B, 1, H, W) to a list of tensors.
        weights: w_k, one for each response; the default is Real-ESRGAN's.

    Raises:
        ValueError: from ``forward`` if there are not as many responses as weights.
    """

    def __init__(
        self,
        features: Callable[[torch.Tensor], Sequence[torch.Tensor]],
        weights: Sequence[float] = (0.1, 0.1, 1.0, 1.0, 1.0),
    ) -> None:
        super().__init__()
        self.features = features
        self.weights = tuple(weights)

    def forward(self, prediction: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            wanted = self.features(target)
        pairs = zip(self.weights, self.features(prediction), wanted, strict=True)
        return sum(weight * (own - other).abs().mean() for weight, own, other in pairs)


class VoxelLoss(nn.Module):
    """What an input voxel would measure of the output, against what it would measure of the truth.

    L_v = E_i || E_{v_i}[mu(G(x)) - mu(y)] ||: a CT voxel is the mean attenuation over its footprint v_i, so the error
    is averaged over the output pixels under each input voxel, an edge pixel by the share of it that lies inside, and
    then the absolute value of that over the voxels. Inside a voxel the output is free.

    Attenuation is mu = mu_water (1 + HU / 1000) with HU = slope * value + intercept. The value of the loss is in
    thousandths of mu_water, so an offset of 1 HU everywhere is 1, at any tube voltage; the intercept leaves with the
    difference.

    Args:
        input_spacing_mm: distance of the input's rows and of its columns.
        output_spacing_mm: the same of prediction and target, not larger.
        rescale_slope: HU for a unit of prediction and target; the default is that of the networks' range. For
            stored values of a DICOM series it is Rescale Slope (0028,1053).

    Shape: prediction and target (B, 1, H, W) to a scalar. Pixels at the end that fill no voxel are left out.

    Raises:
        ValueError: if a spacing is not positive, or the output's is larger; from ``forward`` if no voxel fits.
    """

    def __init__(
        self,
        input_spacing_mm: Sequence[float],
        output_spacing_mm: Sequence[float],
        rescale_slope: float = HU_STEPS,
    ) -> None:
        super().__init__()
        pairs = list(zip(input_spacing_mm, output_spacing_mm, strict=True))
        if len(pairs) != 2 or any(not 0 < fine <= coarse for coarse, fine in pairs):
            raise ValueError(
                "spacings must be two positive lengths, the output's not larger than the input's, got "
                f"{tuple(input_spacing_mm)} mm in and {tuple(output_spacing_mm)} mm out"
            )
        self.extent = tuple(coarse / fine for coarse, fine in pairs)
        self.rescale_slope = rescale_slope

    def forward(self, prediction: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        rows, columns = (
            footprints(size, extent).to(prediction.device)
            for size, extent in zip(prediction.shape[-2:], self.extent, strict=True)
        )
        error = self.rescale_slope * (prediction.float() - target.float())
        return (rows @ error @ columns.T).abs().mean()


def footprints(size: int, extent: float) -> torch.Tensor:
    """The share that each of ``size`` pixels has in each voxel that is ``extent`` pixels wide.

    Returns:
        Shape (voxels, size), float32; each row sums to 1; the first voxel begins where the first pixel does.

    Raises:
        ValueError: if not even one voxel fits.
    """
    # spacings are decimal numbers, so a whole ratio may come out a little short
    voxels = int(size / extent + 1e-4)
    if voxels < 1:
        raise ValueError(f"an image of {size} pixels is smaller than a voxel of {extent:g}")
    begin = extent * torch.arange(voxels, dtype=torch.float64)[:, None]
    pixel = torch.arange(size, dtype=torch.float64)[None]
    inside = (torch.minimum(begin + extent, pixel + 1) - torch.maximum(begin, pixel)).clamp_min(0)
    return (inside / inside.sum(dim=1, keepdim=True)).float()


class CheckerboardLoss(nn.Module):
    """What recurs with the period of a pixel shuffle and is not in the truth, in HU.

    Each place within the period has weights of its own in a generator's exit, and nothing but these losses makes them
    agree. Features after pooling do not see all places alike, and a discriminator that is still learning overlooks a
    pattern of some HU (Odena et al., Distill 2016). So the error is averaged over all pixels at the same place, and
    these means may not differ: the loss is their mean absolute deviation from the mean of the image.

    Args:
        period: output pixels, along each axis, after which the generator begins anew; a multiple will do.

    Shape: prediction and target (B, 1, H, W) to a scalar. Pixels at the end that fill no period are left out.
    """

    def __init__(self, period: int = 4) -> None:
        super().__init__()
        self.period = period

    def forward(self, prediction: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        error = HU_STEPS * (prediction.float() - target.float())
        rows, columns = (size // self.period * self.period for size in error.shape[-2:])
        error = F.pixel_unshuffle(error[..., :rows, :columns], self.period)
        places = error.mean(dim=(2, 3))
        return (places - places.mean(dim=1, keepdim=True)).abs().mean()


class RelativisticAverageLoss(nn.Module):
    """Whether one set of images looks more real than the average of the other (Jolicoeur-Martineau, ICLR 2019).

    With C the logits and s the sigmoid,
    L = -1/2 E log s(C_1 - E C_2) - 1/2 E log(1 - s(C_2 - E C_1)).
    For the discriminator the first set are the real images and the second the generated ones; for the generator
    they change places, so it learns from both (ESRGAN). Where neither looks more real the loss is log 2.

    Shape: logits (B, 1, H, W), one a pixel, or of any shape; averages go over the whole batch.
    """

    def forward(self, more_real: torch.Tensor, less_real: torch.Tensor) -> torch.Tensor:
        first, second = more_real.float(), less_real.float()
        first, second = first - second.mean(), second - first.mean()
        # log(1 - s(x)) = -softplus(x)
        return (F.softplus(-first).mean() + F.softplus(second).mean()) / 2


class GeneratorLoss(nn.Module):
    """All that the generator is held to in the second stage.

    L_G = kappa L_1 + lambda L_percep + eta L_v + gamma L_RaGAN + L_checkerboard

    CTsGAN has kappa = 1, lambda = 1e-2, eta = 2e-2 and gamma = 2 for images in [0, 1], and not the last term. Here L_1
    and L_v are in HU and L_percep is in percent, and an HU is 1 / 4096 of the range: with kappa = 1 the other terms
    would hardly be felt.

    Args:
        pixel: L_1, of prediction and target.
        perceptual: L_percep, of prediction and target.
        voxel: L_v, of prediction and target.
        adversarial: L_RaGAN, of the logits of what should look more real and of what should look less so.
        checkerboard: L_checkerboard, of prediction and target.
        pixel_weight: kappa.
        perceptual_weight: lambda.
        voxel_weight: eta.
        adversarial_weight: gamma.
        checkerboard_weight: of L_checkerboard.
        unsharp_amount: sharpen the target of L_1 and L_percep by unsharp masking, as Real-ESRGAN does (0.5 there).
            Off unless asked for, because it bends HU; L_v keeps the true target.
    """

    def __init__(
        self,
        pixel: nn.Module,
        perceptual: nn.Module,
        voxel: nn.Module,
        adversarial: nn.Module,
        checkerboard: nn.Module,
        pixel_weight: float = 0.1,
        perceptual_weight: float = 2e-2,
        voxel_weight: float = 0.1,
        adversarial_weight: float = 2.0,
        checkerboard_weight: float = 1.0,
        unsharp_amount: float = 0.0,
    ) -> None:
        super().__init__()
        self.pixel, self.perceptual, self.voxel, self.adversarial = pixel, perceptual, voxel, adversarial
        self.checkerboard = checkerboard
        self.pixel_weight = pixel_weight
        self.perceptual_weight = perceptual_weight
        self.voxel_weight = voxel_weight
        self.adversarial_weight = adversarial_weight
        self.checkerboard_weight = checkerboard_weight
        self.unsharp_amount = unsharp_amount

    def forward(
        self, prediction: torch.Tensor, target: torch.Tensor, real_logits: torch.Tensor, fake_logits: torch.Tensor
    ) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """The total, and its parts before they are weighted, detached, for the log.

        Args:
            prediction, target: (B, 1, H, W) in the networks' range.
            real_logits, fake_logits: the discriminator's of target and prediction.
        """
        shown = target
        if self.unsharp_amount:
            shown = to_network_range(unsharp(from_network_range(target), self.unsharp_amount))
        parts = {
            "pixel": self.pixel(prediction, shown),
            "perceptual": self.perceptual(prediction, shown),
            "voxel": self.voxel(prediction, target),
            "adversarial": self.adversarial(fake_logits, real_logits),
            "checkerboard": self.checkerboard(prediction, target),
        }
        total = (
            self.pixel_weight * parts["pixel"]
            + self.perceptual_weight * parts["perceptual"]
            + self.voxel_weight * parts["voxel"]
            + self.adversarial_weight * parts["adversarial"]
            + self.checkerboard_weight * parts["checkerboard"]
        )
        return total, {name: value.detach() for name, value in parts.items()}
