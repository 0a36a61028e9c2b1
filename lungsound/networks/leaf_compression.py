"""What follows a learnt filterbank: a logarithm with its median taken off, or per-channel energy normalisation."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class LogTbn(nn.Module):
    """Logarithm, temporal median as a second opinion, batch normalisation (Schlüter and Gutenbrunner 2022).

    Parameters
    ----------
    bands : int
        Filters of the spectrogram.
    """

    def __init__(self, bands: int) -> None:
        super().__init__()
        self.log1p = _Log1p(bands)
        self.TBN = _TemporalBatchNorm(bands)

    def forward(self, energy: Tensor) -> Tensor:
        """Map energies [B, F, T] to [B, 2, F, T]: the logarithm, and the logarithm less its median over time."""
        normalised: Tensor = self.TBN(self.log1p(energy))
        return normalised


class _Log1p(nn.Module):
    def __init__(self, bands: int) -> None:
        super().__init__()
        self.a = nn.Parameter(torch.full((bands,), 5.0))

    def forward(self, energy: Tensor) -> Tensor:
        return torch.log1p(energy * (10**self.a)[:, None])


class _TemporalBatchNorm(nn.Module):
    def __init__(self, bands: int) -> None:
        super().__init__()
        self.bn = nn.BatchNorm1d(2 * bands)

    def forward(self, x: Tensor) -> Tensor:
        # The lower median, as torch.median takes it; sorted, for ONNX has no median.
        median = x.sort(dim=-1).values[..., (x.shape[-1] - 1) // 2, None]
        both = torch.cat([x, x - median], dim=1)  # [B, 2 F, T]
        normalised: Tensor = self.bn(both)
        return normalised.reshape(len(x), 2, *x.shape[1:])


class Pcen(nn.Module):
    """Per-channel energy normalisation with learnt parameters a band (Zeghidour et al. 2021, eq. 5).

    Parameters
    ----------
    bands : int
        Filters of the spectrogram.
    """

    def __init__(self, bands: int) -> None:
        super().__init__()
        self.s = nn.Parameter(torch.full((bands,), 0.04))
        self.alpha = nn.Parameter(torch.full((bands,), 0.96))
        self.delta = nn.Parameter(torch.full((bands,), 2.0))
        self.r = nn.Parameter(torch.full((bands,), 2.0))  # of the root, so the exponent is its inverse

    def forward(self, energy: Tensor) -> Tensor:
        """Map energies [B, F, T] to [B, 1, F, T]."""
        energy = energy.clamp(min=_LEAST_ENERGY)
        gain = _EPSILON_LOG + torch.log1p(_smoothed(energy, self.s.clamp(0, 1)) / _EPSILON)
        scaled = energy * torch.exp(-self.alpha.clamp(max=1)[:, None] * gain)
        root = 1 / self.r.clamp(min=1)[:, None]
        delta = self.delta[:, None]
        return ((scaled + delta) ** root - delta**root)[:, None]


_LEAST_ENERGY = 1e-5
_EPSILON = 1e-12
_EPSILON_LOG = -27.631021115928547  # its natural logarithm


def _smoothed(energy: Tensor, s: Tensor) -> Tensor:
    """Return ``m[t] = (1 - s) m[t - 1] + s e[t]`` with ``m[0] = e[0]``.

    As one convolution with ``s (1 - s)^j``, and the first frame's share; as a loop it would be an operator a frame in
    ONNX, and a kernel a frame in training.
    """
    frames = energy.shape[-1]
    kept = (1 - s)[:, None] ** torch.arange(frames, device=s.device, dtype=s.dtype)
    kernel = (s[:, None] * kept).flip(-1)
    later = F.conv1d(F.pad(energy[..., 1:], (frames, 0)), kernel[:, None], groups=len(s))
    return energy[..., :1] * kept + later
