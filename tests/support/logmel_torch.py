"""The log-mel spectrogram in torch: batched and differentiable, equal to the reference."""

import torch
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
    """

    window: torch.Tensor
    filters: torch.Tensor

    def __init__(self, spec: LogMelSpec, *, normalise: bool = False, dtype: torch.dtype = torch.float32) -> None:
        super().__init__()
        self.spec = spec
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
        self.spec.frames(wave.shape[-1])
        wave = wave.to(self.window.dtype)
        if self.spec.preemphasis:
            wave = wave[:, 1:] - self.spec.preemphasis * wave[:, :-1]
        spectrum = torch.stft(
            wave,
            self.spec.n_fft,
            self.spec.hop,
            window=self.window,
            center=self.spec.padding == "reflect",
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
