"""Every operator that can become firmware, and the function that turns it into a step."""

import numpy as np

from firmware_bridge.compile import lower_conv, lower_elementwise, lower_layout, lower_pool, lower_tables
from firmware_bridge.compile.lowering import Lowering
from firmware_bridge.compile.program import Program
from firmware_bridge.compile.requantize import ScaleError
from firmware_bridge.tflite.graph import Graph
from lungsound.errors import InputError

OPERATORS = {
    "ADD": lower_elementwise.add,
    "AVERAGE_POOL_2D": lower_pool.pool,
    "BATCH_MATMUL": lower_elementwise.matmul,
    "CONCATENATION": lower_layout.concatenate,
    "CONV_2D": lower_conv.conv,
    "DEPTHWISE_CONV_2D": lower_conv.depthwise,
    "FULLY_CONNECTED": lower_conv.fully_connected,
    "HARD_SWISH": lower_tables.lookup,
    "LOGISTIC": lower_tables.lookup,
    "MAX_POOL_2D": lower_pool.pool,
    "MEAN": lower_pool.reduce,
    "MUL": lower_elementwise.mul,
    "PAD": lower_layout.pad,
    "QUANTIZE": lower_tables.lookup,
    "REDUCE_MAX": lower_pool.reduce,
    "RELU": lower_tables.lookup,
    "RELU6": lower_tables.lookup,
    "RESHAPE": lower_layout.reshape,
    "SOFTMAX": lower_tables.softmax,
    "SUB": lower_elementwise.add,
    "TRANSPOSE": lower_layout.transpose,
}
"""By TFLite name: what adds the operator's step to a `Lowering`."""


def lower(graph: Graph, single_rounding: bool = False) -> Program:
    """Turn a checked graph into streams and steps.

    Parameters
    ----------
    graph : Graph
        From `parse_tflite`.
    single_rounding : bool
        Whether factors are for XNNPACK's single rounding; TFLite's reference kernels round twice.

    Raises
    ------
    InputError
        If an operator's shapes, types or options do not fit together or cannot become firmware.
    """
    lowering = Lowering(graph, single_rounding)
    shape = graph.tensors[graph.inputs[0]].shape
    # Time is the first axis longer than one, whether the model has its channel axis before it or behind.
    rows = next((size for size in shape[:-1] if size > 1), 1)
    source = lowering.add_stream(graph.inputs[0], rows)
    for op in graph.ops:
        try:
            # A quotient of scales that float32 cannot hold becomes infinite; whoever gets it refuses it.
            with np.errstate(over="ignore"):
                OPERATORS[op.kind](lowering, op)
        except ScaleError as error:
            raise lowering.refuse(op, str(error)) from error
    if not lowering.steps:
        raise InputError(f"{graph.name}: no operator of the model computes anything; export a whole model")
    return Program(
        graph.name, tuple(lowering.streams), tuple(lowering.steps), source, lowering.stream(graph.outputs[0])
    )
