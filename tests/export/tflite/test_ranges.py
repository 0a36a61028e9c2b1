import numpy as np
import pytest
import torch
from random_student import features_for, listening_of, random_student

from export.tflite.float_model import float_tflite
from export.tflite.ranges import calibrate
from lungsound.errors import InputError

LISTENING = listening_of(40, 32)
FEATURES = features_for(LISTENING, 6)


@pytest.fixture(scope="module")
def student():
    return random_student(LISTENING, heads=4)


@pytest.fixture(scope="module")
def model(student):
    return float_tflite(student, LISTENING)


def in_torch(student):
    """The tensors that torch computes too."""
    x = torch.from_numpy(FEATURES)[:, None]
    values = {"logmel": x}
    with torch.no_grad():
        for number, (block,) in enumerate(student.trunk.stages, start=1):
            values[f"trunk/conv_block{number}/conv1"] = torch.relu(block.bn1(block.conv1(x)))
            values[f"trunk/conv_block{number}/avg_pool2d"] = x = block(x)
        values["head/convolution"] = torch.nn.functional.conv2d(x, student.head.score_weight())
        values["logits"] = student.head(x)
    return {name: value.numpy() for name, value in values.items()}


def test_ranges_are_the_true_extremes(student, model):
    ranges = calibrate(model, FEATURES)
    for name, values in in_torch(student).items():
        np.testing.assert_allclose(ranges[name], (values.min(), values.max()), rtol=1e-4, atol=1e-5, err_msg=name)
    assert not any(name.endswith(("/weight", "/bias", "/shape")) for name in ranges)


@pytest.mark.parametrize("percentile", [99.0, 90.0])
def test_percentiles_leave_out_that_share_at_either_end(student, model, percentile):
    ranges = calibrate(model, FEATURES, percentile)
    for name, values in in_torch(student).items():
        two_bins = 2 * np.ptp(values) / 8192 + 1e-5  # of the histogram that counts them, and float rounding
        low, high = ranges[name]
        share = 1 - percentile / 100
        assert np.mean(values < low - 1e-5) <= share, name
        assert np.mean(values > high + 1e-5) <= share, name
        assert np.mean(values <= low + two_bins) >= share, name
        assert np.mean(values >= high - two_bins) >= share, name


def test_a_percentile_of_a_hundred_leaves_out_nothing(model):
    whole = calibrate(model, FEATURES)
    for name, bounds in calibrate(model, FEATURES, 100).items():
        np.testing.assert_allclose(bounds, whole[name], rtol=1e-6, err_msg=name)


@pytest.mark.parametrize("percentile", [50, 0, 101, -1, float("nan")])
def test_a_percentile_out_of_range(model, percentile):
    with pytest.raises(InputError, match="percentile"):
        calibrate(model, FEATURES, percentile)


@pytest.mark.parametrize("features", [FEATURES[:0], FEATURES[:, :-1], FEATURES[0]])
def test_features_that_do_not_fit(model, features):
    with pytest.raises(InputError, match=r"\[N, 40, 32\]"):
        calibrate(model, features)


def test_a_feature_that_is_not_finite(model):
    features = FEATURES.copy()
    features[3, 2, 1] = np.nan
    with pytest.raises(InputError, match="not finite"):
        calibrate(model, features)
