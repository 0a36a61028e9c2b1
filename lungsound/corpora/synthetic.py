"""The embedded corpus: synthetic breathing with crackles and wheezes, in the layout of ICBHI 2017.

It lets every command run where no recordings are at hand. What is measured on it is synthetic and is called so.
"""

import io
import json
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import soundfile

from lungsound.corpora.icbhi2017 import load as load_icbhi2017
from lungsound.corpora.icbhi2017_layout import DEMOGRAPHICS, DIAGNOSES, FOLDERS, SPLIT_LISTS, SYNTHETIC_MARK
from lungsound.corpora.registry import register
from lungsound.corpus import Corpus
from lungsound.errors import InputError
from lungsound.files.atomic import whole_folder
from lungsound.files.cache import cache_folder
from lungsound.files.leftovers import remove
from lungsound.files.plain_json import loads
from lungsound.files.stored import stored_once
from lungsound.files.use import use_until_exit
from lungsound.synthesis.breathing import Condition, Device, Patient, draw_cycles, record
from lungsound.synthesis.sounds import COARSE, FINE, Wave
from lungsound.terminal import progress

GENERATOR = 1  # raise it when the same seed gives other sound
SITES = ("Tc", "Al", "Ar", "Pl", "Pr", "Ll", "Lr")
RECORDINGS = 2  # of a patient, at two sites
TEST_SHARE = 0.4  # of the patients, as in ICBHI 2017's official split

CONDITIONS = (
    Condition("Healthy", 0.20, (0.97, 0.02, 0.01, 0.00), COARSE),
    Condition("Pneumonia", 0.20, (0.42, 0.54, 0.01, 0.03), FINE),
    Condition("Bronchiectasis", 0.20, (0.40, 0.50, 0.03, 0.07), COARSE),
    Condition("Asthma", 0.15, (0.45, 0.03, 0.47, 0.05), COARSE),
    Condition("COPD", 0.25, (0.41, 0.21, 0.19, 0.19), COARSE),
)

DEVICES = (
    Device("SynthBell", 4000, (40.0, 900.0), 180.0, -34.0),
    Device("SynthDiaphragm", 4000, (90.0, 1800.0), 420.0, -30.0),
    Device("SynthContact", 8000, (60.0, 2500.0), 700.0, -26.0),
)


def load_default() -> Corpus:
    """Read the default corpus, made when it is first asked for."""
    cache = cache_folder()
    root = cache / f"synthetic-{GENERATOR}-seed0-patients40"

    def make() -> Path:
        remove(root)
        generate(root, seed=0, patients=40)
        return root

    use_until_exit(stored_once(cache, root, lambda: root if _is_whole(root) else None, make))
    return load(root)


@register(
    "synthetic",
    what="generated breathing with crackles and wheezes, where no recordings are at hand",
    layout="As auscult data synthesize writes it, the layout of ICBHI 2017; without ROOT the one in the cache.",
    terms="generated here; Apache-2.0 like the generator",
    paper="none: what is measured on it is called synthetic",
    embedded=load_default,
)
def load(root: Path) -> Corpus:
    """Read a synthetic corpus.

    Raises
    ------
    InputError
        If the folder holds no corpus or one that was not generated here.
    """
    corpus = load_icbhi2017(root)
    if not corpus.synthetic:
        raise InputError(f"{root}: no {SYNTHETIC_MARK} here, so these are real recordings; open them as icbhi2017")
    return replace(corpus, name="synthetic")


def generate(root: Path, seed: int = 0, patients: int = 40) -> None:
    """Write a synthetic corpus, whole or not at all.

    Parameters
    ----------
    root : Path
        Folder to write; a synthetic corpus that is there already is replaced.
    seed : int
        The same seed gives the same sound.
    patients : int
        At least 4, so that training, validation and test all have some.

    Raises
    ------
    InputError
        If there are too few patients, something else lies in the folder, or the disk is full.
    """
    if not 4 <= patients <= 899:
        raise InputError(f"a synthetic corpus needs 4 to 899 patients, not {patients}")
    if root.exists() and not (root / SYNTHETIC_MARK).is_file():
        raise InputError(f"{root}: exists and is no synthetic corpus; name another folder")
    with whole_folder(root) as folder:
        database = folder / FOLDERS[0]
        database.mkdir()
        splits = []
        people = _patients(patients, np.random.default_rng([GENERATOR, seed]))
        for patient in progress(people, "synthesizing"):
            rng = np.random.default_rng([GENERATOR, seed, patient.number])
            for index, site in enumerate(rng.choice(SITES, RECORDINGS, replace=False), 1):
                name = f"{patient.number}_{index}b1_{site}_sc_{patient.device.name}"
                cycles = draw_cycles(patient, rng)
                sound = record(patient, cycles, rng)
                (database / f"{name}.wav").write_bytes(_wav(sound, patient.device.sample_rate))
                lines = [f"{c.start:.3f}\t{c.end:.3f}\t{c.crackle}\t{c.wheeze}\n" for c in cycles]
                (database / f"{name}.txt").write_text("".join(lines))
                splits.append(f"{name}\t{patient.split}\n")
        (folder / SPLIT_LISTS[0]).write_text("".join(splits))
        (folder / DIAGNOSES[0]).write_text("".join(f"{p.number}\t{p.condition.diagnosis}\n" for p in people))
        (folder / DEMOGRAPHICS[0]).write_text("".join(f"{p.number} NA NA NA NA NA\n" for p in people))
        mark = {"generator": GENERATOR, "seed": seed, "patients": patients, "crc32": _checksum(folder)}
        (folder / SYNTHETIC_MARK).write_text(json.dumps(mark) + "\n")


def _checksum(root: Path) -> int:
    """Return the CRC-32 of the names and contents of all files but the mark and hidden ones, a desktop's."""
    found = 0
    for file in sorted(path for path in root.rglob("[!.]*") if path.is_file() and path.name != SYNTHETIC_MARK):
        for content in (str(file.relative_to(root)).encode(), file.read_bytes()):
            found = zlib.crc32(content, found)
    return found


def _is_whole(root: Path) -> bool:
    """Tell whether a generated corpus is what was written; one of an earlier state has no checksum."""
    try:
        mark = loads((root / SYNTHETIC_MARK).read_text(encoding="utf-8"))
        return "crc32" not in mark or mark["crc32"] == _checksum(root)
    except (OSError, ValueError):
        return False


def _wav(sound: Wave, sample_rate: int) -> bytes:
    """Return a file of 16 bits; written by Python, so that a full disk is an error of the system."""
    file = io.BytesIO()
    soundfile.write(file, sound, sample_rate, format="WAV", subtype="PCM_16")
    return file.getvalue()


def _patients(count: int, rng: np.random.Generator) -> list[Patient]:
    """Draw patients; devices and breathing rates are dealt evenly to every condition on either side of the split."""
    bounds = np.cumsum([condition.share for condition in CONDITIONS])
    conditions = np.searchsorted(bounds, (np.arange(count) + 0.5) / count)
    test = np.diff((np.arange(count + 1) * TEST_SHARE).astype(int)) == 1
    people = []
    for cell in sorted(set(zip(conditions.tolist(), test.tolist(), strict=True))):
        members = np.flatnonzero((conditions == cell[0]) & (test == cell[1]))
        paces = (np.arange(len(members)) + rng.random(len(members))) / len(members)
        devices = np.arange(len(members)) + rng.integers(len(DEVICES))
        for i, pace, device in zip(members.tolist(), rng.permutation(paces), rng.permutation(devices), strict=True):
            people.append(
                Patient(
                    number=101 + i,
                    condition=CONDITIONS[cell[0]],
                    device=DEVICES[device % len(DEVICES)],
                    split="test" if cell[1] else "train",
                    period=2.8 + 1.2 * pace,
                    inspiration=rng.uniform(0.34, 0.46),
                    expiration_level=rng.uniform(0.3, 0.7),
                    corner=rng.uniform(80.0, 220.0),
                    octave_db=rng.uniform(9.8, 15.7),
                    heart_rate=rng.uniform(1.0, 1.7),
                    loudness_db=rng.normal(0.0, 3.0),
                )
            )
    return people
