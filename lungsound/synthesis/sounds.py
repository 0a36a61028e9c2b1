"""Synthetic breath sounds by the durations and frequencies that the literature gives.

Sovijärvi et al., "Definition of terms for applications of respiratory sounds", European Respiratory Review 10(77):
597-610, 2000 (CORSA): two cycles of a fine crackle last less than 10 ms, of a coarse one more; a wheeze lasts longer
than 100 ms and is musical, its pitch 100 Hz or more. The American Thoracic Society (1977) gives typical crackles:
initial deflection 0.7 ms and two cycles 5 ms (fine), 1.5 ms and 10 ms (coarse). Mori et al., Thorax 35:843, 1980:
crackles are damped oscillations of 0.1 to 1 kHz. Gavriely et al., Journal of Applied Physiology 50:307, 1981: normal
breath sounds fall by 9.8 to 15.7 dB an octave.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Wave = NDArray[np.float64]


@dataclass(frozen=True)
class CrackleKind:
    """Ranges that a kind of crackle is drawn from, in seconds.

    Attributes
    ----------
    initial_deflection : tuple of float
        Shortest and longest first half-wave.
    two_cycles : tuple of float
        Shortest and longest first two cycles.
    """

    initial_deflection: tuple[float, float]
    two_cycles: tuple[float, float]


FINE = CrackleKind((0.0005, 0.0009), (0.0040, 0.0070))
COARSE = CrackleKind((0.0012, 0.0020), (0.0105, 0.0150))

WHEEZE_SECONDS = (0.15, 0.9)
WHEEZE_HZ = (120.0, 800.0)


def crackle(initial_deflection: float, two_cycles: float, sample_rate: int, delay: float = 0.0) -> Wave:
    """Return one crackle: two cycles of a damped oscillation that grows slower.

    Kiyokawa et al., "Auditory detection of simulated crackles in breath sounds", Chest 119:1886, 2001: with time t
    from 0 to 1 over the two cycles, sin(4 pi t^a) 0.5 (1 + cos(2 pi (t^0.5 - 0.5))), where a puts the first zero
    crossing at the end of the initial deflection.

    Parameters
    ----------
    initial_deflection, two_cycles : float
        Seconds.
    sample_rate : int
        Hz.
    delay : float
        Between sampling instants, in samples, 0 to 1.

    Returns
    -------
    ndarray of float64, shape [samples]
        Peaks below 1.
    """
    samples = int(np.ceil(two_cycles * sample_rate + delay)) + 1
    t = np.clip((np.arange(samples) - delay) / (two_cycles * sample_rate), 0.0, 1.0)
    slowing = np.log(0.25) / np.log(initial_deflection / two_cycles)
    return np.asarray(np.sin(4 * np.pi * t**slowing) * 0.5 * (1 + np.cos(2 * np.pi * (np.sqrt(t) - 0.5))))


def draw_crackle(kind: CrackleKind, sample_rate: int, rng: np.random.Generator) -> Wave:
    """Return a crackle of a kind, upwards or downwards."""
    wave = crackle(rng.uniform(*kind.initial_deflection), rng.uniform(*kind.two_cycles), sample_rate, rng.random())
    return wave if rng.random() < 0.5 else -wave


def wheeze(seconds: float, pitch: float, glide: float, sample_rate: int, harmonics: int = 3) -> Wave:
    """Return one wheeze: a tone and its harmonics, each 10 dB below the one before, fading in and out.

    Parameters
    ----------
    seconds : float
        Duration.
    pitch : float
        Of the fundamental at the beginning, Hz.
    glide : float
        Of the pitch until the end, as a ratio to its beginning.
    sample_rate : int
        Hz; harmonics above 0.45 of it are left out.
    harmonics : int
        Number of tones, the fundamental included.

    Returns
    -------
    ndarray of float64, shape [samples]
        Root mean square near 0.7.
    """
    samples = round(seconds * sample_rate)
    pitches = pitch * np.linspace(1.0, glide, samples)
    phase = 2 * np.pi * np.cumsum(pitches) / sample_rate
    tones = [n for n in range(1, harmonics + 1) if n * pitches.max() < 0.45 * sample_rate]
    wave = np.sum([10 ** (-(n - 1) / 2) * np.sin(n * phase) for n in tones], axis=0)
    edge = min(round(0.03 * sample_rate), samples // 2)
    rise = 0.5 * (1 - np.cos(np.pi * np.arange(edge) / edge))
    wave[:edge] *= rise
    wave[samples - edge :] *= rise[::-1]
    return np.asarray(wave)


def draw_wheeze(longest: float, sample_rate: int, rng: np.random.Generator) -> Wave:
    """Return a wheeze of at most `longest` seconds."""
    shortest, seconds = WHEEZE_SECONDS
    pitch = float(np.exp(rng.uniform(*np.log(WHEEZE_HZ))))
    return wheeze(
        rng.uniform(shortest, max(shortest, min(longest, seconds))), pitch, rng.uniform(0.85, 1.1), sample_rate
    )


def breath_noise(samples: int, sample_rate: int, corner: float, octave_db: float, rng: np.random.Generator) -> Wave:
    """Return noise with the spectrum of breath sounds and a root mean square of 1.

    Parameters
    ----------
    samples : int
        Length.
    sample_rate : int
        Hz.
    corner : float
        From here on the spectrum falls, Hz.
    octave_db : float
        By so many dB an octave.
    rng : Generator
        Source of chance.
    """
    hertz = np.fft.rfftfreq(samples, 1 / sample_rate)
    gain = (1 + (hertz / corner) ** 2) ** (-octave_db / (40 * np.log10(2)))
    return coloured(rng.standard_normal(samples), gain)


def coloured(wave: Wave, gain: Wave) -> Wave:
    """Return a wave with its spectrum times `gain` (real, shape [samples // 2 + 1]), root mean square 1."""
    shaped = np.fft.irfft(np.fft.rfft(wave) * gain, len(wave))
    return np.asarray(shaped / np.sqrt(np.mean(shaped**2)))


def add(wave: Wave, sound: Wave, start: int) -> None:
    """Add a sound to a wave in place from sample `start` on; what does not fit is left out."""
    room = wave[start : start + len(sound)]
    room += sound[: len(room)]
