"""Flips, counted by hand."""

import numpy as np
import pandas as pd

from lungsound.scores.flips import MOST_NAMED, flips, in_words

LABELS = ("crackle", "wheeze")


def test_flips_are_counted_by_class_and_recording():
    truth = np.array([[1, 0], [1, 0], [1, 1], [0, 0], [0, 0], [0, 1]])
    before = np.array([[1, 0], [1, 1], [0, 1], [0, 0], [0, 0], [0, 1]])
    after = np.array([[0, 0], [0, 1], [1, 1], [1, 0], [0, 0], [0, 1]])
    recordings = pd.Series(["a", "b", "b", "c", "d", "e"])
    crackle, wheeze, normal = flips(truth, before, after, recordings, LABELS)
    lost = [{"recording": "a", "windows": 1}, {"recording": "b", "windows": 1}]
    assert crackle == {"class": "crackle", "windows": 3, "had": 2, "lost": 2, "won": 1, "recordings": lost}
    assert wheeze == {"class": "wheeze", "windows": 2, "had": 2, "lost": 0, "won": 0, "recordings": []}
    assert normal | {"recordings": None} == {
        **{"class": "normal", "windows": 2, "had": 2, "lost": 1, "won": 0, "recordings": None}
    }
    assert normal["recordings"] == [{"recording": "c", "windows": 1}]
    assert in_words([crackle, wheeze, normal]) == "crackle 2 of 2, wheeze 0 of 2, normal 1 of 2"


def test_recordings_that_lose_most_come_first_and_not_all_are_named():
    names = [f"r{i:03}" for i in range(150) for _ in range(1 + (i == 140))]
    truth = np.ones((len(names), 2), int)
    crackle, *_ = flips(truth, truth, 0 * truth, pd.Series(names), LABELS)
    assert crackle["lost"] == 151
    assert len(crackle["recordings"]) == MOST_NAMED
    assert [of["recording"] for of in crackle["recordings"][:3]] == ["r140", "r000", "r001"]
