"""How well what a detector reads tells slices with a lesion from slices without."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

KEPT_SHARE = 0.5
"""A lesion counts as kept if at least this share of its contrast is left, as invented if it comes back with it."""


@dataclass(frozen=True)
class Detection:
    """What became of lesions of one contrast.

    Attributes:
        contrast_hu: of the lesions.
        kept, lost: how many, see :data:`KEPT_SHARE`.
        transmission: mean share of the contrast that is left, 1 if all.
        auc, auc_error: area under the ROC curve of the detector, with and without lesion, and its standard error
            (Hanley and McNeil, Radiology 143, 1982).
        d_prime, d_prime_error: difference of the detector's means over their pooled standard deviation, and its
            standard error (Hedges and Olkin 1985).
    """

    contrast_hu: float
    kept: int
    lost: int
    transmission: float
    auc: float
    auc_error: float
    d_prime: float
    d_prime_error: float


def area_under_roc(present: np.ndarray, absent: np.ndarray) -> tuple[float, float]:
    """Area under the ROC curve (the chance that a score with beats one without) and its standard error.

    Hanley and McNeil, Radiology 143, 1982. Scores are arrays (n,) and (m,).
    """
    difference = np.asarray(present, dtype=np.float64)[:, None] - np.asarray(absent, dtype=np.float64)[None]
    area = float((difference > 0).mean() + 0.5 * (difference == 0).mean())
    with_lesion, without = difference.shape
    q1, q2 = area / (2.0 - area), 2.0 * area**2 / (1.0 + area)
    variance = area * (1.0 - area) + (with_lesion - 1) * (q1 - area**2) + (without - 1) * (q2 - area**2)
    return area, float(np.sqrt(max(variance, 0.0) / (with_lesion * without)))


def d_prime(present: np.ndarray, absent: np.ndarray) -> tuple[float, float]:
    """Distance of two sets of scores in their pooled standard deviation, and its standard error; NaN below two each.

    d' = (mean with - mean without) / sqrt((variance with + variance without) / 2); the error as for Cohen's d (Hedges
    and Olkin, Statistical Methods for Meta-Analysis, 1985).
    """
    count = (len(present), len(absent))
    if min(count) < 2:
        return float("nan"), float("nan")
    pooled = np.sqrt((np.var(present, ddof=1) + np.var(absent, ddof=1)) / 2.0)
    difference = float(np.mean(present) - np.mean(absent))
    if pooled == 0:
        return (0.0 if difference == 0 else float(np.copysign(np.inf, difference))), float("nan")
    index = difference / pooled
    error = np.sqrt(sum(count) / (count[0] * count[1]) + index**2 / (2.0 * sum(count)))
    return float(index), float(error)


def detection(contrast_hu: float, present: np.ndarray, absent: np.ndarray) -> Detection:
    """What became of lesions of one contrast.

    Args:
        contrast_hu: of the lesions; negative is darker than the background.
        present, absent: HU that the detector reads with and without each lesion, (lesions,).
    """
    share = (present - absent) / contrast_hu
    kept = int((share >= KEPT_SHARE).sum())
    scores = np.sign(contrast_hu) * present, np.sign(contrast_hu) * absent
    return Detection(
        contrast_hu, kept, len(share) - kept, float(share.mean()), *area_under_roc(*scores), *d_prime(*scores)
    )
