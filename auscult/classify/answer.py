"""What a model says of one recording: every window, and the events that windows make."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from export.bundle.manifest import Manifest
from export.bundle.runtimes import probabilities
from lungsound.front_end import decide


@dataclass(frozen=True, slots=True)
class Event:
    """Windows one after the other that carry a label.

    Attributes
    ----------
    label : str
        One of the model's.
    start, end : float
        Seconds: where the first window begins and the last one ends.
    probability : float
        The highest of its windows.
    """

    label: str
    start: float
    end: float
    probability: float


@dataclass(frozen=True)
class Answer:
    """What a model says of one recording.

    Attributes
    ----------
    name : str
        Of the recording, as the user knows it.
    path : Path or None
        Its file; None for what came from a microphone.
    samples : int
        Its length at the model's rate.
    codes : ndarray of int8, shape [windows, labels]
        The model's outputs.
    manifest : Manifest
        Of the model.
    notes : tuple of str
        Sentences that whoever reads the answer must know.
    """

    name: str
    path: Path | None
    samples: int
    codes: NDArray[np.int8]
    manifest: Manifest
    notes: tuple[str, ...] = ()

    @property
    def labels(self) -> tuple[str, ...]:
        """The model's."""
        return self.manifest.listening.labels

    @property
    def seconds(self) -> float:
        """Length of the recording."""
        return self.samples / self.manifest.listening.logmel.sample_rate

    @property
    def starts(self) -> NDArray[np.float64]:
        """Where each window begins, in seconds."""
        listening = self.manifest.listening
        return np.arange(len(self.codes)) * listening.hop_samples / listening.logmel.sample_rate

    @property
    def ends(self) -> NDArray[np.float64]:
        """Where each window ends, in seconds; at the end of a recording that is shorter than a window."""
        return np.minimum(self.starts + self.manifest.listening.seconds, self.seconds)

    @property
    def decisions(self) -> NDArray[np.int64]:
        """1 for every label that a window is given, [windows, labels]."""
        assert self.manifest.threshold_codes is not None  # as every engine has checked
        return decide(self.codes, self.manifest.threshold_codes)

    @property
    def probabilities(self) -> NDArray[np.float64]:
        """Of each label in each window, [windows, labels]: the logistic function of the logits."""
        assert self.manifest.output is not None
        return probabilities(self.manifest.output.dequantize(self.codes))

    @property
    def thresholds(self) -> NDArray[np.float64]:
        """Probabilities at and above which each label is given, [labels]."""
        return probabilities(np.asarray(self.manifest.thresholds))

    def found(self) -> list[str]:
        """Return the labels that at least one window is given."""
        given = self.decisions.max(axis=0, initial=0)
        return [label for label, one in zip(self.labels, given, strict=True) if one]

    def events(self) -> list[Event]:
        """Return the events in the order in which they begin.

        An event is as exact as windows are: a label is somewhere in it.
        """
        listening, starts, ends, probabilities = self.manifest.listening, self.starts, self.ends, self.probabilities
        touching = 1 if listening.hop_samples <= listening.samples else 0  # windows with a gap between them stand alone
        events = list[tuple[float, int, Event]]()
        for column, label in enumerate(self.labels):
            given = np.flatnonzero(self.decisions[:, column])
            for run in np.split(given, np.flatnonzero(np.diff(given) > touching) + 1) if len(given) else ():
                start, highest = float(starts[run[0]]), float(probabilities[run, column].max())
                events.append((start, column, Event(label, start, float(ends[run[-1]]), highest)))
        return [event for *_, event in sorted(events, key=lambda found: found[:2])]

    def facts(self) -> dict[str, Any]:
        """Return everything as plain values for JSON."""
        windows = zip(self.starts.tolist(), self.ends.tolist(), self.decisions, self.probabilities, strict=True)
        return {
            "file": self.name,
            "seconds": self.seconds,
            "labels": self.found(),
            "events": [
                {"label": e.label, "start": e.start, "end": e.end, "probability": e.probability} for e in self.events()
            ],
            "windows": [
                {
                    "start": start,
                    "end": end,
                    "labels": [label for label, one in zip(self.labels, given, strict=True) if one],
                    "probability": dict(zip(self.labels, likely.tolist(), strict=True)),
                }
                for start, end, given, likely in windows
            ],
            "notes": list(self.notes),
        }
