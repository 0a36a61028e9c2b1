"""What torch makes again for each export, always the same."""

import functools
from typing import Any


def keep_tables() -> Any:
    """Let torch keep two tables; return what makes the one of ONNX functions, read from five hundred sources."""
    from torch.export import exported_program
    from torch.onnx._internal.exporter._registration import ONNXRegistry

    if not isinstance(ONNXRegistry.from_torchlib, functools._lru_cache_wrapper):
        ONNXRegistry.from_torchlib = staticmethod(functools.cache(ONNXRegistry.from_torchlib))
        composite = exported_program._collect_all_valid_cia_ops
        exported_program._collect_all_valid_cia_ops = functools.cache(composite)
    return ONNXRegistry.from_torchlib
