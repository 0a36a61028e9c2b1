"""The family whose overlapping windows share their rows: which frames a row sees, sizes, and what is refused."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import nn

from lungsound.errors import InputError
from lungsound.listening import Listening
from lungsound.logmel import SPECS
from students.registry import families
from students.student import Student, StudentConfig


def stream(width=1 / 16, depth=4) -> Student:
    """In float64, its norms as after a training."""
    torch.manual_seed(0)
    student = Student(StudentConfig(trunk="stream", width=width, depth=depth)).double()
    for layer in student.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.running_mean.normal_(0, 0.1)
            layer.running_var.uniform_(0.5, 2)
            layer.bias.data.fill_(0.5)
    return student.eval()


@pytest.mark.parametrize("depth", [4, 7, 12])
def test_a_row_depends_on_its_frames_alone(depth):
    student = stream(depth=depth)
    frames = 16 * depth - 24
    x = torch.randn(1, 1, frames + 24 + 5, 40, dtype=torch.float64, requires_grad=True)
    feature_map = student.features(x)
    assert (student.rows.frames, student.rows.stride) == (frames, 8)
    assert feature_map.shape == (1, student.embedding_dim, 4, 1)
    for row in range(4):
        (gradient,) = torch.autograd.grad(feature_map[:, :, row].sum(), x, retain_graph=True)
        seen = gradient[0, 0].abs().sum(1).nonzero()[:, 0]
        assert (int(seen.min()), int(seen.max())) == (8 * row, 8 * row + frames - 1)


@pytest.mark.parametrize("hop", [1, 3, 7])
def test_overlapping_windows_make_the_rows_that_the_whole_makes(hop):
    student, x = stream(depth=5), torch.randn(1, 1, 160, 43, dtype=torch.float64)
    with torch.inference_mode():
        whole = student.features(x)
        for first in range(0, (160 - 83) // 8 + 1, hop):
            window = student.features(x[:, :, 8 * first : 8 * first + 83])
            assert window.shape[2] == 4
            torch.testing.assert_close(window, whole[:, :, first : first + 4], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("mels", "left"), [(12, 1), (14, 1), (16, 2), (24, 1), (32, 3), (40, 1), (48, 2), (64, 4)])
def test_mels_are_halved_as_far_as_there_are_enough(mels, left):
    student = stream()
    assert student.features(torch.zeros(1, 1, 40, mels, dtype=torch.float64)).shape[2:] == (1, left)


def test_any_number_of_mels_leaves_some():
    student = stream()
    for mels in range(12, 130):
        assert student.features(torch.zeros(1, 1, 40, mels, dtype=torch.float64)).shape[3] >= 1


def size(width, depth) -> tuple[int, int]:
    """Parameters of the trunk, and multiply-accumulates of a window of 4 s of device_4k."""
    student = stream(width, depth)
    counted = []
    for layer in student.trunk.modules():
        if isinstance(layer, nn.Conv2d):
            layer.register_forward_hook(
                lambda layer, _, made: counted.append(layer.weight.numel() * made.shape[2] * made.shape[3])
            )
    student.features(torch.zeros(1, 1, 124, 64, dtype=torch.float64))
    return sum(parameter.numel() for parameter in student.trunk.parameters()), sum(counted)


def test_more_width_and_more_depth_are_more_parameters_and_multiply_accumulates():
    wider = [size(width, 6) for width in (1 / 16, 1 / 8, 1 / 4, 3 / 8)]
    deeper = [size(1 / 16, depth) for depth in range(4, 10)]
    for sizes in (wider, deeper):
        assert all(np.less(small, large).all() for small, large in pairwise(sizes))


def test_the_size_that_the_documentation_names():
    channels = 16, 32, 32, 64, 64, 128, 128
    kernels = 9, 9, 9, 9, 3, 3
    convolutions = 16 * 16 + sum(
        before * kernel + before * after for (before, after), kernel in zip(pairwise(channels), kernels, strict=True)
    )
    norms = 2 * (sum(channels) + sum(channels[:-1]))
    assert size(0.25, 6)[0] == convolutions + norms
    assert StudentConfig(trunk="stream").depth == 6


@pytest.mark.parametrize("width", [1 / 64, 0.1, 0.3, 1])
def test_channels_are_multiples_of_eight(width):
    trunk = Student(StudentConfig(trunk="stream", width=width, depth=9)).trunk
    assert all(layer.out_channels % 8 == 0 for layer in trunk.modules() if isinstance(layer, nn.Conv2d))


def test_drawn_weights_keep_the_values_in_their_range():
    torch.manual_seed(0)
    student = Student(StudentConfig(trunk="stream", width=1 / 8, depth=12)).eval()
    with torch.inference_mode():
        made = student.features(torch.randn(2, 1, 200, 64))
    assert 0.01 < float(made.std()) < 100


@pytest.mark.parametrize("depth", [3, 13, -1])
def test_a_depth_that_is_none_of_its(depth):
    with pytest.raises(InputError, match=f"stream has a depth between 4 and 12, got {depth}"):
        StudentConfig(trunk="stream", depth=depth)


def test_a_family_without_depth_refuses_one():
    with pytest.raises(InputError, match="cnn6 is sized by its width alone; leave the depth 6 out"):
        StudentConfig(depth=6)


def test_the_depth_is_stored_where_there_is_one():
    deep = StudentConfig(trunk="stream", depth=9)
    assert deep.to_dict()["depth"] == 9
    assert StudentConfig.from_dict(deep.to_dict()) == deep
    assert "depth" not in StudentConfig().to_dict()


def listening(seconds, hop, logmel="device_4k"):
    return Listening.with_whole_hop(SPECS[logmel], seconds, hop)


def test_a_hop_is_a_whole_number_of_rows():
    student = stream()
    for rows in (1, 2, 15):
        student.check_window(listening(4, rows * 0.256))
    with pytest.raises(
        InputError,
        match=r"62 frames \(1\.984 s\) is no whole number of output rows of stream, one every 8 frames; "
        r"give a hop of 1\.792 or 2\.048 s",
    ):
        student.check_window(listening(4, 2))
    with pytest.raises(InputError, match=r"give a hop of 0\.256 s"):
        student.check_window(listening(4, 0.1))


@pytest.mark.parametrize("logmel", SPECS)
@pytest.mark.parametrize("hop", [0.01, 0.5, 2.0])
def test_the_hops_of_the_sentence_are_good(logmel, hop):
    student, asked = stream(), listening(4, hop, logmel)
    near = listening(4, student.whole_hop(asked), logmel)
    student.check_window(near)
    assert abs(near.hop_frames - asked.hop_frames) <= max(4, 8 - asked.hop_frames)
    try:
        student.check_window(asked)
    except InputError as refused:
        for said in str(refused).partition("give a hop of ")[2].removesuffix(" s").split(" or "):
            student.check_window(listening(4, float(said), logmel))


def test_other_families_take_every_hop():
    student = Student(StudentConfig(width=1 / 16))
    assert student.rows is None
    student.check_window(listening(4, 2))
    assert student.whole_hop(listening(4, 2)) == 1.984


def test_a_window_that_is_too_short():
    with pytest.raises(InputError, match="are too few for stream of depth 12; give a window of at least 168"):
        stream(depth=12).check_window(listening(4, 0.256))
    with pytest.raises(InputError, match="124 frames of 11 mels are too few for stream; give at least 12 of both"):
        stream()(torch.zeros(1, 1, 124, 11, dtype=torch.float64))


def test_its_card_says_whose_it_is():
    card = families()["stream"].card
    assert "1704.04861" in card.paper
    assert "1711.07128" in card.paper
    assert "own" in card.paper
