"""What a student's windows go through in training, beside :class:`teachers.finetune.SpecAugment`."""

import math

import torch
from torch import Tensor, nn

from lungsound.logmel import LogMelSpec


class RandomGain(nn.Module):
    """Play every window louder or softer, as another stethoscope or another hand would.

    In a log-mel a gain is a constant added to all values. Stethoscopes of one corpus differ by several nats, and a
    student that has heard few of them would take loudness for a label.

    Parameters
    ----------
    logmel : LogMelSpec
        Its logarithm and standard deviation turn dB into normalised values.
    decibel : float
        Standard deviation of the gain; 0 changes nothing.
    """

    def __init__(self, logmel: LogMelSpec, decibel: float) -> None:
        super().__init__()
        of_power = decibel if logmel.spectrum == "power" else decibel / 2
        self.spread = of_power * (math.log(10) / 10 if logmel.log == "ln" else 1.0) / logmel.std

    def forward(self, x: Tensor) -> Tensor:
        """Shift each of B normalised log-mels [B, 1, frames, mels] by its own constant."""
        return x + self.spread * torch.randn(len(x), 1, 1, 1, dtype=x.dtype, device=x.device)


class RandomSoundGain(nn.Module):
    """The same for networks that hear sound: every window's samples times a factor of its own, not clipped.

    Parameters
    ----------
    decibel : float
        Standard deviation of the gain; 0 changes nothing.
    """

    def __init__(self, decibel: float) -> None:
        super().__init__()
        self.spread = decibel * math.log(10) / 20

    def forward(self, x: Tensor) -> Tensor:
        """Scale each of B windows [B, samples]."""
        return x * torch.exp(self.spread * torch.randn(len(x), 1, dtype=x.dtype, device=x.device))
