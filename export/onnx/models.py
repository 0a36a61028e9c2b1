"""A student as ONNX: float, and int8 with QuantizeLinear and DequantizeLinear around every operator (QDQ)."""

import contextlib
import io
import logging
import sys
import warnings
from collections.abc import Iterator
from typing import Any, cast

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from torch import nn
from torch.export import ExportedProgram

from export.graph.trace import recorded
from lungsound.errors import InputError
from lungsound.listening import Listening
from lungsound.quantization import Quantization

INPUT, OUTPUT = "logmel", "logits"
SOUND = "sound"
"""Input of a network that hears samples."""


def onnx_float(student: nn.Module, listening: Listening, *, sound: bool = False) -> onnx.ModelProto:
    """Export a student as a float ONNX model.

    Parameters
    ----------
    student : Module
        Maps [1, 1, frames, n_mels] to [1, labels]; taken in evaluation mode.
    listening : Listening
        Gives frames and n_mels, or samples.
    sound : bool
        The student maps samples [1, samples] in [-1, 1]; the input is called ``sound`` then.

    Returns
    -------
    ModelProto
        As :func:`onnx_of` makes it.
    """
    shape = (listening.samples,) if sound else (1, listening.frames, listening.logmel.n_mels)
    return onnx_of(recorded(student, *shape), SOUND if sound else INPUT)


def onnx_of(network: ExportedProgram, given: str = INPUT) -> onnx.ModelProto:
    """Write a recorded network as a float ONNX model.

    Parameters
    ----------
    network : ExportedProgram
        Of :func:`export.graph.trace.recorded`.
    given : str
        Name of the input.

    Returns
    -------
    ModelProto
        Input ``logmel`` [1, 1, frames, n_mels] or what `given` says, output ``logits`` [1, labels], weights inside.
        One window at a time, as on the device.
    """
    with _silence():
        program = torch.onnx.export(
            network, dynamo=True, external_data=False, verbose=False, input_names=[given], output_names=[OUTPUT]
        )
    if program is None:
        raise RuntimeError("torch exported no program")
    model = program.model_proto
    _forget_where_it_came_from(model)
    onnx.checker.check_model(model)
    return model


def _forget_where_it_came_from(model: onnx.ModelProto) -> None:
    """Drop the stack traces, paths of this machine among them, that torch notes beside every node."""
    graph = model.graph
    for part in (model, graph, *graph.node, *graph.input, *graph.output, *graph.value_info, *graph.initializer):
        part.ClearField("metadata_props")
        part.ClearField("doc_string")


def onnx_int8(
    model: onnx.ModelProto, features: NDArray[np.float32], percentile: float | None = None
) -> onnx.ModelProto:
    """Quantize a float ONNX model to int8 QDQ with NNCF.

    NNCF's ONNX backend with true extremes and without bias correction. Its default ranges are means of extremes and
    saturate, its bias correction moved probabilities further from float, and so does onnxruntime's
    ``quantize_static``: mean errors 0.0011 here, 0.0032 and 0.0047 there, on a CNN6 of a quarter width.

    Parameters
    ----------
    model : ModelProto
        As :func:`onnx_float` returns it.
    features : ndarray of float32, shape [N, frames, n_mels]
        Normalised log-mels of training windows.
    percentile : float, optional
        Instead of a window's extremes, take its values at this percentile and at its mirror image; the range is
        the widest of all windows.

    Returns
    -------
    ModelProto
        Same input and output; weights int8 per channel.

    Raises
    ------
    InputError
        If there are no features, one is not finite, they do not fit the model, or the percentile is out of range.
    """
    if percentile is not None and not 50 < percentile <= 100:
        raise InputError(f"the percentile of a range must lie above 50 and up to 100, got {percentile}")
    shape = tuple(size.dim_value for size in model.graph.input[0].type.tensor_type.shape.dim)
    if features.ndim != 3 or not len(features) or features.shape[1:] != shape[2:]:
        raise InputError(f"ranges need log-mels [N, {shape[2]}, {shape[3]}], got {list(features.shape)}")
    if not np.isfinite(features).all():
        raise InputError("a log-mel that ranges are measured on holds values that are not finite; prepare it anew")
    _keep_use_private()
    with _silence():
        import nncf
        from nncf.quantization.advanced_parameters import (
            AdvancedQuantizationParameters,
            OverflowFix,
            QuantizationParameters,
        )

        nncf.set_log_level(logging.ERROR)
        windows = [{INPUT: np.asarray(window, np.float32).reshape(shape)} for window in features]
        quantized: onnx.ModelProto = nncf.quantize(
            model,
            nncf.Dataset(windows),
            preset=nncf.QuantizationPreset.MIXED,  # activations get a zero point, as in the .tflite
            subset_size=len(windows),
            advanced_parameters=AdvancedQuantizationParameters(
                overflow_fix=OverflowFix.DISABLE,
                disable_bias_correction=True,
                # NNCF's ranges by channel before a depthwise convolution are none that onnxruntime's kernel takes.
                activations_quantization_params=QuantizationParameters(per_channel=False),
                activations_range_estimator_params=_estimator(percentile),
                weights_range_estimator_params=_estimator(None),
            ),
        )
    onnx.checker.check_model(quantized)
    return quantized


def _keep_use_private() -> None:
    """Let NNCF find no telemetry package: it would write an identifier and report every use to its maker."""
    cast(dict[str, Any], sys.modules).setdefault("openvino_telemetry", None)


def _estimator(percentile: float | None) -> Any:
    """Return NNCF's description of a range: extremes over all windows of each window's extremes or percentiles."""
    from nncf.quantization.range_estimator import (
        AggregatorType,
        RangeEstimatorParameters,
        RangeEstimatorParametersSet,
        StatisticsCollectorParameters,
        StatisticsType,
    )

    if percentile is None or percentile == 100:
        return RangeEstimatorParametersSet.MINMAX
    left_out = 1 - percentile / 100
    low, high = (
        StatisticsCollectorParameters(StatisticsType.QUANTILE, aggregator, quantile_outlier_prob=left_out)
        for aggregator in (AggregatorType.MIN, AggregatorType.MAX)
    )
    return RangeEstimatorParameters(low, high)


def input_quantization(model: onnx.ModelProto) -> Quantization:
    """Return how the first QuantizeLinear of an int8 model turns its input into codes.

    Raises
    ------
    InputError
        If the model does not quantize its input with one int8 scale.
    """
    constants = {constant.name: onnx.numpy_helper.to_array(constant) for constant in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type == "QuantizeLinear" and node.input[0] == INPUT:
            scale, zero_point = constants[node.input[1]], constants[node.input[2]]
            if zero_point.dtype == np.int8 and scale.size == 1:
                return Quantization(float(scale.item()), int(zero_point.item()))
    raise InputError("the int8 ONNX model does not quantize its input to int8; export it with another student")


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """Keep progress bars off stdout, where commands print JSON, and known warnings off stderr."""
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        warnings.simplefilter("ignore", DeprecationWarning)
        yield
