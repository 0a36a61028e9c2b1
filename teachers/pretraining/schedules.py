"""What changes over a pre-training: the learning rate and the weight of the moving average."""

import math


def learning_rate(highest: float, epoch: float, epochs: float, warm_up: float) -> float:
    """Return the learning rate at a fraction of an epoch: a line up to `highest`, then half a cosine to 0.

    Parameters
    ----------
    highest : float
        Reached when the warm-up ends.
    epoch : float
        Passes over the data that are done, with the fraction of this one.
    epochs, warm_up : float
        Passes in all, and of the warm-up among them.
    """
    if epoch < warm_up:
        return highest * epoch / warm_up
    return highest * 0.5 * (1.0 + math.cos(math.pi * (epoch - warm_up) / max(epochs - warm_up, 1e-9)))


def scaled_learning_rate(base: float, batch: int) -> float:
    """Return the highest learning rate for the clips of an optimiser step: `base` for every 256 (Goyal et al. 2017)."""
    return base * batch / 256


def moving_average(first: float, last: float, step: int, steps: int) -> float:
    """Return tau of a step: a line from `first` to `last`.

    Parameters
    ----------
    first, last : float
        Share of the old target in the new one, at the first and at the last step.
    step, steps : int
        Batches done (each batch of an accumulated gradient counts, as in M2D's code), and in all.
    """
    return first + (last - first) * step / max(1, steps - 1)
