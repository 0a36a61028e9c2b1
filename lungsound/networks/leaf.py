"""EfficientLEAF (Schlüter and Gutenbrunner 2022): Gabor filters and Gaussian windows whose shape is learnt."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lungsound.networks.leaf_compression import LogTbn, Pcen
from lungsound.networks.leaf_config import LeafConfig

_COMPRESSIONS: dict[str, Callable[[int], LogTbn | Pcen]] = {"logtbn": LogTbn, "pcen": Pcen}

_FILTER_WIDTH = 4.77  # standard deviations of the widest Gaussian of a group that its filters span
_POOLING_WIDTH = 0.4  # standard deviation of a window when training starts, in halves of the window
_NARROWEST = math.sqrt(2 * math.log(2)) / math.pi


@dataclass(frozen=True)
class Group:
    """Neighbouring filters that are equally long.

    Attributes
    ----------
    filters : Tensor, shape [2 n, 1, K]
        Real parts of n Gabor filters, then their imaginary parts.
    windows : Tensor, shape [n, 1, W]
        Gaussian windows over their energy.
    stride, hop : int
        Samples from one energy to the next, energies from one frame to the next.
    """

    filters: Tensor
    windows: Tensor
    stride: int
    hop: int

    def __call__(self, wave: Tensor) -> Tensor:
        """Map sound [B, 1, samples] to smoothed energies [B, n, T]."""
        parts = F.conv1d(wave, self.filters, stride=self.stride, padding=self.filters.shape[-1] // 2)
        real, imaginary = parts.chunk(2, dim=1)
        energy = real.square() + imaginary.square()
        n, _, width = self.windows.shape
        return F.conv1d(energy, self.windows, stride=self.hop, padding=width // 2, groups=n)

    def multiply_accumulates(self, sample_rate: int) -> float:
        """Return those of a second of sound: filters, squares of both parts, windows."""
        n, _, width = self.windows.shape
        energies = sample_rate / self.stride
        return n * (energies * (2 * self.filters.shape[-1] + 2) + energies / self.hop * width)


class Filterbank(nn.Module):
    """Gabor filters and Gaussian windows with learnt centres and widths.

    Every group moves by the largest steps that its highest centre allows, and its filters are as long as its widest
    needs, so that shapes follow the parameters while they are learnt (eq. 5 and section 3 of the paper).

    Parameters
    ----------
    config : LeafConfig
        Its shape.
    """

    def __init__(self, config: LeafConfig) -> None:
        super().__init__()
        self._config = config
        low, high = (1127.0 * math.log1p(f / 700.0) for f in (config.min_freq, config.max_freq))
        edges = 700.0 * torch.expm1(torch.linspace(low, high, config.n_filters + 2, dtype=torch.float64) / 1127.0)
        self.center_freqs = nn.Parameter((edges[1:-1] * (2 * math.pi / config.sample_rate)).float())
        self.bandwidths = nn.Parameter((config.sample_rate / 2 / (edges[2:] - edges[:-2])).float())
        self.pooling_widths = nn.Parameter(torch.full((config.n_filters,), _POOLING_WIDTH))

    def forward(self, wave: Tensor) -> Tensor:
        """Map sound [B, samples] in [-1, 1] to energies [B, F, T]; in training, parameters are first clamped."""
        if self.training:
            self._clamp()
        return torch.cat([group(wave[:, None]) for group in self.groups()], dim=1)

    def groups(self) -> list[Group]:
        """Return the filters and windows that the parameters stand for."""
        parts = (clamped.chunk(self._config.num_groups) for clamped in self._clamped())
        return [self._group(*group) for group in zip(*parts, strict=True)]

    @torch.no_grad()
    def _clamp(self) -> None:
        for parameter, clamped in zip(self.parameters(), self._clamped(), strict=True):
            parameter.copy_(clamped)

    def _clamped(self) -> tuple[Tensor, Tensor, Tensor]:
        """Return centres (radians a sample), widths of filters (samples) and of windows within their limits."""
        longest = self._config.window + 1
        return (
            self.center_freqs.clamp(0.0, math.pi),
            self.bandwidths.clamp(2 * _NARROWEST, longest * _NARROWEST),
            self.pooling_widths.clamp(2.0 / longest, 0.5),
        )

    def _group(self, centres: Tensor, widths: Tensor, pooling: Tensor) -> Group:
        stride = _largest_divisor(self._config.hop, math.pi / max(float(centres.detach().max()), 1e-9))
        length = _odd(int(float(widths.detach().max()) * _FILTER_WIDTH))
        time = torch.arange(length, device=widths.device, dtype=widths.dtype) - length // 2
        gauss = torch.exp(-0.5 * (time / widths[:, None]).square()) / (math.sqrt(2 * math.pi) * widths[:, None])
        phase = time * centres[:, None]
        filters = torch.cat([gauss * torch.cos(phase), gauss * torch.sin(phase)])
        size = self._config.window + 1
        span = _odd(int(size / stride + 0.5))
        place = torch.linspace(-1, 1, span, device=widths.device, dtype=widths.dtype)
        windows = torch.exp(-0.5 * (place / (pooling[:, None] * (size / stride / span))).square())
        return Group(filters[:, None], windows[:, None], stride, self._config.hop // stride)


class FixedFilterbank(nn.Module):
    """The filters of a trained front end as constants, so that no shape depends on a value.

    Parameters
    ----------
    filterbank : Filterbank
        As trained.
    """

    @torch.no_grad()
    def __init__(self, filterbank: Filterbank) -> None:
        super().__init__()
        groups = filterbank.groups()
        self._steps = [(group.stride, group.hop) for group in groups]
        for place, group in enumerate(groups):
            self.register_buffer(f"filters_{place}", group.filters)
            self.register_buffer(f"windows_{place}", group.windows)

    def forward(self, wave: Tensor) -> Tensor:
        """See :meth:`Filterbank.forward`."""
        groups = (
            Group(self.get_buffer(f"filters_{place}"), self.get_buffer(f"windows_{place}"), *steps)
            for place, steps in enumerate(self._steps)
        )
        return torch.cat([group(wave[:, None]) for group in groups], dim=1)


class Leaf(nn.Module):
    """EfficientLEAF: sound in, a learnt spectrogram out.

    Parameter names are those of the published code, https://github.com/CPJKU/EfficientLEAF; with one group, the
    filters and PCEN are also LEAF's (Zeghidour et al. 2021).

    Parameters
    ----------
    config : LeafConfig
        Its shape.
    """

    def __init__(self, config: LeafConfig) -> None:
        super().__init__()
        self.config = config
        self.filterbank: Filterbank | FixedFilterbank = Filterbank(config)
        self.compression = _COMPRESSIONS[config.compression](config.n_filters)

    def forward(self, wave: Tensor) -> Tensor:
        """Map sound [B, samples] in [-1, 1] to a spectrogram [B, channels, T, F]."""
        spectrogram: Tensor = self.compression(self.filterbank(wave))
        return spectrogram.transpose(-1, -2)

    def fix(self) -> None:
        """Make the filters constants; there is nothing to train any more, and an exporter can follow."""
        assert isinstance(self.filterbank, Filterbank)
        self.filterbank = FixedFilterbank(self.filterbank)

    @torch.no_grad()
    def multiply_accumulates(self) -> int:
        """Return how many a second of sound takes with the filters as they are now; the compression is left out."""
        assert isinstance(self.filterbank, Filterbank)
        return round(sum(group.multiply_accumulates(self.config.sample_rate) for group in self.filterbank.groups()))


def _odd(length: int) -> int:
    return length + 1 - length % 2


def _largest_divisor(number: int, limit: float) -> int:
    return max(divisor for divisor in range(1, number + 1) if number % divisor == 0 and divisor <= max(1.0, limit))
