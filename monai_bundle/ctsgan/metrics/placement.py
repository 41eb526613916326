"""Whether an image lies where its reference lies."""

from __future__ import annotations

import numpy as np

STEP = 0.01
"""Resolution of the search in pixels."""


def subpixel_shift(image: np.ndarray, reference: np.ndarray) -> tuple[float, float]:
    """Rows and columns by which ``image`` is displaced against ``reference``, in pixels, to 0.01.

    The peak of their cross-correlation: found on whole pixels with an FFT, then on a grid of 0.01 pixel around
    it by evaluating the Fourier series there (Guizar-Sicairos et al., Optics Letters 33, 2008). Both images
    are weighted with a Hann window, so that their edges do not vote. Shapes (rows, columns).
    """
    window = np.outer(*(np.hanning(size) for size in image.shape))
    spectra = [np.fft.fft2((x - x.mean()) * window) for x in (image.astype(float), reference.astype(float))]
    product = spectra[0] * spectra[1].conj()
    correlation = np.fft.ifft2(product).real
    peak = np.unravel_index(np.argmax(correlation), correlation.shape)
    frequencies = [np.fft.fftfreq(size) for size in image.shape]
    fine = np.arange(-1.0, 1.0 + STEP / 2, STEP)
    rows, columns = (
        np.exp(2j * np.pi * np.outer(first + fine, frequency))
        for first, frequency in zip(peak, frequencies, strict=True)
    )
    around = (rows @ product @ columns.T).real
    best = np.unravel_index(np.argmax(around), around.shape)
    shift = [first + fine[index] for first, index in zip(peak, best, strict=True)]
    return tuple(
        float(value - size if value > size / 2 else value) for value, size in zip(shift, image.shape, strict=True)
    )
