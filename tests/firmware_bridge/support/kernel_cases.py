"""Random models that reach the kernels of a core, which take only some convolutions; the rest stays with plain C."""

import numpy as np
from one_op_tflite import Model, Node, Spec, build
from operator_cases import CASES, conv_2d, depthwise_conv_2d

from firmware_bridge.plan.network import plan_network
from firmware_bridge.tflite.reader import parse_tflite

KERNELS = (
    *("au_conv_paired", "au_conv_gathered", "au_conv_paired_pool", "au_conv_gathered_pool"),
    *("au_depthwise_fours", "au_add_alike"),
)
ROUND_TWICE = ("au_add_alike",)
"""Kernels that exist in double rounding alone."""


def model_with(kernel: str, kernels: str, rounding: str, seed: int) -> bytes:
    """Return a random .tflite file whose program, for `kernels`, runs the function `kernel`."""
    rng = np.random.default_rng(seed)
    for _ in range(10_000):
        content = build(_drawn(kernel, kernels, rng))
        network = plan_network(parse_tflite("case.tflite", content), kernels, rounding)
        if kernel in {step.kernel for step in network.program.steps}:
            return content
    raise AssertionError(f"no random model reaches {kernel} with kernels {kernels}")


def _drawn(kernel: str, kernels: str, rng: np.random.Generator) -> Model:
    many = kernels == "dsp16" and "paired" in kernel  # columns too large to be unpacked on the stack
    if kernel == "au_add_alike":
        return CASES[str(rng.choice(["ADD of branches", "SUB of branches"]))](rng)
    if kernel == "au_depthwise_fours":
        return depthwise_conv_2d(rng, channels=4 * int(rng.integers(1, 7)))
    few = [1, 2, 3, 4, 5, 8, 12, 16, 20, 24]
    model = conv_2d(rng, channels=int(rng.choice([128, 200, 340] if many else few)))
    return _pooled(model) if kernel.endswith("_pool") else model


def _pooled(model: Model) -> Model:
    """Put an average pool 2 x 2 behind it, where there is room for one."""
    made = model.tensors[-1]
    _, rows, width, channels = made.shape
    if min(rows, width) < 2:
        return model
    pool = {"padding": 1, "strideH": 2, "strideW": 2, "filterHeight": 2, "filterWidth": 2}
    model.tensors.append(Spec((1, rows // 2, width // 2, channels), made.scales, made.zeros))
    model.nodes.append(Node("AVERAGE_POOL_2D", [3], 4, ("Pool2DOptions", pool)))
    return model
