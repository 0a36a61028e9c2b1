"""Synthetic breathing: patients, their cycles, and what a device records of them."""

from dataclasses import dataclass

import numpy as np

from lungsound.synthesis.sounds import (
    FINE,
    CrackleKind,
    Wave,
    add,
    breath_noise,
    coloured,
    draw_crackle,
    draw_wheeze,
)

SECONDS = 20.0  # length of a recording
CRACKLE_DB = 4.0  # mean peak of a crackle, beside the root mean square of full inspiration
WHEEZE_DB = -8.0  # the same of a wheeze


@dataclass(frozen=True)
class Condition:
    """What a patient has, and how often the cycles of such patients sound like it.

    Attributes
    ----------
    diagnosis : str
        As ICBHI 2017 writes it.
    share : float
        Of the patients.
    classes : tuple of float
        Probability of a normal cycle, one with crackles, with wheezes, with both. Weighted by `share` they make
        ICBHI 2017's: 0.53, 0.27, 0.13, 0.07.
    crackles : CrackleKind
        Fine ones late in inspiration, coarse ones anywhere.
    """

    diagnosis: str
    share: float
    classes: tuple[float, float, float, float]
    crackles: CrackleKind


@dataclass(frozen=True)
class Device:
    """A recording device: rate in Hz, the band it passes, a resonance, and the level of its noise in dB."""

    name: str
    sample_rate: int
    band: tuple[float, float]
    resonance: float
    noise_db: float


@dataclass(frozen=True)
class Patient:
    """How one patient breathes and sounds."""

    number: int
    condition: Condition
    device: Device
    split: str
    period: float  # seconds of a mean cycle; drawn apart from the condition, so that length gives nothing away
    inspiration: float  # its share of the cycle
    expiration_level: float  # beside inspiration's 1
    corner: float  # Hz, of the breath noise
    octave_db: float
    heart_rate: float  # beats a second
    loudness_db: float  # of crackles and wheezes, beside the patients' mean


@dataclass(frozen=True)
class Cycle:
    """One breath: seconds and labels."""

    start: float
    end: float
    crackle: int
    wheeze: int


def draw_cycles(patient: Patient, rng: np.random.Generator) -> list[Cycle]:
    """Draw the breaths that a recording holds; labels are drawn apart from lengths."""
    cycles, start = [], rng.uniform(0.1, 0.6)
    while (end := start + patient.period * rng.uniform(0.7, 1.3)) < SECONDS - 0.1:
        kind = rng.choice(4, p=patient.condition.classes)
        cycles.append(Cycle(start, end, int(kind % 2), int(kind // 2)))
        start = end
    return cycles


def record(patient: Patient, cycles: list[Cycle], rng: np.random.Generator) -> Wave:
    """Return the sound of a recording, within -1 and 1."""
    rate = patient.device.sample_rate
    samples = round(SECONDS * rate)
    wave = breath_noise(samples, rate, patient.corner, patient.octave_db, rng)
    wave *= _flow(patient, cycles, samples)
    for cycle in cycles:
        if cycle.crackle:
            _add_crackles(wave, patient, cycle, rng)
        if cycle.wheeze:
            _add_wheezes(wave, patient, cycle, rng)
    _add_heart(wave, patient, rng)
    _add_rubs(wave, patient, rng)
    wave = coloured(wave, _response(patient.device, samples))
    wave += 10 ** (patient.device.noise_db / 20) * rng.standard_normal(samples)
    wave *= 10 ** (rng.uniform(-32.0, -22.0) / 20)
    wave /= max(1.0, np.abs(wave).max() / 0.99)
    return wave


def _flow(patient: Patient, cycles: list[Cycle], samples: int) -> Wave:
    """Return the level of the breath noise: a bow for inspiration, a lower one for expiration, then a pause."""
    rate = patient.device.sample_rate
    level = np.full(samples, 0.08)
    for cycle in cycles:
        turn = cycle.start + patient.inspiration * (cycle.end - cycle.start)
        rest = turn + 0.85 * (cycle.end - turn)
        for start, end, height in ((cycle.start, turn, 1.0), (turn, rest, patient.expiration_level)):
            first, last = round(start * rate), round(end * rate)
            level[first:last] += height * np.sin(np.pi * np.arange(last - first) / (last - first)) ** 0.7
    return level


def _add_crackles(wave: Wave, patient: Patient, cycle: Cycle, rng: np.random.Generator) -> None:
    rate, length = patient.device.sample_rate, cycle.end - cycle.start
    fine = patient.condition.crackles is FINE
    window = (0.4, 1.0) if fine else (0.1, 1.9)  # 0 to 1 is inspiration, 1 to 2 expiration
    for _ in range(rng.integers(5, 16) if fine else rng.integers(3, 10)):
        at = rng.uniform(*window)
        share = (
            at * patient.inspiration if at < 1 else patient.inspiration + (at - 1) * 0.85 * (1 - patient.inspiration)
        )
        level = 10 ** ((rng.normal(CRACKLE_DB, 3.0) + patient.loudness_db) / 20)
        sound = draw_crackle(patient.condition.crackles, rate, rng)
        add(wave, level * sound, round((cycle.start + share * length) * rate))


def _add_wheezes(wave: Wave, patient: Patient, cycle: Cycle, rng: np.random.Generator) -> None:
    rate, length = patient.device.sample_rate, cycle.end - cycle.start
    room = 0.85 * (1 - patient.inspiration) * length
    for _ in range(rng.integers(1, 3)):
        sound = draw_wheeze(room, rate, rng)
        level = 10 ** ((rng.normal(WHEEZE_DB, 3.0) + patient.loudness_db) / 20)
        offset = patient.inspiration * length + rng.uniform(0.0, max(0.0, room - len(sound) / rate))
        add(wave, level * sound, round((cycle.start + offset) * rate))


def _add_heart(wave: Wave, patient: Patient, rng: np.random.Generator) -> None:
    """Add the two heart sounds of every beat, low thuds that are no crackles."""
    rate = patient.device.sample_rate
    t = np.arange(round(0.12 * rate)) / rate
    level = rng.uniform(0.2, 1.0)
    for beat in np.arange(rng.random(), SECONDS, 1 / patient.heart_rate):
        for delay, hertz, weight in ((0.0, 45.0, 1.0), (0.3, 60.0, 0.7)):
            thud = np.sin(2 * np.pi * hertz * t) * np.exp(-t / 0.02)
            add(wave, level * weight * thud, round((beat + delay) * rate))


def _add_rubs(wave: Wave, patient: Patient, rng: np.random.Generator) -> None:
    """Add short rubs of the chest piece over skin and hair: transients that are no crackles."""
    rate = patient.device.sample_rate
    for _ in range(rng.poisson(0.25 * SECONDS)):
        samples = round(rng.uniform(0.015, 0.08) * rate)
        rub = rng.standard_normal(samples) * np.hanning(samples)
        add(wave, 10 ** (rng.uniform(-16.0, -2.0) / 20) * rub, int(rng.uniform(0.0, SECONDS) * rate))


def _response(device: Device, samples: int) -> Wave:
    """Return the device's gain over frequency."""
    hertz = np.fft.rfftfreq(samples, 1 / device.sample_rate)
    low, high = device.band
    octaves = np.log2(np.maximum(hertz, 1.0) / device.resonance)
    bump = 10 ** (6.0 * np.exp(-(octaves**2)) / 20)
    return np.asarray(bump / np.sqrt((1 + (low / np.maximum(hertz, 1.0)) ** 4) * (1 + (hertz / high) ** 4)))
