"""A stream that comes in blocks is what it is in one piece: in Python, and in the C that hears it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from auscult.classify.engine import open_engine
from auscult.classify.front_end import StreamFrontEnd
from export.bundle.opening import Bundle
from firmware_bridge.device.targets import find_target, missing_packages
from lungsound.errors import InputError
from lungsound.features import heard_windows
from lungsound.front_end import codes_of
from lungsound.listening import Listening
from lungsound.logmel import SPECS
from lungsound.quantization import Quantization
from lungsound.recording_mean import RunningMean, running_mean

BUNDLE = Path(__file__).parents[2] / "data" / "before" / "bundle"
CODES = Quantization(0.03, -7)
LISTENING = {
    "frames that windows share": Listening.with_whole_hop(SPECS["device_4k"].with_statistics(-9, 4), 1.0, 0.4),
    "less the recording's mean": Listening.with_whole_hop(
        replace(SPECS["device_4k_32ms"], normalisation="recording", mean=0.0, std=2.0), 1.0, 0.4
    ),
    "centred frames": Listening.with_whole_hop(SPECS["panns_8k"].with_statistics(-40, 20), 0.5, 0.2),
    "pre-emphasis": Listening.with_whole_hop(SPECS["efficientat_8k"].with_statistics(-9, 2), 0.5, 0.2),
    "gaps between windows": Listening.with_whole_hop(SPECS["device_4k"].with_statistics(-9, 4), 0.3, 0.7),
}


def sound(samples: int, seed: int = 0) -> np.ndarray:
    """Noise that swells, after a while without a sample that is not 0."""
    rng = np.random.default_rng(seed)
    loudness = np.linspace(0, 8000, samples) * (np.arange(samples) > samples // 10)
    return (rng.standard_normal(samples) * loudness).clip(-32768, 32767).astype(np.int16)


def windows_of(path: Path, listening: Listening, samples: int) -> pd.DataFrame:
    """The windows of a stream, as `lungsound.windows.stream` cuts them."""
    starts = np.arange(0, samples - listening.samples + 1, listening.hop_samples) / listening.logmel.sample_rate
    return pd.DataFrame({"path": str(path), "protocol": "stream", "start": starts, "end": starts + listening.seconds})


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """For each way of listening, four seconds of sound and the codes that training and evaluation make of it."""
    found = {}
    for name, listening in LISTENING.items():
        rate = listening.logmel.sample_rate
        file, pcm = tmp_path_factory.mktemp("sound") / "a.wav", sound(4 * rate)
        soundfile.write(file, pcm, rate, subtype="PCM_16")
        heard = heard_windows(windows_of(file, listening, len(pcm)), listening.logmel, listening.seconds)
        found[name] = pcm, codes_of(listening.logmel, CODES, heard)
    return found


@pytest.mark.parametrize("name", LISTENING)
@settings(max_examples=8)
@given(data=st.data())
def test_blocks_of_any_length_are_the_whole(whole, name, data):
    pcm, expected = whole[name]
    cuts = sorted(data.draw(st.lists(st.integers(0, len(pcm)), max_size=9)))
    front_end = StreamFrontEnd(LISTENING[name], CODES)
    got = np.concatenate([front_end.push(block) for block in np.split(pcm, cuts)])
    assert len(expected) > 3
    np.testing.assert_array_equal(got, expected)


@settings(max_examples=30)
@given(seed=st.integers(0, 99), cuts=st.lists(st.integers(0, 200), max_size=5))
def test_a_running_mean_goes_on_where_it_stopped(seed, cuts):
    rng = np.random.default_rng(seed)
    heard = rng.integers(0, 900, (200, 3)) * rng.integers(0, 2, (200, 1))  # half of the frames are silence
    mean = RunningMean(16)
    got = np.concatenate([mean.push(part) for part in np.split(heard, sorted(cuts))])
    np.testing.assert_array_equal(got, running_mean(heard, 16))


@pytest.mark.slow  # a compiler makes two programs
@pytest.mark.skipif(bool(missing_packages(find_target("host"))), reason="needs a compiler")
@pytest.mark.parametrize("rounding", ["single", "double"])
def test_the_c_gives_the_bytes_of_litert(tmp_path, rounding):
    bundle = Bundle.open(BUNDLE)
    pcm = sound(60_000, seed=3)
    given = []
    for name in ("litert", "c", "c"):  # the second program comes from the cache
        engine = open_engine(bundle, name, rounding, tmp_path)
        with engine.listening() as hear:
            given.append(np.concatenate([hear(block) for block in np.split(pcm, [0, 5, 9_000, 9_001, 40_000])]))
    assert given[0].shape == ((60_000 - 8000) // 7936 + 1, 2)
    assert len(np.unique(given[0])) > 3
    np.testing.assert_array_equal(given[1], given[0])
    np.testing.assert_array_equal(given[2], given[0])
    assert len(list((tmp_path / "programs").iterdir())) == 1


@pytest.mark.parametrize(("engine", "rounding"), [("torch", "single"), ("litert", "up")])
def test_what_does_not_exist_is_refused(tmp_path, engine, rounding):
    with pytest.raises(InputError, match=r"choose \w+ or \w+$"):
        open_engine(Bundle.open(BUNDLE), engine, rounding, tmp_path)
