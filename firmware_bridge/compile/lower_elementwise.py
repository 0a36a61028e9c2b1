"""ADD, SUB, MUL and BATCH_MATMUL as steps."""

import math

import numpy as np

from firmware_bridge.compile.lowering import Lowering, natural_rows
from firmware_bridge.compile.options import read_activation
from firmware_bridge.compile.program import CArray, CStruct, CValue, Step, Tap
from firmware_bridge.compile.requantize import Multiplier, activation_range, multiplier_of
from firmware_bridge.tflite.graph import Op, Tensor

# Of the union BuiltinOptions.
_OPTIONS = {"ADD": 11, "MUL": 21, "SUB": 28}
_MATMUL_OPTIONS = 101
_HEADROOM = 1 << 20


def add(lowering: Lowering, op: Op) -> None:
    """ADD and SUB: both sides brought to twice the larger scale, 2^20 times finer, then added."""
    left, right, made = lowering.operand(op, 0), lowering.operand(op, 1), lowering.output(op)
    _check_operands(lowering, op, left, right)
    if lowering.single_rounding:
        sides, out = _xnnpack_sum(lowering, op, left, right)
        _binary(lowering, op, "au_add", sides, out)
        return
    common = 2.0 * max(left.scale, right.scale)
    factors = [multiplier_of(left.scale / common), multiplier_of(right.scale / common)]
    if op.kind == "SUB":
        factors[1] = Multiplier(-factors[1].value, factors[1].shift)
    _binary(lowering, op, "au_add", factors, multiplier_of(common / (_HEADROOM * made.scale)))


def _xnnpack_sum(lowering: Lowering, op: Op, left: Tensor, right: Tensor) -> tuple[list[Multiplier], Multiplier]:
    """XNNPACK's ADD: integer factors of 21 bits for both sides; instead of a last factor, the bias that holds zero
    points and rounding.
    """
    made = lowering.output(op)
    ratios = [float(np.float32(side.scale) / np.float32(made.scale)) for side in (left, right)]
    _check_xnnpack_takes(lowering, op, ratios, 2.0**-10)
    shift = 20 - (math.frexp(max(ratios))[1] - 1)
    factors = [round(ratio * 2.0**shift) for ratio in ratios]
    if op.kind == "SUB":
        factors[1] = -factors[1]
    bias = (1 << (shift - 1)) - factors[0] * left.zero_point - factors[1] * right.zero_point
    return [Multiplier(factor, 0) for factor in factors], Multiplier(bias, shift)


def _check_xnnpack_takes(lowering: Lowering, op: Op, ratios: list[float], lowest: float) -> None:
    """Refuse what XNNPACK leaves to TFLite, which rounds twice (TFLite's xnnpack_delegate.cc, CheckTensors...Scale)."""
    if not all(lowest <= ratio < 2.0**8 for ratio in ratios):
        raise lowering.refuse(
            op,
            f"scales its inputs by {' and '.join(f'{ratio:g}' for ratio in ratios)}; XNNPACK takes {lowest:g} to 256, "
            "quantize again or choose double rounding",
        )


def mul(lowering: Lowering, op: Op) -> None:
    """MUL."""
    left, right, made = lowering.operand(op, 0), lowering.operand(op, 1), lowering.output(op)
    _check_operands(lowering, op, left, right)
    factor = float(np.float32(left.scale) * np.float32(right.scale) / np.float32(made.scale))
    if lowering.single_rounding:
        _check_xnnpack_takes(lowering, op, [factor], 2.0**-16)
    _binary(lowering, op, "au_mul", [Multiplier(0, 0)] * 2, multiplier_of(factor))


def matmul(lowering: Lowering, op: Op) -> None:
    """BATCH_MATMUL: both operands whole, leading axes broadcast."""
    left, right, made = lowering.operand(op, 0), lowering.operand(op, 1), lowering.output(op)
    _check_operands(lowering, op, left, right)
    if not 2 <= len(left.shape) <= 4 or not 2 <= len(right.shape) <= 4:
        raise lowering.refuse(
            op, f"multiplies {list(left.shape)} by {list(right.shape)}; reshape both to two, three or four axes"
        )
    options = lowering.options(op, _MATMUL_OPTIONS)
    adjoint = bool(options.integer(0, "?")), bool(options.integer(1, "?"))
    (height, depth), (width, depth_right) = _matrix(left, adjoint[0]), _matrix(right, not adjoint[1])
    batches = _broadcast(lowering, op, left.shape[:-2], right.shape[:-2])
    if depth != depth_right:
        raise lowering.refuse(
            op, f"multiplies {list(left.shape)} by {list(right.shape)}, whose inner axes differ; export the model again"
        )
    lowering.expect(op, (*batches, height, width))
    if right.data is not None and right.zero_point == 0 and lowering.single_rounding:
        factor = lowering.product_factor(left.scale, right.scale, made.scale)  # XNNPACK's; the others are TFLite's
    else:
        factor = float(np.float32(left.scale) * np.float32(right.scale)) / made.scale
    multiplier = multiplier_of(factor)
    if depth * 255 * 255 >= 1 << 31:
        raise lowering.refuse(op, f"adds {depth} products, more than 32 bits hold; multiply narrower matrices")
    full = (1,) * (2 - len(batches)) + batches
    fields: dict[str, CValue] = {
        "left": _matrix_fields(left, adjoint[0], full),
        "right": _matrix_fields(right, not adjoint[1], full),
        "batches": full, "height": height, "width": width, "depth": depth,
        "multiplier": multiplier.value, "shift": multiplier.shift, "out_zero": made.zero_point,
    }  # fmt: skip
    taps = tuple(Tap(lowering.stream(op.inputs[i]), 0) for i in (0, 1) if lowering.operand(op, i).data is None)
    rows = natural_rows(made.shape)
    output = lowering.add_stream(op.outputs[0], rows)
    macs = made.size * depth
    lowering.steps.append(
        Step(op.kind, "au_matmul", "au_matmul_c99", CStruct("au_matmul_t", fields), taps, output, rows, 1, macs)
    )


def _check_operands(lowering: Lowering, op: Op, left: Tensor, right: Tensor) -> None:
    for tensor in (left, right):
        if tensor.dtype != "int8" or len(tensor.scales) != 1:
            raise lowering.refuse(
                op,
                f"takes '{tensor.name}' of type {tensor.dtype} with {len(tensor.scales)} scales; it must be "
                "int8 with one, quantize both sides as whole tensors",
            )
    if left.data is not None and right.data is not None:
        raise lowering.refuse(op, "combines two constants; fold them in the model")


def _binary(lowering: Lowering, op: Op, kernel: str, factors: list[Multiplier], out: Multiplier) -> None:
    operands = [lowering.operand(op, position) for position in (0, 1)]
    made = lowering.output(op)
    lowering.expect(op, _broadcast(lowering, op, operands[0].shape, operands[1].shape))
    rows, split = _rows(lowering, op, operands, made)
    sizes = (1,) * (4 - len(made.shape) + split) + made.shape[split:]
    if len(sizes) > 4:
        raise lowering.refuse(op, f"has shape {list(made.shape)}; reshape both sides to four axes or fewer")
    aligned = [(1,) * (len(made.shape) - len(tensor.shape)) + tensor.shape for tensor in operands]
    sizes, steps = _merged(sizes, [_steps(shape[split:], sizes) for shape in aligned])
    low, high = activation_range(read_activation(lowering, op, lowering.options(op, _OPTIONS[op.kind]), 0), made)
    taps: list[Tap] = []
    sides: list[dict[str, CValue]] = []
    for position, (tensor, factor) in enumerate(zip(operands, factors, strict=True)):
        if tensor.data is None:
            streamed = math.prod(aligned[position][:split]) == rows and rows > 1
            index = op.inputs[position]
            taps.append(Tap(lowering.stream_in_rows(index, rows), 1) if streamed else Tap(lowering.stream(index), 0))
        sides.append(
            {
                "constant": _constant(tensor),
                "steps": steps[position],
                "zero": tensor.zero_point,
                "multiplier": factor.value,
                "shift": factor.shift,
            }
        )
    fields: dict[str, CValue] = {
        "left": sides[0], "right": sides[1], "sizes": sizes, "multiplier": out.value, "shift": out.shift,
        "out_zero": made.zero_point, "low": low, "high": high,
    }  # fmt: skip
    runs, emits = (rows, 1) if rows > 1 else (1, natural_rows(made.shape))
    output = lowering.add_stream(op.outputs[0], runs * emits)
    struct = CStruct("au_binary_t", fields)
    lowering.steps.append(Step(op.kind, kernel, "au_elementwise_c99", struct, tuple(taps), output, emits, runs, 0))


def _rows(lowering: Lowering, op: Op, operands: list[Tensor], made: Tensor) -> tuple[int, int]:
    """Rows in which the result can be made one by one, and how many leading axes they are; (1, 0) if only whole."""
    for position, tensor in enumerate(operands):
        if tensor.data is not None or tensor.size != made.size:
            continue
        rows = lowering.streams[lowering.stream(op.inputs[position])].rows
        for split in range(1, len(made.shape)):
            shapes = [(1,) * (len(made.shape) - len(other.shape)) + other.shape for other in operands]
            leading = [math.prod(shape[:split]) for shape in shapes]
            constants_fit = all(lead == 1 or other.data is None for lead, other in zip(leading, operands, strict=True))
            if math.prod(made.shape[:split]) == rows > 1 and set(leading) <= {1, rows} and constants_fit:
                return rows, split
    return 1, 0


def _broadcast(lowering: Lowering, op: Op, left: tuple[int, ...], right: tuple[int, ...]) -> tuple[int, ...]:
    try:
        return tuple(int(size) for size in np.broadcast_shapes(left, right))
    except ValueError:
        raise lowering.refuse(
            op, f"combines {list(left)} and {list(right)}, which do not broadcast; export the model again"
        ) from None


def _steps(shape: tuple[int, ...], sizes: tuple[int, ...]) -> tuple[int, ...]:
    """Distance between neighbours along each of `sizes`' axes in a dense tensor of `shape`, 0 where it is broadcast."""
    padded = (1,) * (len(sizes) - len(shape)) + shape
    return tuple(0 if padded[axis] == 1 else math.prod(padded[axis + 1 :]) for axis in range(len(sizes)))


def _merged(sizes: tuple[int, ...], steps: list[tuple[int, ...]]) -> tuple[tuple[int, ...], list[tuple[int, ...]]]:
    """Return the same walk with a longer innermost axis: neighbouring axes become one where both operands walk them
    without a jump.
    """
    lengths, walks = list(sizes), [list(step) for step in steps]
    while len(lengths) > 1:
        outer, inner = lengths[-2:]
        if not (outer == 1 or all(walk[-2] == inner * walk[-1] for walk in walks)):
            break
        lengths[-2:] = [outer * inner]
        for walk in walks:
            del walk[-2]
    lead = len(sizes) - len(lengths)
    return (1,) * lead + tuple(lengths), [(0,) * lead + tuple(walk) for walk in walks]


def _constant(tensor: Tensor) -> CArray | None:
    return None if tensor.data is None else CArray("au_value_t", tensor.data.astype(np.int8).reshape(-1))


def _matrix(tensor: Tensor, transposed: bool) -> tuple[int, int]:
    """Length of the axis that stays and of the axis that is summed."""
    return (tensor.shape[-1], tensor.shape[-2]) if transposed else (tensor.shape[-2], tensor.shape[-1])


def _matrix_fields(tensor: Tensor, transposed: bool, batches: tuple[int, ...]) -> dict[str, CValue]:
    row = tensor.shape[-1]
    size = tensor.shape[-2] * row
    return {
        "constant": _constant(tensor),
        "batch_steps": tuple(step * size for step in _steps(tensor.shape[:-2], batches)),
        "outer_step": 1 if transposed else row,
        "inner_step": row if transposed else 1,
        "zero": tensor.zero_point,
    }
