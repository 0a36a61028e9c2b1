"""PAD, PADV2, CONCATENATION, TRANSPOSE and RESHAPE as steps: values move and do not change."""

import math

import numpy as np

from firmware_bridge.compile.lowering import Lowering, natural_rows
from firmware_bridge.compile.options import read_activation
from firmware_bridge.compile.program import CArray, CPointers, CStruct, CValue, Step, Tap
from firmware_bridge.tflite.graph import Op, Tensor

_CONCATENATION_OPTIONS = 10  # of the union BuiltinOptions


def reshape(lowering: Lowering, op: Op) -> None:
    """RESHAPE: another name for the same stream."""
    source, made = lowering.computed(op, 0), lowering.output(op)
    if source.size != made.size:
        raise lowering.refuse(
            op, f"turns {list(source.shape)} into {list(made.shape)}; the sizes must agree, export the model again"
        )
    _check_same_scale(lowering, op, source)
    lowering.rename(op.outputs[0], lowering.stream(op.inputs[0]))


def pad(lowering: Lowering, op: Op) -> None:
    """PAD with the zero point and PADV2 with a constant, along any axis but the batch."""
    source, made = lowering.computed(op, 0), lowering.output(op)
    given = lowering.constant(op, 1, "int32")
    assert given.data is not None
    padding = given.data.astype(np.int64)
    whole_batch = padding.shape == (len(source.shape), 2) and not padding[0].any()
    if not whole_batch or not 3 <= len(source.shape) <= 4 or (padding < 0).any():
        raise lowering.refuse(
            op,
            f"pads {list(source.shape)} by {str(padding.tolist())[:80]}; pad time, width or channels of a tensor "
            "[1, time, ...] of three or four axes, and by no negative number",
        )
    _check_same_scale(lowering, op, source)
    value = _padding_value(lowering, op, source)
    amounts = [(int(before), int(after)) for before, after in padding.tolist()]
    lowering.expect(op, tuple(size + sum(pair) for size, pair in zip(source.shape, amounts, strict=True)))
    # Three axes are four with a width of one.
    (before_w, after_w), (before_c, after_c) = amounts[2:] if len(amounts) == 4 else [(0, 0), amounts[2]]
    sizes = source.shape[2:] if len(amounts) == 4 else (1, source.shape[2])
    fields: dict[str, CValue] = {
        "sizes": sizes, "before": (before_w, before_c), "after": (after_w, after_c), "value": value,
    }  # fmt: skip
    stream = lowering.stream_in_rows(op.inputs[0], source.shape[0] * source.shape[1])
    tap = Tap(stream, 1, pad=amounts[1][0], outside=value)
    rows = made.shape[1]
    output = lowering.add_stream(op.outputs[0], rows)
    lowering.steps.append(
        Step(op.kind, "au_pad", "au_layout_c99", CStruct("au_pad_t", fields), (tap,), output, 1, rows, 0)
    )


def _padding_value(lowering: Lowering, op: Op, source: Tensor) -> int:
    if len(op.inputs) < 3:
        return source.zero_point
    given = lowering.constant(op, 2, "int8")
    assert given.data is not None
    if given.size != 1 or (given.scales, given.zero_points) != (source.scales, source.zero_points):
        raise lowering.refuse(
            op, f"pads with '{given.name}', which is not one value on the scale of what it pads; quantize again"
        )
    return int(given.data.reshape(-1)[0])


def concatenate(lowering: Lowering, op: Op) -> None:
    """CONCATENATION: row by row, or whole if the axis is time."""
    made = lowering.output(op)
    parts = [lowering.operand(op, position) for position in range(len(op.inputs))]
    if not parts or not made.shape:
        raise lowering.refuse(op, f"joins {len(parts)} tensors into {list(made.shape)}; export the model again")
    options = lowering.options(op, _CONCATENATION_OPTIONS)
    named, activation = options.integer(0, "i"), read_activation(lowering, op, options, 1)
    axis = named % len(made.shape)
    for part in parts:
        if part.dtype != "int8" or (part.scales, part.zero_points) != (made.scales, made.zero_points):
            raise lowering.refuse(
                op, f"joins '{part.name}', whose scale or zero point is not the result's; quantize again"
            )
        if len(part.shape) != len(made.shape):
            raise lowering.refuse(
                op, f"joins tensors of {len(part.shape)} and {len(made.shape)} axes; reshape them alike"
            )
    if activation != "NONE" or not -len(made.shape) <= named < len(made.shape):
        raise lowering.refuse(
            op, f"has axis {named} and activation {activation}; use an axis of the tensor and no activation"
        )
    total = sum(part.shape[axis] for part in parts)
    for part in parts:
        lowering.expect(op, (*part.shape[:axis], total, *part.shape[axis + 1 :]))
    rows, split = _rows_before(lowering, op, parts, made, axis)
    taps = tuple(
        Tap(lowering.stream_in_rows(index, rows), 1) if rows > 1 else Tap(lowering.stream(index), 0)
        for index, part in zip(op.inputs, parts, strict=True)
        if part.data is None
    )
    constants = tuple(
        None if part.data is None else CArray("au_value_t", part.data.astype(np.int8).reshape(-1)) for part in parts
    )
    fields: dict[str, CValue] = {
        "constants": CPointers("au_value_t", constants),
        "sizes": CArray("uint32_t", np.asarray([math.prod(part.shape[axis:]) for part in parts])),
        "parts": len(parts),
        "times": math.prod(made.shape[split:axis]),
    }
    runs, emits = (rows, 1) if rows > 1 else (1, natural_rows(made.shape))
    output = lowering.add_stream(op.outputs[0], runs * emits)
    struct = CStruct("au_concatenate_t", fields)
    lowering.steps.append(Step(op.kind, "au_concatenate", "au_layout_c99", struct, taps, output, emits, runs, 0))


def transpose(lowering: Lowering, op: Op) -> None:
    """TRANSPOSE: another name if only axes of one move, row by row if time stays where it is, whole otherwise."""
    source, made = lowering.computed(op, 0), lowering.output(op)
    given = lowering.constant(op, 1, "int32")
    assert given.data is not None
    order = [int(axis) for axis in given.data.reshape(-1).tolist()]
    if sorted(order) != list(range(len(source.shape))):
        raise lowering.refuse(
            op,
            f"orders the axes of {list(source.shape)} as {str(order)[:80]}, which names not each once; export the "
            "model again",
        )
    lowering.expect(op, tuple(source.shape[axis] for axis in order))
    _check_same_scale(lowering, op, source)
    longer = [axis for axis in order if source.shape[axis] > 1]
    if longer == sorted(longer):
        lowering.rename(op.outputs[0], lowering.stream(op.inputs[0]))
        return
    steps = [math.prod(source.shape[axis + 1 :]) for axis in order]
    stream = lowering.stream(op.inputs[0])
    rows = lowering.streams[stream].rows
    by_row = order[:2] == [0, 1] and rows == natural_rows(source.shape) and len(order) > 2
    first = 2 if by_row else 0
    lead = 5 - len(order) + first
    fields: dict[str, CValue] = {
        "sizes": (1,) * lead + made.shape[first:],
        "steps": (0,) * lead + tuple(steps[first:]),
    }
    tap, runs, emits = (Tap(stream, 1), rows, 1) if by_row else (Tap(stream, 0), 1, natural_rows(made.shape))
    output = lowering.add_stream(op.outputs[0], runs * emits)
    struct = CStruct("au_transpose_t", fields)
    lowering.steps.append(Step(op.kind, "au_transpose", "au_layout_c99", struct, (tap,), output, emits, runs, 0))


def _rows_before(lowering: Lowering, op: Op, parts: list[Tensor], made: Tensor, axis: int) -> tuple[int, int]:
    """Rows that can be joined one by one, and how many leading axes they are; (1, 0) if only whole."""
    computed = [index for index, part in zip(op.inputs, parts, strict=True) if part.data is None]
    if len(computed) != len(parts):
        return 1, 0
    rows = lowering.streams[lowering.stream(computed[0])].rows
    for split in range(1, axis + 1):
        if math.prod(made.shape[:split]) == rows > 1:
            return rows, split
    return 1, 0


def _check_same_scale(lowering: Lowering, op: Op, source: Tensor) -> None:
    made = lowering.output(op)
    if (source.scales, source.zero_points) != (made.scales, made.zero_points):
        raise lowering.refuse(op, "changes scale or zero point while it only moves values; quantize again")
