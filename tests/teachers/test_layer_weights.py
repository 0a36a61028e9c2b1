import numpy as np
import pytest
import torch

from teachers.fusion import Fusion
from teachers.layer_weights import draw_weights, learnt_weights, save_picture


def bars(figure):
    (axes,) = figure.axes
    return [tick.get_text() for tick in axes.get_xticklabels()], [bar.get_height() for bar in axes.patches]


def test_weights_are_those_of_the_layers_that_learn():
    fusion = Fusion(12, (4, 7, 10))
    with torch.no_grad():
        fusion.weight.copy_(torch.tensor([0.5, 1.0, 1.5]))
    assert learnt_weights(fusion) == {4: 0.5, 7: 1.0, 10: 1.5}
    assert learnt_weights(Fusion(12, (4, 7, 10), learnable=False)) == {}
    assert learnt_weights(Fusion(12, "last")) == {}


def test_the_picture_of_a_run_has_shares_that_sum_to_one():
    layers, heights = bars(draw_weights([{4: 0.5, 7: 1.0, 10: 2.5}], "a teacher"))
    assert layers == ["4", "7", "10"]
    assert heights == pytest.approx([0.125, 0.25, 0.625])


def test_the_picture_of_seeds_has_their_mean_their_deviation_and_each_of_them():
    shares = np.array([[0.25, 0.75], [0.5, 0.5], [0.3, 0.7]])
    figure = draw_weights([{1: 2 * one, 2: 2 * two} for one, two in shares], "a teacher")
    assert bars(figure)[1] == pytest.approx(shares.mean(axis=0))
    (axes,) = figure.axes
    (lines,) = axes.collections
    ends = [segment[:, 1] for segment in lines.get_segments()]
    middle, deviation = shares.mean(axis=0), shares.std(axis=0, ddof=1)
    np.testing.assert_allclose(ends, np.column_stack([middle - deviation, middle + deviation]))
    points = [line.get_ydata() for line in axes.lines if line.get_marker() == "."]
    np.testing.assert_allclose(points, shares)


def test_it_is_a_file_that_says_where_it_comes_from(tmp_path, monkeypatch):
    from matplotlib.image import imread

    titles = []
    drawn = draw_weights
    monkeypatch.setattr(
        "teachers.layer_weights.draw_weights", lambda runs, title: titles.append(title) or drawn(runs, title)
    )
    save_picture([{1: 1.0, 2: 1.5}], "m2d-tiny", tmp_path, synthetic=True)
    assert titles == ["m2d-tiny (synthetic corpus)"]
    assert imread(tmp_path / "layer_weights.png").shape[2] == 4
    assert [path.name for path in tmp_path.iterdir()] == ["layer_weights.png"]
