"""The log-mel spectrogram: one frozen specification and its float64 reference."""

from dataclasses import asdict, dataclass, fields, replace
from functools import lru_cache
from itertools import pairwise
from typing import Any, Literal, Self, get_args

import numpy as np
from numpy.typing import NDArray

from lungsound.errors import InputError
from lungsound.mel_bands import mel_filters

Normalisation = Literal["corpus", "recording"]

_FRAMES_AT_ONCE = 48  # their spectra stay in a core's cache and in memory that is not given back to the system


@dataclass(frozen=True, slots=True)
class LogMelSpec:
    """Everything that decides the value of a log-mel spectrogram.

    Attributes
    ----------
    sample_rate : int
        Hz.
    window, hop, n_fft : int
        Samples. The Hann window sits in the middle of the FFT frame.
    n_mels : int
        Number of triangular bands between `f_min` and `f_max` (Hz).
    mel_scale : {"slaney", "htk", "kaldi"}
        Where the band edges lie; triangles are linear in Hz. Kaldi's have the edges of HTK and are linear in mel.
    area_norm : bool
        Divide each triangle by half its width in Hz (Slaney) or keep peak 1.
    log : {"ln", "db"}
        ``ln(x + floor)`` or ``10 log10(max(x, floor))`` of the mel power, or of what `spectrum` says.
    floor : float
        See `log`.
    padding : {"reflect", "none"}
        Centred frames over ``n_fft // 2`` reflected samples, or only frames that lie inside the signal.
    preemphasis : float
        Share p of the sample before that is taken from each, ``x[n + 1] - p x[n]``, which is one sample less; 0 leaves
        the signal as it is.
    hann : {"periodic", "symmetric"}
        Which Hann window.
    normalisation : {"corpus", "recording"}
        Whether each band first loses its mean over the recording, see :mod:`lungsound.recording_mean`.
    speed : int
        The bands are those of the sound played so many times faster; all values in Hz are of the sound itself.
    spectrum : {"power", "magnitude"}
        Whether the bands sum squared magnitudes or, as YAMNet does, magnitudes.
    mean, std : float
        Constants of the training corpus; the normalised value is ``(logmel - mean) / std``.
    """

    sample_rate: int
    window: int
    hop: int
    n_fft: int
    n_mels: int
    f_min: float
    f_max: float
    mel_scale: Literal["slaney", "htk", "kaldi"]
    area_norm: bool
    log: Literal["ln", "db"]
    floor: float
    padding: Literal["reflect", "none"]
    mean: float = 0.0
    std: float = 1.0
    preemphasis: float = 0.0
    hann: Literal["periodic", "symmetric"] = "periodic"
    normalisation: Normalisation = "corpus"
    speed: int = 1
    spectrum: Literal["power", "magnitude"] = "power"

    def __post_init__(self) -> None:
        for ok, what in (
            (self.sample_rate > 0 and self.hop > 0 and self.n_mels > 0, "sample_rate, hop and n_mels must be positive"),
            (0 < self.window <= self.n_fft, "window must lie between 1 and n_fft"),
            (self.sample_rate * self.speed <= 768_000 and self.speed > 0, "absurdly fast, or not at all"),
            (self.n_fft <= 2**16 and self.n_mels <= 2**10, "absurdly large"),
            (0 <= self.f_min < self.f_max <= self.sample_rate / 2, "f_min < f_max <= sample_rate / 2 must hold"),
            (self.mel_scale in ("slaney", "htk", "kaldi"), "mel_scale must be slaney, htk or kaldi"),
            (self.log in ("ln", "db"), "log must be ln or db"),
            (self.padding in ("reflect", "none"), "padding must be reflect or none"),
            (0 <= self.preemphasis <= 1, "preemphasis must lie between 0 and 1"),
            (self.hann in ("periodic", "symmetric"), "hann must be periodic or symmetric"),
            (self.spectrum in ("power", "magnitude"), "spectrum must be power or magnitude"),
            (self.normalisation in get_args(Normalisation), "normalisation must be corpus or recording"),
            (self.floor > 0 and np.isfinite(self.floor), "floor must be positive"),
            (np.isfinite(self.mean) and self.std > 0 and np.isfinite(self.std), "mean must be finite, std positive"),
        ):
            if not ok:
                raise InputError(f"log-mel specification: {what}, got {self}")
        if self.normalisation == "recording" and self.spectrum == "magnitude":
            raise InputError("a mean over the recording is of the power; train on a log-mel such as device_4k")
        if self.normalisation == "recording" and self.padding == "reflect":
            raise InputError(
                "a mean over the recording needs frames that its windows share, and centred ones mirror each window's "
                "ends; train on a log-mel without padding, such as device_4k"
            )

    def with_statistics(self, mean: float, std: float) -> Self:
        """Return the same specification with the training corpus' constants."""
        return replace(self, mean=float(mean), std=float(std))

    def played(self) -> Self:
        """Return the specification of the sound when it is played `speed` times faster: the same samples."""
        f_min, f_max = self.f_min * self.speed, self.f_max * self.speed
        return replace(self, sample_rate=self.sample_rate * self.speed, f_min=f_min, f_max=f_max, speed=1)

    def samples(self, seconds: float) -> int:
        """Return the number of samples in `seconds`."""
        return round(seconds * self.sample_rate)

    def frames(self, samples: int) -> int:
        """Return the number of frames that `samples` give.

        Raises
        ------
        InputError
            If the signal is too short for a single frame.
        """
        lost = 1 if self.preemphasis else 0
        enough = lost + (self.n_fft // 2 + 1 if self.padding == "reflect" else self.n_fft)
        if samples < enough:
            raise InputError(f"{samples} samples are too few for one log-mel frame; at least {enough} are needed")
        samples -= lost
        padded = samples + 2 * (self.n_fft // 2) if self.padding == "reflect" else samples
        return (padded - self.n_fft) // self.hop + 1

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON; those that came later (`_LATER`) only where they are not the usual ones."""
        values = asdict(self)
        return {key: value for key, value in values.items() if key not in _LATER or value != _LATER[key]}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Make a specification from :meth:`to_dict`'s values.

        Raises
        ------
        InputError
            If a key is missing or unknown, or a value is of the wrong type.
        """
        known = {f.name for f in fields(cls)}
        if not isinstance(values, dict) or not known - set(_LATER) <= set(values) <= known:
            raise InputError(f"log-mel specification: expected exactly the keys {sorted(known - set(_LATER))}")
        example = asdict(SPECS["m2d"])
        for key, value in values.items():
            wanted = (int, float) if isinstance(example[key], float) else type(example[key])
            if not isinstance(value, wanted) or (isinstance(value, bool) and wanted is not bool):
                raise InputError(f"log-mel specification: {key} must be {type(example[key]).__name__}, got {value!r}")
        return cls(**values)


_LATER = {"preemphasis": 0.0, "hann": "periodic", "normalisation": "corpus", "speed": 1, "spectrum": "power"}

_M2D = LogMelSpec(16000, 400, 160, 400, 80, 50.0, 8000.0, "slaney", True, "ln", 2.0**-23, "reflect")
_PANNS = LogMelSpec(32000, 1024, 320, 1024, 64, 50.0, 14000.0, "slaney", True, "db", 1e-10, "reflect")
_EFFICIENTAT = LogMelSpec(
    32000, 800, 320, 1024, 128, 0.0, 15000.0, "kaldi", False, "ln", 1e-5, "reflect", 0.0, 1.0, 0.97, "symmetric"
)
_DEVICE_4K = LogMelSpec(4000, 256, 128, 256, 64, 50.0, 2000.0, "htk", False, "ln", 2.0**-27, "none")

SPECS: dict[str, LogMelSpec] = {
    "m2d": _M2D,
    "m2d_32k": replace(_M2D, sample_rate=32000, window=800, hop=320, n_fft=800, f_max=16000.0),
    # What M2D's own application to ICBHI 2017 and SPRSound hears: the same frames and bands, but HTK's mel in dB.
    "m2d_db": replace(_M2D, mel_scale="htk", area_norm=False, log="db", floor=1e-10),
    "panns_32k": _PANNS,
    "panns_16k": replace(_PANNS, sample_rate=16000, window=512, hop=160, n_fft=512, f_max=8000.0),
    "panns_8k": replace(_PANNS, sample_rate=8000, window=256, hop=80, n_fft=256, f_max=4000.0),
    "multibreath": LogMelSpec(16000, 1024, 512, 1024, 64, 50.0, 2000.0, "htk", False, "db", 1e-10, "reflect"),
    "efficientat_32k": _EFFICIENTAT,
    # Breath lies lower than what AudioSet's weights know: its samples, heard as if they were 32 kHz.
    "efficientat_16k": replace(_EFFICIENTAT, sample_rate=16000, f_max=7500.0, speed=2),
    "efficientat_8k": replace(_EFFICIENTAT, sample_rate=8000, f_max=3750.0, speed=4),
    "yamnet": LogMelSpec(
        16000, 400, 160, 512, 64, 125.0, 7500.0, "kaldi", False, "ln", 1e-3, "none", spectrum="magnitude"
    ),
    # multibreath's 64 ms windows every 32 ms for a quarter of the samples. No padding: windows of a
    # stream that overlap share their frames. The floor is the power that rounding to 16 bits puts into a bin:
    # 96 (sum of the squared window) * 2^-30 / 12.
    "device_4k": _DEVICE_4K,
    # Shorter windows, for crackles of 5 to 15 ms. They resolve fewer bins, and so there are fewer bands: the most, by
    # sixteens (CNN6 halves them four times), that are not made of one another. A network of the same layers computes
    # no more, as there are the more frames.
    "device_4k_32ms": replace(_DEVICE_4K, window=128, hop=64, n_fft=128, n_mels=32, floor=2.0**-28),
    "device_4k_16ms": replace(_DEVICE_4K, window=64, hop=32, n_fft=64, n_mels=16, floor=2.0**-29),
    "device_8k_32ms": replace(_DEVICE_4K, sample_rate=8000, n_mels=48, f_max=4000.0),
    "device_8k_16ms": replace(
        _DEVICE_4K, sample_rate=8000, window=128, hop=64, n_fft=128, n_mels=32, f_max=4000.0, floor=2.0**-28
    ),
}


@lru_cache(maxsize=32)
def analysis_window(spec: LogMelSpec) -> NDArray[np.float64]:
    """Return the Hann window, zero-padded on both sides to ``[n_fft]``, read-only."""
    period = spec.window if spec.hann == "periodic" else max(1, spec.window - 1)
    hann = 0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(spec.window) / period)
    left = (spec.n_fft - spec.window) // 2
    window = np.pad(hann, (left, spec.n_fft - spec.window - left))
    window.flags.writeable = False
    return window


def mel_power(spec: LogMelSpec, wave: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """Return the mel power spectrogram in float64, or that of magnitudes.

    Parameters
    ----------
    spec : LogMelSpec
        What to compute.
    wave : ndarray, shape [..., samples]
        Samples in [-1, 1] at ``spec.sample_rate``.

    Returns
    -------
    ndarray of float64, shape [..., frames, n_mels]
        Sum over bins of filter times squared magnitude, or times magnitude, see ``spec.spectrum``.

    Raises
    ------
    InputError
        If the signal is shorter than one frame.
    """
    signal = np.asarray(wave, dtype=np.float64)
    frames = spec.frames(signal.shape[-1])
    if spec.preemphasis:
        signal = signal[..., 1:] - spec.preemphasis * signal[..., :-1]
    if spec.padding == "reflect":
        half = spec.n_fft // 2
        signal = np.pad(signal, [(0, 0)] * (signal.ndim - 1) + [(half, half)], mode="reflect")
    framed = np.lib.stride_tricks.sliding_window_view(signal, spec.n_fft, axis=-1)[..., :: spec.hop, :]
    mel = np.empty((*signal.shape[:-1], frames, spec.n_mels))
    for first in range(0, frames, _FRAMES_AT_ONCE):
        few = slice(first, first + _FRAMES_AT_ONCE)
        spectrum = np.fft.rfft(framed[..., few, :] * analysis_window(spec), axis=-1)
        power = spectrum.real**2 + spectrum.imag**2
        mel[..., few, :] = _sum_bands(spec, np.sqrt(power) if spec.spectrum == "magnitude" else power)
    return mel


def _sum_bands(spec: LogMelSpec, power: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weigh and sum the bins of every band from the lowest to the highest.

    A matrix product would round differently with the number of frames; here a frame is the same in every window.
    """
    bins, weights, ends, band = _taps(spec)
    weighted = power[..., bins] * weights
    mel = weighted[..., : spec.n_mels]
    for first, last in pairwise(ends):
        mel[..., : last - first] += weighted[..., first:last]
    return mel[..., band]


@lru_cache(maxsize=32)
def _taps(spec: LogMelSpec) -> tuple[NDArray[np.intp], NDArray[np.float64], list[int], NDArray[np.intp]]:
    """Return the filters' bins and weights: the first of every band, then the second of those that have two...

    The widest band comes first, so that each of these runs (the third value says where they end) belongs to the
    first bands of the one before. The last value finds the bands again.
    """
    filters = mel_filters(spec)
    lowest = (filters > 0.0).argmax(axis=1)
    widths = np.maximum(1, (filters > 0.0).sum(axis=1))  # a band without a bin has one weight of zero
    widest_first = np.argsort(-widths, kind="stable")
    runs = [widest_first[widths[widest_first] > tap] for tap in range(widths.max())]
    bins = np.concatenate([lowest[bands] + tap for tap, bands in enumerate(runs)])
    ends = np.cumsum([len(bands) for bands in runs])
    return bins, filters[np.concatenate(runs), bins], ends.tolist(), np.argsort(widest_first)


def log_mel(spec: LogMelSpec, wave: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """Return the log-mel spectrogram before normalisation, in float64.

    Parameters and errors are those of :func:`mel_power`.

    Returns
    -------
    ndarray of float64, shape [..., frames, n_mels]
        Natural logarithm or dB, as ``spec.log`` says.
    """
    power = mel_power(spec, wave)
    if spec.log == "ln":
        return np.asarray(np.log(power + spec.floor))
    return np.asarray(10.0 * np.log10(np.maximum(power, spec.floor)))


def normalise(spec: LogMelSpec, logmel: NDArray[np.floating[Any]]) -> NDArray[np.floating[Any]]:
    """Return ``(logmel - spec.mean) / spec.std``."""
    return (logmel - spec.mean) / spec.std
