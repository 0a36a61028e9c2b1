"""What encoders make of windows: every layer, pooled, computed once and kept."""

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from lungsound.features import feature_key, prepare
from lungsound.files.arrays import new_array, open_array
from lungsound.files.atomic import whole_file
from lungsound.files.stored import stored_once
from lungsound.logmel import LogMelSpec
from lungsound.terminal import progress
from lungsound.training.window_dataset import network_input
from teachers.encoder import Encoder, build, config_values
from teachers.fusion import stack_frequency

if TYPE_CHECKING:  # help need not wait for pandas
    import pandas as pd

BATCH = 32

Pool = Literal["frames", "mean"]
"""frames: the mean over time, frequencies stacked (M2D, eq. 4); mean: the mean over frequency, too."""


@dataclass(frozen=True)
class Probed:
    """Something whose layers are probed.

    Attributes
    ----------
    name : str
        For tables.
    logmel : LogMelSpec
        What it hears, with the statistics that normalise it.
    network : nn.Module or None
        In evaluation mode; None where nothing is computed but the log-mel's own mean and deviation.
    layers : callable
        From normalised log-mels [B, 1, frames, mels], or sound, to a grid of tokens [B, Nf, T, D] for each layer.
    shape : dict
        Its configuration as plain values.
    sound : bool
        It hears samples, not log-mels.
    """

    name: str
    logmel: LogMelSpec
    network: nn.Module | None
    layers: Callable[[Tensor], list[Tensor]] = field(compare=False)
    shape: dict[str, Any]
    sound: bool = False

    @classmethod
    def of_encoder(cls, name: str, encoder: Encoder, logmel: LogMelSpec) -> Self:
        """Return an encoder of the registry."""
        frozen = encoder.eval()
        return cls(
            name, logmel, frozen, lambda x: frozen.encode_layers(x.transpose(-1, -2)), config_values(encoder.config)
        )

    @classmethod
    def random(cls, name: str, config: Any, logmel: LogMelSpec, seed: int) -> Self:
        """Return an encoder of this shape as it is before any training."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return cls.of_encoder(name, build(config), logmel)

    @classmethod
    def of_logmel(cls, name: str, logmel: LogMelSpec) -> Self:
        """Return the log-mel itself: mean and deviation over time of every band, as a grid of two columns."""
        return cls(name, logmel, None, _mean_and_deviation, {"name": "logmel"})

    @torch.inference_mode()
    def shapes(self, seconds: float) -> tuple[tuple[int, int], ...]:
        """Return rows and features of every layer, from one window of silence.

        Raises
        ------
        InputError
            If it takes no window of this length.
        """
        spec, samples = self.logmel, self.logmel.samples(seconds)
        silence = (1, samples) if self.sound else (1, 1, spec.frames(samples), spec.n_mels)
        return tuple((grid.shape[1], grid.shape[3]) for grid in self.layers(torch.zeros(silence)))

    def key(self, windows: "pd.DataFrame", seconds: float) -> str:
        """Return what its features depend on as a hash: shape, weights, log-mel, windows."""
        heard = feature_key(windows, self.logmel, seconds, sound=self.sound)
        about = [self.shape, self.logmel.to_dict(), heard]
        digest = hashlib.sha256(json.dumps(about, sort_keys=True).encode())
        for name, value in sorted((self.network.state_dict() if self.network else {}).items()):
            digest.update(name.encode())
            digest.update(value.detach().cpu().contiguous().numpy().tobytes())
        return digest.hexdigest()[:32]


@dataclass(frozen=True)
class Pooled:
    """Layers of N windows, pooled over time.

    Attributes
    ----------
    values : ndarray of float32, shape [N, sum of rows * features]
        Layer after layer, frequency slow, features fast; memory-mapped.
    shapes : tuple of (int, int)
        Rows Nf and features D of each layer.
    """

    values: NDArray[np.float32]
    shapes: tuple[tuple[int, int], ...]

    def layer(self, number: int, pool: Pool) -> NDArray[np.float32]:
        """Return a layer, counted from 1: [N, Nf * D], or with ``mean`` [N, D], the mean over all of its tokens."""
        sizes = [rows * features for rows, features in self.shapes]
        first = sum(sizes[: number - 1])
        found = np.asarray(self.values[:, first : first + sizes[number - 1]])
        if pool == "frames":
            return found
        return np.asarray(found.reshape(len(found), *self.shapes[number - 1]).mean(axis=1))


def pooled_features(probed: Probed, windows: "pd.DataFrame", seconds: float, cache: Path) -> Pooled:
    """Return what every layer makes of the windows, from the cache if it is there.

    Parameters
    ----------
    probed : Probed
        What is asked.
    windows : DataFrame
        Columns `lungsound.windows.WINDOW_COLUMNS`.
    seconds : float
        Length of a window.
    cache : Path
        Folder to keep them in.

    Raises
    ------
    InputError
        If a recording cannot be read, or the encoder takes no window of this length.
    """
    shapes = probed.shapes(seconds)
    shape = (len(windows), sum(rows * features for rows, features in shapes))
    file = cache / "layers" / f"{probed.key(windows, seconds)}.npy"

    def make() -> NDArray[np.float32] | None:
        heard = prepare(windows, probed.logmel, seconds, cache, sound=probed.sound)
        with whole_file(file) as temporary, new_array(temporary, shape) as first_byte, temporary.open("r+b") as out:
            out.seek(first_byte)
            for values in _run(probed, heard):
                out.write(np.ascontiguousarray(values).data)
        return open_array(file, shape, verify=False)

    return Pooled(stored_once(cache, file, lambda: open_array(file, shape), make), shapes)


@torch.inference_mode()
def _run(probed: Probed, heard: NDArray[np.float32]) -> Iterator[NDArray[np.float32]]:
    device = "cuda" if torch.cuda.is_available() else "cpu"
    if probed.network is not None:
        probed.network.to(device)
    for first in progress(range(0, len(heard), BATCH), f"running {probed.name}"):
        x = torch.from_numpy(network_input(probed.logmel, np.array(heard[first : first + BATCH])))
        yield _pool(probed.layers(x.to(device))).cpu().numpy()
    if probed.network is not None:
        probed.network.to("cpu")


def _pool(grids: Sequence[Tensor]) -> Tensor:
    return torch.cat([stack_frequency(grid).mean(dim=1) for grid in grids], dim=1).float()


def _mean_and_deviation(x: Tensor) -> list[Tensor]:
    """Return a grid [B, 2, 1, mels] of [B, 1, frames, mels]: mean and deviation over the frames."""
    return [torch.cat([x.mean(dim=2), x.std(dim=2, unbiased=False)], dim=1)[:, :, None]]
