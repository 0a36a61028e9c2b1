"""The typed graph between the .tflite reader and the firmware: tensors, operators, and the checks every graph must
pass.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lungsound.errors import InputError
from lungsound.files.flatbuffer import FlatTable

_MOST_VALUES = 1 << 28


@dataclass(frozen=True)
class Tensor:
    """One tensor.

    Parameters
    ----------
    name : str
        As in the file.
    shape : tuple of int
        All positive.
    dtype : str
        NumPy's name: "int8", "int32", ...
    scales : tuple of float
        One, or one a channel; empty if the tensor is not quantized.
    zero_points : tuple of int
        As many as `scales`.
    axis : int
        The axis that `scales` runs along when there are several.
    data : ndarray or None
        The constant values, of `shape`; None for an activation.
    variable : bool
        Whether it keeps its values from one run to the next.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    scales: tuple[float, ...] = ()
    zero_points: tuple[int, ...] = ()
    axis: int = 0
    data: npt.NDArray[np.generic] | None = None
    variable: bool = False

    @property
    def size(self) -> int:
        """How many values it holds."""
        return math.prod(self.shape)

    @property
    def scale(self) -> float:
        """The scale of a tensor quantized as a whole."""
        return self.scales[0]

    @property
    def zero_point(self) -> int:
        """The zero point of a tensor quantized as a whole."""
        return self.zero_points[0]


@dataclass(frozen=True)
class Op:
    """One operator.

    Parameters
    ----------
    kind : str
        The schema's name, "CONV_2D"; "CUSTOM" and the name of one that TFLite does not define.
    inputs, outputs : tuple of int
        Indices of tensors; -1 marks an optional input that is absent.
    options : FlatTable or None
        As in the file; whoever lowers the operator reads them.
    member : int
        Which one of the union BuiltinOptions they are; 0 for none.
    """

    kind: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: FlatTable | None = None
    member: int = 0


@dataclass(frozen=True)
class Graph:
    """A whole model.

    Parameters
    ----------
    name : str
        The file, for error sentences.
    tensors : tuple of Tensor
        By index.
    ops : tuple of Op
        In an order in which they can run.
    inputs, outputs : tuple of int
        Indices of tensors.
    """

    name: str
    tensors: tuple[Tensor, ...]
    ops: tuple[Op, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


def check_indices(graph: Graph) -> None:
    """Refuse a graph that names tensors which it lacks.

    Raises
    ------
    InputError
        If a tensor index is out of range.
    """
    count = len(graph.tensors)
    for op in graph.ops:
        for index in (*op.inputs, *op.outputs):
            if not -1 <= index < count or (index == -1 and index in op.outputs):
                raise InputError(f"{graph.name}: {op.kind} names tensor {index} of {count}; export the model again")
    for index in (*graph.inputs, *graph.outputs):
        if not 0 <= index < count:
            raise InputError(f"{graph.name}: the model names tensor {index} of {count}; export it again")


def check_graph(graph: Graph) -> None:
    """Refuse a graph that cannot run.

    Parameters
    ----------
    graph : Graph
        Passed `check_indices`.

    Raises
    ------
    InputError
        If an operator makes no tensor or several, keeps state, reads what nothing before it made (a cycle, or a wrong
        order), a tensor is made twice, the output is the input, a shape is not positive, or a scale is zero, negative
        or not finite.
    """
    for op in graph.ops:
        if len(op.outputs) != 1:
            raise InputError(
                f"{graph.name}: {op.kind} has {len(op.outputs)} outputs where one is due; export the model again"
            )
    _check_order(graph)
    for index in sorted({*graph.inputs, *(index for op in graph.ops for index in (*op.inputs, *op.outputs))} - {-1}):
        _check_shape(graph, graph.tensors[index])
        _check_scales(graph, graph.tensors[index])


def _check_order(graph: Graph) -> None:
    made = set(graph.inputs)
    for index in graph.inputs:
        if graph.tensors[index].data is not None or graph.tensors[index].variable:
            kind = "variable" if graph.tensors[index].variable else "constant"
            raise InputError(f"{graph.name}: the input of the model is a {kind}; export the model again")
    for op in graph.ops:
        _check_inputs(graph, op, made)
        for index in op.outputs:
            if index in made or graph.tensors[index].data is not None:
                raise InputError(
                    f"{graph.name}: tensor '{graph.tensors[index].name}' is made twice, the second time by {op.kind} "
                    "(a cycle); export the model again"
                )
            made.add(index)
    for index in graph.outputs:
        name = graph.tensors[index].name
        if index in graph.inputs:
            raise InputError(
                f"{graph.name}: the output is the input '{name}' itself, so the model computes nothing; export it "
                "with its last layer as output"
            )
        if index not in made:
            raise InputError(f"{graph.name}: nothing makes the output '{name}'; export the model again")


def _check_inputs(graph: Graph, op: Op, made: set[int]) -> None:
    for index in op.inputs:
        if index < 0 or index in made:
            continue
        tensor = graph.tensors[index]
        if tensor.variable:
            raise InputError(
                f"{graph.name}: {op.kind} keeps state in '{tensor.name}' from one run to the next; export the model "
                "without state that takes a whole window, which firmware cuts into rows by itself"
            )
        if tensor.data is None:
            raise InputError(
                f"{graph.name}: {op.kind} reads tensor '{tensor.name}' before anything has made it "
                "(a cycle, or operators in a wrong order); export the model again"
            )


def _check_shape(graph: Graph, tensor: Tensor) -> None:
    if any(size <= 0 for size in tensor.shape) and tensor.data is None:
        raise InputError(
            f"{graph.name}: tensor '{tensor.name}' has shape {list(tensor.shape)}; every axis must be fixed and "
            "positive, export with static shapes (in TensorFlow: an input_signature without None)"
        )
    if len(tensor.shape) > 5 or tensor.size > _MOST_VALUES:
        raise InputError(
            f"{graph.name}: tensor '{tensor.name}' of shape {list(tensor.shape)} is too large for firmware, which "
            f"takes 5 axes and {_MOST_VALUES} values at most; shorten the window or narrow the layer"
        )


def _check_scales(graph: Graph, tensor: Tensor) -> None:
    for scale in tensor.scales:
        if not (math.isfinite(scale) and scale > 0):
            raise InputError(
                f"{graph.name}: tensor '{tensor.name}' has the scale {scale}; scales must be finite and above "
                f"zero, quantize again"
            )
    if len(tensor.scales) != len(tensor.zero_points):
        raise InputError(
            f"{graph.name}: tensor '{tensor.name}' has {len(tensor.scales)} scales and "
            f"{len(tensor.zero_points)} zero points; as many are due, quantize again"
        )
    if len(tensor.scales) > 1:
        _check_axis(graph, tensor)
    if tensor.dtype == "int8" and any(not -128 <= zero <= 127 for zero in tensor.zero_points):
        raise InputError(f"{graph.name}: tensor '{tensor.name}' has a zero point outside of -128..127; quantize again")


def _check_axis(graph: Graph, tensor: Tensor) -> None:
    rank, said = len(tensor.shape), f"{len(tensor.scales)} scales along axis {tensor.axis}"
    if not 0 <= tensor.axis < rank:
        raise InputError(
            f"{graph.name}: tensor '{tensor.name}' of shape {list(tensor.shape)} has {said}, which it lacks; "
            "converters of 2019 wrote biases so: convert the model again with a current one (LiteRT refuses it, too)"
        )
    if tensor.shape[tensor.axis] != len(tensor.scales):
        raise InputError(
            f"{graph.name}: tensor '{tensor.name}' of shape {list(tensor.shape)} has {said}; one in all or "
            f"{tensor.shape[tensor.axis]} are due, quantize again"
        )
