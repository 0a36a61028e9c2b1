"""A float .tflite and its ranges as a fully int8 .tflite."""

import contextlib
import io
import warnings

import numpy as np
from ai_edge_quantizer import quantizer, recipe

from export.tflite.quiet_channels import with_room_for_biases
from export.tflite.ranges import Ranges
from export.tflite.structure import Step, Structure
from lungsound.errors import InputError
from lungsound.terminal import without_notes

LOGIT_LIMIT = 8.0
"""Where logits saturate: probabilities below 0.0004 and above 0.9996 need no codes, those between need finer ones."""

_SOFTMAX_SCALE = 1 / 256
"""TFLite's rules fix it, with a zero point of -128."""


HARD_SWISH_ZERO = -3.0
"""At and below it a hard-swish is 0."""


def int8_tflite(float_model: bytes, ranges: Ranges) -> bytes:
    """Quantize weights per channel, and activations, input and output per tensor, to int8.

    Parameters
    ----------
    float_model : bytes
        As :func:`export.tflite.float_model.float_tflite` writes it.
    ranges : dict
        As :func:`export.tflite.ranges.calibrate` measures them.

    Returns
    -------
    bytes
        The file; input ``logmel`` and output ``logits`` are int8, and no operator computes in float.

    Raises
    ------
    InputError
        If the ranges are of another model.
    """
    chosen = chosen_ranges(float_model, ranges)
    statistics = {name: {"min": np.float32(low), "max": np.float32(high)} for name, (low, high) in chosen.items()}
    # Biases beyond int32 are mended behind it.
    with (
        without_notes(),
        contextlib.redirect_stderr(io.StringIO()),
        warnings.catch_warnings(),
        np.errstate(invalid="ignore"),
    ):
        # The quantizer opens the model in a way that LiteRT notes and warns of, and shows a bar of its own whatever it
        # is told.
        warnings.filterwarnings("ignore", message=".*experimental_preserve_all_tensors")
        converter = quantizer.Quantizer(float_model, recipe.static_wi8_ai8())
        result = converter.quantize(statistics, enable_progress_bar=False, enable_progress_report=False)
    return with_room_for_biases(float_model, bytes(result.quantized_model))


def chosen_ranges(float_model: bytes, ranges: Ranges) -> Ranges:
    """Return the ranges that int8 gets: the measured ones, but where a model's structure asks for others.

    Raises
    ------
    InputError
        If the ranges are of another model.
    """
    model = Structure(float_model)
    due = [*model.graph.inputs, *(step.output for step in model.steps)]
    missing = sorted({model.name(tensor) for tensor in due} - ranges.keys())
    if missing:
        raise InputError(f"no range for {', '.join(missing[:3])}; measure the ranges of this very model")
    limited = _limited_logits(model, ranges) | _before_hard_swish(model, ranges)
    return ranges | _padded(model, ranges) | limited | _exact_blends(model, ranges)


def only_hard_swish_reads(model: Structure, tensor: int) -> bool:
    """Return whether hard-swish is all that sees a tensor."""
    readers = model.readers(tensor)
    return bool(readers) and all(step.kind == "HARD_SWISH" for step in readers)


def _padded(model: Structure, ranges: Ranges) -> Ranges:
    """Let what stands for nothing around a maximum saturate at the lowest code."""
    pads = [step for step in model.steps if step.kind == "PADV2"]
    return {model.name(step.output): ranges[model.name(step.inputs[0])] for step in pads}


def _limited_logits(model: Structure, ranges: Ranges) -> Ranges:
    """Let logits saturate at `LOGIT_LIMIT`.

    Of a blend's product, to which maxima are added, what matters is where the sum does not saturate.
    """
    limits = dict.fromkeys(model.moved(model.output), (-LOGIT_LIMIT, LOGIT_LIMIT))
    last = model.writer(model.output)
    products = {step.output for step, _ in _blends(model)}
    if last is not None and last.kind == "ADD":
        for product, other in (last.inputs, last.inputs[::-1]):
            writer = model.writer(product)
            if writer is not None and writer.output in products:
                low, high = ranges[model.name(other)]
                limits |= dict.fromkeys(model.moved(product), (-LOGIT_LIMIT - high, LOGIT_LIMIT - low))
    return {
        model.name(tensor): (
            float(np.clip(ranges[model.name(tensor)][0], *limit)),
            float(np.clip(ranges[model.name(tensor)][1], *limit)),
        )
        for tensor, limit in limits.items()
    }


def _before_hard_swish(model: Structure, ranges: Ranges) -> Ranges:
    """Let what only a hard-swish reads saturate where it gives 0, so that the codes lie where it does not."""
    limits: Ranges = {}
    for tensor in {step.inputs[0] for step in model.steps if step.kind == "HARD_SWISH"}:
        low, high = ranges[model.name(tensor)]
        if only_hard_swish_reads(model, tensor) and high > 0:
            limits[model.name(tensor)] = max(low, HARD_SWISH_ZERO), high
    return limits


def _blends(model: Structure) -> list[tuple[Step, Step]]:
    """Return the matrix products with a blend, ``softmax * constant + constant``, each with its softmax's sum."""
    found = []
    for step in model.steps:
        if step.kind == "BATCH_MATMUL":
            for given in step.inputs:
                summed = model.with_constant(given, "ADD")
                weighted = summed and model.with_constant(summed[1], "MUL")
                attention = weighted and model.writer(weighted[1])
                if summed and attention and attention.kind == "SOFTMAX":
                    found.append((step, summed[0]))
    return found


def _exact_blends(model: Structure, ranges: Ranges) -> Ranges:
    """Choose scales for which an attention's constants are whole codes.

    A scale of lambda / 256 leaves the softmax's codes as they are. One that divides 1 / P keeps the mean: all
    positions share its rounding, so it would not average out but change the mean by up to a few percent.
    """
    chosen: Ranges = {}
    for _, blend in _blends(model):
        summed = model.with_constant(blend.output, "ADD")
        weighted = summed and model.with_constant(summed[1], "MUL")
        assert summed
        assert weighted
        largest, share = float(weighted[2].max()), float(summed[2].max())
        most = largest * ranges[model.name(weighted[1])][1] + share
        if share == 0:
            continue
        codes = max(1, int(255 * share / most))
        chosen[model.name(weighted[0].output)] = 0.0, largest * _SOFTMAX_SCALE * 255
        chosen[model.name(blend.output)] = 0.0, share / codes * 255
    return chosen
