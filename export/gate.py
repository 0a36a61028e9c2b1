"""Int8 beside float on validation windows: the figures a bundle carries, and the gate it must pass."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from export.bundle.runtimes import Runtime, as_input, as_logits, probabilities
from lungsound.errors import InputError
from lungsound.front_end import codes_of, heard
from lungsound.listening import Listening
from lungsound.logmel import normalise
from lungsound.quantization import Quantization
from lungsound.scores.metrics import label_scores
from lungsound.terminal import progress

MOST_DIFFERING = 0.05
"""Share of the decisions that int8 may take otherwise than float; beyond it the export failed."""

_AT_ONCE = 64


@dataclass(frozen=True)
class Validation:
    """Validation windows as a device hears them.

    Attributes
    ----------
    pcm : ndarray of int16, shape [N, samples]
        Sound.
    labels : ndarray of int, shape [N, labels], optional
        Truth; without it int8 is held against float alone.
    heard : callable, optional
        From a slice of the windows to what is heard of them, float64 [n, frames, n_mels], before mean and deviation
        (:func:`lungsound.features.heard_windows`); where their sound alone does not tell, as the recording before it
        counts.
    """

    pcm: NDArray[np.int16]
    labels: NDArray[np.int64] | None
    heard: Callable[[slice], NDArray[np.float64]] | None = None


def validation_figures(
    listening: Listening,
    thresholds: tuple[float, ...],
    quantization: Quantization,
    float_model: Runtime,
    int8_models: dict[str, Runtime],
    validation: Validation,
) -> dict[str, Any]:
    """Score float and int8 models on the same sound, from PCM on.

    Parameters
    ----------
    listening : Listening
        The models' input.
    thresholds : tuple of float
        Logits at and above which a label is given.
    quantization : Quantization
        Of the int8 input; every int8 model hears the front end's codes.
    float_model : Runtime
        Hears the log-mel itself.
    int8_models : dict of str to Runtime
        By name.
    validation : Validation
        Windows and truth.

    Returns
    -------
    dict
        ``windows``; ``float``: :func:`lungsound.scores.metrics.label_scores`; ``int8`` by name: the same,
        ``differing_decisions`` (share), ``max_error`` and ``mean_error`` of the probabilities against float. Without
        truth there are no scores, and no ``float``.
    """
    logits: dict[str, list[NDArray[np.float64]]] = {name: [] for name in ("float", *int8_models)}
    for start in progress(range(0, len(validation.pcm), _AT_ONCE), "validating int8"):
        part = slice(start, start + _AT_ONCE)
        features = validation.heard(part) if validation.heard else heard(listening, validation.pcm[part])
        logmel = normalise(listening.logmel, features)
        codes = codes_of(listening.logmel, quantization, features)
        logits["float"].append(float_model.run(logmel.astype(np.float32)).astype(np.float64))
        for name, model in int8_models.items():
            logits[name].append(as_logits(model, model.run(as_input(model, codes, quantization))))
    joined = {name: np.concatenate(parts) for name, parts in logits.items()}
    scores: dict[str, dict[str, Any]] = {name: {} for name in joined}
    if (truth := validation.labels) is not None:
        labels = listening.labels
        scores = {n: label_scores(truth, values, values >= thresholds, labels) for n, values in joined.items()}
    for name in int8_models:
        scores[name] |= _against(joined["float"], joined[name], thresholds)
    figures: dict[str, Any] = {"windows": len(validation.pcm)}
    if validation.labels is not None:
        figures["float"] = scores["float"]
    return figures | {"int8": {name: scores[name] for name in int8_models}}


def refuse_other_decisions(figures: dict[str, Any], labels: int) -> None:
    """Refuse models that decide otherwise than float.

    Parameters
    ----------
    figures : dict
        Of :func:`validation_figures`.
    labels : int
        Decisions a window.

    Raises
    ------
    InputError
        If more than `MOST_DIFFERING` of the decisions differ, and more than one: one hangs on rounding alone where a
        logit lies at its threshold.
    """
    for name, scores in figures["int8"].items():
        differing = scores["differing_decisions"]
        if differing > MOST_DIFFERING and differing * figures["windows"] * labels > 1.5:
            raise InputError(
                f"{name} decides otherwise than float {differing:.1%} of the time on {figures['windows']} validation "
                f"windows, {MOST_DIFFERING:.0%} at most is due; calibrate on more windows, without a percentile, or "
                "train on more recordings"
            )


def _against(exact: NDArray[np.float64], int8: NDArray[np.float64], thresholds: tuple[float, ...]) -> dict[str, float]:
    error = np.abs(probabilities(exact) - probabilities(int8))
    differing = (exact >= thresholds) != (int8 >= thresholds)
    return {
        "differing_decisions": float(differing.mean()),
        "max_error": float(error.max()),
        "mean_error": float(error.mean()),
    }
