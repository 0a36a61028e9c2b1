"""When a model gives no answer: its check of the signal and its certainty, calibrated on validation recordings."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from lungsound.errors import InputError
from lungsound.files.plain_json import take, take_list
from lungsound.quality.check import LinearScore, Reason, SignalCheck
from lungsound.quality.conformal import Certainty, certainty
from lungsound.quality.features import FEATURES, Signal

MOST = 0.05
"""Share of good recordings that may be answered with "listen again"."""

_MOST_NOISE, _MOST_SIGNAL = 0.2, 0.8  # of that share, for noise alone and for all that the signal tells
_SHARES = tuple(step / 50 for step in range(1, 51))


@dataclass(frozen=True)
class Abstention:
    """When a window of sound is answered with "listen again", and when with a label set.

    Attributes
    ----------
    signal : SignalCheck
        Of its sound.
    certain : Certainty
        Of the model's output.
    missed, false : tuple of float
        Promised shares of wrong answers, a label each; see :func:`lungsound.quality.conformal.certainty`.
    recordings, patients : int
        That it was calibrated on.
    listen_again : float
        Share of these recordings that are answered so, most of their windows being.
    """

    signal: SignalCheck
    certain: Certainty
    missed: tuple[float, ...]
    false: tuple[float, ...]
    recordings: int
    patients: int
    listen_again: float

    def __post_init__(self) -> None:
        labels = len(self.certain.absent_below)
        for name in ("missed", "false"):
            shares = getattr(self, name)
            if len(shares) != labels or not all(0 <= share <= 1 for share in shares):
                raise InputError(f"{name} is {str(shares)[:40]} where shares of {labels} labels are due")

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Make it from :meth:`to_dict`'s values; raises InputError where one is missing or impossible."""
        return cls(
            SignalCheck.from_dict(take(values, "signal", dict)),
            Certainty.from_dict(take(values, "certain", dict)),
            tuple(map(float, take_list(values, "missed", float))),
            tuple(map(float, take_list(values, "false", float))),
            take(values, "recordings", int),
            take(values, "patients", int),
            float(take(values, "listen_again", float)),
        )

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return asdict(self)

    def reasons(self, pcm: NDArray[np.int16], sample_rate: int, codes: NDArray[np.int8]) -> NDArray[np.uint8]:
        """Return the `Reason` of each window, `Reason.NONE` where there is an answer.

        Parameters
        ----------
        pcm : ndarray of int16, shape [N, samples]
            Windows.
        sample_rate : int
            Hz.
        codes : ndarray of int8, shape [N, labels]
            The model's outputs.

        Returns
        -------
        ndarray of uint8, shape [N]

        Raises
        ------
        InputError
            See :func:`lungsound.quality.features.check_window`.
        """
        return with_certainty(self.signal.reasons(pcm, sample_rate), self.certain, codes)


def with_certainty(reasons: NDArray[np.uint8], certain: Certainty, codes: NDArray[np.int8]) -> NDArray[np.uint8]:
    """Return the signal's reasons, and `Reason.UNCERTAIN` of good windows whose codes leave a label open."""
    open_ = (reasons == Reason.NONE) & certain.uncertain(codes)
    return np.where(open_, np.uint8(Reason.UNCERTAIN), reasons).astype(np.uint8)


def listen_again(reasons: NDArray[np.uint8], recordings: Sequence[str]) -> dict[str, bool]:
    """Return whether a recording is answered with "listen again": more than half of its windows are."""
    names, of_window = np.unique(np.asarray(recordings, str), return_inverse=True)
    left = np.bincount(of_window, reasons != Reason.NONE) * 2 > np.bincount(of_window)
    return dict(zip(names.tolist(), left.tolist(), strict=True))


def calibrate(
    heard: Signal,
    codes: NDArray[np.int8],
    labels: NDArray[np.int64],
    patients: Sequence[str],
    recordings: Sequence[str],
    threshold_codes: Sequence[int],
    most: float = MOST,
) -> Abstention:
    """Fit thresholds to windows of good recordings that no model was trained on.

    The shipped thresholds of the signal are raised where more than their part of the recordings would be left
    unanswered, as on another stethoscope; what is left of `most` pays for errors, which fall to the
    same share of what they are without.

    Parameters
    ----------
    heard : Signal
        From :func:`lungsound.quality.features.signal`.
    codes : ndarray of int8, shape [N, labels]
        The model's outputs.
    labels : ndarray of int, shape [N, labels]
        Truth.
    patients, recordings : sequence of str
        Of each window.
    threshold_codes : sequence of int
        Codes from which on the model gives each label.
    most : float
        Share of the recordings that may be answered with "listen again".

    Returns
    -------
    Abstention
        Where the signal alone takes more than `most`, which only silence, clipping and hum can, no score is left open.
    """
    shipped = SignalCheck.shipped()
    noise = _raised(shipped.noise, heard, _without(shipped, "noise", "contact"), recordings, most * _MOST_NOISE)
    check = replace(shipped, noise=noise)
    contact = _raised(shipped.contact, heard, _without(check, "contact"), recordings, most * _MOST_SIGNAL)
    check = replace(check, contact=contact)
    reasons = check.reasons_of(heard)
    for share in _SHARES:
        certain, missed, false = certainty(codes, labels, patients, threshold_codes, share)
        left = _share(with_certainty(reasons, certain, codes), recordings)
        if left <= most:
            break
    return Abstention(check, certain, missed, false, len(set(recordings)), len(set(patients)), left)


def _share(reasons: NDArray[np.uint8], recordings: Sequence[str]) -> float:
    return float(np.mean(list(listen_again(reasons, recordings).values())))


def _without(check: SignalCheck, *scores: str) -> SignalCheck:
    """Return a check in which some scores never tell."""
    never: dict[str, Any] = {name: LinearScore((0,) * FEATURES, 1) for name in scores}
    return replace(check, **never)


def _raised(
    score: LinearScore, heard: Signal, others: SignalCheck, recordings: Sequence[str], share: float
) -> LinearScore:
    """Return the score with the lowest threshold, no lower than its own, that leaves `share` unanswered at most."""
    sums = score.of(heard.features)
    sums[others.reasons_of(heard) != Reason.NONE] = np.iinfo(np.int64).max
    names, of_window = np.unique(np.asarray(recordings, str), return_inverse=True)
    by_name = [np.sort(sums[of_window == name])[::-1] for name in range(len(names))]
    tells = np.array([windows[len(windows) // 2] for windows in by_name])  # at least so much have more than half
    allowed = int(share * len(names))
    worst = np.sort(tells)[::-1]
    threshold = int(worst[allowed]) + 1 if worst[allowed] < np.iinfo(np.int64).max else score.threshold
    return replace(score, threshold=max(score.threshold, threshold))


def answer_figures(
    truth: NDArray[np.int64], decisions: NDArray[np.bool_], reasons: NDArray[np.uint8]
) -> dict[str, Any]:
    """Count what is answered, and how often answers are wrong.

    Parameters
    ----------
    truth : ndarray of int64, shape [N, labels]
        0 or 1.
    decisions : ndarray of bool, shape [N, labels]
        What labels thresholds give.
    reasons : ndarray of uint8, shape [N]
        Of :meth:`Abstention.reasons`.

    Returns
    -------
    dict
        ``windows``; ``answered`` (share); ``reasons`` (share of the windows by :attr:`Reason.title`); ``error`` and
        ``error_answered``: share of windows with a wrong label set, of all and of those with an answer (None without).
    """
    answered = reasons == Reason.NONE
    wrong = (truth.astype(bool) != decisions).any(axis=1)
    shares = {reason.title: float(np.mean(reasons == reason)) for reason in Reason if reason != Reason.NONE}
    return {
        "windows": len(reasons),
        "answered": float(answered.mean()),
        "reasons": shares,
        "error": float(wrong.mean()),
        "error_answered": float(wrong[answered].mean()) if answered.any() else None,
    }
