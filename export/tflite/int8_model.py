"""A float .tflite and its ranges as a fully int8 .tflite."""

import warnings

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from ai_edge_quantizer import quantizer, recipe
from numpy.typing import NDArray

from export.tflite.float_model import ATTENTION, BLEND, LAMBDA, MAXIMUM, MEAN, OUTPUT, PRODUCT, WEIGHTED
from export.tflite.ranges import Ranges
from lungsound.errors import InputError

LOGIT_LIMIT = 8.0
"""Where logits saturate: probabilities below 0.0004 and above 0.9996 need no codes, those between need finer ones."""

_SOFTMAX_SCALE = 1 / 256
"""TFLite's rules fix it, with a zero point of -128."""


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
    interpreter = Interpreter(model_content=float_model)
    constants = {
        detail["name"]: interpreter.get_tensor(detail["index"])
        for detail in interpreter.get_tensor_details()
        if detail["name"] in (LAMBDA, MEAN)
    }
    missing = {ATTENTION, PRODUCT, OUTPUT} - ranges.keys()
    if missing:
        raise InputError(f"no range for {', '.join(sorted(missing))}; measure the ranges of this very model")
    chosen = ranges | _limited_logits(ranges) | _exact_blend(ranges, constants[LAMBDA], constants[MEAN])
    statistics = {name: {"min": np.float32(low), "max": np.float32(high)} for name, (low, high) in chosen.items()}
    with warnings.catch_warnings():
        # The quantizer opens the model in a way that LiteRT warns of.
        warnings.filterwarnings("ignore", message=".*experimental_preserve_all_tensors")
        converter = quantizer.Quantizer(float_model, recipe.static_wi8_ai8())
        result = converter.quantize(statistics, enable_progress_bar=False, enable_progress_report=False)
    return bytes(result.quantized_model)


def _limited_logits(ranges: Ranges) -> Ranges:
    """Let logits saturate at `LOGIT_LIMIT`, and what the maxima are added to only where the logits do as well."""
    low, high = ranges.get(MAXIMUM, (0.0, 0.0))
    limits = {OUTPUT: (-LOGIT_LIMIT, LOGIT_LIMIT), PRODUCT: (-LOGIT_LIMIT - high, LOGIT_LIMIT - low)}
    return {
        name: (float(np.clip(ranges[name][0], *limit)), float(np.clip(ranges[name][1], *limit)))
        for name, limit in limits.items()
    }


def _exact_blend(ranges: Ranges, lam: NDArray[np.float32], mean: NDArray[np.float32]) -> Ranges:
    """Choose scales for which the attention's constants are whole codes.

    A scale of lambda / 256 leaves the softmax's codes as they are. One that divides 1 / P keeps the mean: all
    positions share its rounding, so it would not average out but change the mean by up to a few percent.
    """
    largest_lambda, share = float(lam.max()), float(mean.max())
    most = largest_lambda * ranges[ATTENTION][1] + share
    codes = max(1, int(255 * share / most))
    weighted, blend = largest_lambda * _SOFTMAX_SCALE * 255, share / codes * 255
    return {WEIGHTED: (0.0, weighted), BLEND: (0.0, blend)}
