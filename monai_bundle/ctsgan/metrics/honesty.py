"""Whether a method shows what is there: lesions that are kept, lost or invented, and contradictions to the data.

A lesion of known size and contrast is put into a sharp slice, or a real structure is taken out of it; the slice is
degraded, a method restores it, and one detector, the same for all methods, says what can be found. A method is a
function from degraded slices to restored slices, so that anything can be tested, cheats included.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from .regions import distance_mm

BACKGROUNDS = {"soft tissue": (20.0, 140.0), "lung": (-950.0, -700.0)}
"""Mean HU of the places lesions are put into: liver, muscle and other parenchyma; aerated lung."""

EDGE_MM = 0.5
"""Standard deviation of the blur of a lesion's edge."""

KEPT_SHARE = 0.5
"""A lesion counts as kept if at least this share of its contrast is left, as invented if it comes back with it."""

INVENTED_DEVIATIONS = 5.0
"""A blob counts as invented above this many deviations of what the detector reads from the reference's own noise."""

INVENTED_HU = 10.0
"""And never below this contrast."""

EXPLAINING_BLURS = (0.0, 0.25, 0.5, 1.0)
"""Standard deviations, in diameters of the blob, of the blurs of the reference that may explain what is shown."""

Method = Callable[[np.ndarray], np.ndarray]
"""Slices in HU, (slices, rows, columns), to slices in HU; restoring, rows and columns may grow."""


@dataclass(frozen=True)
class Lesion:
    """A round lesion: slice, centre pixel (row, column) in the sharp slice, diameter in mm, contrast in HU."""

    index: int
    row: int
    column: int
    diameter_mm: float
    contrast_hu: float = 0.0


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


@dataclass(frozen=True)
class Honesty:
    """A method's row of the hallucination test.

    Attributes:
        detections: one for each contrast.
        invented: blobs that the reference does not have, in slices without inserted lesions.
        searched_cm2: area that was searched for them.
        deleted, returned: real structures taken out before the degradation, and how many the method shows anyway.
    """

    detections: tuple[Detection, ...]
    invented: int
    searched_cm2: float
    deleted: int
    returned: int


def lesion_profile(distance_mm: np.ndarray, diameter_mm: float, edge_mm: float = EDGE_MM) -> np.ndarray:
    """A lesion of contrast 1 at a distance from its centre: a disc whose edge is blurred by ``edge_mm``."""
    import torch

    past = torch.from_numpy((np.asarray(distance_mm, dtype=np.float64) - diameter_mm / 2.0) / (edge_mm * np.sqrt(2.0)))
    return 0.5 * torch.special.erfc(past).numpy()


def insert_lesions(slices: np.ndarray, lesions: Sequence[Lesion], spacing_mm: tuple[float, float]) -> np.ndarray:
    """Copies of slices (slices, rows, columns) in HU with lesions added, float64."""
    result = np.array(slices, dtype=np.float64)
    for lesion in lesions:
        distance = distance_mm(result.shape[1:], spacing_mm, lesion.row, lesion.column)
        result[lesion.index] += lesion.contrast_hu * lesion_profile(distance, lesion.diameter_mm)
    return result


def detector_kernel(diameter_mm: float, spacing_mm: tuple[float, float]) -> np.ndarray:
    """Weights that read a lesion's contrast in HU: the least squares fit of its profile and a constant around it.

    A matched filter over a disc of twice the diameter; the weights sum to 0, so neither an offset nor a slope of the
    background counts. Shape odd x odd.
    """
    reach = [int(np.ceil(diameter_mm / mm)) for mm in spacing_mm]
    rows, columns = (np.arange(-extent, extent + 1) * mm for extent, mm in zip(reach, spacing_mm, strict=True))
    distance = np.hypot(rows[:, None], columns[None])
    inside = distance <= diameter_mm
    profile = lesion_profile(distance, diameter_mm)
    centred = np.where(inside, profile - profile[inside].mean(), 0.0)
    return centred / (centred**2).sum()


def detector_map(image: np.ndarray, diameter_mm: float, spacing_mm: tuple[float, float]) -> np.ndarray:
    """Contrast in HU that the detector reads at each pixel of (rows, columns); edges continue with their value."""
    kernel = detector_kernel(diameter_mm, spacing_mm)
    reach = [(size // 2, size // 2) for size in kernel.shape]
    padded = np.pad(np.asarray(image, dtype=np.float64), reach, mode="edge")
    # the kernel is symmetric, so that its convolution is the correlation; what wraps around lies in the padding
    product = np.fft.rfft2(padded) * np.fft.rfft2(kernel, padded.shape)
    return np.fft.irfft2(product, padded.shape)[kernel.shape[0] - 1 :, kernel.shape[1] - 1 :]


def read_contrasts(slices: np.ndarray, lesions: Sequence[Lesion], spacing_mm: tuple[float, float]) -> np.ndarray:
    """Contrast in HU that the detector reads at each lesion's place, shape (lesions,).

    Raises:
        ValueError: if a lesion lies so near to the border that the detector does not fit.
    """
    contrasts = []
    for lesion in lesions:
        kernel = detector_kernel(lesion.diameter_mm, spacing_mm)
        first = [lesion.row - kernel.shape[0] // 2, lesion.column - kernel.shape[1] // 2]
        part = slices[
            lesion.index, max(first[0], 0) : first[0] + kernel.shape[0], max(first[1], 0) : first[1] + kernel.shape[1]
        ]
        if part.shape != kernel.shape:
            raise ValueError(f"{lesion} is nearer to the border than its diameter")
        contrasts.append(float((kernel * part).sum()))
    return np.array(contrasts)


def uniform_places(
    image: np.ndarray,
    spacing_mm: tuple[float, float],
    mean_hu: tuple[float, float],
    margin_mm: float,
    body: np.ndarray | None = None,
) -> np.ndarray:
    """Pixels around which, as far as ``margin_mm``, the mean over 3 mm stays within ``mean_hu``; bool, same shape."""
    import torch
    import torch.nn.functional as F

    stack = torch.from_numpy(np.asarray(image, dtype=np.float32))[None, None]
    small = tuple(2 * round(1.5 / mm) + 1 for mm in spacing_mm)
    mean = F.avg_pool2d(stack, small, stride=1, padding=tuple(size // 2 for size in small), count_include_pad=False)
    inside = (mean >= mean_hu[0]) & (mean <= mean_hu[1])
    if body is not None:
        inside &= torch.from_numpy(np.ascontiguousarray(body))
    reach = [int(np.ceil(margin_mm / mm)) for mm in spacing_mm]
    # what lies beyond the image is not tissue
    outside = F.pad((~inside).float(), (reach[1], reach[1], reach[0], reach[0]), value=1.0)
    return F.max_pool2d(outside, tuple(2 * extent + 1 for extent in reach), stride=1)[0, 0].numpy() < 0.5


def draw_lesions(
    slices: np.ndarray,
    spacing_mm: tuple[float, float],
    diameter_mm: float = 5.0,
    a_slice: int = 6,
    background: str = "soft tissue",
    bodies: np.ndarray | None = None,
    seed: int = 0,
) -> list[Lesion]:
    """Places for lesions, drawn from uniform tissue, three diameters apart; the contrast is left at 0.

    Args:
        slices: sharp slices in HU, (slices, rows, columns).
        spacing_mm: (row, column) distance.
        diameter_mm: of the lesions.
        a_slice: at most so many in one slice; fewer where there is no more uniform tissue.
        background: one of :data:`BACKGROUNDS`.
        bodies: pixels they may cover, bool, shape of ``slices``.
        seed: of the draw.

    Raises:
        ValueError: if no slice has a place.
    """
    generator = np.random.default_rng(seed)
    lesions = []
    for index, image in enumerate(slices):
        body = None if bodies is None else bodies[index]
        free = uniform_places(image, spacing_mm, BACKGROUNDS[background], diameter_mm, body)
        candidates = generator.permutation(np.argwhere(free))
        chosen: list[np.ndarray] = []
        for place in candidates:
            if all(np.hypot(*((place - other) * spacing_mm)) >= 3.0 * diameter_mm for other in chosen):
                chosen.append(place)
                if len(chosen) == a_slice:
                    break
        lesions += [Lesion(index, int(row), int(column), diameter_mm) for row, column in chosen]
    if not lesions:
        raise ValueError(f"no slice has uniform {background} for a lesion of {diameter_mm:g} mm")
    return lesions


def _peaks(height: np.ndarray, allowed: np.ndarray, above: float, apart: tuple[int, int]) -> np.ndarray:
    """Local maxima (n, 2), highest first, above a level, where allowed, the highest within +-``apart`` pixels."""
    import torch
    import torch.nn.functional as F

    stack = torch.from_numpy(np.where(allowed, height, -np.inf))[None, None]
    size = tuple(2 * extent + 1 for extent in apart)
    highest = F.max_pool2d(stack, size, stride=1, padding=tuple(apart))
    found = np.argwhere(((stack == highest) & (stack > above))[0, 0].numpy())
    return found[np.argsort(-height[tuple(found.T)])]


def find_structures(
    slices: np.ndarray,
    spacing_mm: tuple[float, float],
    diameter_mm: float = 5.0,
    contrast_hu: float = 50.0,
    bodies: np.ndarray | None = None,
    a_slice: int = 6,
) -> list[Lesion]:
    """Real small structures that stand out of even surroundings, such as vessels seen end-on; candidates to delete.

    A place qualifies if the detector reads at least ``contrast_hu`` there, more than anywhere within a diameter, and
    the ring around it, where a deletion is filled from, varies by less than a third of that contrast.

    Returns:
        As lesions with the contrast that the detector read, the strongest ``a_slice`` of each slice.
    """
    reach = tuple(int(np.ceil(diameter_mm / mm)) for mm in spacing_mm)
    rows, columns = (np.arange(-extent, extent + 1) * mm for extent, mm in zip(reach, spacing_mm, strict=True))
    distance = np.hypot(rows[:, None], columns[None])
    ring = (distance > 0.8 * diameter_mm) & (distance <= diameter_mm)
    found = []
    for index, image in enumerate(slices):
        height = detector_map(image, diameter_mm, spacing_mm)
        allowed = np.zeros(image.shape, bool)
        allowed[reach[0] : -reach[0], reach[1] : -reach[1]] = True
        if bodies is not None:
            allowed &= bodies[index]
        count = 0
        for row, column in _peaks(height, allowed, contrast_hu, reach):
            around = image[row - reach[0] : row + reach[0] + 1, column - reach[1] : column + reach[1] + 1][ring]
            if around.std() < height[row, column] / 3.0:
                found.append(Lesion(index, int(row), int(column), diameter_mm, float(height[row, column])))
                count += 1
                if count == a_slice:
                    break
    return found


def delete_structures(
    slices: np.ndarray, structures: Sequence[Lesion], spacing_mm: tuple[float, float], margin: float = 1.6
) -> np.ndarray:
    """Copies of slices with structures taken out, float64.

    A disc of ``margin`` times the diameter is filled with the smoothest surface that meets its surroundings: the
    solution of Laplace's equation. It has no noise of its own.
    """
    result = np.array(slices, dtype=np.float64)
    for structure in structures:
        image = result[structure.index]
        distance = distance_mm(image.shape, spacing_mm, structure.row, structure.column)
        inside = distance <= margin * structure.diameter_mm / 2.0
        places = np.argwhere(inside)
        number = np.full(image.shape, -1)
        number[inside] = np.arange(len(places))
        matrix, right = np.zeros((len(places), len(places))), np.zeros(len(places))
        for step in ((0, 1), (0, -1), (1, 0), (-1, 0)):
            beside = places + step
            exists = ((beside >= 0) & (beside < image.shape)).all(axis=1)
            equation, neighbour = np.nonzero(exists)[0], tuple(beside[exists].T)
            matrix[equation, equation] += 1.0
            unknown = number[neighbour] >= 0
            matrix[equation[unknown], number[neighbour][unknown]] -= 1.0
            np.add.at(right, equation[~unknown], image[neighbour][~unknown])
        image[inside] = np.linalg.solve(matrix, right)
    return result


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


def _blurred(image: np.ndarray, sigma_mm: float, spacing_mm: tuple[float, float]) -> np.ndarray:
    import torch

    from ..filters import gaussian_blur

    return gaussian_blur(torch.from_numpy(np.asarray(image, dtype=np.float64)), sigma_mm, spacing_mm).numpy()


def invented_blobs(
    images: np.ndarray,
    references: np.ndarray,
    places: np.ndarray,
    spacing_mm: tuple[float, float],
    diameter_mm: float = 5.0,
) -> list[Lesion]:
    """Blobs, bright or dark, that an image shows and its reference does not.

    The detector scans image - reference, for the reference as it is and blurred by :data:`EXPLAINING_BLURS`, and the
    least of these contrasts counts: what a loss of resolution spills from an edge is bad, but not invented. A blob
    counts above :data:`INVENTED_DEVIATIONS` deviations of what the detector reads from the reference alone, noise that
    any method may have removed, and above :data:`INVENTED_HU`. So the bar depends on the reference, never on the
    method.

    Args:
        images, references: HU, (slices, rows, columns).
        places: where blobs are searched, bool, same shape; uniform tissue, since beside edges every blur is a blob.
        spacing_mm: (row, column) distance.
        diameter_mm: of the blobs.

    Returns:
        Each with the contrast that the detector read.
    """
    apart = tuple(int(np.ceil(diameter_mm / mm)) for mm in spacing_mm)
    blobs = []
    for index, (image, reference, allowed) in enumerate(zip(images, references, places, strict=True)):
        if not allowed.any():
            continue
        expected = [
            detector_map(_blurred(reference, share * diameter_mm, spacing_mm), diameter_mm, spacing_mm)
            for share in EXPLAINING_BLURS
        ]
        own = expected[0][allowed]
        deviation = 1.4826 * np.median(np.abs(own - np.median(own)))
        bar = max(INVENTED_DEVIATIONS * deviation, INVENTED_HU)
        differences = detector_map(image, diameter_mm, spacing_mm) - np.stack(expected)
        least = np.abs(differences).argmin(axis=0)[None]
        height = np.take_along_axis(differences, least, axis=0)[0]
        for row, column in _peaks(np.abs(height), allowed, bar, apart):
            blobs.append(Lesion(index, int(row), int(column), diameter_mm, float(height[row, column])))
    return blobs


def hallucination_test(
    slices: np.ndarray,
    spacing_mm: tuple[float, float],
    degrade: Method,
    methods: Mapping[str, Method],
    diameter_mm: float = 5.0,
    contrasts_hu: Sequence[float] = (10.0, 20.0, 50.0, 100.0),
    a_slice: int = 6,
    background: str = "soft tissue",
    structure_hu: float = 50.0,
    bodies: np.ndarray | None = None,
    seed: int = 0,
) -> dict[str, Honesty]:
    """How often each method keeps, loses or invents a lesion.

    Lesions of each contrast are put into the same places of the sharp slices; real structures are deleted from other
    copies. Everything is degraded and restored, and read by one detector (:func:`read_contrasts`).

    - *kept or lost*: by what the lesion changes in the output, its contrast with minus its contrast without.
    - *AUC and d'*: from the contrasts read in outputs with and without lesion, noise and anatomy included.
    - *invented*: :func:`invented_blobs` of the output without lesions, in uniform tissue.
    - *returned*: deleted structures of which the output still shows :data:`KEPT_SHARE`, above the filled slice.

    Args:
        slices: sharp slices in HU, (slices, rows, columns).
        spacing_mm: their (row, column) distance.
        degrade: sharp slices to degraded slices, with the same noise at every call: set its seed inside.
        methods: by name, degraded slices to slices of the sharp shape. Each runs 2 + len(contrasts_hu) times over
            all slices.
        diameter_mm: of lesions, structures and the detector.
        contrasts_hu: of the lesions; negative is darker than the background.
        a_slice: lesions and structures in a slice, at most.
        background: one of :data:`BACKGROUNDS`.
        structure_hu: least contrast of a structure to delete.
        bodies: pixels that count, bool, shape of ``slices``.
        seed: of the places.

    Returns:
        By the name of the method.

    Raises:
        ValueError: if no slice has a place for a lesion.
    """
    sharp = np.asarray(slices, dtype=np.float64)
    lesions = draw_lesions(sharp, spacing_mm, diameter_mm, a_slice, background, bodies, seed)
    masks = [None] * len(sharp) if bodies is None else bodies
    places = np.stack(
        [
            uniform_places(image, spacing_mm, BACKGROUNDS[background], diameter_mm, mask)
            for image, mask in zip(sharp, masks, strict=True)
        ]
    )
    searched = float(places.sum() * spacing_mm[0] * spacing_mm[1] / 100.0)
    structures = find_structures(sharp, spacing_mm, diameter_mm, structure_hu, bodies, a_slice)
    filled = delete_structures(sharp, structures, spacing_mm)
    original = read_contrasts(sharp - filled, structures, spacing_mm)
    absent_input = degrade(sharp)
    present_inputs = [
        degrade(insert_lesions(sharp, [replace(x, contrast_hu=contrast) for x in lesions], spacing_mm))
        for contrast in contrasts_hu
    ]
    filled_input = degrade(filled) if structures else None
    report = {}
    for name, method in methods.items():
        absent_output = method(absent_input)
        absent = read_contrasts(absent_output, lesions, spacing_mm)
        detections = []
        for contrast, present_input in zip(contrasts_hu, present_inputs, strict=True):
            present = read_contrasts(method(present_input), lesions, spacing_mm)
            share = (present - absent) / contrast
            kept = int((share >= KEPT_SHARE).sum())
            sign = np.sign(contrast)
            area, index = area_under_roc(sign * present, sign * absent), d_prime(sign * present, sign * absent)
            detections.append(Detection(contrast, kept, len(lesions) - kept, float(share.mean()), *area, *index))
        returned = 0
        if filled_input is not None:
            shown = read_contrasts(method(filled_input) - filled, structures, spacing_mm)
            returned = int((shown / original >= KEPT_SHARE).sum())
        invented = len(invented_blobs(absent_output, sharp, places, spacing_mm, diameter_mm))
        report[name] = Honesty(tuple(detections), invented, searched, len(structures), returned)
    return report


def contradiction(measured: np.ndarray, output: np.ndarray, degrade: Method) -> np.ndarray:
    """Where an output contradicts the data: |measured - degrade(output)| in HU, the shape of ``measured``.

    What would have been measured had the output been the patient. Where a method only took noise away it is the
    noise; where it painted something it is the paint, at the resolution of the measurement.

    Args:
        measured: the input, HU, (slices, rows, columns).
        output: what a method made of it, HU.
        degrade: the acquisition without its noise.

    Raises:
        ValueError: if the degraded output has not the shape of the input.
    """
    expected = degrade(output)
    if expected.shape != measured.shape:
        raise ValueError(f"degrade gives {expected.shape}, not the shape of the input, {measured.shape}")
    return np.abs(measured.astype(np.float64) - expected)
