"""Graphs whose layers meet in every way: every value of every tensor against LiteRT's reference kernels."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from beside_litert import Case, differing_on_core, differing_on_host
from exported_student import exported_student
from layered_models import layered
from one_op_tflite import Model, Node, Spec, build
from operator_cases import windows_of

from firmware_bridge.device.targets import Target
from firmware_bridge.tflite.reader import parse_tflite

CORES = [("cortex-m4", "dsp8"), ("cortex-m4", "dsp16"), ("cortex-m55", "mve"), ("cortex-m0", "c99")]


def _layered(seeds: range) -> list[Case]:
    models = {seed: layered(seed) for seed in seeds}
    return [(build(model), windows_of(np.random.default_rng(seed), model)) for seed, model in models.items()]


@pytest.mark.slow
def test_random_layers_make_every_value_on_the_host(tmp_path: Path):
    assert differing_on_host(_layered(range(25)), tmp_path) == [0] * 25


@pytest.mark.slow
@pytest.mark.parametrize(("target", "kernels"), CORES)
@pytest.mark.parametrize("seeds", [range(100, 105), range(105, 110)])  # a Cortex-M0 has no room for all
def test_random_layers_make_every_value_on_a_core(
    seeds: range, target: str, kernels: str, installed: Callable[[str], Target], tmp_path: Path
):
    assert differing_on_core(_layered(seeds), installed(target), kernels, tmp_path) == [0] * 5


@pytest.mark.slow
@pytest.mark.parametrize(("target", "kernels"), [*CORES[:3], ("cortex-m3", "c99"), ("rv32", "c99")])
def test_whole_models_make_every_value_on_a_core(
    target: str, kernels: str, shared: Path, installed: Callable[[str], Target], tmp_path: Path
):
    content, windows = exported_student(1 / 8, heads=4)
    cases = [(content, windows[:2])]
    for name in ("kws_ref_model", "pretrainedResnet_quant"):
        content = (shared / f"data/mlperf_tiny/{name}.tflite").read_bytes()
        source = parse_tflite(name, content)
        shape = source.tensors[source.inputs[0]].shape
        cases.append((content, np.random.default_rng(1).integers(-128, 128, (2, *shape), np.int8)))
    assert differing_on_core(cases, installed(target), kernels, tmp_path) == [0, 0, 0]


@pytest.mark.slow
@pytest.mark.parametrize(("target", "kernels"), CORES[:3])
@pytest.mark.parametrize("push_limit", [1, 20_000, 150_000])
def test_a_limit_on_pushes_changes_no_value_on_a_core(
    push_limit: int, target: str, kernels: str, installed: Callable[[str], Target], tmp_path: Path
):
    content, windows = exported_student(1 / 16, heads=2)
    assert differing_on_core([(content, windows[1:3])], installed(target), kernels, tmp_path, push_limit) == [0]


def _two_that_read_alike() -> Model:
    """A convolution without padding and one with, else alike, of one map: only the second reads beyond the last row."""
    rng = np.random.default_rng(0)
    tensors, nodes, flat = [Spec((1, 6, 5, 2), (0.1,), (7,))], [], []
    for padding, size in ((1, 2), (0, 3)):
        weights = Spec((2, 3, 3, 2), (0.01,), (0,), data=rng.integers(-127, 128, (2, 3, 3, 2)))
        bias = Spec((2,), (0.001,), (0,), data=rng.integers(-99, 99, 2), dtype="int32")
        maps = [Spec(shape, (0.5,), (3,)) for shape in ((1, size, size, 2), (1, 2 * size * size))]
        to = Spec((2,), (), (), data=np.asarray(maps[1].shape), dtype="int32")
        options = {"padding": padding, "strideH": 2, "strideW": 2, "fusedActivationFunction": 0}
        first = len(tensors)
        tensors += [weights, bias, maps[0], to, maps[1]]
        nodes.append(Node("CONV_2D", [0, first, first + 1], first + 2, ("Conv2DOptions", options)))
        nodes.append(Node("RESHAPE", [first + 2, first + 3], first + 4))
        flat.append(first + 4)
    tensors.append(Spec((1, 26), (0.5,), (3,)))
    both = ("ConcatenationOptions", {"axis": 1, "fusedActivationFunction": 0})
    return Model(tensors, [*nodes, Node("CONCATENATION", flat, len(tensors) - 1, both)])


def _pool_behind_a_reshape() -> Model:
    """A convolution whose row is cut into half as many columns before an average pool 2 x 2."""
    rng = np.random.default_rng(0)
    weights = Spec((4, 3, 3, 4), (0.01,), (0,), data=rng.integers(-127, 128, (4, 3, 3, 4)))
    bias = Spec((4,), (0.001,), (0,), data=rng.integers(-99, 99, 4), dtype="int32")
    maps = [Spec(shape, (0.5,), (3,)) for shape in ((1, 8, 8, 4), (1, 8, 4, 8), (1, 4, 2, 8))]
    to = Spec((4,), (), (), data=np.asarray(maps[1].shape), dtype="int32")
    conv = {"padding": 0, "strideH": 1, "strideW": 1, "fusedActivationFunction": 0}
    pool = {"padding": 1, "strideH": 2, "strideW": 2, "filterHeight": 2, "filterWidth": 2}
    nodes = [Node("CONV_2D", [0, 1, 2], 3, ("Conv2DOptions", conv)), Node("RESHAPE", [3, 4], 5)]
    nodes.append(Node("AVERAGE_POOL_2D", [5], 6, ("Pool2DOptions", pool)))
    return Model([Spec((1, 8, 8, 4), (0.1,), (7,)), weights, bias, maps[0], to, maps[1], maps[2]], nodes)


@pytest.mark.parametrize(("target", "kernels"), [("host", "c99"), *CORES])
def test_what_looks_alike_is_not_taken_for_the_same(
    target: str, kernels: str, installed: Callable[[str], Target], tmp_path: Path
):
    models = _two_that_read_alike(), _pool_behind_a_reshape()
    cases = [(build(model), windows_of(np.random.default_rng(1), model)) for model in models]
    if target == "host":
        assert differing_on_host(cases, tmp_path) == [0, 0]
    else:
        assert differing_on_core(cases, installed(target), kernels, tmp_path) == [0, 0]
