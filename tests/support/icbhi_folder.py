"""Folders as ICBHI 2017 comes in, with recordings of noise."""

import numpy as np
import soundfile

from lungsound.corpora.registry import open_corpus

CYCLES = "0.1\t1.5\t0\t0\n1.5\t2.9\t1\t0\n2.9\t4.0\t1\t1\n"
SOUND = np.random.default_rng(0).uniform(-0.1, 0.1, 5 * 4000)


def load(root):
    return open_corpus("icbhi2017", root)


def write(root, names, cycles=CYCLES, audio=".wav", folder="ICBHI_final_database"):
    database = root / folder
    database.mkdir(parents=True, exist_ok=True)
    for name in names:
        (database / f"{name}.txt").write_text(cycles)
        if audio:
            soundfile.write(database / f"{name}{audio}", SOUND, 4000)
    return database


def split_list(root, lines):
    (root / "ICBHI_challenge_train_test.txt").write_bytes("".join(f"{line}\r\n" for line in lines).encode())
