"""FULLY_CONNECTED with the instructions of a core; weights and scales are those of plain C."""

import dataclasses

from firmware_bridge.compile.program import Step


def fully_connected(step: Step, kernels: str) -> Step:
    """`step` with au_fully_connected_dsp or au_fully_connected_mve."""
    name = f"au_fully_connected_{'mve' if kernels == 'mve' else 'dsp'}"
    return dataclasses.replace(step, kernel=name, source=name)
