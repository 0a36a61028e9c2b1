"""What a model listens to: the facts that training, evaluation, export and firmware share."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from lungsound.errors import InputError
from lungsound.files.plain_json import loads, take, take_list
from lungsound.labels import LABELS, checked_labels
from lungsound.logmel import LogMelSpec

PROTOCOLS = ("cycles", "stream")
"""Annotated cycles tiled to the window, as the literature scores; sliding windows, as a device hears."""

_LARGEST_FILE = 2**16
_MOST_SAMPLES = _MOST_VALUES = 2**22  # of a window and its log-mel; a minute at 64 kHz


def check_protocols(protocols: Sequence[str]) -> None:
    """Refuse ways to cut sound that do not exist.

    Raises
    ------
    InputError
        If there is none, or one is unknown.
    """
    unknown = set(protocols) - set(PROTOCOLS)
    if unknown or not protocols:
        raise InputError(f"protocol {', '.join(sorted(unknown)) or '(none)'}: choose from {', '.join(PROTOCOLS)}")


@dataclass(frozen=True, slots=True)
class Listening:
    """The window of sound that a model decides on.

    Made once when a run starts, stored in the run and in every bundle, read back by everybody else.

    Attributes
    ----------
    logmel : LogMelSpec
        The front end, with the training corpus' mean and standard deviation.
    seconds : float
        Length of the window.
    hop_seconds : float
        From one window of a stream to the next; a whole number of log-mel frames.
    labels : tuple of str
        Order of the model's outputs.
    """

    logmel: LogMelSpec
    seconds: float
    hop_seconds: float
    labels: tuple[str, ...] = LABELS

    def __post_init__(self) -> None:
        if not (0 < self.seconds < math.inf and 0 < self.hop_seconds < math.inf):
            raise InputError(f"window and hop must be positive, got {self.seconds} s every {self.hop_seconds} s")
        if abs(self.hop_samples / self.logmel.hop - self.hop_frames) > 1e-9:
            raise InputError(f"the hop of {self.hop_seconds} s is not a whole number of log-mel frames")
        self.logmel.frames(self.samples)

    @classmethod
    def with_whole_hop(
        cls, logmel: LogMelSpec, seconds: float, hop_seconds: float, labels: tuple[str, ...] = LABELS
    ) -> Self:
        """Round the hop to whole log-mel frames (at least one), so that overlapping windows share frames."""
        if not 0 < hop_seconds < math.inf:
            raise InputError(f"the hop of windows must be positive, got {hop_seconds} s")
        frames = max(1, round(hop_seconds * logmel.sample_rate / logmel.hop))
        return cls(logmel, float(seconds), frames * logmel.hop / logmel.sample_rate, labels)

    @property
    def samples(self) -> int:
        """Samples in a window."""
        return self.logmel.samples(self.seconds)

    @property
    def hop_samples(self) -> int:
        """Samples from one window of a stream to the next."""
        return self.logmel.samples(self.hop_seconds)

    @property
    def frames(self) -> int:
        """Log-mel frames in a window."""
        return self.logmel.frames(self.samples)

    @property
    def hop_frames(self) -> int:
        """Log-mel frames from one window of a stream to the next."""
        return round(self.hop_samples / self.logmel.hop)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return asdict(self) | {"logmel": self.logmel.to_dict()}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Make it from :meth:`to_dict`'s values.

        Raises
        ------
        InputError
            If a key is missing, a value is of the wrong type or beyond all bounds, or a label is no plain text.
        """
        try:
            logmel = LogMelSpec.from_dict(values["logmel"])
            labels = checked_labels([str(label) for label in values["labels"]])
            listening = cls(logmel, float(values["seconds"]), float(values["hop_seconds"]), labels)
            samples, size = listening.samples, listening.frames * logmel.n_mels
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise InputError(f"not a description of a model's input: {error}") from error
        if samples > _MOST_SAMPLES or size > _MOST_VALUES:
            raise InputError(f"{samples} samples and {size} log-mel values a window are absurdly many")
        return listening


def read_listening(file: Path) -> tuple[Listening, tuple[float, ...]]:
    """Read a JSON file about a model from elsewhere: what it listens to, and when it gives a label.

    Parameters
    ----------
    file : Path
        With the keys ``listening`` and ``thresholds`` as a bundle's manifest has them: logmel, seconds, hop_seconds
        and labels; and the output value at and above which each label is given.

    Raises
    ------
    InputError
        If the file is not readable, a value is missing or wrong, or there is not one threshold a label.
    """
    try:
        if file.exists() and not (file.is_file() or file.is_dir()):
            raise InputError("is no file")
        if file.stat().st_size > _LARGEST_FILE:
            raise InputError("is larger than any such file")
        values = loads(file.read_text())
        listening = Listening.from_dict(take(values, "listening", dict))
        thresholds = tuple(float(threshold) for threshold in take_list(values, "thresholds", float))
        if len(thresholds) != len(listening.labels):
            raise InputError(f"thresholds has {len(thresholds)} values for {len(listening.labels)} labels")
    except OSError as error:
        raise InputError(f"{file}: cannot be read ({error.strerror}); name a JSON file") from error
    except (InputError, UnicodeDecodeError) as error:
        raise InputError(f"{file}: {error}; write listening and thresholds as a manifest.json has them") from error
    return listening, thresholds
