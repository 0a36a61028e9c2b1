"""Every operator as generated C against LiteRT, over random shapes, strides, paddings, scales and zero points."""

import tempfile
from pathlib import Path

import numpy as np
import pytest
from host import SANITIZERS, run_all_on_host, run_on_host
from hypothesis import given, settings
from hypothesis import strategies as st
from one_op_tflite import Model, Node, Spec, build, litert
from operator_cases import CASES, NOT_XNNPACK, windows_of

from firmware_bridge.plan.network import plan_network
from firmware_bridge.tflite.reader import parse_tflite
from lungsound.errors import InputError


def _differing_of_drawn(name: str, seed: int, rounding: str, count: int) -> list[int]:
    rng = np.random.default_rng(seed)
    models = [CASES[name](rng) for _ in range(count)]
    return _differing([(model, windows_of(rng, model)) for model in models], rounding)


def _differing(cases: list[tuple[Model, np.ndarray]], rounding: str) -> list[int]:
    """How many bytes of each output and (in double rounding) of its intermediate tensors differ from LiteRT's."""
    contents, windows = [build(model) for model, _ in cases], [heard for _, heard in cases]
    networks = [plan_network(parse_tflite("case.tflite", content), rounding=rounding) for content in contents]
    # The sanitizers watch the same code in double rounding.
    flags = SANITIZERS if rounding == "double" else ("-O1",)
    with tempfile.TemporaryDirectory() as folder:
        runs = run_all_on_host(networks, windows, Path(folder), flags)
    counts = []
    for content, heard, network, made in zip(contents, windows, networks, runs, strict=True):
        wanted = litert(content, heard, reference=rounding == "double")
        tensors = {network.program.streams[index].tensor: values for index, values in made.streams.items()}
        counts.append(int((made.outputs != wanted[network.graph.outputs[0]]).sum()))
        counts[-1] += sum(int((tensors[key] != wanted[key]).sum()) for key in tensors.keys() & wanted.keys())
    return counts


def test_operators_make_the_bytes_of_the_reference_kernels():
    rng = np.random.default_rng(0)
    models = [case(rng) for case in CASES.values()]
    differing = _differing([(model, windows_of(rng, model)) for model in models], "double")
    assert dict(zip(CASES, differing, strict=True)) == dict.fromkeys(CASES, 0)


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
@settings(max_examples=2)
@given(seed=st.integers(1, 2**32 - 1))
def test_an_operator_makes_the_bytes_of_the_reference_kernels_whatever_its_shape(name: str, seed: int):
    assert _differing_of_drawn(name, seed, "double", 10) == [0] * 10


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(set(CASES) - NOT_XNNPACK))
@settings(max_examples=2)
@given(seed=st.integers(1, 2**32 - 1))
def test_an_operator_makes_the_bytes_of_xnnpack(name: str, seed: int):
    assert _differing_of_drawn(name, seed, "single", 5) == [0] * 5


def _of_scales(kind: str, exponents: tuple[float, ...]) -> Model:
    """One operator whose inputs have a scale of 2^exponent times the output's, the product of both for MUL."""
    rng = np.random.default_rng(1)
    shape = (1, 16, 16, 1)
    if kind in ("QUANTIZE", "HARD_SWISH"):
        source, made = (Spec(shape, (float(np.float32(0.01 * 2**exponent)),), (3,)) for exponent in (*exponents, 0))
        return Model([source, made], [Node(kind, [0], 1)])
    if kind == "MUL":
        inputs, output = (exponents[0] / 2, exponents[0] / 2), 1.0
    else:
        inputs, output = exponents, 0.01
    source, other = (Spec(shape, (float(np.float32(output * 2**exponent)),), (7,)) for exponent in inputs)
    other.data = rng.integers(-128, 128, shape)
    options = (f"{kind.title()}Options", {"fusedActivationFunction": 0})
    return Model([source, other, Spec(shape, (float(np.float32(output)),), (-5,))], [Node(kind, [0, 1], 2, options)])


# Beyond these XNNPACK leaves the operator to TFLite, and 16 bits do not hold HARD_SWISH.
@pytest.mark.parametrize(
    ("kind", "exponents", "rounding", "taken"),
    [
        ("ADD", (7.9, -9.9), "single", True),
        ("ADD", (-9.9, -9.9), "single", True),
        ("ADD", (-10.2, -1.7), "single", False),
        ("ADD", (-10.2, -1.7), "double", True),
        ("SUB", (8.1, 0.0), "single", False),
        ("SUB", (8.1, 0.0), "double", True),
        ("MUL", (7.9,), "single", True),
        ("MUL", (-15.5,), "single", True),
        ("MUL", (8.1,), "single", False),
        ("MUL", (127.0,), "single", False),
        ("MUL", (20.0,), "double", True),
        ("QUANTIZE", (7.5,), "single", True),
        ("QUANTIZE", (-7.5,), "single", True),
        ("QUANTIZE", (-8.5,), "single", True),
        ("QUANTIZE", (29.0,), "single", True),
        ("HARD_SWISH", (6.9,), "double", True),
        ("HARD_SWISH", (7.1,), "double", False),
        ("HARD_SWISH", (-12.0,), "double", False),
    ],
)
def test_scales_far_apart_make_the_bytes_of_litert_or_are_refused(
    kind: str, exponents: tuple[float, ...], rounding: str, taken: bool
):
    model = _of_scales(kind, exponents)
    if taken:
        assert _differing([(model, windows_of(np.random.default_rng(2), model))], rounding) == [0]
        return
    with pytest.raises(InputError, match="quantize again"):
        plan_network(parse_tflite("case.tflite", build(model)), rounding=rounding)


@pytest.mark.parametrize(("zero", "factor"), [(-33, 1.0), (127, 1.0), (0, 1.0), (6, 0.96), (-33, 1.04)])
def test_a_mean_rounds_its_halves_as_xnnpack_does(zero: int, factor: float):
    axis = Spec((1,), (), (), data=np.asarray([-1]), dtype="int32")
    made = Spec((1, 16, 8, 1), (float(np.float32(0.25 * factor)),), (zero,))
    options = ("ReducerOptions", {"keepDims": True})
    model = Model([Spec((1, 16, 8, 2), (0.25,), (3,)), axis, made], [Node("MEAN", [0, 1], 2, options)])
    assert _differing([(model, windows_of(np.random.default_rng(2), model))], "single") == [0]


@pytest.mark.parametrize(("scales", "zeros", "rounding"), [((), (), "single"), ((0.01,), (3,), "double")])
def test_a_bias_that_a_runtime_takes_otherwise_is_refused(
    scales: tuple[float, ...], zeros: tuple[int, ...], rounding: str
):
    model = CASES["CONV_2D"](np.random.default_rng(0))
    model.tensors[2].scales, model.tensors[2].zeros = scales, zeros
    with pytest.raises(InputError, match="without scales or with a zero point"):
        plan_network(parse_tflite("case.tflite", build(model)), rounding=rounding)


@pytest.mark.parametrize("depth", [511, 600, 4095])
def test_a_softmax_over_more_values_than_litert_divides_rounds_their_shares(depth: int, tmp_path: Path):
    # LiteRT aborts where more than 511 values share alike, so that float64 is the truth here.
    spec = Spec((1, 1, depth), (0.1,), (0,))
    model = Model([spec, Spec((1, 1, depth), (1 / 256,), (-128,))], [Node("SOFTMAX", [0], 1)])
    model.nodes[0].options = ("SoftmaxOptions", {"beta": 1.0})
    network = plan_network(parse_tflite("case.tflite", build(model)))
    alike, one = np.zeros((2, depth), np.int8)
    one[7] = 90
    windows = np.stack([alike, one]).reshape(2, 1, 1, depth)
    shares = np.exp(0.1 * windows.reshape(2, -1).astype(np.float64))
    shares /= shares.sum(axis=1, keepdims=True)
    made = run_on_host(network, windows, tmp_path).outputs
    assert np.abs(made - np.round(256 * shares) + 128).max() <= 1
