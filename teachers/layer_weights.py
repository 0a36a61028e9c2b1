"""What a fusion has learnt of its layers: their weights, and a picture of them."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from lungsound.files.atomic import whole_file
from lungsound.training.runs import Run
from teachers.fusion import Fusion
from teachers.teacher import Teacher

PICTURE = "layer_weights.png"
"""In the folder of a run whose fusion learnt the weights of several layers."""


def learnt_weights(fusion: Fusion) -> dict[int, float]:
    """Return the weight of each layer of a fusion, by its number; of none where there is nothing to choose from."""
    if not fusion.weight.requires_grad or len(fusion.layers) < 2:
        return {}
    return dict(zip(fusion.layers, fusion.weight.tolist(), strict=True))


def weights_of(run: Run) -> dict[int, float]:
    """Return :func:`learnt_weights` of a finished run."""
    return learnt_weights(Teacher.load(run.model, run.weights).fusion)


def draw_weights(runs: Sequence[Mapping[int, float]], title: str) -> Figure:
    """Draw the weights of layers, each run's divided by the sum of their sizes, as the fusion paper draws them.

    Parameters
    ----------
    runs : sequence of mapping
        Weights by layer of one run, or of runs that differ in their seed. Of several, a bar is their mean, its line
        their standard deviation (n - 1), and a point each of them.
    title : str
        What was trained.
    """
    shares = np.array([list(weights.values()) for weights in runs])
    shares /= np.abs(shares).sum(axis=1, keepdims=True)
    names = [str(layer) for layer in runs[0]]
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    axes.bar(names, shares.mean(axis=0), color="tab:blue", alpha=0.6)
    if len(shares) > 1:
        deviations = shares.std(axis=0, ddof=1)
        axes.errorbar(names, shares.mean(axis=0), deviations, fmt="none", ecolor="black", capsize=4)
        axes.plot(names, shares.T, "k.", markersize=4)
    axes.axhline(1 / len(names), color="tab:orange", linestyle="--", linewidth=1, label="before training")
    axes.set_xlabel("layer")
    axes.set_ylabel("share of the weights")
    axes.set_title(title if len(shares) == 1 else f"{title}, {len(shares)} seeds", fontsize="medium")
    axes.legend(loc="lower right", fontsize="small")
    return figure


def save_picture(runs: Sequence[Mapping[int, float]], trained: str, folder: Path, *, synthetic: bool) -> None:
    """Write :func:`draw_weights` into a folder as `PICTURE`; the title says whether the corpus is synthetic."""
    title = f"{trained} (synthetic corpus)" if synthetic else trained
    with whole_file(folder / PICTURE) as temporary:
        draw_weights(runs, title).savefig(temporary, format="png", dpi=110)
