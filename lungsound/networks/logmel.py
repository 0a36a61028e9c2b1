"""The log-mel spectrogram in torch: batched and differentiable, equal to the reference."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from lungsound.logmel import LogMelSpec, analysis_window
from lungsound.mel_bands import mel_filters


class LogMel(nn.Module):
    """Log-mel spectrogram of a batch of waves, as :func:`lungsound.logmel.log_mel` computes it.

    Its constants belong to the specification and stay out of the state dict.

    Parameters
    ----------
    spec : LogMelSpec
        What to compute.
    normalise : bool
        Return ``(logmel - spec.mean) / spec.std``.
    dtype : torch.dtype
        Of the computation, float32 or float64.
    pieces : bool
        The waves are pieces out of a sound, as :func:`piece` cuts them.
    """

    window: torch.Tensor
    filters: torch.Tensor

    def __init__(
        self, spec: LogMelSpec, *, normalise: bool = False, dtype: torch.dtype = torch.float32, pieces: bool = False
    ) -> None:
        super().__init__()
        self.spec, self.pieces = spec, pieces
        self.normalise = normalise
        self.register_buffer("window", torch.tensor(analysis_window(spec), dtype=dtype), persistent=False)
        self.register_buffer("filters", torch.tensor(mel_filters(spec), dtype=dtype), persistent=False)

    def mel_power(self, wave: torch.Tensor) -> torch.Tensor:
        """Return the mel power spectrogram, shape [batch, frames, n_mels].

        Parameters
        ----------
        wave : Tensor, shape [batch, samples]
            Samples in [-1, 1] at ``spec.sample_rate``.

        Raises
        ------
        InputError
            If the waves are shorter than one frame.
        """
        wave = wave.to(self.window.dtype)
        if not self.pieces:
            self.spec.frames(wave.shape[-1])
        if self.spec.preemphasis and not self.pieces:
            wave = wave[:, 1:] - self.spec.preemphasis * wave[:, :-1]
        spectrum = torch.stft(
            wave,
            self.spec.n_fft,
            self.spec.hop,
            window=self.window,
            center=self.spec.padding == "reflect" and not self.pieces,
            pad_mode="reflect",
            return_complex=True,
        )
        power = spectrum.real.square() + spectrum.imag.square()
        if self.spec.spectrum == "magnitude":
            power = power.clamp(min=1e-30).sqrt()  # its slope at 0 has no end
        return power.transpose(1, 2) @ self.filters.T

    def forward(self, wave: torch.Tensor) -> torch.Tensor:
        """Return the log-mel spectrogram, shape [batch, frames, n_mels]; see :meth:`mel_power`."""
        power = self.mel_power(wave)
        if self.spec.log == "ln":
            logmel = torch.log(power + self.spec.floor)
        else:
            logmel = 10.0 * torch.log10(power.clamp(min=self.spec.floor))
        return (logmel - self.spec.mean) / self.spec.std if self.normalise else logmel


def piece(spec: LogMelSpec, wave: NDArray[Any], start: int, width: int) -> NDArray[Any]:
    """Return the samples that some frames of a sound are made of, those that its padding reflects among them.

    Parameters
    ----------
    spec : LogMelSpec
        Of the frames.
    wave : ndarray, shape [samples]
        Of any type and scale; preemphasis, where there is one, gives float32.
    start, width : int
        The first of the frames, and how many. Those behind the end of the sound are made of zeros.

    Returns
    -------
    ndarray, shape [(width - 1) * hop + n_fft]

    Raises
    ------
    InputError
        If the sound is shorter than one frame.
    """
    spec.frames(len(wave))
    if spec.preemphasis:
        wave = (wave[1:] - spec.preemphasis * wave[:-1]).astype(np.float32)
    half = spec.n_fft // 2 if spec.padding == "reflect" else 0
    first = start * spec.hop - half
    last = first + (width - 1) * spec.hop + spec.n_fft
    cut = np.zeros(last - first, dtype=wave.dtype)
    before, inside = max(0, -first), wave[max(0, first) : max(0, last)]
    cut[:before] = wave[1 : before + 1][::-1]
    cut[before : before + len(inside)] = inside
    after = wave[-1 - min(half, max(0, last - len(wave))) : -1][::-1]
    cut[before + len(inside) :][: len(after)] = after
    return cut
