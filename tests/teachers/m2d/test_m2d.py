import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lungsound.errors import InputError
from lungsound.logmel import SPECS
from teachers.fusion import flatten_grid, stack_frequency
from teachers.m2d.config import M2DConfig
from teachers.m2d.encoder import M2DEncoder, position_table


def small_encoder(width: int = 48, patch: tuple[int, int] = (16, 16), sample_rate: int = 16000) -> M2DEncoder:
    torch.manual_seed(0)
    return M2DEncoder(M2DConfig(16, 2, 2, (80, width), patch, sample_rate)).eval()


@given(st.integers(1, 200), st.integers(16, 70), st.sampled_from([(16, 16), (16, 4), (80, 2), (40, 5)]))
@settings(max_examples=40, deadline=None)
@torch.inference_mode()
def test_frames_of_any_length(frames: int, width: int, patch: tuple[int, int]) -> None:
    encoder = small_encoder(width, patch)
    got = encoder.encode(torch.zeros(1, 1, 80, frames))
    columns = width // patch[1]  # of a whole chunk
    whole, rest = divmod(frames, width)
    assert got.shape == (1, whole * columns + min(math.ceil(rest / patch[1]), columns), 80 // patch[0] * 16)


@torch.inference_mode()
def test_chunks_are_independent_and_ragged_end_is_zero_padded() -> None:
    encoder = small_encoder()
    x = torch.randn(2, 1, 80, 48 + 20)
    got = encoder.encode(x)
    torch.testing.assert_close(got[:, :3], encoder.encode(x[..., :48]))
    padded = torch.cat([x[..., 48:], torch.zeros(2, 1, 80, 12)], dim=-1)
    torch.testing.assert_close(got[:, 3:], encoder.encode(padded))


@torch.inference_mode()
def test_last_layer_alone_is_normed() -> None:
    encoder = small_encoder()
    encoder.norm.weight.fill_(2.0)
    first, last = encoder.layers(torch.randn(1, 1, 80, 48))
    torch.testing.assert_close(last.square().mean(dim=-1).sqrt(), torch.full((1, 16), 2.0), rtol=1e-3, atol=0)
    torch.testing.assert_close(encoder.norm(encoder.blocks[1](first)), last)


def test_rows_and_columns_of_stacked_and_flat_tokens() -> None:
    frequency, time, feature = 3, 4, 5
    grid = torch.arange(frequency * time * feature).reshape(1, frequency, time, feature)
    assert stack_frequency(grid)[0, 2, 1 * feature + 4] == grid[0, 1, 2, 4]
    assert flatten_grid(grid)[0, 1 * time + 2, 4] == grid[0, 1, 2, 4]


def test_first_half_of_positions_is_time() -> None:
    table = position_table(16, (3, 5))[0]
    assert not table[0].any()
    grid = table[1:].reshape(3, 5, 16)
    assert (grid[:, :, :8] == grid[:1, :, :8]).all()
    assert (grid[:, :, 8:] == grid[:, :1, 8:]).all()
    assert grid[0, 2, 0] == pytest.approx(math.sin(2.0))
    assert grid[2, 0, 12] == pytest.approx(math.cos(2.0))


@torch.inference_mode()
def test_whole_clip_encoding_takes_one_chunk() -> None:
    encoder = small_encoder()
    encoder.set_width(80)
    assert encoder.config.grid == (5, 5)
    assert encoder.pos_embed.shape == (1, 26, 16)
    x = torch.randn(1, 1, 80, 80)
    torch.testing.assert_close(flatten_grid(encoder.encode_layers(x)[-1]), encoder(x)[:, 1:])


def test_positions_and_statistics_are_not_trained() -> None:
    trained = {name for name, _ in small_encoder().named_parameters()}
    assert trained.isdisjoint({"pos_embed", "norm_stats"})
    assert "cls_token" in trained


@pytest.mark.parametrize(("sample_rate", "name"), [(16000, "m2d"), (32000, "m2d_32k")])
def test_encoder_knows_its_logmel(sample_rate: int, name: str) -> None:
    encoder = small_encoder(sample_rate=sample_rate)
    encoder.norm_stats.copy_(torch.tensor([-3.5, 2.25]))
    assert encoder.logmel == SPECS[name].with_statistics(-3.5, 2.25)


def test_other_inputs_are_refused() -> None:
    encoder = small_encoder()
    for x in (torch.zeros(1, 1, 64, 48), torch.zeros(1, 1, 80, 0)):
        with pytest.raises(InputError, match="80 mels and 16 to 48 frames at once"):
            encoder.encode(x)
    with pytest.raises(InputError, match="49 frames"):
        encoder(torch.zeros(1, 1, 80, 49))


@pytest.mark.parametrize(
    ("sizes", "reason"),
    [
        ((18, 2, 2, (80, 48), (16, 16)), "divide by 4"),
        ((16, 2, 3, (80, 48), (16, 16)), "by heads"),
        ((16, 0, 2, (80, 48), (16, 16)), "positive"),
        ((16, 2, 2, (80, 48), (16, 16), 8000), "16000, 32000"),
    ],
)
def test_impossible_shapes_are_refused(sizes: tuple[object, ...], reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        M2DConfig(*sizes)
