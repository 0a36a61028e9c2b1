"""What torch makes again for each export, always the same."""

import functools
from typing import Any


def keep_tables() -> Any:
    """Let torch keep its table of ONNX functions, read from five hundred sources; return what makes the table."""
    from torch.onnx._internal.exporter._registration import ONNXRegistry

    if not isinstance(ONNXRegistry.from_torchlib, functools._lru_cache_wrapper):
        ONNXRegistry.from_torchlib = staticmethod(functools.cache(ONNXRegistry.from_torchlib))
    return ONNXRegistry.from_torchlib
