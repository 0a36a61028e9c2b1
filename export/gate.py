"""Int8 beside float on validation windows: the figures a bundle carries, and the gate it must pass."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from export.bundle.runtimes import RUNTIMES, Runtime, as_input, as_logits, probabilities
from export.falls import Fall, falls
from lungsound.errors import InputError
from lungsound.front_end import codes_of, heard
from lungsound.listening import Listening
from lungsound.logmel import normalise
from lungsound.quantization import Quantization
from lungsound.scores.flips import flips
from lungsound.scores.metrics import label_scores
from lungsound.terminal import progress

if TYPE_CHECKING:
    import pandas as pd

MOST_DIFFERING = 0.05
"""Share of the decisions that int8 may take otherwise than float; beyond it the export failed."""

PASSED, UNPROVEN, FAILED, UNMEASURED = "passed", "unproven", "failed", "unmeasured"
"""Verdicts: nothing fell, as far as an interval can show; it cannot show that; something fell; no truth by patient."""

TO_TRY = (
    "calibrate on more windows (--calibration), try other ranges (with or without --percentile), train the .tflite "
    "through int8 (--qat 20), or export the other format alone (--int8)"
)
"""What may mend an int8 model that lost something."""

_AT_ONCE = 64


class Strictness(StrEnum):
    """What the gate lets pass."""

    FORCE = "force"
    """Everything; what failed is marked as failed."""
    USUAL = "usual"
    """What did not fail."""
    STRICT = "strict"
    """What validation shows to have lost nothing."""


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
    windows : DataFrame, optional
        N rows with `lungsound.windows.WINDOW_COLUMNS`: whose windows they are, and of which recordings. Without it
        nothing can be said by patient.
    """

    pcm: NDArray[np.int16]
    labels: NDArray[np.int64] | None
    heard: Callable[[slice], NDArray[np.float64]] | None = None
    windows: "pd.DataFrame | None" = None

    @property
    def patients(self) -> list[str] | None:
        """Whose window each is; None where nobody knows."""
        if self.windows is None or self.labels is None:
            return None
        return [f"{corpus} {patient}" for corpus, patient in self.windows[["corpus", "patient"]].to_numpy()]


def validation_logits(
    listening: Listening,
    quantization: Quantization,
    float_model: Runtime,
    int8_models: dict[str, Runtime],
    validation: Validation,
) -> dict[str, NDArray[np.float64]]:
    """Run float and int8 models on the same sound, from PCM on.

    Parameters
    ----------
    listening : Listening
        The models' input.
    quantization : Quantization
        Of the int8 input; every int8 model hears the front end's codes.
    float_model : Runtime
        Hears the log-mel itself.
    int8_models : dict of str to Runtime
        By name.
    validation : Validation
        Windows.

    Returns
    -------
    dict of str to ndarray of float64, shape [N, labels]
        Logits by name, ``float`` first.
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
    return {name: np.concatenate(parts) for name, parts in logits.items()}


def validation_figures(
    listening: Listening,
    thresholds: tuple[float, ...],
    logits: Mapping[str, NDArray[np.float64]],
    truth: NDArray[np.int64] | None,
) -> dict[str, Any]:
    """Score float and int8 models.

    Parameters
    ----------
    listening : Listening
        Names the labels.
    thresholds : tuple of float
        Logits at and above which a label is given.
    logits : mapping of str to ndarray of float64, shape [N, labels]
        Of :func:`validation_logits`.
    truth : ndarray of int64, shape [N, labels], optional
        0 or 1.

    Returns
    -------
    dict
        ``windows``; ``float``: :func:`lungsound.scores.metrics.label_scores`; ``int8`` by name: the same,
        ``differing_decisions`` (share), ``max_error`` and ``mean_error`` of the probabilities against float. Without
        truth there are no scores, and no ``float``.
    """
    exact = logits["float"]
    scores: dict[str, dict[str, Any]] = {name: {} for name in logits}
    if truth is not None:
        labels = listening.labels
        scores = {n: label_scores(truth, values, values >= thresholds, labels) for n, values in logits.items()}
    for name in scores.keys() - {"float"}:
        scores[name] |= _against(exact, logits[name], thresholds)
    figures: dict[str, Any] = {"windows": len(exact)}
    if truth is not None:
        figures["float"] = scores["float"]
    return figures | {"int8": {name: found for name, found in scores.items() if name != "float"}}


def gate(
    listening: Listening,
    thresholds: tuple[float, ...],
    logits: Mapping[str, NDArray[np.float64]],
    validation: Validation,
) -> dict[str, Any]:
    """Judge int8 models by what they lose against float on validation.

    A figure that fell beyond its limit, and whose interval leaves no fall at all out, fails. One passes whose interval
    ends within the limit. What lies between is unproven: some validation sets have too few patients to tell.

    Parameters
    ----------
    listening, thresholds, logits
        See :func:`validation_figures`.
    validation : Validation
        Truth, and whose windows they are.

    Returns
    -------
    dict
        ``verdict``: one of `PASSED`, `UNPROVEN`, `FAILED` and `UNMEASURED`; ``reasons``: a sentence for everything that
        speaks against passing; ``patients``: their number, or None; ``falls``: :meth:`export.falls.Fall.to_dict` of
        every figure of every model.
    """
    reasons, found, patients = [], [], validation.patients
    if validation.labels is not None:
        reasons = _other_decisions(logits, thresholds, len(listening.labels))
    verdict = FAILED if reasons else PASSED
    if validation.labels is None or patients is None:
        why = "recordings" if validation.labels is None else "patients"
        if verdict == PASSED:
            verdict, reasons = UNMEASURED, [f"no {why} were given, so nothing shows what int8 loses"]
    else:
        decisions = {name: values >= np.asarray(thresholds) for name, values in logits.items()}
        found = falls(validation.labels, decisions, patients, listening.labels)
        lost = [fall for fall in found if fall.lost]
        reasons += [f"{RUNTIMES[fall.model].title}: {fall}" for fall in lost]
        verdict = FAILED if reasons else PASSED
        unshown = [fall for fall in found if not fall.shown]
        if verdict == PASSED and unshown:
            verdict, reasons = UNPROVEN, [_unproven(unshown)]
    return {
        "verdict": verdict,
        "reasons": reasons,
        "patients": None if patients is None else len(set(patients)),
        "falls": [fall.to_dict() for fall in found],
    }


def int8_flips(
    listening: Listening,
    thresholds: tuple[float, ...],
    logits: Mapping[str, NDArray[np.float64]],
    validation: Validation,
) -> tuple[dict[str, Any], ...] | None:
    """Return what each int8 model loses that float has right, see :func:`lungsound.scores.flips.flips`.

    None where the truth, or whose windows they are, is not known; parameters as for :func:`gate`.
    """
    if validation.labels is None or validation.windows is None:
        return None
    given = {name: values >= np.asarray(thresholds) for name, values in logits.items()}
    recordings = validation.windows["recording"]
    return tuple(
        {"model": name} | lost
        for name in given
        if name != "float"
        for lost in flips(validation.labels, given["float"], given[name], recordings, listening.labels)
    )


def refuse(verdict: dict[str, Any], strictness: Strictness) -> None:
    """Refuse what the gate does not let pass.

    Parameters
    ----------
    verdict : dict
        Of :func:`gate`.
    strictness : Strictness
        What passes.

    Raises
    ------
    InputError
        Naming what was lost, and what to try.
    """
    reasons = "; ".join(verdict["reasons"])
    if verdict["verdict"] == FAILED and strictness != Strictness.FORCE:
        raise InputError(f"int8 fails its gate: {reasons}; {TO_TRY}, or --force writes it marked as failed")
    if verdict["verdict"] in (UNPROVEN, UNMEASURED) and strictness == Strictness.STRICT:
        raise InputError(f"{reasons}; validate on more patients, {TO_TRY}, or leave --strict out")


def _unproven(unshown: list[Fall]) -> str:
    worst = max(unshown, key=lambda fall: fall.interval[1] - fall.limit)
    return f"validation cannot show that nothing is lost; least sure is {RUNTIMES[worst.model].title}: {worst}"


def _other_decisions(
    logits: Mapping[str, NDArray[np.float64]], thresholds: tuple[float, ...], labels: int
) -> list[str]:
    """Return a sentence for every model that decides otherwise than float more often than `MOST_DIFFERING`.

    And more than once: one decision hangs on rounding alone where a logit lies at its threshold.
    """
    found = []
    for name, values in logits.items():
        share = float(_differing(logits["float"], values, thresholds).mean())
        if share > MOST_DIFFERING and share * values.size > 1.5:
            found.append(
                f"{RUNTIMES[name].title} decides otherwise than float {share:.1%} of the time on {len(values)} "
                f"validation windows, {MOST_DIFFERING:.0%} at most is due"
            )
    return found


def _differing(
    exact: NDArray[np.float64], int8: NDArray[np.float64], thresholds: tuple[float, ...]
) -> NDArray[np.bool_]:
    return np.asarray((exact >= thresholds) != (int8 >= thresholds))


def _against(exact: NDArray[np.float64], int8: NDArray[np.float64], thresholds: tuple[float, ...]) -> dict[str, float]:
    error = np.abs(probabilities(exact) - probabilities(int8))
    return {
        "differing_decisions": float(_differing(exact, int8, thresholds).mean()),
        "max_error": float(error.max()),
        "mean_error": float(error.mean()),
    }
