"""How many bits a training computes with, by what the machine has units for."""

from typing import Literal

import torch

_UNITS = ("avx512_bf16", "amx_bf16", "bf16")
"""Of Intel and AMD, and of Arm, as torch names them."""


def usual_precision() -> Literal["32-true", "bf16-mixed"]:
    """Return ``bf16-mixed`` where a GPU or the CPU multiplies bfloat16 in hardware, else ``32-true``."""
    if torch.cuda.is_available():
        return "bf16-mixed" if torch.cuda.is_bf16_supported(including_emulation=False) else "32-true"
    units = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    # oneDNN, which torch lacks on macOS, has the kernels.
    has_kernels = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    return "bf16-mixed" if has_kernels and any(units.get(unit) for unit in _UNITS) else "32-true"
