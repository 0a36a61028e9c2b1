import pytest
import torch

from lungsound.errors import InputError
from teachers.fusion import Fusion


def grids(depth: int = 3) -> list[torch.Tensor]:
    draw = torch.Generator().manual_seed(0)
    return [torch.randn(2, 5, 4, 6, generator=draw) for _ in range(depth)]


@pytest.mark.parametrize("pooling", ["frames", "tokens"])
def test_equations_of_the_paper(pooling: str) -> None:
    fusion, z = Fusion(3, (3, 1), pooling=pooling), grids()
    with torch.no_grad():
        fusion.weight.copy_(torch.tensor([0.5, -2.0]))
    axes = (2, 1, 3) if pooling == "frames" else (1, 2, 3)
    read = [grid.permute(0, *axes).reshape(2, -1, 30 if pooling == "frames" else 6) for grid in z]
    fused = torch.cat([0.5 * read[2], -2.0 * read[0]], dim=2)
    torch.testing.assert_close(torch.cat(fusion.weigh(z), dim=2), fused)
    torch.testing.assert_close(fusion(z), fused.mean(dim=1) + fused.max(dim=1).values)


def test_the_features_of_a_clip_are_the_mean_of_frames_with_stacked_frequencies() -> None:
    fusion, z = Fusion(3, "last", pooling="clip"), grids()
    due = torch.einsum("bftd->bfd", z[2].double()).flatten(1) / 4
    assert fusion.width([(5, 6)] * 3) == 30
    torch.testing.assert_close(fusion(z).double(), due, rtol=1e-5, atol=1e-6)


def test_weights_start_at_one_and_are_trained_if_asked() -> None:
    learnable, fixed = Fusion(3), Fusion(3, learnable=False)
    assert learnable.layers == fixed.layers == (1, 2, 3)
    assert learnable.weight.tolist() == fixed.weight.tolist() == [1.0, 1.0, 1.0]
    learnable(grids()).sum().backward()
    assert learnable.weight.grad is not None
    assert not list(fixed.parameters())
    assert learnable.state_dict().keys() == fixed.state_dict().keys()


@pytest.mark.parametrize("layers", [(), (0,), (4,), (1, 1), (-1,)])
def test_layers_that_do_not_exist(layers: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match="choose different layers from 1 to 3, all or last"):
        Fusion(3, layers)


def test_unknown_pooling() -> None:
    with pytest.raises(InputError, match="frames, tokens"):
        Fusion(3, pooling="max")
