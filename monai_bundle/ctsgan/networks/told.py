"""The input of generators that are told how soft the kernel was (:mod:`ctsgan.softness`)."""

from __future__ import annotations

import torch


def softness_channel(image: torch.Tensor, multiple: int, unknown: float) -> torch.Tensor:
    """The softness of slices as one more channel of a body with larger pixels.

    Args:
        image: (B, 1, H, W), or (B, 2, H, W) with the softness as a second channel of one value a slice.
        multiple: input pixels to a pixel of the body, along each axis.
        unknown: softness where there is no second channel.

    Returns:
        (B, 1, H / multiple, W / multiple).
    """
    if image.shape[1] == 1:
        return torch.full_like(image[:, :, ::multiple, ::multiple], unknown)
    return image[:, 1:, ::multiple, ::multiple]
