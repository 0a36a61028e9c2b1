"""Every operator that can become firmware: what lowers it, and what is known of it beside."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from firmware_bridge.compile import lower_conv, lower_elementwise, lower_layout, lower_pool, lower_tables
from firmware_bridge.compile.lowering import Lowering
from firmware_bridge.compile.program import Program
from firmware_bridge.compile.refusals import refuse_foreign
from firmware_bridge.compile.requantize import ScaleError
from firmware_bridge.tflite.graph import Graph, Op, Tensor, check_graph
from lungsound.errors import InputError


@dataclass(frozen=True)
class Operator:
    """How an operator becomes firmware.

    Parameters
    ----------
    lower : callable
        Reads the operator's options, checks its shapes and scales, and adds its step, which names the C function and
        the C file that holds it, to a `Lowering`. It raises InputError for what cannot become firmware.
    keeps_channels : bool
        Whether the last axis of what it makes is that of what it reads, channel by channel: a narrower model can be
        planned through it.
    """

    lower: Callable[[Lowering, Op], None]
    keeps_channels: bool = False


OPERATORS = {
    "ADD": Operator(lower_elementwise.add, keeps_channels=True),
    "AVERAGE_POOL_2D": Operator(lower_pool.pool, keeps_channels=True),
    "BATCH_MATMUL": Operator(lower_elementwise.matmul),
    "CONCATENATION": Operator(lower_layout.concatenate),
    "CONV_2D": Operator(lower_conv.conv),
    "DEPTHWISE_CONV_2D": Operator(lower_conv.depthwise),
    "FULLY_CONNECTED": Operator(lower_conv.fully_connected),
    "HARD_SWISH": Operator(lower_tables.lookup(lower_tables.hard_swish), keeps_channels=True),
    "LOGISTIC": Operator(lower_tables.lookup(lower_tables.logistic), keeps_channels=True),
    "MAX_POOL_2D": Operator(lower_pool.pool, keeps_channels=True),
    "MEAN": Operator(lower_pool.reduce, keeps_channels=True),
    "MUL": Operator(lower_elementwise.mul, keeps_channels=True),
    "PAD": Operator(lower_layout.pad, keeps_channels=True),
    "PADV2": Operator(lower_layout.pad, keeps_channels=True),
    "QUANTIZE": Operator(lower_tables.quantize, keeps_channels=True),
    "REDUCE_MAX": Operator(lower_pool.reduce, keeps_channels=True),
    "RELU": Operator(lower_tables.lookup(lower_tables.relu("RELU")), keeps_channels=True),
    "RELU6": Operator(lower_tables.lookup(lower_tables.relu("RELU6")), keeps_channels=True),
    "RESHAPE": Operator(lower_layout.reshape, keeps_channels=True),
    "SOFTMAX": Operator(lower_tables.softmax),
    "SUB": Operator(lower_elementwise.add, keeps_channels=True),
    "TRANSPOSE": Operator(lower_layout.transpose),
}
"""By the name that TensorFlow Lite's schema gives the operator."""


def check_operators(graph: Graph) -> None:
    """Refuse a graph that cannot become int8 firmware, or cannot run at all, before it is laid out.

    Parameters
    ----------
    graph : Graph
        From `parse_tflite`.

    Raises
    ------
    InputError
        If an operator is not one of `OPERATORS`, input, output or a computed tensor is not int8 with one scale, or
        `check_graph` refuses.
    """
    refuse_foreign(graph, OPERATORS)
    check_graph(graph)
    for index in sorted({*graph.inputs, *(op.outputs[0] for op in graph.ops)}):
        _check_activation(graph, graph.tensors[index])


def _check_activation(graph: Graph, tensor: Tensor) -> None:
    if tensor.dtype != "int8":
        raise InputError(
            f"{graph.name}: tensor '{tensor.name}' is {tensor.dtype} and firmware takes int8 throughout; quantize the "
            "layer that makes it, too (with a representative dataset)"
        )
    if len(tensor.scales) != 1:
        raise InputError(
            f"{graph.name}: tensor '{tensor.name}' has {len(tensor.scales)} scales; what a layer computes needs "
            f"exactly one, quantize again (per-channel scales are for weights)"
        )


def lower(graph: Graph, single_rounding: bool = False) -> Program:
    """Turn a graph into streams and steps.

    Parameters
    ----------
    graph : Graph
        From `parse_tflite`.
    single_rounding : bool
        Whether factors are for XNNPACK's single rounding; TFLite's reference kernels round twice.

    Raises
    ------
    InputError
        If an operator is unknown, a tensor is not int8, or an operator's shapes, types or options do not fit together
        or cannot become firmware.
    """
    check_operators(graph)
    lowering = Lowering(graph, single_rounding)
    shape = graph.tensors[graph.inputs[0]].shape
    # Time is the first axis longer than one, whether the model has its channel axis before it or behind.
    rows = next((size for size in shape[:-1] if size > 1), 1)
    source = lowering.add_stream(graph.inputs[0], rows)
    for op in graph.ops:
        try:
            # A quotient of scales that float32 cannot hold becomes infinite; whoever gets it refuses it.
            with np.errstate(over="ignore"):
                OPERATORS[op.kind].lower(lowering, op)
        except ScaleError as error:
            raise lowering.refuse(op, str(error)) from error
    if not lowering.steps:
        raise InputError(f"{graph.name}: no operator of the model computes anything; export a whole model")
    return Program(
        graph.name, tuple(lowering.streams), tuple(lowering.steps), source, lowering.stream(graph.outputs[0])
    )
