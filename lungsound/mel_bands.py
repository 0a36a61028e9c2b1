"""The triangular bands of a log-mel."""

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from lungsound.logmel import LogMelSpec


def mel_edges(spec: "LogMelSpec") -> NDArray[np.float64]:
    """Return the ``n_mels + 2`` band edges in Hz, equally spaced on the mel scale.

    Slaney: linear (200/3 Hz a mel) below 1000 Hz, logarithmic (27 mels a factor 6.4) above.
    HTK and Kaldi: ``2595 log10(1 + f / 700)``. Both of the sound as it is played.
    """
    if spec.speed > 1:
        return mel_edges(spec.played()) / spec.speed
    if spec.mel_scale != "slaney":
        low, high = (2595.0 * np.log10(1.0 + f / 700.0) for f in (spec.f_min, spec.f_max))
        return np.asarray(700.0 * (10.0 ** (np.linspace(low, high, spec.n_mels + 2) / 2595.0) - 1.0))
    step = 27.0 / np.log(6.4)
    low, high = (3.0 * f / 200.0 if f < 1000.0 else 15.0 + step * np.log(f / 1000.0) for f in (spec.f_min, spec.f_max))
    mels = np.linspace(low, high, spec.n_mels + 2)
    return np.where(mels < 15.0, 200.0 * mels / 3.0, 1000.0 * np.exp((mels - 15.0) / step))


@lru_cache(maxsize=32)
def mel_filters(spec: "LogMelSpec") -> NDArray[np.float64]:
    """Return the triangular filters, shape ``[n_mels, n_fft // 2 + 1]``, read-only."""
    if spec.speed > 1:
        return mel_filters(spec.played())
    edges = mel_edges(spec)[:, None]
    hertz = np.arange(spec.n_fft // 2 + 1) * (spec.sample_rate / spec.n_fft)
    if spec.mel_scale == "kaldi":
        edges, hertz = np.log1p(edges / 700.0), np.log1p(hertz / 700.0)
    rising = (hertz - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - hertz) / (edges[2:] - edges[1:-1])
    filters = np.maximum(0.0, np.minimum(rising, falling))
    if spec.area_norm:
        filters *= 2.0 / (mel_edges(spec)[2:] - mel_edges(spec)[:-2])[:, None]
    filters.flags.writeable = False
    return filters
