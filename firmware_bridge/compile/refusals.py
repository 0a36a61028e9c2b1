"""What the owner of a model that cannot become firmware exports instead: everything that stands in the way, at once."""

from collections.abc import Collection, Sequence

from firmware_bridge.tflite.graph import Graph, Op
from lungsound.errors import InputError

_MOST_NAMED = 4
_CONVERTER = "(in TensorFlow's converter: inference_input_type = inference_output_type = tf.int8)"

_COMPILED = {"CUSTOM ethos-u": "Vela for an Ethos-U", "CUSTOM edgetpu-custom-op": "the compiler of an Edge TPU"}
_ENDS = ("QUANTIZE", "DEQUANTIZE", "CAST")
_SHAPES = ("int32", "int64", "bool")

_OF_SHAPES = "export it with fixed shapes and a batch of one, so that the converter folds what works out a shape"
_ADVICE: dict[str, tuple[str, ...]] = {
    "reshape to a fixed shape, which costs nothing (and for a Conv1D take a Conv2D of width one)": (
        "EXPAND_DIMS", "SQUEEZE",
    ),
    _OF_SHAPES: ("SHAPE", "RANK", "FILL", "RANGE", "BROADCAST_ARGS", "BROADCAST_TO"),
    "convert it again with a current converter and a fixed input shape, which makes one dilated convolution of it, "
    "or leave the dilation out": ("SPACE_TO_BATCH_ND", "BATCH_TO_SPACE_ND"),
    "train with ReLU, ReLU6, hard swish or the logistic function in its place": (
        "LEAKY_RELU", "PRELU", "ELU", "GELU", "TANH",
    ),
    "clip with ReLU or ReLU6, and train again": ("MINIMUM", "MAXIMUM", "RELU_0_TO_1", "RELU_N1_TO_1"),
    "leave the upsampling out; a model that tells one window needs none": (
        "RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR", "TRANSPOSE_CONV", "DEPTH_TO_SPACE",
    ),
    "let every branch read the whole tensor through a convolution of its own, or crop before the model": (
        "SLICE", "STRIDED_SLICE", "SPLIT", "SPLIT_V", "UNPACK", "GATHER", "GATHER_ND",
    ),
    "join with a concatenation, and reshape to a fixed shape": ("PACK",),
    "let an addition or a multiplication broadcast instead": ("TILE",),
    "rebuild the layer that keeps state from convolutions along time, which firmware streams by itself": (
        "LSTM", "UNIDIRECTIONAL_SEQUENCE_LSTM", "BIDIRECTIONAL_SEQUENCE_LSTM", "RNN", "UNIDIRECTIONAL_SEQUENCE_RNN",
        "BIDIRECTIONAL_SEQUENCE_RNN", "SVDF", "CUSTOM UnidirectionalSequenceRnn",
    ),
    "normalise by batch normalization, which the converter folds into the convolution before it": (
        "DIV", "SQRT", "RSQRT", "SQUARE", "SQUARED_DIFFERENCE", "L2_NORMALIZATION", "LOCAL_RESPONSE_NORMALIZATION",
    ),
    "let the model end with its logits, and leave the rest to the application": (
        "ARG_MAX", "ARG_MIN", "TOPK_V2", "LOG_SOFTMAX", "NON_MAX_SUPPRESSION_V4", "NON_MAX_SUPPRESSION_V5",
        "CUSTOM TFLite_Detection_PostProcess",
    ),
    "take the mean instead, and train again": ("SUM",),
    "quantize the layers behind it, too": ("DEQUANTIZE", "CAST"),
}  # fmt: skip
ADVICE = {kind: said for said, kinds in _ADVICE.items() for kind in kinds}
"""By operator: what its owner does instead."""


def refuse_foreign(graph: Graph, known: Collection[str]) -> None:
    """Refuse a model that firmware has no words for.

    Parameters
    ----------
    graph : Graph
        Its indices are in range.
    known : collection of str
        Operators that can become firmware.

    Raises
    ------
    InputError
        Naming everything that stands in the way, and what to export instead.
    """
    for op in graph.ops:
        if op.kind in _COMPILED:
            raise InputError(
                f"{graph.name}: was compiled by {_COMPILED[op.kind]}{_made(graph, op)}; give the .tflite that was "
                "compiled, from before that step"
            )
    faults = [*_counts(graph), *_ends(graph), *_operators(graph, known)]
    if faults:
        raise InputError(f"{graph.name}: {'; it also '.join(faults)}")


def _counts(graph: Graph) -> list[str]:
    faults = []
    for role, indices, advice in (
        ("input", graph.inputs, "export one network that takes the log-mel alone, or everything in one tensor"),
        ("output", graph.outputs, "export the model up to one of them, or join them by a concatenation"),
    ):
        if len(indices) != 1:
            names = [f"'{graph.tensors[index].name}'" for index in indices]
            listed = f" ({_listed(names)})" if names else ""
            faults.append(f"has {len(indices)} {role}s{listed} and firmware takes one: {advice}")
    return faults


def _ends(graph: Graph) -> list[str]:
    """Return the inputs and outputs that are not int8, and how to make them so."""
    found = []
    for verb, indices in (("takes", graph.inputs), ("gives", graph.outputs)):
        tensors = [graph.tensors[index] for index in indices]
        other = next((tensor for tensor in tensors if tensor.dtype != "int8"), None)
        if other is not None:
            found.append(f"{verb} {other.dtype} ('{other.name}')")
    if not found:
        return []
    inside = _inside(graph)
    if "int8" in inside:
        why = f"around an int8 network: export int8 input and output {_CONVERTER}"
    elif "int16" in inside:
        why = f"and computes in 16 bits: quantize it again with 8-bit activations, input and output too {_CONVERTER}"
    elif "uint8" in inside:
        why = f"and is uint8 throughout: quantize it again to int8 with a current converter {_CONVERTER}"
    else:
        why = f"and is not quantized: quantize the whole model to int8, input and output too {_CONVERTER}"
    return [f"{' and '.join(found)} {why}"]


def _inside(graph: Graph) -> set[str]:
    """Types that layers compute in, shapes and what only turns one type into another apart."""
    made = {graph.tensors[index].dtype for op in graph.ops if op.kind not in _ENDS for index in op.outputs}
    return made - set(_SHAPES)


def _operators(graph: Graph, known: Collection[str]) -> list[str]:
    """Operators that cannot become firmware, those of one advice together."""
    outputs, quantized = set(graph.outputs), "int8" in _inside(graph)
    found: dict[str, list[Op]] = {}
    for op in graph.ops:
        at_the_end = bool(op.outputs) and set(op.outputs) <= outputs
        if op.kind in known or (op.kind in _ENDS and (at_the_end or not quantized)):
            continue  # the latter is what `_ends` speaks of
        found.setdefault(_instead(graph, op, known), []).append(op)
    return [
        f"holds {_listed(list(dict.fromkeys(op.kind for op in ops)))}{_made(graph, ops[0], first=len(ops) > 1)}, "
        f"which cannot become firmware: {advice}"
        for advice, ops in found.items()
    ]


def _instead(graph: Graph, op: Op, known: Collection[str]) -> str:
    if op.outputs and all(graph.tensors[index].dtype in _SHAPES for index in op.outputs) and op.kind != "ARG_MAX":
        return _OF_SHAPES
    if op.kind.startswith("CUSTOM") and op.kind not in ADVICE:
        return "export it from TFLite's own operators alone (converted without allow_custom_ops)"
    return ADVICE.get(op.kind, f"rebuild that layer from {', '.join(known)}")


def _made(graph: Graph, op: Op, *, first: bool = False) -> str:
    if not op.outputs:
        return ""
    return f" ({'the first' if first else 'it'} makes '{graph.tensors[op.outputs[0]].name}')"


def _listed(names: Sequence[str]) -> str:
    if len(names) > _MOST_NAMED:
        return f"{', '.join(names[: _MOST_NAMED - 1])} and {len(names) - _MOST_NAMED + 1} more"
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
