"""The shape of an EfficientLEAF front end; to read it, nobody waits for torch."""

import math
from dataclasses import dataclass
from typing import Any, Literal, Self

from lungsound.errors import InputError
from lungsound.files.record import check_values, read_values
from lungsound.logmel import LogMelSpec

FRONT_ENDS = ("logmel", "leaf-logtbn", "leaf-pcen")
"""What a student may hear through, by the name that options have."""

_MOST_GROUPS = 8


@dataclass(frozen=True, slots=True)
class LeafConfig:
    """Everything that decides the shape of an EfficientLEAF front end and where its training starts.

    Attributes
    ----------
    compression : {"logtbn", "pcen"}
        Logarithm, the median over time taken off in a second channel, and a batch normalisation by band; or
        per-channel energy normalisation.
    n_filters : int
        Bands.
    num_groups : int
        Groups of neighbouring filters that are equally long and move by equal steps; it divides `n_filters`.
    min_freq, max_freq : float
        Hz, between which the filters lie when training starts, equally spaced in mel.
    sample_rate : int
        Hz.
    window, hop : int
        Samples of the Gaussian windows, and from one frame to the next.
    """

    compression: Literal["logtbn", "pcen"] = "logtbn"
    n_filters: int = 40
    num_groups: int = 4
    min_freq: float = 60.0
    max_freq: float = 7800.0
    sample_rate: int = 16000
    window: int = 400
    hop: int = 160

    def __post_init__(self) -> None:
        check_values(self)
        for ok, what in (
            (0 < self.sample_rate <= 768_000, "sample_rate must lie between 1 and 768000"),
            (1 <= self.n_filters <= 2**10, "n_filters must lie between 1 and 1024"),
            (self.num_groups >= 1 and self.n_filters % self.num_groups == 0, "num_groups must divide n_filters"),
            (2 <= self.window <= 2**16 and 1 <= self.hop <= 2**16, "window and hop must lie between 2 and 65536"),
            (0 <= self.min_freq < self.max_freq <= self.sample_rate / 2, "min_freq < max_freq <= half the sample rate"),
        ):
            if not ok:
                raise InputError(f"EfficientLEAF: {what}, got {self}")

    @classmethod
    def like(cls, logmel: LogMelSpec, compression: str) -> Self:
        """Return a front end with the rate, window, hop, bands and range of a log-mel."""
        return read_values(
            cls,
            {
                "compression": compression,
                "n_filters": logmel.n_mels,
                "num_groups": math.gcd(logmel.n_mels, _MOST_GROUPS),
                "min_freq": logmel.f_min,
                "max_freq": logmel.f_max,
                "sample_rate": logmel.sample_rate,
                "window": logmel.window,
                "hop": logmel.hop,
            },
        )

    @property
    def name(self) -> str:
        """What options call it."""
        return f"leaf-{self.compression}"

    @property
    def channels(self) -> int:
        """Channels of the spectrogram."""
        return 2 if self.compression == "logtbn" else 1

    def check_rate(self, sample_rate: int) -> None:
        """Refuse sound of another rate.

        Raises
        ------
        InputError
            Naming both.
        """
        if sample_rate != self.sample_rate:
            raise InputError(
                f"{self.name} hears {self.sample_rate} Hz, the windows have {sample_rate}; choose a log-mel of its rate"
            )

    def frames(self, samples: int) -> int:
        """Return the number of frames that `samples` give; the sound is padded with zeros."""
        return -(-samples // self.hop)


def front_end_named(name: str, logmel: LogMelSpec) -> LeafConfig | None:
    """Return a learnable front end in place of a log-mel; None for the log-mel itself.

    Raises
    ------
    InputError
        If there is none of that name.
    """
    if name not in FRONT_ENDS:
        raise InputError(f"no front end called {name!r}; choose one of {', '.join(FRONT_ENDS)}")
    return None if name == FRONT_ENDS[0] else LeafConfig.like(logmel, name.removeprefix("leaf-"))


def leaf_config(values: Any) -> LeafConfig | None:
    """Read a configuration from JSON's values; None where there is no such front end.

    Raises
    ------
    InputError
        If a value is missing, unknown or makes no sense.
    """
    if values is None:
        return None
    try:
        return read_values(LeafConfig, values)
    except InputError as error:
        raise InputError(f"front end: {error}") from error
