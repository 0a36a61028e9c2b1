"""A graph as a float .tflite: plain operators, no converter in between."""

from collections.abc import Callable
from typing import Any

from torch import nn

from export.graph.nodes import (
    Activation,
    Arithmetic,
    Concatenation,
    Constant,
    Convolution,
    Expand,
    Graph,
    Input,
    Linear,
    MatrixProduct,
    Node,
    Pad,
    Permute,
    Pool,
    Reduction,
    Reshape,
    Slice,
    Softmax,
)
from export.graph.read import read_graph
from export.tflite import lower_elements, lower_windows
from export.tflite.layout import CHANNELS_LAST, Value
from export.tflite.lowering import Lowering
from export.tflite.writer import TfliteWriter
from lungsound.errors import InputError
from lungsound.listening import Listening

INPUT, OUTPUT = "logmel", "logits"

OPERATORS: dict[type, Callable[[Lowering, Node, Any], Value]] = {
    Activation: lower_elements.activation,
    Arithmetic: lower_elements.arithmetic,
    Concatenation: lower_elements.concatenation,
    Convolution: lower_windows.convolution,
    Expand: lower_elements.expand,
    Linear: lower_windows.linear,
    MatrixProduct: lower_elements.matrix_product,
    Pad: lower_elements.pad,
    Permute: lower_elements.permute,
    Pool: lower_windows.pool,
    Reduction: lower_elements.reduction,
    Reshape: lower_elements.reshape,
    Slice: lower_elements.cut,
    Softmax: lower_elements.softmax,
}
"""By kind of node: what writes it and returns where its values stand."""


def float_tflite(network: nn.Module, listening: Listening) -> bytes:
    """Write a network as a float .tflite with static shapes for one window.

    Parameters
    ----------
    network : Module
        Maps [1, 1, frames, mels] to [1, labels]; taken as in evaluation.
    listening : Listening
        Gives frames (height) and mels (width).

    Returns
    -------
    bytes
        The file. Input ``logmel`` [1, frames, mels, 1] normalised, output ``logits`` [1, labels].

    Raises
    ------
    InputError
        If :func:`export.graph.read.read_graph` refuses the network.
    """
    return write_graph(read_graph(network, listening.frames, listening.logmel.n_mels))


def write_graph(graph: Graph) -> bytes:
    """Write a graph as a float .tflite; see :func:`float_tflite`."""
    return write_named(graph)[0]


def write_named(graph: Graph) -> tuple[bytes, dict[Node, str]]:
    """Write a graph as a float .tflite, and return which of its tensors each node has become."""
    writer = TfliteWriter("network")
    lowering = Lowering(writer, _needed_in_order(graph))
    for node in graph.nodes:
        if isinstance(node.operator, Input):
            given = writer.tensor(INPUT, [node.shape[axis] for axis in CHANNELS_LAST])
            lowering.values[node] = Value.of(given, node.shape, CHANNELS_LAST)
        elif not isinstance(node.operator, Constant):
            lowering.values[node] = OPERATORS[type(node.operator)](lowering, node, node.operator)
    logits = lowering.tensor(graph.output)
    if logits == given:
        raise InputError("the network gives its input back; it must compute logits from it")
    writer.rename(logits, OUTPUT)
    names = {node: writer.name(value.tensor) for node, value in lowering.values.items()}
    return writer.finish({INPUT: given}, {OUTPUT: logits}), names


def _needed_in_order(graph: Graph) -> set[Node]:
    """Return sums and products before a softmax over the last axis or a matrix product, which read torch's order."""
    needed: set[Node] = set()
    for node in reversed(graph.nodes):
        operator = node.operator
        last = isinstance(operator, Softmax) and operator.axis == len(node.shape) - 1
        if last or isinstance(operator, MatrixProduct) or node in needed:
            needed.update(given for given in node.inputs if isinstance(given.operator, Arithmetic | Reshape))
    return needed
