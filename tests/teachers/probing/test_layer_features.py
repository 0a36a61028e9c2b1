"""What layers make of clips: pooled as the formula says, computed once, and known by what they depend on."""

from dataclasses import replace

import numpy as np
import pytest
import soundfile
import torch

from lungsound.corpus import make_corpus
from lungsound.features import heard_windows
from lungsound.logmel import SPECS
from lungsound.windows import recordings
from teachers.m2d.config import M2DConfig
from teachers.m2d.encoder import M2DEncoder
from teachers.probing.features import Probed, pooled_features

M2D = SPECS["m2d"].with_statistics(-7.0, 4.0)
SHAPE = M2DConfig.of_size("tiny", (80, 32), (16, 16))
SECONDS = 0.5


@pytest.fixture(scope="module")
def windows(tmp_path_factory):
    """A clip of each of three noises, the last one shorter than a clip."""
    root, rng = tmp_path_factory.mktemp("noise"), np.random.default_rng(0)
    lengths = {"a": 0.9, "b": 0.5, "c": 0.3}
    known = {"sample_rate": 8000, "site": "", "device": "", "split": "", "record_type": "", "continuous": True}
    for name, seconds in lengths.items():
        soundfile.write(root / f"{name}.wav", 0.1 * rng.normal(size=round(seconds * 8000)), 8000)
    rows = [
        known | {"recording": name, "path": str(root / f"{name}.wav"), "seconds": seconds, "patient": name}
        for name, seconds in lengths.items()
    ]
    events = [{"recording": name, "start": 0.0, "end": end, "crackle": 1, "wheeze": 0} for name, end in lengths.items()]
    return recordings(make_corpus("noise", root, rows, events), SECONDS)


@pytest.fixture(scope="module")
def heard(windows):
    """Their normalised log-mels, [3, frames, mels] in float64."""
    return (np.stack(list(heard_windows(windows, M2D, SECONDS))) - M2D.mean) / M2D.std


def test_a_layer_is_a_mean_over_time_or_over_all_tokens(windows, heard, tmp_path):
    encoder = M2DEncoder(SHAPE).eval()
    found = pooled_features(Probed.of_encoder("m2d", encoder, M2D), windows, SECONDS, tmp_path)
    assert len(found.shapes) == SHAPE.depth
    with torch.inference_mode():
        grids = encoder.encode_layers(torch.from_numpy(heard).float()[:, None].mT)
    for number, grid in enumerate(grids, 1):
        tokens = grid.double().numpy()  # [N, Nf, T, D]
        side_by_side = np.concatenate([tokens[:, row].mean(axis=1) for row in range(tokens.shape[1])], axis=1)
        np.testing.assert_allclose(found.layer(number, "frames"), side_by_side, atol=2e-5)
        np.testing.assert_allclose(found.layer(number, "mean"), tokens.mean(axis=(1, 2)), atol=2e-5)


def test_the_log_mel_is_mean_and_deviation_of_every_band(windows, heard, tmp_path):
    found = pooled_features(Probed.of_logmel("log-mel", M2D), windows, SECONDS, tmp_path)
    wanted = np.concatenate([heard.mean(axis=1), heard.std(axis=1)], axis=1)
    np.testing.assert_allclose(found.layer(1, "frames"), wanted, atol=1e-4)


def test_layers_are_computed_once_and_again_when_damaged(windows, tmp_path):
    made = Probed.of_logmel("log-mel", M2D)
    asked = []
    counting = replace(made, layers=lambda x: asked.append(len(x)) or made.layers(x))
    first = np.array(pooled_features(counting, windows, SECONDS, tmp_path).values)
    asked.clear()
    again = pooled_features(counting, windows, SECONDS, tmp_path).values
    assert asked == [1]  # the silence that tells shapes
    np.testing.assert_array_equal(again, first)
    (file,) = (tmp_path / "layers").iterdir()
    damaged = bytearray(file.read_bytes())
    damaged[-60] ^= 4
    file.write_bytes(damaged)
    np.testing.assert_array_equal(pooled_features(counting, windows, SECONDS, tmp_path).values, first)
    assert asked == [1, 1, 3]


def test_what_layers_are_known_by(windows):
    before = torch.random.get_rng_state()
    first, same, other = (Probed.random("m2d", SHAPE, M2D, seed) for seed in (1, 1, 2))
    assert torch.equal(torch.random.get_rng_state(), before)
    keys = [one.key(windows, SECONDS) for one in (first, same, other)]
    assert keys[0] == keys[1] != keys[2]
    others = {
        first.key(windows[:2], SECONDS),
        first.key(windows, 0.4),
        replace(first, logmel=M2D.with_statistics(-7.0, 4.5)).key(windows, SECONDS),
        Probed.of_logmel("log-mel", M2D).key(windows, SECONDS),
    }
    assert len(others | set(keys)) == 6
