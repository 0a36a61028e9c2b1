"""ONNX models that somebody else wrote, in onnxruntime: a sentence, whatever they hold."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from export.bundle.memory import limited_memory
from export.onnx.runtime import OnnxRuntime
from lungsound.errors import InputError

WINDOW = np.ones((2, 4), np.float32)


def model(
    nodes: list[onnx.NodeProto],
    weights: list[onnx.TensorProto],
    shape: tuple[int, ...] = (1, 4),
    kind: int = TensorProto.FLOAT,
) -> bytes:
    given = helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)
    made = helper.make_tensor_value_info("y", kind, shape)
    graph = helper.make_graph(nodes, "g", [given], [made], weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8).SerializeToString()


def adds(weights: onnx.TensorProto | None = None) -> bytes:
    four = weights or helper.make_tensor("w", TensorProto.FLOAT, [4], [1.0, 2.0, 3.0, 4.0])
    return model([helper.make_node("Add", ["x", "w"], ["y"])], [four])


def outside(place: str) -> bytes:
    """A model whose weights lie in another file."""
    weights = helper.make_tensor("w", TensorProto.FLOAT, [4], [1.0, 2.0, 3.0, 4.0])
    weights.ClearField("float_data")
    weights.data_location = TensorProto.EXTERNAL
    for key, value in (("location", place), ("offset", "0"), ("length", "16")):
        weights.external_data.add(key=key, value=value)
    return adds(weights)


def gigantic(values: int) -> bytes:
    """A model that makes so many values of nothing."""
    nodes = [
        helper.make_node("ConstantOfShape", ["s"], ["b"]),
        helper.make_node("ReduceMax", ["b"], ["m"], keepdims=0),
        helper.make_node("Add", ["x", "m"], ["y"]),
    ]
    return model(nodes, [helper.make_tensor("s", TensorProto.INT64, [1], [values])])


def with_dims(*dims: int) -> bytes:
    weights = helper.make_tensor("w", TensorProto.FLOAT, [4], [1.0, 2.0, 3.0, 4.0])
    del weights.dims[:]
    weights.dims.extend(dims)
    return adds(weights)


def circle() -> bytes:
    nodes = [("x", "b", "a"), ("a", "x", "b"), ("a", "b", "y")]
    return model([helper.make_node("Add", [left, right], [made]) for left, right, made in nodes], [])


def loop() -> bytes:
    """A loop whose condition never fails."""
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, (1, 4)) for name in ("v", "v2")]
    flags = [helper.make_tensor_value_info(name, TensorProto.BOOL, []) for name in ("c", "c2")]
    turn = helper.make_tensor_value_info("i", TensorProto.INT64, [])
    same = [helper.make_node("Identity", [a], [b]) for a, b in (("c", "c2"), ("v", "v2"))]
    body = helper.make_graph(same, "body", [turn, flags[0], values[0]], [flags[1], values[1]])
    true = helper.make_tensor("true", TensorProto.BOOL, [], [True])
    return model([helper.make_node("Loop", ["", "true", "x"], ["y"], body=body)], [true])


def test_a_model_of_others_runs():
    np.testing.assert_array_equal(OnnxRuntime(adds()).run(WINDOW), WINDOW + np.arange(1.0, 5.0, dtype=np.float32))


@pytest.mark.parametrize("place", ["../../../../../../etc/passwd", "/etc/passwd", "/dev/zero", "weights.bin"])
def test_no_other_file_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str):
    (tmp_path / "weights.bin").write_bytes(bytes(16))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="not a model that onnxruntime runs"):
        OnnxRuntime(outside(place))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "not a model"),
        (b"\0" * 100, "not a model"),
        (circle(), "not acyclic"),
        (loop(), "a loop, which might never end"),
        (with_dims(1 << 40), "not a model"),
        (with_dims(-5), "not a model"),
        (adds().replace(b"\x01w", b"\x01\xff"), None),
        (adds().replace(b"\x01x", b"\x01\xff"), "can't decode byte 0xff"),
        (adds().replace(b"\x01y", b"\x01\xff"), "can't decode byte 0xff"),
        (model([helper.make_node("Identity", ["x"], ["y"])], [], (1, 0)), "of fixed shape"),
        (model([helper.make_node("Cast", ["x"], ["y"], to=7)], [], kind=TensorProto.INT64), "one float input and one"),
        (model([helper.make_node("Cast", ["x"], ["y"], to=8)], [], kind=TensorProto.STRING), "one float input and one"),
    ],
)
def test_a_hostile_model_is_one_sentence_and_nothing_is_printed(content, said, capfd):
    if said is None:
        assert OnnxRuntime(content).run(WINDOW).shape == (2, 4)
        return
    with pytest.raises(InputError, match=said) as refused:
        OnnxRuntime(content)
    assert "\n" not in str(refused.value)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("values", [1 << 29, 1 << 36])
def test_a_model_cannot_take_all_memory(values: int):
    with pytest.raises(InputError, match=r"not a model that onnxruntime runs|of memory"), limited_memory():
        OnnxRuntime(gigantic(values)).run(WINDOW)
