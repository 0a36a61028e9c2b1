import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from lungsound.errors import InputError
from lungsound.networks.cnn6 import Cnn6
from lungsound.networks.trunk import pool, scaled_widths
from students.csra import CsraHead, temperatures_of


def parameters(module):
    return sum(p.numel() for p in module.parameters())


@given(width=st.floats(1 / 64, 4))
def test_widths_are_the_nearest_multiples_of_eight(width):
    for published, channels in zip(Cnn6.published, scaled_widths(Cnn6.published, width), strict=True):
        assert channels % 8 == 0
        assert channels >= 8
        assert channels == 8 or abs(channels - published * width) <= 4


@pytest.mark.parametrize(
    ("width", "expected"), [(1, (64, 128, 256, 512)), (0.125, (8, 16, 32, 64)), (0.1, (8, 16, 24, 48))]
)
def test_named_widths(width, expected):
    assert scaled_widths(Cnn6.published, width) == expected


def test_published_parameter_counts():
    trunk = Cnn6()
    assert round(parameters(trunk) / 1e6, 3) == 4.304
    head = CsraHead(512, 4, temperatures_of(6), 0.2)
    assert parameters(head) == 24 * 512
    assert round((parameters(trunk) + parameters(head)) / 1e6, 2) == 4.32


@pytest.mark.parametrize(("frames", "mels"), [(124, 64), (249, 64), (251, 64), (401, 80), (16, 16)])
def test_four_floor_halvings(frames, mels):
    with torch.no_grad():
        features = Cnn6((8, 8, 8, 8)).eval()(torch.zeros(1, 1, frames, mels))
    assert features.shape == (1, 8, frames // 2 // 2 // 2 // 2, mels // 16)


@pytest.mark.parametrize("shape", [(15, 64), (64, 15)])
def test_too_small_an_input_is_refused(shape):
    with pytest.raises(InputError, match="at least 16"):
        Cnn6((8, 8, 8, 8))(torch.zeros(1, 1, *shape))


def test_against_the_definition_in_float64():
    torch.manual_seed(0)
    trunk = Cnn6((8, 16, 8, 16)).double().eval()
    for (block,) in trunk.stages:
        for value in (block.bn1.weight, block.bn1.bias, block.bn1.running_mean):
            value.data.normal_()
        block.bn1.running_var.uniform_(0.5, 2)
    x = torch.randn(2, 1, 40, 33, dtype=torch.float64)
    expected = x
    for (block,) in trunk.stages:
        norm = block.bn1
        z = F.conv2d(F.pad(expected, (2, 2, 2, 2)), block.conv1.weight)
        z = (z - norm.running_mean[:, None, None]) / (norm.running_var[:, None, None] + 1e-5).sqrt()
        z = (z * norm.weight[:, None, None] + norm.bias[:, None, None]).clamp(min=0)
        height, width = z.shape[2] // 2 * 2, z.shape[3] // 2 * 2
        z = z[:, :, :height, :width]
        expected = (z[..., ::2, ::2] + z[..., 1::2, ::2] + z[..., ::2, 1::2] + z[..., 1::2, 1::2]) / 4
    torch.testing.assert_close(trunk(x), expected)


def test_dropout_acts_while_training_alone():
    torch.manual_seed(0)
    trunk = Cnn6((8, 8, 8, 8), dropout=0.5)
    x = torch.randn(2, 1, 32, 32)
    assert not torch.equal(trunk(x), trunk(x))
    trunk.eval()
    assert torch.equal(trunk(x), trunk(x))


def test_pooling_takes_mean_over_mel_then_maximum_plus_mean_over_time():
    feature_map = torch.tensor([[[[1.0, 3.0], [5.0, 7.0], [0.0, 0.0]]]])  # three frames of two mels: means 2, 6, 0
    assert pool(feature_map).item() == pytest.approx(6 + 8 / 3)
