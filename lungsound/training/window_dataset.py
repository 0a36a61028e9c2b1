"""Batches of what networks hear, normalised log-mels or sound, read from the memory-mapped store."""

from collections.abc import Callable, Iterator, Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader, Dataset, Sampler

from lungsound.logmel import LogMelSpec, normalise
from lungsound.terminal import progress

Batch = dict[str, torch.Tensor]


class WindowDataset(Dataset[Batch]):
    """Windows by a list of indices: one read from the store for a whole batch.

    Parameters
    ----------
    labels : ndarray of int, shape [N, C]
        0 or 1.
    features : ndarray of float32, shape [N, frames, n_mels] or [N, samples]
        Log-mels before normalisation, or sound.
    logmel : LogMelSpec
        Its mean and standard deviation normalise.
    stored : mapping of str to ndarray, shape [N, ...]
        Further arrays to hand out with the windows (stored teacher outputs).
    """

    def __init__(
        self,
        labels: NDArray[np.int64],
        features: NDArray[np.float32],
        logmel: LogMelSpec,
        stored: Mapping[str, NDArray[np.float32]] | None = None,
    ) -> None:
        self._labels = labels.astype(np.float32)
        self._features = features
        self._logmel = logmel
        self._stored = dict(stored or {})

    def __len__(self) -> int:
        return len(self._labels)

    def __getitem__(self, index: list[int]) -> Batch:
        """Return ``x`` (:func:`network_input`), ``labels`` [B, C] and the stored arrays, all float32."""
        x = network_input(self._logmel, self._features[index])
        batch = {"x": torch.from_numpy(x), "labels": torch.from_numpy(self._labels[index])}
        for name, values in self._stored.items():
            batch[name] = torch.from_numpy(np.asarray(values[index], dtype=np.float32))
        return batch


def network_input(logmel: LogMelSpec, features: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return what a network takes of :func:`lungsound.features.prepare`'s windows.

    Parameters
    ----------
    logmel : LogMelSpec
        Its mean and standard deviation normalise.
    features : ndarray of float32, shape [B, frames, n_mels] or [B, samples]
        Log-mels before normalisation, or sound.

    Returns
    -------
    ndarray of float32, shape [B, 1, frames, n_mels] or [B, samples]
        Sound as it is.
    """
    if features.ndim == 2:
        return features
    return normalise(logmel, features).astype(np.float32)[:, None]


class BatchIndices(Sampler[list[int]]):
    """Index lists of batches; the order is a function of seed and epoch alone, so a resumed run repeats it.

    Parameters
    ----------
    size : int
        Number of windows.
    batch_size : int
        Windows a batch; the last one may be smaller.
    seed : int or None
        Of the shuffling; None keeps the order of the table.
    """

    def __init__(self, size: int, batch_size: int, seed: int | None = None) -> None:
        self._size, self._batch_size, self._seed, self._epoch = size, batch_size, seed, 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch's order; Lightning calls this."""
        self._epoch = epoch

    def __len__(self) -> int:
        return -(-self._size // self._batch_size)

    def __iter__(self) -> Iterator[list[int]]:
        order = np.arange(self._size)
        if self._seed is not None:
            order = np.random.default_rng([self._seed, self._epoch]).permutation(order)
        for start in range(0, self._size, self._batch_size):
            yield order[start : start + self._batch_size].tolist()


def batches(dataset: WindowDataset, batch_size: int, seed: int | None = None) -> DataLoader[Batch]:
    """Return a loader of whole batches; shuffled if a seed is given."""
    return DataLoader(dataset, batch_size=None, sampler=BatchIndices(len(dataset), batch_size, seed))


@torch.inference_mode()
def predict(
    forward: Callable[[torch.Tensor], torch.Tensor],
    features: NDArray[np.float32],
    logmel: LogMelSpec,
    batch_size: int = 256,
) -> NDArray[np.float64]:
    """Return what `forward` makes of every window, in the order of the features.

    Parameters
    ----------
    forward : callable
        From :func:`network_input`'s to logits [B, C]; of a model in evaluation mode.
    features, logmel
        See :class:`WindowDataset`.
    batch_size : int
        Windows at a time.

    Returns
    -------
    ndarray of float64, shape [N, C]
        Logits.
    """
    unknown = np.zeros((len(features), 0), dtype=np.int64)
    steps = progress(batches(WindowDataset(unknown, features, logmel), batch_size), "predicting")
    return np.concatenate([forward(batch["x"]).double().cpu().numpy() for batch in steps])
