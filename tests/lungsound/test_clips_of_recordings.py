"""One clip a recording: a seeded part of a longer one, silence behind a shorter one."""

import numpy as np
import pandas as pd
import pytest

from lungsound.audio import window_pcm
from lungsound.corpus import make_corpus
from lungsound.errors import InputError
from lungsound.features import feature_key
from lungsound.logmel import SPECS
from lungsound.windows import recordings

RATE = 4000


def corpus(lengths, root):
    rows = [
        {"recording": f"r{n}", "path": str(root / f"r{n}.wav"), "seconds": s, "sample_rate": RATE, "patient": f"p{n}",
         "site": "", "device": "", "split": "", "record_type": "", "continuous": True}
        for n, s in enumerate(lengths)
    ]  # fmt: skip
    events = [
        {"recording": f"r{n}", "start": t, "end": t + 1.0, "crackle": int(t == 1), "wheeze": 0}
        for n in range(len(lengths) - 1)
        for t in range(2 if n else 1)
    ]
    return make_corpus("small", root, rows, events)


def test_every_annotated_recording_gives_one_clip_with_all_its_labels(tmp_path):
    found = recordings(corpus([3.0, 12.0, 30.0, 5.0], tmp_path), 10.0, seed=3)
    assert found["recording"].tolist() == ["r0", "r1", "r2"]  # nobody annotated the last
    assert found["crackle"].tolist() == [0, 1, 1]
    assert (found["start"][0], found["end"][0]) == (0.0, 3.0)
    assert (found["start"][1:] > 0).all()
    np.testing.assert_allclose(found["end"][1:] - found["start"][1:], 10.0)
    assert (found["end"] <= [3.0, 12.0, 30.0]).all()


def test_a_clip_depends_on_seed_and_recording_alone(tmp_path):
    many, few = corpus([3.0, 12.0, 30.0, 5.0], tmp_path), corpus([8.0, 12.0, 5.0], tmp_path)
    first = recordings(many, 10.0, seed=3)["start"]
    assert recordings(few, 10.0, seed=3)["start"][1] == first[1]
    assert not np.isclose(recordings(many, 10.0, seed=4)["start"][1:], first[1:]).any()


def test_clips_are_cut_or_followed_by_silence():
    wave = (np.arange(1, 1 + 3 * RATE) / 32768).astype(np.float32)
    longer = window_pcm(wave, RATE, "recordings", 0.0, 3.0, 4.0)
    np.testing.assert_array_equal(longer, np.r_[np.arange(1, 1 + 3 * RATE), np.zeros(RATE, int)])
    part = window_pcm(wave, RATE, "recordings", 0.5, 1.5, 1.0)
    np.testing.assert_array_equal(part, np.arange(1 + RATE // 2, 1 + RATE // 2 + RATE))
    # A resampled recording may be a sample shorter than its length says.
    last = window_pcm(wave[:-1], RATE, "recordings", 2.0, 3.0, 1.0)
    np.testing.assert_array_equal(last, np.arange(2 * RATE, 3 * RATE))


def test_a_clip_has_a_key_of_its_own(tmp_path):
    file = tmp_path / "r.wav"
    file.write_bytes(b"sound")
    row = pd.DataFrame({"path": [str(file)], "start": [0.0], "end": [4.0]})
    keys = {
        feature_key(row.assign(protocol=name), SPECS["device_4k"], 4.0) for name in ("cycles", "stream", "recordings")
    }
    assert len(keys) == 3


def test_a_clip_without_length_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"a clip of 0\.0 s"):
        recordings(corpus([3.0, 4.0], tmp_path), 0.0)
