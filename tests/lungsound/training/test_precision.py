"""How many bits a training computes with."""

import pytest
import torch

from lungsound.training.precision import usual_precision


@pytest.mark.parametrize(
    ("units", "library", "wanted"),
    [
        ({"avx512_f": True, "avx512_bf16": False, "amx_bf16": False}, True, "32-true"),
        ({"avx512_f": True, "avx512_bf16": True, "amx_bf16": False}, True, "bf16-mixed"),
        ({"avx512_bf16": False, "amx_bf16": True}, True, "bf16-mixed"),
        ({"neon": True, "bf16": False}, True, "32-true"),
        ({"neon": True, "bf16": True}, True, "bf16-mixed"),
        ({"neon": True, "bf16": True}, False, "32-true"),  # macOS: torch there has no kernels for them
    ],
)
def test_bfloat16_where_the_cpu_has_units_and_torch_uses_them(monkeypatch, units, library, wanted):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: units, raising=False)
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: library)
    assert usual_precision() == wanted


@pytest.mark.parametrize(("in_hardware", "wanted"), [(True, "bf16-mixed"), (False, "32-true")])
def test_a_gpu_that_emulates_bfloat16_computes_in_float32(monkeypatch, in_hardware, wanted):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: including_emulation or in_hardware)
    assert usual_precision() == wanted
