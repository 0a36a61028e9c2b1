"""Background noise, mixed into log-mels (M2D-X, eq. 5)."""

import torch
from torch import Tensor

_LEAST = 2.0**-23
"""Of the mixed power, as M2D's code has it: the step from 1 to the next float32."""


def mix(clean: Tensor, noise: Tensor, share: float) -> Tensor:
    """Return ``log(max(share * exp(noise) + (1 - share) * exp(clean), 2 ** -23))``.

    Parameters
    ----------
    clean, noise : Tensor, shape [..., frames, n_mels]
        Log-mels less the mean of their own set, not divided by a deviation.
    share : float
        The paper's eta.
    """
    power = share * torch.exp(noise) + (1 - share) * torch.exp(clean)
    return torch.log(power.clamp(min=_LEAST))
