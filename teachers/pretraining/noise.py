"""Background noise, mixed into log-mels (M2D-X, eq. 5)."""

import numpy as np
from numpy.typing import NDArray

_LEAST = 2.0**-23
"""Of the mixed power, as M2D's code has it: the step from 1 to the next float32."""


def mix(clean: NDArray[np.float32], noise: NDArray[np.float32], share: float) -> NDArray[np.float32]:
    """Return ``log(max(share * exp(noise) + (1 - share) * exp(clean), 2 ** -23))``.

    Parameters
    ----------
    clean, noise : ndarray of float32, shape [..., frames, n_mels]
        Log-mels less the mean of their own set, not divided by a deviation.
    share : float
        The paper's eta.
    """
    power = share * np.exp(noise) + (1 - share) * np.exp(clean)
    mixed: NDArray[np.float32] = np.log(np.maximum(power, _LEAST)).astype(np.float32)
    return mixed
