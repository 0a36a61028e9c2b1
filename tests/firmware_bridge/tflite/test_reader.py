"""The reader against files built with the schema, and against hostile ones."""

import contextlib
import tracemalloc
from collections import Counter
from pathlib import Path

import flatbuffers
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from exported_student import exported_student
from mutate_tflite import Seed, fate, made_up_seeds, mutations
from one_op_tflite import Model, Node, Spec, build

from firmware_bridge.compile.operators import lower
from firmware_bridge.plan.network import plan_network
from firmware_bridge.tflite.reader import parse_tflite
from lungsound.errors import InputError


def _conv() -> Model:
    weights = Spec((2, 3, 3, 1), (0.1, 0.2), (0, 0), 0, np.ones((2, 3, 3, 1)), name="weights")
    bias = Spec((2,), (0.01, 0.02), (0, 0), 0, np.asarray([5, -6]), "int32")
    options = ("Conv2DOptions", {"padding": 1, "strideH": 2, "strideW": 1, "fusedActivationFunction": 1})
    return Model(
        [Spec((1, 9, 5, 1), (0.5,), (-3,), name="frames"), weights, bias, Spec((1, 4, 3, 2), (0.7,), (4,))],
        [Node("CONV_2D", [0, 1, 2], 3, options)],
    )


def test_a_file_becomes_the_graph_that_was_written():
    graph = parse_tflite("m.tflite", build(_conv()))
    assert [tensor.shape for tensor in graph.tensors] == [(1, 9, 5, 1), (2, 3, 3, 1), (2,), (1, 4, 3, 2)]
    assert graph.tensors[0].scale == 0.5
    assert graph.tensors[0].zero_point == -3
    assert graph.tensors[1].scales == pytest.approx((0.1, 0.2))
    assert graph.tensors[2].data is not None
    assert graph.tensors[2].data.tolist() == [5, -6]
    op = graph.ops[0]
    assert (op.kind, op.inputs, op.outputs, op.member) == (
        "CONV_2D",
        (0, 1, 2),
        (3,),
        schema.BuiltinOptions.Conv2DOptions,
    )
    assert op.options is not None
    # padding, stride_w, stride_h, fused_activation_function
    assert [op.options.integer(0, "b"), *(op.options.integer(field, "i") for field in (1, 2))] == [1, 1, 2]
    assert op.options.integer(3, "b") == 1
    assert (graph.inputs, graph.outputs) == ((0,), (3,))


def test_weights_that_follow_the_flatbuffer_are_read():
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(build(_conv()), 0))
    weights = model.buffers[1].data.tobytes()
    model.buffers[1].data = None
    # The offset has a fixed size in the file, so that a first packing tells where the bytes will lie.
    model.buffers[1].offset, model.buffers[1].size = 2, len(weights)
    model.buffers[1].offset = len(_packed(model))
    graph = parse_tflite("m.tflite", _packed(model) + weights)
    assert graph.tensors[1].data is not None
    assert graph.tensors[1].data.tobytes() == weights
    with pytest.raises(InputError, match="is kept at bytes"):
        parse_tflite("m.tflite", _packed(model) + weights[:-1])


def _packed(model: schema.ModelT) -> bytes:
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _broken(change: str) -> Model:
    model = _conv()
    source, weights, _bias, made = model.tensors
    match change:
        case "negative shape":
            source.shape = (1, -9, 5, 1)
        case "scale zero":
            source.scales = (0.0,)
        case "scale nan":
            made.scales = (float("nan"),)
        case "scale infinite":
            weights.scales = (float("inf"), 0.1)
        case "float":
            source.dtype, source.scales, source.zeros = "float32", (), ()
        case "cycle":
            model.nodes.append(Node("CONV_2D", [3, 1, 2], 0, model.nodes[0].options))
        case "reads before":
            model.tensors.insert(3, Spec((1, 4, 3, 2), name="later"))
            model.nodes = [Node("ADD", [3, 3], 4, ("AddOptions", {}))]
        case "tensor index":
            model.nodes[0].inputs = [0, 1, 77]
        case "two inputs":
            model.inputs = [0, 1]
        case "missing options":
            model.nodes[0].options = None
        case "foreign":
            model.nodes[0] = Node("RESIZE_BILINEAR", [0, 1], 3)
        case "stride":
            assert model.nodes[0].options is not None
            model.nodes[0].options[1]["strideH"] = 0
        case "scales and channels":
            weights.scales, weights.zeros = (0.1, 0.2, 0.3), (0, 0, 0)
        case "zero point":
            source.zeros = (200,)
    return model


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ("negative shape", "static shapes"),
        ("scale zero", "finite and above zero"),
        ("scale nan", "finite and above zero"),
        ("scale infinite", "finite and above zero"),
        ("float", r"takes float32 \('frames'\) around an int8 network: export int8 input and output"),
        ("cycle", "cycle"),
        ("reads before", "cycle"),
        ("tensor index", "tensor 77 of 4"),
        ("two inputs", r"has 2 inputs \('frames' and 'weights'\) and firmware takes one"),
        ("missing options", "without its options"),
        ("foreign", r"RESIZE_BILINEAR \(it makes 't3'\), which cannot become firmware: leave the upsampling out"),
        ("stride", "stride"),
        ("scales and channels", "3 scales along axis 0"),
        ("zero point", "zero point"),
    ],
)
def test_a_broken_model_costs_one_sentence(change: str, says: str):
    with pytest.raises(InputError, match=says) as caught:
        lower(parse_tflite("m.tflite", build(_broken(change))))
    assert str(caught.value).startswith("m.tflite: ")
    assert "\n" not in str(caught.value)


def _edit(model: schema.ModelT, change: str) -> None:
    graph = model.subgraphs[0]
    source, weights = graph.tensors[:2]
    convolution = graph.operators[0]
    match change:
        case "buffer index":
            weights.buffer = 99
        case "buffer of another size":
            weights.shape = [2, 3, 3, 2]
        case "dynamic time":
            source.shapeSignature = [1, -1, 5, 1]
        case "variable":
            source.isVariable = True
        case "sparse":
            weights.sparsity = schema.SparsityParametersT()
        case "two subgraphs":
            model.subgraphs.append(graph)
        case "loop":
            model.operatorCodes[0].builtinCode = schema.BuiltinOperator.WHILE
        case "no subgraph":
            model.subgraphs = []
        case "string":
            source.type = schema.TensorType.STRING
        case "operator code":
            convolution.opcodeIndex = 7
        case "padding":
            convolution.builtinOptions.padding = 7
        case "activation":
            convolution.builtinOptions.fusedActivationFunction = schema.ActivationFunctionType.TANH
        case "negative scale":
            source.quantization.scale = [-0.5]
        case "output is input":
            graph.outputs = graph.inputs
        case "constant input":
            source.buffer, source.shape = weights.buffer, weights.shape


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ("buffer index", "tensor 'weights' is kept in buffer 99 of 3"),
        ("buffer of another size", "needs 36 bytes and its buffer holds 18"),
        ("dynamic time", "every axis must be fixed and positive"),
        ("variable", "the input of the model is a variable"),
        ("sparse", "is stored sparse; export the model dense"),
        ("two subgraphs", "2 subgraphs, one a signature"),
        ("loop", r"control flow \(WHILE\); unroll its loops"),
        ("no subgraph", "0 subgraphs"),
        ("string", "is of type string, which firmware does not take; quantize to int8"),
        ("operator code", "has code 7 of 1"),
        ("padding", "padding 7"),
        ("activation", "activation other than"),
        ("negative scale", "finite and above zero"),
        ("output is input", "the output is the input 'frames' itself, so the model computes nothing"),
        ("constant input", "the input of the model is a constant"),
    ],
)
def test_a_damaged_file_costs_one_sentence(change: str, says: str):
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(build(_conv()), 0))
    _edit(model, change)
    with pytest.raises(InputError, match=says) as caught:
        lower(parse_tflite("m.tflite", _packed(model)))
    assert str(caught.value).startswith("m.tflite: ")
    assert "\n" not in str(caught.value)


def test_a_model_that_computes_nothing_costs_one_sentence():
    shape = Spec((2,), (), (), data=np.asarray([1, 45]), dtype="int32")
    model = Model([Spec((1, 9, 5, 1)), shape, Spec((1, 45))], [Node("RESHAPE", [0, 1], 2)])
    with pytest.raises(InputError, match="no operator of the model computes anything"):
        lower(parse_tflite("m.tflite", build(model)))


def test_a_free_batch_is_a_batch_of_one():
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(build(_conv()), 0))
    model.subgraphs[0].tensors[0].shapeSignature = [-1, 9, 5, 1]
    assert parse_tflite("m.tflite", _packed(model)).tensors[0].shape == (1, 9, 5, 1)


def test_a_name_from_a_file_can_be_printed():
    model = _conv()
    model.tensors[0] = Spec((1, 9, 5, 1), (0.0,), (0,), name="\x1b[2J\n\u202e" + 1000 * "x" + "the end")
    with pytest.raises(InputError, match="the end' has the scale 0") as caught:
        lower(parse_tflite("m.tflite", build(model)))
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 400
    model.tensors[0].name = "\x1b[2J\n\u202e"
    with pytest.raises(InputError) as caught:
        lower(parse_tflite("m.tflite", build(model)))
    assert r"'\x1b[2J\n\u202e'" in str(caught.value)


def _without_axes(kind: str) -> Model:
    match kind:
        case "SOFTMAX":
            nodes = [Node(kind, [0], 1, ("SoftmaxOptions", {"beta": 1.0}))]
            return Model([Spec((), (0.1,), (0,)), Spec((), (1 / 256,), (-128,))], nodes)
        case "CONCATENATION":
            return Model([Spec(()), Spec(())], [Node(kind, [0, 0], 1, ("ConcatenationOptions", {"axis": 0}))])
        case "FULLY_CONNECTED":
            weights = Spec((1, 4), data=np.ones((1, 4)))
            nodes = [Node(kind, [0, 1], 2, ("FullyConnectedOptions", {}))]
            return Model([Spec((1, 4)), weights, Spec(())], nodes)
    raise AssertionError(kind)


@pytest.mark.parametrize("kind", ["SOFTMAX", "CONCATENATION", "FULLY_CONNECTED"])
def test_a_tensor_without_axes_costs_one_sentence(kind: str):
    with pytest.raises(InputError, match=f"m.tflite: {kind} that makes"):
        lower(parse_tflite("m.tflite", build(_without_axes(kind))))


@pytest.mark.parametrize("shape", [(1, 1 << 30, 1 << 30, 1), (1, (1 << 31) - 1, 1, 1), (1, 1 << 14, 1 << 14, 1)])
def test_gigantic_sizes_cost_no_memory(shape: tuple[int, ...]):
    model = _conv()
    for tensor in (model.tensors[0], model.tensors[3]):
        tensor.shape = shape
    content = build(model)
    tracemalloc.start()
    with pytest.raises(InputError, match=r"too large|takes 65535 at most|has shape"):
        plan_network(parse_tflite("m.tflite", content))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 16 << 20


@pytest.mark.parametrize("count", [1 << 31, (1 << 32) - 1, 1 << 28])
def test_a_list_that_counts_more_than_the_file_holds_costs_one_sentence(count: int):
    content = build(_conv())
    refused = 0
    for place in range(8, len(content) - 4, 4):
        with contextlib.suppress(InputError):
            plan_network(parse_tflite("m.tflite", content[:place] + count.to_bytes(4, "little") + content[place + 4 :]))
            continue
        refused += 1
    assert refused > 50


def test_a_file_cut_anywhere_costs_one_sentence():
    content = build(_conv())
    for length in range(len(content)):
        with contextlib.suppress(InputError):
            parse_tflite("m.tflite", content[:length])


def test_mutated_files_cost_input_errors_alone():
    fates = Counter(fate(content, number) for number, content in mutations(made_up_seeds(), 2000, seed=1))
    assert min(fates["not read"], fates["not planned"], fates["planned"]) > 20


@pytest.mark.slow
def test_many_mutated_files_cost_input_errors_alone(shared: Path):
    seeds = [Seed.of(path.read_bytes()) for path in sorted((shared / "data/mlperf_tiny").glob("*.tflite"))]
    seeds += [Seed.of(exported_student(1 / 16, heads=2)[0])]
    fates = Counter(fate(content, number) for number, content in mutations(seeds, 2500, seed=2))
    assert min(fates["not read"], fates["not planned"], fates["planned"]) > 20
