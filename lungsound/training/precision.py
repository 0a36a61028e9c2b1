"""How many bits a training computes with, by what the machine has units for."""

from typing import Literal

import torch


def usual_precision() -> Literal["32-true", "bf16-mixed"]:
    """Return ``bf16-mixed`` where a GPU or the CPU multiplies bfloat16 in hardware, else ``32-true``."""
    if torch.cuda.is_available():
        return "bf16-mixed" if torch.cuda.is_bf16_supported(including_emulation=False) else "32-true"
    units = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    return "bf16-mixed" if any(units.get(unit) for unit in ("avx512_bf16", "amx_bf16")) else "32-true"
